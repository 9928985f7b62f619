"""Writes skimage_watershed.txt: made-up boundary scores, their minima of at least a given depth, and the watershed from these as
markers, by scikit-image (0.26.0) with scipy and numpy. By hand, when the cases change: python3 make_skimage_watershed.py
Lines: "case WIDTH HEIGHT CUT", then three blocks of HEIGHT lines: scores 0..200, 255 outside the mask; markers; watershed."""
import pathlib

import numpy
from scipy.ndimage import gaussian_filter
from skimage.measure import label
from skimage.morphology import local_minima, reconstruction
from skimage.segmentation import watershed

out = open(pathlib.Path(__file__).with_name("skimage_watershed.txt"), "w")


def smooth(random, shape, sigma, low, high):
    noise = gaussian_filter(random.normal(size=shape), sigma, mode="nearest")
    return low + (high - low) * (noise - noise.min()) / (noise.max() - noise.min())


def write(scores, mask, cut):
    scores = numpy.where(mask, numpy.rint(scores), 255).astype(numpy.uint8)
    # Minima whose dynamics reach the cut (reconstruction takes those above its height); outside the mask is higher than any score, so that it is no minimum.
    filled = reconstruction(numpy.minimum(scores + (cut - 0.5), 255), scores, method="erosion", footprint=numpy.ones((3, 3)))
    markers = label(numpy.where(mask, local_minima(filled, connectivity=2), 0), connectivity=2)
    labels = watershed(scores, markers, connectivity=2, mask=mask)
    print("case", *scores.shape[::-1], cut, file=out)
    for block in (scores, markers, labels):
        for row in block:
            print(*row, file=out)


random = numpy.random.default_rng(7)
for shape, sigma, cut in (((36, 44), 1.5, 40), ((40, 30), 1.0, 40), ((33, 33), 2.5, 20)):
    write(smooth(random, shape, sigma, 0, 200), numpy.ones(shape, bool), cut)
for shape, sigma, cut in (((36, 44), 1.3, 40), ((30, 30), 1.0, 60)):
    write(smooth(random, shape, sigma, 0, 200), smooth(random, shape, 2, 0, 1) > 0.35, cut)
# Steps of 25: plateaus everywhere.
write(25 * numpy.rint(smooth(random, (36, 36), 1.2, 0, 8)), numpy.ones((36, 36), bool), 50)
