"""XRAI of PAIR's saliency and the segmentation of skimage, in float64, for the comparison of interp/saliency.

    xrai.py DIR HEIGHT WIDTH LEAST   for DIR/image.f64, attribution.f64 and labels.f64 (segmentations, one after the other)

Arrays are float64, channels last. What is computed is written to DIR.
"""
import os, sys

import numpy as np
import saliency.core as pair
from skimage.segmentation import felzenszwalb

dir, height, width, least = sys.argv[1], *map(int, sys.argv[2:])


def read(name, *shape):
    return np.fromfile(os.path.join(dir, name + ".f64")).reshape(shape)


def write(name, x):
    np.ascontiguousarray(x, dtype=np.float64).tofile(os.path.join(dir, name + ".f64"))


image, attribution = read("image", height, width, 3), read("attribution", height, width, 3)
segments = [labels == k for labels in read("labels", -1, height, width) for k in range(int(labels.max()) + 1)]
parameters = pair.XRAIParameters()
parameters.experimental_params["min_pixel_diff"] = least


def xrai(**given):
    return pair.XRAI().GetMask(image, None, base_attribution=attribution, extra_parameters=parameters, **given)


write("given", xrai(segments=segments))
if height == width == 224:  # other sizes are enlarged
    write("whole", xrai())
for scale in 50, 300, 1200:
    write(f"cut {scale}", felzenszwalb(image, scale=scale, sigma=.8, min_size=20))
