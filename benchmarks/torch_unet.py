"""The network and the losses that `furrow train` has by default, in PyTorch: for the benchmarks beside it."""
import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, ins, outs, below=None, up_kind="transposed"):
        super().__init__()
        if below is not None:
            self.shuffles = up_kind == "shuffle"
            self.up = nn.Conv2d(below, 4 * outs, 1) if self.shuffles else nn.ConvTranspose2d(below, outs, 2, 2)
        self.conv1, self.norm1 = nn.Conv2d(ins, outs, 3, padding=1, bias=False), nn.BatchNorm2d(outs)
        self.conv2, self.norm2 = nn.Conv2d(outs, outs, 3, padding=1, bias=False), nn.BatchNorm2d(outs)

    def forward(self, x, skip=None):
        if skip is not None:
            x = self.up(x)
            x = torch.cat([skip, F.pixel_shuffle(x, 2) if self.shuffles else x], 1)
        x = torch.relu_(self.norm1(self.conv1(x)))
        return torch.relu_(self.norm2(self.conv2(x)))


class UNet(nn.Module):
    def __init__(self, bands, width, up_kind):
        super().__init__()
        w = [width * 2**i for i in range(5)]
        self.encoder = nn.ModuleList([Block(bands if i == 0 else w[i - 1], w[i]) for i in range(5)])
        self.decoder = nn.ModuleList([Block(2 * w[i], w[i], w[i + 1], up_kind) for i in (3, 2, 1, 0)])
        self.drop, self.head = nn.Dropout2d(0.15), nn.Conv2d(width, 3, 1)

    def forward(self, x):
        x, skips = self.encoder[0](x), []
        for block in self.encoder[1:]:
            skips.append(x)
            x = self.drop(block(F.max_pool2d(x, 2)))
        for block in self.decoder:
            x = block(x, skips.pop())
            x = self.drop(x) if skips else x
        return self.head(x)


def loss_of(logits, labels):
    t = F.one_hot(labels, 3).permute(0, 3, 1, 2).float()
    p = torch.softmax(logits, 1)
    mass, tp, all_p = t.sum((0, 2, 3)), (t * p).sum((0, 2, 3)), p.sum((0, 2, 3))
    tversky = (tp + 1) / (tp + 0.7 * (mass - tp) + 0.3 * (all_p - tp) + 1)
    weights = mass.sum() / mass
    focal = (weights / weights.sum() * (1 - tversky).clamp_min(1e-7) ** (1 / 1.33)).sum()
    return 0.5 * F.cross_entropy(logits, labels) + 0.5 * focal


def train_step(network, optimiser, pixels, labels, precision):
    """One step as furrow makes it: forward (in bfloat16 where asked), losses in float32, backward, clipping, optimiser."""
    optimiser.zero_grad(set_to_none=True)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
        logits = network(pixels)
    loss_of(logits.float(), labels).backward()
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
