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

import neos_tf

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


class Measured(NamedTuple):
    """What a measurement with given templates is expected to reach; scalars.

    Args:
        log_cls: natural logarithm of the median expected CLs.
        sigmas: (n_parameters,) uncertainties at mu = 1, in the order of the model's parameters.
        n_floored: bins that the floor raised.
        converged: whether the fits did.
    """

    log_cls: tf.Tensor
    sigmas: tf.Tensor
    n_floored: tf.Tensor
    converged: tf.Tensor


class Improvement(NamedTuple):
    """A candidate better than all before it, and when it was found, in seconds from the start."""

    seconds: float
    log_cls: float
    candidate: Candidate


class Found(NamedTuple):
    """Improvements in their order, the last of them the best, and the number of candidates that were tried."""

    improvements: tuple[Improvement, ...]
    n_trials: int


def search(
    objective: Callable[[Candidate], float], n_bins: int, *, seconds: float, seed: int, listen: Callable | None = None
) -> Found:
    """Looks for the candidate with the least objective.

    Args:
        objective: of a candidate, to be minimised; infinite where it cannot be had.
        n_bins: of a candidate.
        seconds: to spend. One candidate is tried however few.
        seed: of the sampler. What is found depends on the speed of the machine as well.
        listen: called after each trial with the number of trials and the least objective so far.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    started = time.perf_counter()
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    improvements = []

    def of_trial(trial):
        candidate = suggest(trial, n_bins)
        value = objective(candidate)
        if not improvements or value < improvements[-1].log_cls:
            improvements.append(Improvement(time.perf_counter() - started, value, candidate))
        if listen is not None:
            listen(trial.number + 1, improvements[-1].log_cls)
        if time.perf_counter() - started >= seconds:
            study.stop()
        return value

    study.optimize(of_trial)
    return Found(tuple(improvements), len(study.trials))


def suggest(trial: optuna.Trial, n_bins: int) -> Candidate:
    """The candidate of a trial: coefficients in [-1, 1], and bins as wide as their shares of the sum."""
    coefficients = tuple(trial.suggest_float(f"c{i}", -1.0, 1.0) for i in range(N_COEFFICIENTS))
    widths = [trial.suggest_float(f"width{i}", NARROWEST, 1.0) for i in range(n_bins)]
    inner = np.cumsum(widths)[:-1] / np.sum(widths)
    return Candidate(coefficients, (0.0, *inner.tolist(), 1.0))


def templates(
    candidate: Candidate, events: Mapping[str, np.ndarray], yields: Mapping[str, float]
) -> dict[str, np.ndarray]:
    """(n_bins,) expected events of each sample: its ordinary histogram, scaled to the yield.

    Args:
        candidate: the summary statistic.
        events: (n_events, 2) of each sample.
        yields: expected events of each sample.
    """
    return {
        name: yields[name] * np.histogram(scores(candidate, sample), candidate.edges)[0] / len(sample)
        for name, sample in events.items()
    }


def scores(candidate: Candidate, features: np.ndarray) -> np.ndarray:
    """(n_events,) summary statistic of features (n_events, 2)."""
    x, y = np.asarray(features, np.float64).T
    logit = np.stack([x, y, x**2, x * y, y**2], axis=-1) @ np.array(candidate.coefficients)
    return 1 / (1 + np.exp(-logit))


def measuring(model: neos_tf.TemplateModel) -> Callable[[Mapping[str, np.ndarray]], Measured]:
    """A function of templates, traced once for all candidates, that measures with the model."""

    @tf.function(autograph=False)
    def measure(arrays):
        likelihood = model.bind(arrays)
        limit = neos_tf.cls(likelihood)
        sigmas = neos_tf.uncertainties(likelihood, model.initial)
        return Measured(limit.log_expected, sigmas, likelihood.n_floored, limit.converged)

    return measure
