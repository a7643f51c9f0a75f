"""Attributions of zennit, captum, shap and PAIR's saliency, in float64, for the comparisons of interp/saliency and models/googlenet.

    attribution.py small DIR             of a small network, whose weights and images are in DIR as .f64 files
    attribution.py googlenet WEIGHTS DIR of BVLC GoogLeNet, for DIR/images.f64
    attribution.py speed WEIGHTS         prints, for each line that names one, the milliseconds of a run on GoogLeNet in float32

Arrays are float64, channels last. What is computed is written to DIR.
"""
import os, sys, time

import numpy as np
import shap
import torch
import torch.nn as nn
from captum.attr import LRP, DeepLift, GradientShap
from captum.attr._utils.lrp_rules import EpsilonRule, IdentityRule
from safetensors.torch import load_file
from zennit.attribution import Gradient
from zennit.composites import EpsilonAlpha2Beta1, EpsilonGammaBox, EpsilonPlus, EpsilonPlusFlat, LayerMapComposite, layer_map_base
from zennit.rules import Epsilon, Pass
from zennit.types import Linear


def read(dir, name, *shape):
    return torch.from_numpy(np.fromfile(os.path.join(dir, name + ".f64")).reshape(shape))


def write(dir, name, x):
    x = x.detach().numpy() if torch.is_tensor(x) else x
    np.ascontiguousarray(x, dtype=np.float64).tofile(os.path.join(dir, name.replace("/", "-") + ".f64"))


def last(x):
    return x.permute(0, 2, 3, 1)


def epsilons(zero=None, norm=()):
    return LayerMapComposite(layer_map=list(norm) + layer_map_base() + [(Linear, Epsilon(zero_params=zero))])


def relevance(net, composite, x, classes):
    """Relevance starts as the logit."""
    with Gradient(model=net, composite=composite) as attributor:
        return attributor(x, lambda y: y * torch.eye(y.shape[1], dtype=y.dtype)[classes])[1]


class ChannelsLast(nn.Module):
    def forward(self, x):
        return last(x).flatten(1)


def small(dir):
    w = lambda name, *shape: read(dir, name, *shape)
    layers = [nn.Conv2d(3, 6, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 5, 3, 2, 1), nn.ReLU(), nn.AvgPool2d(2, 1),
              ChannelsLast(), nn.Linear(20, 8), nn.ReLU(), nn.Linear(8, 4)]
    net = nn.Sequential(*layers).double()
    for i, name in (0, "conv1"), (3, "conv2"):
        layers[i].weight.data = w(name + "-w", 3, 3, layers[i].in_channels, -1).permute(3, 2, 0, 1).contiguous()
        layers[i].bias.data = w(name + "-b", -1)
    for i, name in (7, "dense"), (9, "logits"):
        layers[i].weight.data = w(name + "-w", layers[i].in_features, -1).T.contiguous()
        layers[i].bias.data = w(name + "-b", -1)
    images = w("images", -1, 12, 12, 3)
    n, classes = len(images), [1, 2]
    before = lambda x: (x * 3 - 1).permute(0, 3, 1, 2)
    x = before(images)
    low, high = before(torch.zeros_like(images)), before(torch.ones_like(images))
    for name, c in {
        "epsilon": epsilons(), "epsilon, no bias": epsilons(["bias"]), "EpsilonPlus": EpsilonPlus(), "EpsilonAlpha2Beta1": EpsilonAlpha2Beta1(),
        "EpsilonPlusFlat": EpsilonPlusFlat(), "EpsilonGammaBox": EpsilonGammaBox(low=low, high=high),
    }.items():
        write(dir, name, last(relevance(net, c, x.clone().requires_grad_(), classes)))

    base = w("baseline", -1, 12, 12, 3)
    for i in range(n):  # captum's maps do not sum up where there is a max-pool and the baseline's maximum is the greater: shap's do
        values = shap.DeepExplainer(net, before(base)[i:i + 1]).shap_values(x[i:i + 1])
        write(dir, f"shap {i}", last(torch.from_numpy(values[..., classes[i]])))
    for i in 0, 3, 5, 7, 9:  # shap's hooks stay
        layers[i]._forward_hooks.clear(), layers[i]._backward_hooks.clear()
    mean = nn.Sequential(*layers[:2], nn.AvgPool2d(2), *layers[3:])
    write(dir, "DeepLift", last(DeepLift(mean).attribute(x, before(base), target=classes)))

    refs, drawn, at = w("references", -1, 12, 12, 3), w("drawn", n, -1).long().numpy(), w("at", n, -1).numpy()
    choice, uniform = np.random.choice, np.random.uniform
    for i in range(n):  # with the samples drawn there
        np.random.choice = lambda *_, **__: drawn[i]
        np.random.uniform = lambda *_, **__: at[i]
        g = GradientShap(net).attribute(x[i:i + 1], before(refs), n_samples=at.shape[1], stdevs=0., target=classes[i])
        write(dir, f"GradientShap {i}", last(g))
    np.random.choice, np.random.uniform = choice, uniform

    quantile = np.quantile  # which has another name for an argument since saliency was written
    np.quantile = lambda a, q, interpolation: quantile(a, q, method=interpolation)
    import saliency.core as pair
    for i in range(n):
        def model(x, call_model_args=None, expected_keys=None):
            x = torch.as_tensor(np.asarray(x), dtype=torch.float64).requires_grad_()
            net(before(x))[:, classes[i]].sum().backward()
            return {pair.INPUT_OUTPUT_GRADIENTS: x.grad.numpy()}
        image, b = images[i].numpy(), base[i].numpy()
        write(dir, f"GuidedIG {i}", pair.GuidedIG().GetMask(image, model, x_baseline=b, x_steps=50, fraction=.25, max_dist=.02))
        write(dir, f"GuidedIG free {i}", pair.GuidedIG().GetMask(image, model, x_baseline=b, x_steps=20, fraction=.1, max_dist=1))
        write(dir, f"BlurIG {i}", pair.BlurIG().GetMask(image, model, max_sigma=5, steps=20))


class GoogLeNet(nn.Module):
    """BVLC GoogLeNet of modules, each used once, as hooks need them."""

    def __init__(self, w):
        super().__init__()
        self.w, layers = w, {}

        def conv(name, stride=1):
            v = w[name + ".weight"]
            c = nn.Conv2d(v.shape[1], v.shape[0], v.shape[2], stride, v.shape[2] // 2)
            c.weight.data, c.bias.data = v, w[name + ".bias"]
            return nn.Sequential(c, nn.ReLU())

        half, lrn = lambda: nn.MaxPool2d(3, 2, ceil_mode=True), lambda: nn.LocalResponseNorm(5, 1e-4, .75, 1)
        block = lambda name: Inception(lambda part: conv(f"inception_{name}/{part}"))
        head = nn.Linear(1024, 1000)
        head.weight.data, head.bias.data = w["loss3/classifier.weight"], w["loss3/classifier.bias"]
        self.all = nn.Sequential(
            conv("conv1/7x7_s2", 2), half(), lrn(), conv("conv2/3x3_reduce"), conv("conv2/3x3"), lrn(), half(), block("3a"), block("3b"), half(),
            *[block(n) for n in ("4a", "4b", "4c", "4d", "4e")], half(), block("5a"), block("5b"), nn.AvgPool2d(7), nn.Flatten(), head)

    def forward(self, x):
        return self.all(x)


class Inception(nn.Module):
    def __init__(self, conv):
        super().__init__()
        self.branches = nn.ModuleList([
            conv("1x1"), nn.Sequential(conv("3x3_reduce"), conv("3x3")), nn.Sequential(conv("5x5_reduce"), conv("5x5")),
            nn.Sequential(nn.MaxPool2d(3, 1, 1), conv("pool_proj"))])

    def forward(self, x):
        return torch.cat([b(x) for b in self.branches], 1)


mean = torch.tensor([104., 117., 123.])
norm = [(nn.LocalResponseNorm, Pass())]  # zennit has no rule for it


def caffe(images):
    return (images.flip(3) * 255 - mean.to(images)).permute(0, 3, 1, 2)


def googlenet(weights, dir):
    net = GoogLeNet({k: v.double() for k, v in load_file(weights).items()})
    images = read(dir, "images", -1, 224, 224, 3)
    low, high = caffe(torch.zeros_like(images)), caffe(torch.ones_like(images))
    for name, c in {
        "epsilon": epsilons(norm=norm), "EpsilonPlus": EpsilonPlus(layer_map=norm), "EpsilonGammaBox": EpsilonGammaBox(low=low, high=high, layer_map=norm),
    }.items():
        write(dir, name, last(relevance(net, c, caffe(images).requires_grad_(), [340] * len(images))).flip(3))


def speed(weights):
    net = GoogLeNet(load_file(weights))
    x = caffe(torch.rand(8, 224, 224, 3))
    modules = [m for m in net.modules() if isinstance(m, nn.LocalResponseNorm)]

    def captum(n):
        for m in net.modules():
            if isinstance(m, nn.Conv2d | nn.Linear | nn.AvgPool2d | nn.MaxPool2d | nn.Flatten):
                m.rule = EpsilonRule()
        for m in modules:
            m.rule = IdentityRule()
        LRP(net).attribute(x[:n], target=340)

    runs = {"captum epsilon": captum,
            "zennit epsilon": lambda n: relevance(net, epsilons(norm=norm), x[:n].clone().requires_grad_(), [340] * n),
            "zennit EpsilonPlus": lambda n: relevance(net, EpsilonPlus(layer_map=norm), x[:n].clone().requires_grad_(), [340] * n)}
    for line in sys.stdin:
        name, n = line.strip().rsplit(" ", 1)
        begin = time.perf_counter()
        runs[name](int(n))
        print(1e3 * (time.perf_counter() - begin), flush=True)


{"small": small, "googlenet": googlenet, "speed": speed}[sys.argv[1]](*sys.argv[2:])
