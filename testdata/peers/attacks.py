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
from safetensors.torch import load_file

from nets import Photographs, ResNet20, Strided, Tutorial

torch.manual_seed(0)
np.random.seed(0)
net, weights, images, n, folder, *names = sys.argv[1:]
n = int(n)


passes = 0
model = {"resnet20": ResNet20, "tutorial": Tutorial, "strided": Strided, "googlenet": Photographs}[net](load_file(weights)).eval()
forward = model.forward


def counted(x):
    global passes
    passes += len(x)
    return forward(x)


model.forward = counted
raw = np.fromfile(images, np.float32)
size = {"resnet20": (32, 32, 3), "tutorial": (32, 32, 3), "strided": (28, 28, 1), "googlenet": (224, 224, 3)}[net]
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
    "torchattacks PGD-10": lambda: torchattacks_(lambda ta: ta.PGD(model, eps=.1 / 255, alpha=.1 / 255 / 4, steps=10)),
    "foolbox PGD-10": lambda: foolbox_(lambda fb: fb.attacks.LinfPGD(rel_stepsize=1 / 4, steps=10), .1 / 255),
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
    for _ in range(3 if net in ("tutorial", "googlenet") else 1):  # the fastest counts
        start, passes = time.time(), 0
        out = run()
        took = min(took, time.time() - start)
    out.detach().permute(0, 2, 3, 1).contiguous().numpy().astype(np.float32).tofile(f"{folder}/{name}.f32")
    print(json.dumps({"name": name, "seconds": took, "passes": passes}), flush=True)
