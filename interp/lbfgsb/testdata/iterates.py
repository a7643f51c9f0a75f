"""Writes iterates.json: the iterates of scipy's L-BFGS-B on problems with bounds, which the tests compare with.

    python iterates.py > iterates.json
"""
import json
import numpy as np
from scipy.optimize import minimize


def rosenbrock(x):  # of the authors' first driver
    t = x[1:] - x[:-1] ** 2
    g = np.zeros_like(x)
    g[0] = 2 * (x[0] - 1) / 4
    f = .25 * (x[0] - 1) ** 2 + np.sum(t ** 2)
    g[1:] += 2 * t
    g[:-1] -= 4 * x[:-1] * t
    return 4 * f, 4 * g


def beale(x):
    c = np.array([1.5, 2.25, 2.625])
    k = np.arange(1, 4)
    r = c - x[0] * (1 - x[1] ** k)
    return r @ r, np.array([2 * r @ (x[1] ** k - 1), 2 * r @ (x[0] * k * x[1] ** (k - 1))])


def powell(x):
    a, b, c, d = x.reshape(-1, 4).T
    p, q, r, s = a + 10 * b, c - d, b - 2 * c, a - d
    f = np.sum(p ** 2 + 5 * q ** 2 + r ** 4 + 10 * s ** 4)
    g = np.stack([2 * p + 40 * s ** 3, 20 * p + 4 * r ** 3, 10 * q - 8 * r ** 3, -10 * q - 40 * s ** 3], 1)
    return f, g.ravel()


def wood(x):
    a, b, c, d = x.reshape(-1, 4).T
    f = np.sum(100 * (b - a ** 2) ** 2 + (1 - a) ** 2 + 90 * (d - c ** 2) ** 2 + (1 - c) ** 2
               + 10 * (b + d - 2) ** 2 + .1 * (b - d) ** 2)
    g = np.stack([-400 * a * (b - a ** 2) - 2 * (1 - a), 200 * (b - a ** 2) + 20 * (b + d - 2) + .2 * (b - d),
                  -360 * c * (d - c ** 2) - 2 * (1 - c), 180 * (d - c ** 2) + 20 * (b + d - 2) - .2 * (b - d)], 1)
    return f, g.ravel()


def quadratic(x):  # tridiagonal, with a condition number of some thousands
    i = np.arange(len(x))
    d = 2 + i * i / 10
    ax = d * x
    ax[1:] -= x[:-1]
    ax[:-1] -= x[1:]
    b = np.where(i % 3 == 0, 5, -3) * (1 + i / 4)
    return .5 * x @ ax - b @ x, ax - b


problems = [
    ("rosenbrock", rosenbrock, [3] * 25, [1, -100] * 12 + [1], [100] * 25, 5),
    ("beale", beale, [1, 1], [-4.5, -4.5], [2.5, 4.5], 10),
    ("powell", powell, [3, -1, 0, 1] * 3, [.1, None, -1, -1] * 3, [100, 20, 100, 100] * 3, 10),
    ("wood", wood, [-3, -1, -3, -1] * 2, [-4, -4, -4, -4] * 2, [.9, 2, 3, 2] * 2, 4),
    ("quadratic", quadratic, [0] * 20, [None, -.5, -2, .3] * 5, [1, .25, None, .3] * 5, 6),
    ("free", rosenbrock, [-1.2, 1] * 2, None, None, 10),
]

out = []
for name, f, x, low, high, m in problems:
    iterates = []
    bounds = None if low is None else list(zip(low, high))
    r = minimize(f, np.array(x, float), jac=True, method="L-BFGS-B", bounds=bounds, callback=lambda x: iterates.append(x.tolist()),
                 options={"maxcor": m})
    out.append({"name": name, "start": x, "lower": low, "upper": high, "memory": m, "iterates": iterates, "evaluations": r.nfev,
                "message": r.message})
print("[" + ",\n".join(json.dumps(o) for o in out) + "]")
