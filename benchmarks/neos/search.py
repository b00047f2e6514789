"""Bayesian optimisation of a summary statistic: exact expected CLs of ordinary histograms, and no gradient of it.

Simpson and Heinrich, arXiv:2203.05570, section 4, wish for the comparison: black box methods need no approximation.
They need few parameters, though. Here a quadratic discriminant of the two features stands in for the network, and the
edges of its histogram are searched along: the tree-structured Parzen estimator of Optuna.
"""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import optuna
import tensorflow as tf
from scipy.special import expit

import neos_tf
from benchmarks.neos.training import NUISANCE

N_COEFFICIENTS = 5  # of x, y, x^2, x y and y^2
NARROWEST = 0.02  # share of the widest possible bin, which a bin has at least


class Candidate(NamedTuple):
    """A summary statistic sigmoid(c . (x, y, x^2, x y, y^2)), with values in [0, 1], and its histogram.

    Args:
        coefficients: (5,) c; a constant would do no more than other edges.
        edges: (n_bins + 1,) from 0 to 1.
    """

    coefficients: tuple[float, ...]
    edges: tuple[float, ...]

    def scores(self, features: np.ndarray) -> np.ndarray:
        """(n_events,) summary statistic of features (n_events, 2)."""
        x, y = np.asarray(features, np.float64).T
        return expit(np.stack([x, y, x**2, x * y, y**2], axis=-1) @ self.coefficients)

    def templates(self, events: Mapping[str, np.ndarray], yields: Mapping[str, float]) -> dict[str, np.ndarray]:
        """(n_bins,) expected events of each sample: the histogram of its (n_events, 2), scaled to its yield."""
        return {
            name: yields[name] * np.histogram(self.scores(sample), self.edges)[0] / len(sample)
            for name, sample in events.items()
        }


class Improvement(NamedTuple):
    """A candidate better than all before it, its objective, and when it was found, in seconds from the start."""

    seconds: float
    value: float
    candidate: Candidate


def search(
    objective: Callable[[Candidate], float], n_bins: int, *, seconds: float, seed: int, listen: Callable
) -> tuple[list[Improvement], int]:
    """Looks for the candidate with the least objective, which is infinite where it cannot be had, for some seconds.

    One candidate is tried however few these are; what is found depends on the speed of the machine, beside the seed.
    After each trial, `listen` is called with the share of the time that it took, 1 in total, and the least objective.

    Returns:
        Improvements in their order, the last of them the best, and the number of candidates that were tried.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    started, elapsed, improvements = time.perf_counter(), 0.0, []
    while elapsed < seconds or not improvements:
        trial = study.ask()
        candidate = suggest(trial, n_bins)
        value = objective(candidate)
        study.tell(trial, value)
        before, elapsed = elapsed, time.perf_counter() - started
        if not improvements or value < improvements[-1].value:
            improvements.append(Improvement(elapsed, value, candidate))
        listen((min(elapsed, seconds) - before) / seconds, improvements[-1].value)
    return improvements, len(study.trials)


def suggest(trial: optuna.Trial, n_bins: int) -> Candidate:
    """The candidate of a trial: coefficients in [-1, 1], and bins as wide as their shares of the sum."""
    coefficients = tuple(trial.suggest_float(f"c{i}", -1.0, 1.0) for i in range(N_COEFFICIENTS))
    widths = [trial.suggest_float(f"width{i}", NARROWEST, 1.0) for i in range(n_bins)]
    inner = np.cumsum(widths)[:-1] / np.sum(widths)
    return Candidate(coefficients, (0.0, *inner.tolist(), 1.0))


def measuring(model: neos_tf.TemplateModel, yields: Mapping[str, float]) -> Callable[..., dict[str, float]]:
    """A function of a candidate and the (n_events, 2) of each sample, traced once, that measures with the model.

    It returns `log_cls`, the natural logarithm of the median expected CLs, `sigma_mu` and `sigma_gamma` at mu = 1,
    `n_floored`, the bins that the floor raised, and whether the fits `converged`.
    """

    @tf.function(autograph=False)
    def of_templates(arrays):
        likelihood = model.bind(arrays)
        limit, sigmas = neos_tf.cls(likelihood), neos_tf.uncertainties(likelihood, model.initial)
        of_parameter = dict(zip(model.parameter_names, tf.unstack(sigmas), strict=True))
        return {
            "log_cls": limit.log_expected,
            "sigma_mu": of_parameter["mu"],
            "sigma_gamma": of_parameter[NUISANCE],
            "n_floored": likelihood.n_floored,
            "converged": limit.converged,
        }

    def measure(candidate, events):
        return {name: value.numpy().item() for name, value in of_templates(candidate.templates(events, yields)).items()}

    return measure
