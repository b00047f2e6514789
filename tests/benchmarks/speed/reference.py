"""An independent reference for Taylor coefficients: central differences of the network in float64."""

import numpy as np

ACTIVATION = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}


def network_in_float64(layers, activation, x):
    """(n,) of the network in plain arrays, see `benchmarks.speed.taylor.peers.Layers`."""
    *hidden, (weight, bias) = [[array.astype(np.float64) for array in layer] for layer in layers]
    z = x.astype(np.float64)
    for w, b, *affine in hidden:
        z = ACTIVATION[activation](z @ w + b)
        if affine:
            z = z * affine[0] + affine[1]
    return 1 / (1 + np.exp(-(z @ weight + bias)[:, 0]))


def sums_by_differences(layers, activation, x, step=1e-4):
    """Sums of |t| of the first order and of the pairs i <= j.

    Their error is step^2 times fourth derivatives, 1e-8, and rounding, 1e-16 / step^2 an event.
    """
    e = step * np.eye(x.shape[1])
    f = lambda shift: network_in_float64(layers, activation, x + shift)  # noqa: E731
    sums = [abs(f(ei) - f(-ei)).sum() / (2 * step) for ei in e]
    for i, ei in enumerate(e):
        for j, ej in enumerate(e[i:], start=i):
            second = (f(ei + ej) - f(ei - ej) - f(ej - ei) + f(-ei - ej)) / (4 * step**2)
            sums.append(abs(second).sum() / (2 if i == j else 1))
    return np.array(sums)
