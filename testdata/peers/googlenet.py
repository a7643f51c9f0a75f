"""PyTorch's and captum's side of the comparison: BVLC GoogLeNet's forward, input gradient, SmoothGrad-50 and integrated gradients.

    googlenet.py WEIGHTS [cuda]

It answers on standard input: for each line that names a measurement, a line of one number, the milliseconds of the
fastest setting, which is found at the first asking. The line "memory" is answered with the peak in MiB.
"""
import resource, sys, time

import torch
from captum.attr import IntegratedGradients, NoiseTunnel, Saliency
from safetensors.torch import load_file

from nets import GoogLeNet

device = sys.argv[2] if len(sys.argv) > 2 else "cpu"
layouts = torch.contiguous_format, torch.channels_last


weights = load_file(sys.argv[1], device=device)
nets = [GoogLeNet({k: v.contiguous(memory_format=m) if v.dim() == 4 else v for k, v in weights.items()}) for m in layouts]


def images(n, layout):
    return (torch.rand(n, 3, 224, 224, device=device) * 255 - 117).contiguous(memory_format=layouts[layout])


def forward(n, layout):
    x, net = images(n, layout), nets[layout]

    def run():
        with torch.no_grad():
            return net(x)

    return run


def gradient(n, layout):
    x, net = images(n, layout), nets[layout]

    def run():
        y = x.detach().requires_grad_(True)
        net(y)[:, 340].sum().backward()
        return y.grad

    return run


def smooth(at_once, layout):
    x, method = images(1, layout), NoiseTunnel(Saliency(nets[layout]))
    return lambda: method.attribute(
        x, nt_type="smoothgrad", nt_samples=50, nt_samples_batch_size=at_once, stdevs=38.0, target=340, abs=False)


def integrated(at_once, layout):
    x, method = images(1, layout), IntegratedGradients(nets[layout])
    return lambda: method.attribute(x, target=340, n_steps=50, internal_batch_size=at_once)


settings = {f"{what.__name__} {n}": [what(n, m) for m in (0, 1)] for what in (forward, gradient) for n in (1, 8, 32)}
settings |= {f.__name__: [f(n, m) for n in (10, 50) for m in (0, 1)] for f in (smooth, integrated)}


def measure(run):
    begin = time.perf_counter()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return 1e3 * (time.perf_counter() - begin)


for line in sys.stdin:
    name = line.strip()
    if name == "memory":
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)
        continue
    if len(settings[name]) > 1:  # the fastest stays, each warmed up by a run of its own
        settings[name] = [min(settings[name], key=lambda run: (measure(run), measure(run))[1])]
    print(measure(settings[name][0]), flush=True)
