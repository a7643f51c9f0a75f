"""The networks of models/strangers, models/digits and models/googlenet in PyTorch, for the comparisons."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class ResNet20(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.w = {k.removeprefix("module."): v for k, v in w.items()}
        self.register_buffer("mean", torch.tensor([.485, .456, .406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([.229, .224, .225]).view(1, 3, 1, 1))

    def unit(self, x, conv, bn, stride):
        w = self.w
        x = F.conv2d(x, w[conv + ".weight"], None, stride, 1)
        return F.batch_norm(x, w[bn + ".running_mean"], w[bn + ".running_var"], w[bn + ".weight"], w[bn + ".bias"], False, 0, 1e-5)

    def forward(self, x):
        x = F.relu(self.unit((x - self.mean) / self.std, "conv1", "bn1", 1))
        for stage, out in enumerate([16, 32, 64]):
            for block in range(3):
                p, stride = f"layer{stage + 1}.{block}.", 2 if stage > 0 and block == 0 else 1
                y = self.unit(F.relu(self.unit(x, p + "conv1", p + "bn1", stride)), p + "conv2", p + "bn2", 1)
                if stride > 1:
                    x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, out // 4, out // 4))
                x = F.relu(x + y)
        return F.linear(x.mean((2, 3)), self.w["linear.weight"], self.w["linear.bias"])


class Tutorial(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.w = w

    def forward(self, x):
        w, conv = self.w, lambda x, p: F.max_pool2d(F.relu(F.conv2d(x, self.w[p + ".weight"], self.w[p + ".bias"])), 2)
        x = conv(conv((x - .5) / .5, "conv1"), "conv2").flatten(1)
        dense = lambda x, p: F.linear(x, w[p + ".weight"], w[p + ".bias"])
        return dense(F.relu(dense(F.relu(dense(x, "fc1")), "fc2")), "fc3")


class Strided(nn.Module):
    """models/digits, whose weights are [rows, columns, in, out], and whose images are flattened with the channels last."""

    def __init__(self, w):
        super().__init__()
        self.w = {k: v.permute(3, 2, 0, 1).contiguous() if v.dim() == 4 else v for k, v in w.items()}

    def forward(self, x):
        w = self.w
        for name in "conv1", "conv2":
            x = F.relu(F.conv2d(x, w[name + "/weights"], w[name + "/biases"], 2, 1))
        x = F.relu(x.permute(0, 2, 3, 1).flatten(1) @ w["dense/weights"] + w["dense/biases"])
        return x @ w["logits/weights"] + w["logits/biases"]


class GoogLeNet(nn.Module):
    def __init__(self, weights):
        super().__init__()
        self.w = weights

    def conv(self, x, name, stride=1):
        w = self.w[name + ".weight"]
        return F.relu(F.conv2d(x, w, self.w[name + ".bias"], stride, w.shape[2] // 2))

    def block(self, x, name):
        c = lambda x, part: self.conv(x, f"inception_{name}/{part}")
        pooled = F.max_pool2d(x, 3, 1, 1)
        return torch.cat([c(x, "1x1"), c(c(x, "3x3_reduce"), "3x3"), c(c(x, "5x5_reduce"), "5x5"), c(pooled, "pool_proj")], 1)

    def forward(self, x):
        half = lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True)
        lrn = lambda x: F.local_response_norm(x, 5, 1e-4, 0.75, 1)
        x = lrn(half(self.conv(x, "conv1/7x7_s2", 2)))
        x = half(lrn(self.conv(self.conv(x, "conv2/3x3_reduce"), "conv2/3x3")))
        x = half(self.block(self.block(x, "3a"), "3b"))
        for name in "4a", "4b", "4c", "4d", "4e":
            x = self.block(x, name)
        x = half(x)
        x = self.block(self.block(x, "5a"), "5b").mean((2, 3))
        return F.linear(x, self.w["loss3/classifier.weight"], self.w["loss3/classifier.bias"])


class Photographs(GoogLeNet):
    """GoogLeNet for images in [0, 1], red first."""

    def __init__(self, w):
        super().__init__(w)
        self.register_buffer("mean", torch.tensor([104., 117., 123.]).view(1, 3, 1, 1))

    def forward(self, x):
        return super().forward(x.flip(1) * 255 - self.mean)
