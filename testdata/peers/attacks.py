"""Attacks of other libraries on the networks of models/strangers, for the comparison in interp/attack.

    attacks.py NET WEIGHTS IMAGES N FOLDER NAME...

IMAGES holds N float32 images, [N, H, W, C], and then N labels, float32 too. For each name it writes the images that the
library returns to FOLDER/NAME.f32, and prints a line of JSON: name, seconds, passes forward. What is left is judged by who asked.
A library that is not installed is said on standard error, and its names are left out.
"""
import json, sys, time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file

torch.manual_seed(0)
np.random.seed(0)
net, weights, images, n, folder, *names = sys.argv[1:]
n = int(n)


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


model = {"resnet20": ResNet20, "tutorial": Tutorial, "strided": Strided}[net](load_file(weights)).eval()
passes = 0
model = {"resnet20": ResNet20, "tutorial": Tutorial, "strided": Strided}[net](load_file(weights)).eval()
forward = model.forward


def counted(x):
    global passes
    passes += len(x)
    return forward(x)


model.forward = counted
raw = np.fromfile(images, np.float32)
size = {"resnet20": (32, 32, 3), "tutorial": (32, 32, 3), "strided": (28, 28, 1)}[net]
x = torch.from_numpy(raw[: n * int(np.prod(size))].reshape(n, *size)).permute(0, 3, 1, 2).contiguous()
y = torch.from_numpy(raw[n * int(np.prod(size)):]).long()
E = 8 / 255


def torchattacks_(make):
    import torchattacks as ta
    return lambda: make(ta)(x, y)


def foolbox_(make, eps):
    import foolbox as fb
    fm = fb.PyTorchModel(model, bounds=(0, 1))
    return lambda: make(fb)(fm, x, y, epsilons=eps)[1]


def nearest_(make, targeted=False):
    import foolbox as fb
    fm = fb.PyTorchModel(model, bounds=(0, 1))
    goal = fb.criteria.TargetedMisclassification((y + 1) % 10) if targeted else y
    return lambda: make(fb)(fm, x, goal, epsilons=None)[0]


def art_(make):
    import art.attacks.evasion as ev
    from art.estimators.classification import PyTorchClassifier
    c = PyTorchClassifier(model, nn.CrossEntropyLoss(), (size[2], *size[:2]), 10, clip_values=(0, 1))
    return lambda: torch.from_numpy(make(ev, c).generate(x.numpy(), y.numpy()))


def autoattack_(which, norm="Linf", eps=E):
    from autoattack import AutoAttack
    a = AutoAttack(model, norm=norm, eps=eps, version="custom", attacks_to_run=which, verbose=False, device="cpu")
    return lambda: a.run_standard_evaluation(x, y, bs=100)


attacks = {
    "torchattacks FGSM": lambda: torchattacks_(lambda ta: ta.FGSM(model, eps=E)),
    "foolbox FGSM": lambda: foolbox_(lambda fb: fb.attacks.LinfFastGradientAttack(), E),
    "torchattacks PGD-20": lambda: torchattacks_(lambda ta: ta.PGD(model, eps=E, alpha=2.5 * E / 20, steps=20)),
    "foolbox PGD-20": lambda: foolbox_(lambda fb: fb.attacks.LinfPGD(rel_stepsize=2.5 / 20, steps=20), E),
    "torchattacks PGD-20 1": lambda: torchattacks_(lambda ta: ta.PGD(model, eps=1 / 255, alpha=2.5 / 255 / 20, steps=20)),
    "foolbox PGD-20 1": lambda: foolbox_(lambda fb: fb.attacks.LinfPGD(rel_stepsize=2.5 / 20, steps=20), 1 / 255),
    "torchattacks PGD-40": lambda: torchattacks_(lambda ta: ta.PGD(model, eps=.1 / 255, alpha=.1 / 255 / 16, steps=40)),
    "foolbox PGD-40": lambda: foolbox_(lambda fb: fb.attacks.LinfPGD(rel_stepsize=1 / 16, steps=40), .1 / 255),
    "torchattacks C&W-100": lambda: torchattacks_(lambda ta: ta.CW(model, c=1, steps=100)),
    "foolbox C&W-100": lambda: foolbox_(lambda fb: fb.attacks.L2CarliniWagnerAttack(binary_search_steps=1, steps=100, abort_early=False), None),
    "torchattacks Square-100": lambda: torchattacks_(lambda ta: ta.Square(model, eps=E, n_queries=100)),
    "torchattacks Square-100 L2": lambda: torchattacks_(lambda ta: ta.Square(model, "L2", eps=1, n_queries=100)),
    "ART Square-100": lambda: art_(lambda ev, c: ev.SquareAttack(
        c, eps=E, max_iter=100, p_init=.8, batch_size=200, verbose=False)),
    "AutoAttack APGD-CE 1": lambda: autoattack_(["apgd-ce"], eps=1 / 255),
    "AutoAttack APGD-T 1": lambda: autoattack_(["apgd-t"], eps=1 / 255),
    "AutoAttack APGD-CE L2": lambda: autoattack_(["apgd-ce"], "L2", .1),
    "AutoAttack APGD-CE L1": lambda: autoattack_(["apgd-ce"], "L1", 2.),
    "AutoAttack MNIST": lambda: autoattack_(["apgd-ce", "apgd-t", "fab-t", "square"], eps=.3),
    "foolbox DeepFool L2": lambda: nearest_(lambda fb: fb.attacks.L2DeepFoolAttack()),
    "foolbox DeepFool Linf": lambda: nearest_(lambda fb: fb.attacks.LinfDeepFoolAttack()),
    "ART DeepFool L2": lambda: art_(lambda ev, c: ev.DeepFool(c, 50, .02, 10, 64, False)),
    "torchattacks FAB L2": lambda: torchattacks_(lambda ta: ta.FAB(model, norm="L2", eps=.5, steps=20)),
    "torchattacks FAB Linf": lambda: torchattacks_(lambda ta: ta.FAB(model, norm="Linf", eps=E, steps=20)),
    "torchattacks FAB L1": lambda: torchattacks_(lambda ta: ta.FAB(model, norm="L1", eps=12, steps=20)),
    "torchattacks C&W 100": lambda: torchattacks_(lambda ta: ta.CW(model, c=1, steps=100, lr=.01)),
    "foolbox C&W 100": lambda: nearest_(lambda fb: fb.attacks.L2CarliniWagnerAttack(1, 100, .01, initial_const=1)),
    "foolbox C&W 5x100": lambda: nearest_(lambda fb: fb.attacks.L2CarliniWagnerAttack(5, 100, .01, initial_const=.01)),
    "foolbox C&W 5x100 to": lambda: nearest_(lambda fb: fb.attacks.L2CarliniWagnerAttack(5, 100, .01, initial_const=.01), True),
    "ART C&W 5x100": lambda: art_(lambda ev, c: ev.CarliniL2Method(c, 0, False, .01, 5, 100, .01, batch_size=64, verbose=False)),
    "AutoAttack 1": lambda: autoattack_(["apgd-ce", "apgd-t", "fab-t", "square"], eps=1 / 255),
}
for name in names:
    try:
        run = attacks[name]()
    except ImportError as e:
        print(f"{name}: {e}", file=sys.stderr)
        continue
    took = float("inf")
    for _ in range(3 if net == "tutorial" else 1):  # the fastest counts
        start, passes = time.time(), 0
        out = run()
        took = min(took, time.time() - start)
    out.detach().permute(0, 2, 3, 1).contiguous().numpy().astype(np.float32).tofile(f"{folder}/{name}.f32")
    print(json.dumps({"name": name, "seconds": took, "passes": passes}), flush=True)
