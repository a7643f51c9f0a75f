"""What channels contribute, by captum and zennit, in float64, for the comparison of interp/channel.

    channel.py DIR     of a small network, whose weights, images and classes are in DIR as .f64 files

Arrays are float64, channels last. What is computed is written to DIR.
"""
import sys

import numpy as np
import torch
from captum.attr import LayerFeatureAblation, LayerGradientXActivation
from zennit.composites import EpsilonPlus

folder = sys.argv[1]


def read(name, *dims):
    return torch.from_numpy(np.fromfile(f"{folder}/{name}.f64").reshape(dims))


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.relu1 = torch.nn.Conv2d(3, 6, 3, padding=1), torch.nn.ReLU()
        self.conv2, self.relu2 = torch.nn.Conv2d(6, 5, 3, stride=2, padding=1), torch.nn.ReLU()
        self.flat, self.logits = torch.nn.Flatten(), torch.nn.Linear(5 * 6 * 6, 4)

    def forward(self, x):
        return self.logits(self.flat(self.relu2(self.conv2(self.relu1(self.conv1(x))))))


net = Net().double().eval()
with torch.no_grad():
    for conv, c in ((net.conv1, 3), (net.conv2, 6)):
        name = "conv1" if c == 3 else "conv2"
        conv.weight.copy_(read(name + "-weights", 3, 3, c, conv.out_channels).permute(3, 2, 0, 1))
        conv.bias.copy_(read(name + "-biases", conv.out_channels))
    # Columns of the dense layer are in the order of rows, columns, channels.
    net.logits.weight.copy_(read("logits-weights", 6, 6, 5, 4).permute(3, 2, 0, 1).reshape(4, -1))
    net.logits.bias.copy_(read("logits-biases", 4))

x = read("images", -1, 12, 12, 3).permute(0, 3, 1, 2).contiguous()
classes = read("classes", -1).long()

for name in ("relu1", "relu2"):
    layer = getattr(net, name)
    g = LayerGradientXActivation(net, layer).attribute(x, target=classes)
    g.sum((2, 3)).detach().numpy().tofile(f"{folder}/{name}-gradient.f64")
    mask = torch.arange(g.shape[1]).reshape(1, -1, 1, 1).expand(1, *g.shape[1:])
    a = LayerFeatureAblation(net, layer).attribute(x, target=classes, layer_mask=mask)
    a[:, :, 0, 0].detach().numpy().tofile(f"{folder}/{name}-ablation.f64")

kept = {}
hooks = [getattr(net, n).register_forward_hook(lambda m, i, o, n=n: (o.retain_grad(), kept.__setitem__(n, o))[0]) for n in ("relu1", "relu2")]
with EpsilonPlus().context(net) as ruled:
    out = ruled(x.clone().requires_grad_())
    out.backward(torch.nn.functional.one_hot(classes, 4) * out.detach())
for name, value in kept.items():
    value.grad.sum((2, 3)).numpy().tofile(f"{folder}/{name}-relevance.f64")
