"""INFERNO's benchmark: a mixture with two nuisance parameters of its shape, whose best measurement is known.

De Castro and Dorigo, arXiv:1806.04743, section 5. Signal: (x0, x1) is standard normal, x2 exponential of rate 2.
Background: x0 ~ N(2 + r, 5), x1 ~ N(0, 9), by variance, x2 exponential of the rate lambda; nominally r = 0, lambda = 3.
Events at another (r, lambda) are the nominal ones, shifted and scaled. s = 50 and b = 1000 are expected. The text gives
the signal the mean (1, 1); the authors' code has (0, 0), which alone gives their row of the analytic likelihood.
"""

import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np

import neos_tf

S, B, RATE = 50.0, 1000.0, 3.0  # expected signal and background, nominal lambda
MEAN, VARIANCES, SIGNAL_RATE = 2.0, (5.0, 9.0), 2.0
STEPS = {"r": 0.2, "lambda": 0.5}  # of the variations that derivatives are taken with, as published
SINGULAR = 1e12  # condition of an information from which on it has no inverse; that of the limit is 1e5
PARAMETERS = ("s", "r", "lambda", "b")
BENCHMARKS: tuple[dict[str, float], ...] = (  # width of the constraint of each nuisance parameter, infinite without
    {},
    {"r": np.inf},
    {"r": np.inf, "lambda": np.inf},
    {"r": 0.4, "lambda": 1.0},
    {"r": 0.4, "lambda": 1.0, "b": 100.0},
)


def draw(n_events: int, seed: int) -> dict[str, np.ndarray]:
    """(n_events, 3) float32 events of signal and of nominal background, by name."""
    rng = np.random.default_rng(seed)
    signal, background = rng.normal(size=(2, n_events, 3))
    background *= np.sqrt([*VARIANCES, 1.0])
    background[:, 0] += MEAN
    for events, rate in ((signal, SIGNAL_RATE), (background, RATE)):
        events[:, 2] = rng.exponential(1 / rate, n_events)
    return {"signal": signal.astype(np.float32), "background": background.astype(np.float32)}


def moved(parameter: str, by: float) -> Callable:
    """A function of nominal background, of NumPy or TensorFlow, that gives it at another r or lambda."""
    if parameter == "r":
        return lambda events: events + np.array([by, 0, 0], np.float32)
    return lambda events: events * np.array([1, 1, RATE / (RATE + by)], np.float32)


def densities(x0: np.ndarray, x1: np.ndarray, x2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of signal and of nominal background, at points of one shape."""

    def density(mean, variances, rate):
        chi2 = (x0 - mean) ** 2 / variances[0] + x1**2 / variances[1]
        return rate * np.exp(-chi2 / 2 - rate * x2) / (2 * np.pi * np.sqrt(np.prod(variances)))

    return density(0.0, (1.0, 1.0), SIGNAL_RATE), density(MEAN, VARIANCES, RATE)


def posterior(events: np.ndarray) -> np.ndarray:
    """(n_events,) what the optimal classifier says of events: the probability of signal in a mixture of equal parts."""
    signal, background = densities(*np.float64(events).T)
    return signal / (signal + background)


def sigmas(slopes: Mapping[str, np.ndarray], expected: np.ndarray, measure: np.ndarray | float = 1.0) -> list[float]:
    """sigma(s) in every benchmark, from the Fisher information of the Asimov data; infinite where bins are too few.

    Args:
        slopes: derivative of the expected events in each bin with respect to each parameter.
        expected: (n_bins,) events; bins without are left out.
        measure: of the bins, where they are the points of a quadrature.
    """
    there = expected > 0
    matrix = np.stack([slopes[name][there] for name in PARAMETERS])
    information = matrix * (measure * np.ones_like(expected) / np.where(there, expected, 1))[there] @ matrix.T
    found = []
    for widths in BENCHMARKS:
        constraints = np.diag([1 / widths.get(name, np.inf) ** 2 for name in PARAMETERS])
        free = [0, *(PARAMETERS.index(name) for name in widths)]
        block = (information + constraints)[np.ix_(free, free)]
        found.append(math.sqrt(np.linalg.inv(block)[0, 0]) if np.linalg.cond(block) < SINGULAR else math.inf)
    return found


def sigmas_of_bins(bin_of: Callable, n_bins: int, events: Mapping[str, np.ndarray]) -> list[float]:
    """sigma(s) in every benchmark of counts in bins, as published: derivatives are central differences.

    Args:
        bin_of: gives the bin (n_events,) of events (n_events, 3).
        n_bins: how many there are.
        events: of signal and of nominal background, by name.
    """

    def share(of):
        return np.bincount(bin_of(of), minlength=n_bins) / len(of)

    signal, background = share(events["signal"]), share(events["background"])
    slopes = {"s": signal, "b": background}
    for name, step in STEPS.items():
        up, down = (share(moved(name, by)(events["background"])) for by in (step, -step))
        slopes[name] = B * (up - down) / (2 * step)
    return sigmas(slopes, S * signal + B * background)


def limit(order: int = 80) -> list[float]:
    """sigma(s) in every benchmark of the full likelihood, by Gauss-Legendre quadrature of `order` points an axis."""
    ranges = ((-12.0, 16.0), (-20.0, 20.0), (0.0, 14.0))  # beyond are less than 1e-9 of either sample
    nodes, weights = np.polynomial.legendre.leggauss(order)
    points, measures = zip(
        *(((low + high) / 2 + (high - low) / 2 * nodes, (high - low) / 2 * weights) for low, high in ranges),
        strict=True,
    )
    x0, x1, x2 = (axis.ravel() for axis in np.meshgrid(*points, indexing="ij"))
    measure = np.einsum("i,j,k->ijk", *measures).ravel()
    signal, background = densities(x0, x1, x2)
    in_r, in_rate = (x0 - MEAN) / VARIANCES[0], 1 / RATE - x2  # derivatives of the logarithm of the density
    slopes = {"s": signal, "r": B * background * in_r, "lambda": B * background * in_rate, "b": background}
    return sigmas(slopes, S * signal + B * background, measure)


def steps_of(benchmark: int) -> dict[str, float]:
    """What one unit of each nuisance parameter of `measurement` is: the width of its constraint, or of `STEPS`."""
    widths = BENCHMARKS[benchmark]
    return {name: step if np.isinf(widths[name]) else widths[name] for name, step in STEPS.items() if name in widths}


def variations(benchmark: int) -> dict[str, tuple[str, Callable]]:
    """Those of the background that `measurement` needs, as `neos_tf.sample_batches` takes them."""
    return {
        f"{name}_{way}": ("background", moved(name, sign * step))
        for name, step in steps_of(benchmark).items()
        for way, sign in (("up", 1), ("down", -1))
    }


def unconstrained(benchmark: int) -> tuple[str, ...]:
    """The parameters that have no constraint, though all of pyhf's variations have one."""
    return tuple(name for name, width in BENCHMARKS[benchmark].items() if np.isinf(width))


def measurement(benchmark: int, n_bins: int, floor: float) -> neos_tf.TemplateModel:
    """The model of a benchmark: mu is s / 50, and lumi is b / 1000, a factor with a normal constraint."""
    background = [
        {"name": name, "type": "histosys", "data": {"hi_data": f"{name}_up", "lo_data": f"{name}_down"}}
        for name in steps_of(benchmark)
    ]
    parameters = []
    if "b" in BENCHMARKS[benchmark]:
        width = BENCHMARKS[benchmark]["b"] / B
        background.append({"name": "lumi", "type": "lumi", "data": None})
        parameters.append({"name": "lumi", "auxdata": [1.0], "sigmas": [width], "inits": [1.0], "bounds": [[0.1, 2.0]]})
    samples = [
        {"name": "signal", "data": "signal", "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]},
        {"name": "background", "data": "background", "modifiers": background},
    ]
    spec = {"channels": [{"name": "mixture", "samples": samples}], "parameters": parameters}
    return neos_tf.TemplateModel.from_spec(spec, n_bins=n_bins, floor=floor)


def yields(samples: Iterable[str]) -> dict[str, float]:
    """Expected events of each sample."""
    return {name: S if name == "signal" else B for name in samples}
