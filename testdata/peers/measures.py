"""Prints what other libraries say of maps and models that interp/measure's tests make by the same formulas, as JSON:

    python testdata/peers/measures.py > interp/measure/testdata/peers.json

It needs numpy, scipy, scikit-image, scikit-learn, torch, captum, pytorch-grad-cam and quantus.
"""
import json
import math

import captum.metrics
import numpy as np
import pytorch_grad_cam.metrics.road as road
import quantus
import scipy.sparse.linalg
import scipy.stats
import skimage.feature
import skimage.metrics
import sklearn.metrics
import torch

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

# Models: softmax(V tanh(W x)), and images, of 10×10 pixels, in the order row, column, channel.
SIDE, CLASSES, HIDDEN = 10, 3, 6


def model(channels):
    n = SIDE * SIDE * channels
    w = torch.tensor(wave(n * HIDDEN, .7, .003).reshape(n, HIDDEN) * .15)
    v = torch.tensor(wave(HIDDEN * CLASSES, 1.3, .05).reshape(HIDDEN, CLASSES) * 2)

    class Net(torch.nn.Module):
        def forward(self, x):  # [N, C, H, W]
            return torch.softmax(torch.tanh(x.permute(0, 2, 3, 1).reshape(len(x), -1).double() @ w) @ v, 1)
    return Net().eval()


def images(channels):
    x = .5 + .33 * wave(2 * SIDE * SIDE * channels, .31, .017)
    return torch.tensor(x.reshape(2, SIDE, SIDE, channels)).permute(0, 3, 1, 2).contiguous()


def mix(x):
    m = 2 ** 64 - 1
    x = ((x ^ x >> 30) * 0xbf58476d1ce4e5b9) & m
    x = ((x ^ x >> 27) * 0x94d049bb133111eb) & m
    return x ^ x >> 31


class Stream:
    """interp/random: SplitMix64."""
    gamma = 0x9e3779b97f4a7c15

    def __init__(self, *words):
        h = self.gamma
        for w in words:
            h = mix(h ^ mix((w + self.gamma) % 2 ** 64))
        self.state = h

    def bits(self, i):
        return mix((self.state + (i + 1) * self.gamma) % 2 ** 64)

    def uniform(self, i):
        return ((self.bits(i) >> 11) + .5) / 2 ** 53

    def intn(self, i, n):
        return (self.bits(i) >> 32) * n >> 32

    def normals(self, n):
        out = []
        for i in range(0, n, 2):
            r, a = math.sqrt(-2 * math.log(self.uniform(i))), 2 * math.pi * self.uniform(i + 1)
            out += [r * math.cos(a), r * math.sin(a)]
        return np.array(out[:n])


def per_copy(x, n, draw):
    """What draw makes for copy k of image i of the n copies of each in x, in row, column, channel."""
    out = [draw(i, k, x[0].numel()).reshape(SIDE, SIDE, -1) for i in range(len(x) // n) for k in range(n)]
    return torch.tensor(np.stack(out)).permute(0, 3, 1, 2)


def square(i, k, n, side=4):
    s, m = Stream(5, i, k), np.zeros((SIDE, SIDE, n // SIDE // SIDE))
    top, left = s.intn(0, SIDE - side + 1), s.intn(1, SIDE - side + 1)
    m[top:top + side, left:left + side] = 1
    return m


net, x, classes = model(3), images(3), torch.tensor([1, 2])
copies = 8
given = x.detach().requires_grad_()
slopes = torch.autograd.grad(net(given).gather(1, classes[:, None]).sum(), given)[0]
perturbations = {
    "square": lambda x: per_copy(x, copies, square) * x,
    "noise": lambda x: per_copy(x, copies, lambda i, k, n: .2 * Stream(5, i, k).normals(n)),
}
for name, draw in perturbations.items():
    def perturb(x, draw=draw):
        p = draw(x)
        return p, x - p

    @captum.metrics.infidelity_perturb_func_decorator(True)
    def perturb_shares(x, draw=draw):
        return x - draw(x)
    for normalize in (False, True):
        key = "infidelity " + name + (" scaled" if normalize else "")
        out[key] = captum.metrics.infidelity(net, perturb, x, slopes, target=classes, n_perturb_samples=copies, normalize=normalize).tolist()
    out["infidelity " + name + " shares"] = captum.metrics.infidelity(
        net, perturb_shares, x, slopes * x, target=classes, n_perturb_samples=copies).tolist()


def gradient(x, target):
    x = (x[0] if isinstance(x, tuple) else x).detach().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(net(x).gather(1, target[:, None]).sum(), x)[0].contiguous(),


def move(x):
    return x + per_copy(x, copies, lambda i, k, n: .05 * (2 * np.array([Stream(5, i, k).uniform(p) for p in range(n)]) - 1))


out["max-sensitivity"] = captum.metrics.sensitivity_max(gradient, x, move, n_perturb_samples=copies, target=classes).tolist()

maps = wave(2 * SIDE * SIDE, .9, .013).reshape(2, SIDE, SIDE)
removed = maps[0] > np.quantile(maps[0], .4)
A, b = road.NoisyLinearImputer.setup_sparse_system(1 - removed.astype(float), x[0].numpy(), road.neighbors_weights)
out["imputed"] = scipy.sparse.linalg.spsolve(scipy.sparse.csc_matrix(A), b).ravel().tolist()
road.NoisyLinearImputer.__init__.__defaults__ = (0, road.neighbors_weights)
targets = [lambda y, c=int(c): y[c] for c in classes]
out["road"] = road.ROADCombined()(x.float(), maps, targets, net).tolist()

grey, dim = model(1), images(1)
# "black" would be the least value of the image
flips = quantus.PixelFlipping(features_in_step=5, perturb_baseline=0., disable_warnings=True, normalise=False, abs=False)
flips = flips(grey, dim.numpy(), classes.numpy(), a_batch=maps[:, None], channel_first=True, softmax=False)
out["pixel flipping"] = [list(map(float, f)) for f in flips]

print(json.dumps(out, indent=1))
