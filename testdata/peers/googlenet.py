"""PyTorch's and captum's side of the benchmarks: BVLC GoogLeNet's input gradient and SmoothGrad-50.

    python3 -m venv out/peers && out/peers/bin/pip install torch captum safetensors numpy
    out/peers/bin/python testdata/peers/googlenet.py bvlc_googlenet.safetensors

The Go side, on the same machine right after it: go test ./models/googlenet -run '^$' -bench 'Gradient|SmoothGrad'
"""
import resource, statistics, sys, time

import torch
import torch.nn.functional as F
from captum.attr import NoiseTunnel, Saliency
from safetensors.torch import load_file


class GoogLeNet(torch.nn.Module):
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


def median(f, runs):
    f()
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        f()
        times.append(time.perf_counter() - begin)
    return 1e3 * statistics.median(times)


weights = load_file(sys.argv[1])
print("torch", torch.__version__, "threads", torch.get_num_threads())
for last in False, True:
    memory = torch.channels_last if last else torch.contiguous_format
    net = GoogLeNet({k: v.contiguous(memory_format=memory) if v.dim() == 4 else v for k, v in weights.items()})
    for n, runs in (1, 15), (8, 7):
        x = (torch.rand(n, 3, 224, 224) * 255 - 117).contiguous(memory_format=memory)

        def gradient():
            y = x.detach().requires_grad_(True)
            net(y)[:, 340].sum().backward()
            return y.grad

        print(f"input gradient, batch {n}, {'channels last' if last else 'contiguous'}: {median(gradient, runs):.0f} ms", flush=True)

net = GoogLeNet(weights)
x = torch.rand(1, 3, 224, 224) * 255 - 117
smooth = NoiseTunnel(Saliency(net))
for at_once in 50, 10:
    f = lambda: smooth.attribute(x, nt_type="smoothgrad", nt_samples=50, nt_samples_batch_size=at_once, stdevs=38.0, target=340, abs=False)
    print(f"captum SmoothGrad-50, {at_once} at once: {median(f, 3):.0f} ms", flush=True)
print("peak memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "MiB")
