"""PyTorch's and captum's side of the comparison: BVLC GoogLeNet's forward, input gradient, SmoothGrad-50 and integrated gradients,
and a step of expectation over transformation with 16 photographs.

    googlenet.py WEIGHTS [cuda]

It answers on standard input: for each line that names a measurement, a line of one number, the milliseconds of the
fastest setting, which is found at the first asking. The line "memory" is answered with the peak in MiB.
"""
import resource, sys, time

import torch
import torch.nn.functional as F
from captum.attr import IntegratedGradients, NoiseTunnel, Saliency
from safetensors.torch import load_file
try:
    import torchvision.io
except ImportError:  # what needs its JPEG is answered with "nan"
    torchvision = None

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


def random(n, low, high):
    return low + (high - low) * torch.rand(n, 1, 1, 1, device=device)


def views(n, size):
    """Where a camera's rays meet a sheet, [n, size, size, 2], from -1 to 1 on it. It is leant away by 45 degrees, rolled by 15, and .9, .7 or .5 as high as the photograph."""
    def turn(most):
        angle = random(n, -most, most).flatten()
        s, c, o = angle.sin(), angle.cos(), torch.zeros_like(angle)
        return s, c, o, torch.stack([c, -s, o, s, c, o, o, o, o + 1], 1).view(-1, 3, 3)

    axis, roll, (s, c, o, _) = turn(3.1416)[3], turn(.262)[3], turn(.785)
    axes = axis @ torch.stack([o + 1, o, o, o, c, -s, o, s, c], 1).view(-1, 3, 3) @ axis.mT @ roll
    at = (torch.arange(size, device=device) + .5) / size * 2 - 1
    rays = torch.stack([*torch.meshgrid(at, at, indexing="xy"), torch.full((size, size), -4., device=device)], -1)
    eye = torch.cat([random(n, -.3, .3), random(n, -.3, .3), random(n, 4, 4)], 3).view(n, 3)
    along, start = torch.einsum("hwk,nkj->nhwj", rays, axes), torch.einsum("nk,nkj->nj", eye, axes)[:, None, None]
    met = start - start[..., 2:] / along[..., 2:] * along
    high = torch.tensor([.9, .7, .5], device=device)[torch.randint(3, (n, 1, 1, 1), device=device)]
    return met[..., :2] / high


def photographs(layout, n=16, size=224):
    picture = torch.rand(1, 3, size, size, device=device, requires_grad=True)
    adam, net = torch.optim.Adam([picture], .03), nets[layout]

    def run():
        adam.zero_grad()
        on = views(n, 2 * size)  # four rays a pixel
        seen = F.grid_sample(picture.expand(n, -1, -1, -1), on, padding_mode="border", align_corners=False)
        light = random(n, .75, 1.1) * (1 + random(n, -.12, .12) * on[:, None, ..., 0] + random(n, -.12, .12) * on[:, None, ..., 1])
        seen = torch.where((on.abs() <= 1).all(-1)[:, None], (seen * light).clamp(0, 1), random(n, .2, .8))
        seen = F.avg_pool2d(seen, 2) * random(n, .85, 1.1) + random(n, -.03, .03)
        weights = torch.exp(-torch.arange(-11, 12, device=device) ** 2 / (2 * random(n, .05, 3.5) ** 2))
        weights = (weights / weights.sum(3, True)).repeat_interleave(3, 0)
        seen = F.conv2d(F.pad(seen.reshape(1, 3 * n, size, size), (11, 11, 11, 11), "reflect"), weights, groups=3 * n)
        seen = F.conv2d(seen, weights.mT, groups=3 * n).view(n, 3, size, size)
        seen = (seen + random(n, 0, .03) * torch.randn_like(seen)).clamp(0, 1)
        pixels = (255 * seen.detach()).round().byte().cpu()
        files = torchvision.io.encode_jpeg(list(pixels), quality=int(torch.randint(50, 96, ())))
        files = torch.stack([torchvision.io.decode_jpeg(f) for f in files]).to(device) / 255
        seen = (seen + (files - seen).detach()).contiguous(memory_format=layouts[layout])
        (-net(255 * seen - 117).log_softmax(1)[:, 340].mean()).backward()
        adam.step()
        picture.data.clamp_(0, 1)

    return run


settings = {f"{what.__name__} {n}": [what(n, m) for m in (0, 1)] for what in (forward, gradient) for n in (1, 8, 32)}
settings |= {f.__name__: [f(n, m) for n in (10, 50) for m in (0, 1)] for f in (smooth, integrated)}
if torchvision:
    settings |= {"photographs": [photographs(m) for m in (0, 1)]}


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
    if name not in settings:
        print("nan", flush=True)
        continue
    if len(settings[name]) > 1:  # the fastest stays, each warmed up by a run of its own
        settings[name] = [min(settings[name], key=lambda run: (measure(run), measure(run))[1])]
    print(measure(settings[name][0]), flush=True)
