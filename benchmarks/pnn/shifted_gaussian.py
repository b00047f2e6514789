"""A toy whose likelihood ratio is known and changes with theta: signal N(theta, 1) on background N(0, 1)."""

import numpy as np

from benchmarks.data.events import Events


def shifted_gaussian(thetas: tuple[float, ...], n_signal: int, n_background: int, seed: int) -> Events:
    """Events of the toy.

    Args:
        thetas: values of theta that signal is drawn at.
        n_signal: signal events at each.
        n_background: background events in all; the values of theta are theirs in turn.
        seed: of a local generator; the same seed draws the same events.
    """
    generator = np.random.default_rng(seed)
    theta = np.concatenate([np.repeat(thetas, n_signal), np.resize(thetas, n_background)])
    label = np.repeat([1, 0], [len(thetas) * n_signal, n_background])
    x = generator.normal(label * theta)
    return Events(x[:, None], theta, label, names=("x",), parameter_names=("theta",))


def log_ratio(x: np.ndarray, theta: float) -> np.ndarray:
    """Logarithm of p(x | theta, signal) / p(x | background), exact.

    >>> log_ratio(np.array([0.0, 1.0]), 2.0).tolist()
    [-2.0, 0.0]
    """
    return theta * np.asarray(x) - theta**2 / 2
