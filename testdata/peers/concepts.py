"""TCAV of captum, and of its authors' own library, on BVLC GoogLeNet, for the comparison of interp/concept.

    concepts.py captum  WEIGHTS DIR LAYER TARGET IMAGES SETS
    concepts.py authors WEIGHTS DIR LAYER TARGET IMAGES SETS

DIR/images.f32 has SETS sets of IMAGES images each, 224×224×3 in [0, 1], of which the first is the concept and the others are its
counterparts; what follows are images of the class TARGET. DIR/train.i32 are the places in a set of the images to train with.
A line of text for each setting has its name and the seconds that it took from images to scores: of the authors' library for activations,
and from there on. captum computes the activations of the concept anew for each counterpart.

The last of captum's settings, a logistic regression of the images to train with, writes DIR/scores.f64, one for each counterpart, and
DIR/cav.f64, the mean of the vectors of length 1, channels last.
"""
import os, random, sys, tempfile, time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from safetensors.torch import load_file

from nets import Photographs

library, weights, dir, layer, target, images, sets = sys.argv[1:4] + [sys.argv[4], *map(int, sys.argv[5:])]
x = np.fromfile(f"{dir}/images.f32", dtype=np.float32).reshape(-1, 224, 224, 3)
x = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
train = np.fromfile(f"{dir}/train.i32", dtype=np.int32)
concepts, classed = [x[k * images:(k + 1) * images] for k in range(sets)], x[sets * images:]


class Tapped(Photographs):
    """It has a module where the layer, one of 4a to 4e, is, which captum asks for, and can begin there."""

    def __init__(self, w):
        super().__init__(w)
        self.tap = nn.Identity()

    def block(self, x, name):
        x = super().block(x, name)
        return self.tap(x) if name == layer else x

    def rest(self, x):
        for name in "4a 4b 4c 4d 4e".split(layer)[1].split():
            x = super().block(x, name)
        x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        x = super().block(super().block(x, "5a"), "5b").mean((2, 3))
        return F.linear(x, self.w["loss3/classifier.weight"], self.w["loss3/classifier.bias"])


net = Tapped({k: v.contiguous(memory_format=torch.channels_last) if v.dim() == 4 else v for k, v in load_file(weights).items()})


def captum():
    from captum.concept import TCAV, Classifier, Concept
    from sklearn.linear_model import LogisticRegression

    class Logistic(Classifier):
        def __init__(self, solver, tol, dtype):
            self.lm, self.dtype = LogisticRegression(C=1, solver=solver, tol=tol, max_iter=100_000), dtype

        def train_and_eval(self, dataloader, **_):
            rows, labels = zip(*dataloader)
            rows, labels = torch.cat(rows).numpy(), torch.cat(labels).numpy()
            chosen = np.concatenate([train, images + train])
            self.lm.fit(rows[chosen].astype(self.dtype), labels[chosen])
            return {}

        def weights(self):
            w = torch.from_numpy(self.lm.coef_[0])
            return torch.stack([-w, w])

        def classes(self):
            return self.lm.classes_

    def run(name, **classifier):
        with tempfile.TemporaryDirectory() as kept:
            of = [Concept(k, f"set {k}", [c]) for k, c in enumerate(concepts)]  # of several batches the order is lost
            tcav = TCAV(net, ["tap"], save_path=kept, **classifier)
            begin = time.perf_counter()
            scores = tcav.interpret(classed, [[of[0], c] for c in of[1:]], target=target)
            print(f"{name}: {time.perf_counter() - begin:.2f}", flush=True)
            return [float(scores[f"0-{k}"]["tap"]["sign_count"][0]) for k in range(1, sets)], tcav.cavs

    random.seed(1)
    run("captum, its own classifier")  # in one process: several wait for each other without end
    run("captum, logistic regression", classifier=Logistic("lbfgs", 1e-4, np.float32))
    # lbfgs stops where the mean loss falls by less than 1.4e-14, whatever tol is (scikit-learn's issue 18074). At the minimum it is 5e-6
    # here, and a vector 4 degrees away has less than a hundredth more.
    scores, cavs = run("captum, logistic regression to the end", classifier=Logistic("newton-cg", 1e-12, np.float64))
    np.array(scores).tofile(f"{dir}/scores.f64")
    vectors = [cavs[f"0-{k}"]["tap"].stats["weights"][0].double() for k in range(1, sets)]
    mean = sum(v / v.norm() for v in vectors)
    shape = net_shape()
    (mean / mean.norm()).reshape(shape).permute(1, 2, 0).contiguous().numpy().tofile(f"{dir}/cav.f64")


def net_shape():
    got = []
    hook = net.tap.register_forward_hook(lambda m, a, y: got.append(y.shape[1:]))
    with torch.no_grad():
        net(x[:1])
    hook.remove()
    return got[0]


def authors():
    """Their library reads activations of all sets once, and asks for the gradient of each image for each counterpart."""
    from tcav import cav as cavs, tcav

    class Wrapped:
        model_name = "GoogLeNet"

        def get_gradient(self, acts, y, bottleneck, example):
            start = torch.from_numpy(acts).requires_grad_()
            (-net.rest(start)[0, y[0]]).backward()
            return start.grad.numpy()

        def label_to_id(self, label):
            return target

    begin = time.perf_counter()
    acts = []
    with torch.no_grad():
        hook = net.tap.register_forward_hook(lambda m, a, y: acts.append(y.numpy().copy()))
        for i in range(0, len(x), 32):
            net(x[i:i + 32])
        hook.remove()
    acts = np.concatenate(acts)
    of = lambda k: acts[k * images:(k + 1) * images]
    activations = time.perf_counter() - begin
    for kind in "linear", "logistic":
        begin = time.perf_counter()
        for k in range(1, sets):
            params = {"model_type": kind, "alpha": .01, "max_iter": 1000, "tol": 1e-3}
            made = cavs.get_or_train_cav(["concept", f"random {k}"], layer, {"concept": {layer: of(0)}, f"random {k}": {layer: of(k)}}, cav_hparams=params)
            tcav.TCAV.compute_tcav_score(Wrapped(), "zebra", "concept", made, acts[sets * images:], classed, run_parallel=False)
        print(f"its authors' library, {kind}: {activations:.2f} + {time.perf_counter() - begin:.2f}", flush=True)


{"captum": captum, "authors": authors}[library]()
