"""Prints what other libraries say of maps and models that interp/measure's tests make by the same formulas, as JSON:

    python testdata/peers/measures.py > interp/measure/testdata/peers.json

It needs numpy, scipy, scikit-image and scikit-learn.
"""
import json
import numpy as np
import scipy.stats
import skimage.feature
import skimage.metrics
import sklearn.metrics

H, W = 50, 70


def wave(n, a, b):
    i = np.arange(n, dtype=float)
    return np.sin(a * i) + .5 * np.sin(b * i * i)


def signed(m):
    return m / np.abs(m).max()


def unit(m):
    return (m - m.min()) / (m.max() - m.min())


a = wave(H * W, .031, .0007).reshape(H, W)
b = a + wave(H * W, .17, .002).reshape(H, W)
mask = wave(H * W, .0021, 0).reshape(H, W) > .6
ties = np.round(3 * a)
out = {}

ssim = skimage.metrics.structural_similarity
out["ssim"] = ssim(signed(a), signed(b), win_size=5, data_range=2)
out["ssim 7"] = ssim(signed(a), signed(b), win_size=7, data_range=2)
out["ssim gaussian 2"] = ssim(unit(a), unit(b), gaussian_weights=True, data_range=2)
out["ssim gaussian 1"] = ssim(unit(a), unit(b), gaussian_weights=True, data_range=1)
out["ssim gaussian wide"] = ssim(unit(a), unit(b), gaussian_weights=True, sigma=2.5, data_range=1)
for cell, block, orientations in ((16, 3, 9), (10, 2, 6), (16, 1, 9)):
    f, g = (skimage.feature.hog(unit(m), orientations=orientations, pixels_per_cell=(cell, cell), cells_per_block=(block, block))
            for m in (a, b))
    name = "hog %d %d %d" % (orientations, cell, block)
    out[name] = np.corrcoef(f, g)[0, 1]
    out[name + " features"] = list(f[:24])

v = np.sort(np.abs(a).ravel())  # the Gini index by its own definition: twice the area between the Lorenz curve and the diagonal
lorenz = np.concatenate([[0], np.cumsum(v) / v.sum()])
out["gini"] = 1 - 2 * np.trapezoid(lorenz, dx=1 / v.size)
out["entropy"] = scipy.stats.entropy(np.abs(a).ravel())
out["auroc"] = sklearn.metrics.roc_auc_score(mask.ravel(), a.ravel())
out["auroc of ties"] = sklearn.metrics.roc_auc_score(mask.ravel(), ties.ravel())

print(json.dumps(out, indent=1))
