"""Class activation maps, occlusion, LIME, KernelSHAP and RISE of other libraries, for the comparisons of interp/saliency.

    cams.py small DIR      of a small network, in float64: arrays in DIR as .f64 files, channels last
    cams.py speed WEIGHTS  prints, for each line that names one, the milliseconds of a run on GoogLeNet in float32
"""
import os, sys, time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from captum.attr import LayerGradCam, Occlusion
from safetensors.torch import load_file

import pytorch_grad_cam
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

from nets import GoogLeNet


def small(dir):
    def read(name, *shape):
        return torch.from_numpy(np.fromfile(os.path.join(dir, name + ".f64")).reshape(shape))

    def write(name, x):
        np.ascontiguousarray(x, dtype=np.float64).tofile(os.path.join(dir, name + ".f64"))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(3, 6, 3, 1, 1).double(), nn.Conv2d(6, 5, 3, 1, 1).double()
            for name, c in ("conv1", self.conv1), ("conv2", self.conv2):
                c.weight.data = read(name + "-weights", 3, 3, c.in_channels, -1).permute(3, 2, 0, 1).contiguous()
                c.bias.data = read(name + "-biases", -1)
            self.tap1, self.tap2 = nn.ReLU(), nn.ReLU()
            self.w, self.b = read("logits-weights", 5, 4), read("logits-biases", 4)

        def forward(self, x):
            x = F.max_pool2d(self.tap1(self.conv1(x)), 2)
            return self.tap2(self.conv2(x)).mean((2, 3)) @ self.w + self.b

    class Times(nn.Module):
        """Pytorch-grad-cam adds 1e-6 to the square of a derivative: larger scores make that small."""

        def __init__(self, target):
            super().__init__()
            self.target = target

        def forward(self, y):
            return 1e6 * y[self.target]

    net, classes = Net(), [1, 2]
    images = read("images", -1, 12, 12, 3)
    x = images.permute(0, 3, 1, 2)
    pytorch_grad_cam.base_cam.scale_cam_image = lambda cam, target_size=None: cam  # neither stretched to [0, 1] nor enlarged
    aligned, nn.UpsamplingBilinear2d = nn.UpsamplingBilinear2d, lambda size: nn.Upsample(size=size, mode="bilinear")  # as the authors' program
    torch.nn.UpsamplingBilinear2d = nn.UpsamplingBilinear2d
    for name in "GradCAM", "GradCAMPlusPlus", "LayerCAM", "ScoreCAM":
        for layer in "tap1", "tap2":
            with getattr(pytorch_grad_cam, name)(net, [getattr(net, layer)]) as cam:
                of = Times if name == "GradCAMPlusPlus" else ClassifierOutputTarget
                write(f"{name} {layer}", cam(x.clone(), [of(c) for c in classes]))
    nn.UpsamplingBilinear2d = aligned

    drops = Occlusion(net).attribute(x, (3, 4, 4), strides=(3, 2, 2), baselines=.5, target=torch.tensor(classes))
    write("Occlusion", drops[:, 0].detach())

    labels, z = read("labels", 144).numpy().astype(int), read("z", -1, 8).numpy()
    base = torch.tensor([.2, .5, .9], dtype=torch.float64)

    def score(z):
        show = torch.from_numpy(np.asarray(z, dtype=float)[:, labels].reshape(-1, 12, 12, 1))
        with torch.no_grad():
            return net((show * images[0] + (1 - show) * base).permute(0, 3, 1, 2))[:, 1:2].numpy()

    import lime.lime_base
    import sklearn.metrics
    explainer = lime.lime_base.LimeBase(lambda d, kernel_width=.25: np.sqrt(np.exp(-(d ** 2) / kernel_width ** 2)))
    distances = sklearn.metrics.pairwise_distances(z, z[:1], metric="cosine").ravel()
    _, weights, _, _ = explainer.explain_instance_with_data(z, score(z), distances, 0, 100)
    write("LIME", [v for _, v in sorted(weights)])

    import shap
    shap.KernelExplainer(lambda z: score(z)[:, 0], np.zeros((1, 8)))
    values = shap.KernelExplainer(lambda z: score(z)[:, 0], np.zeros((1, 8))).shap_values(np.ones((1, 8)), nsamples=4096, l1_reg=False, silent=True)
    write("KernelSHAP", np.ravel(values))


class Tapped(GoogLeNet):
    """GoogLeNet with a module where hooks look."""

    def __init__(self, w):
        super().__init__(w)
        self.tap, self.where = nn.Identity(), nn.Parameter(torch.zeros(1))  # pytorch-grad-cam asks a parameter for its device

    def block(self, x, name):
        y = super().block(x, name)
        return self.tap(y) if name == "5b" else y


def milliseconds(run):
    begin = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - begin)


def speed(weights):
    """Each runs with the layout and the number of images at once whose forward pass is the fastest an image."""
    w = load_file(weights)
    best = None
    for layout in torch.contiguous_format, torch.channels_last:
        net = Tapped({k: v.contiguous(memory_format=layout) if v.dim() == 4 else v for k, v in w.items()})
        for n in 1, 8, 16:
            x = (torch.rand(n, 3, 224, 224) * 255 - 117).contiguous(memory_format=layout)
            with torch.no_grad():
                net(x)
                t = min(milliseconds(lambda: net(x)) for _ in range(3)) / n
            if best is None or t < best[0]:
                best = t, net, n, layout
    _, net, at_once, layout = best
    x = (torch.rand(1, 3, 224, 224) * 255 - 117).contiguous(memory_format=layout)

    def rise(n, cells=7, keep=.5):
        """As the authors' program does it: masks are made first, and go through the network batch by batch."""
        cell = -(-224 // cells)
        grids = (torch.rand(n, 1, cells, cells) < keep).float()
        large = F.interpolate(grids, size=((cells + 1) * cell,) * 2, mode="bilinear")
        at = torch.randint(0, cell, (n, 2))
        masks = torch.stack([large[i, :, a:a + 224, b:b + 224] for i, (a, b) in enumerate(at)])
        scores = []
        with torch.no_grad():
            for batch in masks.split(at_once):
                scores.append(torch.softmax(net((batch * x).contiguous(memory_format=layout)), 1)[:, 340])
            return (torch.cat(scores) @ masks.reshape(n, -1)).reshape(224, 224) / n / keep

    def grad_cam():
        with pytorch_grad_cam.GradCAM(net, [net.tap]) as cam:
            return cam(x.clone().requires_grad_(), [ClassifierOutputTarget(340)])

    def occlusion():
        with torch.no_grad():
            return Occlusion(net).attribute(x, (3, 32, 32), strides=(3, 16, 16), target=340, perturbations_per_eval=at_once)

    layer = LayerGradCam(net, net.tap)
    runs = {"Grad-CAM captum": lambda: F.interpolate(layer.attribute(x, target=340, relu_attributions=True), (224, 224), mode="bilinear"),
            "Grad-CAM pytorch-grad-cam": grad_cam, "occlusion captum": occlusion, "RISE-500 program": lambda: rise(500), "RISE-8 program": lambda: rise(8)}
    for line in sys.stdin:
        print(milliseconds(runs[line.strip()]), flush=True)


{"small": small, "speed": speed}[sys.argv[1]](*sys.argv[2:])
