"""Loads a model folder of furrow in PyTorch (1.13 and 2.x): python3 load_model.py MODEL"""

import json
import struct
import sys
from pathlib import Path

import torch
from torch import nn


def read_safetensors(path):
    """Names and tensors of a .safetensors file; the package safetensors does the same."""
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    tensors = {}
    for name, item in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in item["data_offsets"])
        kind = {"F32": torch.float32, "I64": torch.int64}[item["dtype"]]
        tensors[name] = torch.frombuffer(bytearray(data[begin:end]), dtype=kind).reshape(item["shape"])
    return tensors


class Block(nn.Module):
    def __init__(self, inputs, outputs, below=None):
        super().__init__()
        if below:
            self.up = nn.Conv2d(below, 4 * outputs, 1)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)

    def forward(self, x):
        x = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(x)))


class UNet(nn.Module):
    """The architecture "unet", to train on in Python: weights fit by name."""

    def __init__(self, bands, base_width, levels, classes):
        super().__init__()
        widths = [base_width << level for level in range(levels)]
        self.encoder = nn.ModuleList(Block(i, o) for i, o in zip([bands] + widths, widths))
        self.decoder = nn.ModuleList(Block(2 * o, o, 2 * o) for o in reversed(widths[:-1]))
        self.head = nn.Conv2d(base_width, classes, 1)

    def forward(self, x):
        x = self.encoder[0](x)
        skips = []
        for block in self.encoder[1:]:
            skips.append(x)
            x = block(torch.max_pool2d(x, 2))
        for block in self.decoder:
            x = block(torch.cat([skips.pop(), torch.pixel_shuffle(block.up(x), 2)], 1))
        return self.head(x)


def load_torchscript(folder):
    """Any model of furrow, ready to run; needs nothing of the above."""
    return torch.jit.load(str(Path(folder) / "model.ts"), map_location="cpu").eval()


def load_unet(folder):
    """The same network as a module of Python."""
    spec = json.loads((Path(folder) / "model.json").read_text())
    parameters = spec["architecture"]["parameters"]
    network = UNet(len(spec["input"]["bands"]), int(parameters["base_width"]), int(parameters["levels"]),
                   len(spec["output"]["classes"]))
    network.load_state_dict(read_safetensors(Path(folder) / spec["weights"]["file"]))
    return network.eval()


def scores(network, folder, pixels):
    """Probabilities [N, classes, H, W] of normalised pixels [N, bands, H, W]; H and W multiples of the stride."""
    spec = json.loads((Path(folder) / "model.json").read_text())
    with torch.no_grad():
        return torch.softmax(network(pixels) / spec["calibration"]["temperature"], 1)


if __name__ == "__main__":
    model = sys.argv[1]
    inputs = json.loads((Path(model) / "model.json").read_text())["input"]
    side = 8 * inputs["stride_px"]
    image = torch.rand(1, len(inputs["bands"]), side, side, generator=torch.Generator().manual_seed(1))
    script = scores(load_torchscript(model), model, image)
    unet = scores(load_unet(model), model, image)
    print("PyTorch", torch.__version__, "scores", list(script.shape))
    print("largest difference of the two:", float((script - unet).abs().max()))
