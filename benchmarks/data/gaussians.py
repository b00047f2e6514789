"""Two Gaussians in two dimensions: the four tasks of TAYLOR Table 1, and what the best classifier of each looks like.

Wunsch et al., "Identifying the relevant dependencies of the neural network response on characteristics of the input
space" (2018), section 2. Signal and background are equally frequent, so the logit l of the Bayes posterior p(s | x) is
the log-ratio of the two densities, a quadratic form with gradient g and constant Hessian A:

    l(x) = -1/2 (x - m_s)^T P_s (x - m_s) + 1/2 (x - m_b)^T P_b (x - m_b) + 1/2 ln(det P_s / det P_b)
    g(x) = -P_s (x - m_s) + P_b (x - m_b),    A = P_b - P_s,    P = inverse covariance matrix

The derivatives of p = sigmoid(l) follow: grad p = p q g and Hess p = p q ((q - p) g g^T + A), with q = 1 - p. They are
what a network that has learnt the task perfectly has for its Taylor coefficients.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit
from scipy.stats import multivariate_normal

from benchmarks.data.events import Events
from benchmarks.data.standardiser import Standardiser


class Gaussian(NamedTuple):
    """In x1 and x2."""

    mean: np.ndarray  # (2,)
    covariance: np.ndarray  # (2, 2)


class Task(NamedTuple):
    """The densities of the two classes, equally frequent."""

    signal: Gaussian
    background: Gaussian


def _gaussian(mean: float, variance: float, covariance: float) -> Gaussian:
    """Alike in x1 and x2, as all of Table 1 are."""
    return Gaussian(np.full(2, mean), np.array([[variance, covariance], [covariance, variance]]))


TASKS = {
    "a": Task(_gaussian(0.5, 1.0, 0.0), _gaussian(-0.5, 1.0, 0.0)),
    "b": Task(_gaussian(0.0, 1.0, 0.5), _gaussian(0.0, 1.0, -0.5)),
    "c": Task(_gaussian(0.5, 1.0, 0.5), _gaussian(-0.5, 1.0, -0.5)),
    "d": Task(_gaussian(0.0, 0.5, 0.0), _gaussian(0.0, 3.0, 0.0)),
}  # by the panels of Fig. 1


def load_gaussians(task: str, n_events: int, seed: int = 0) -> Events:
    """Events of a task ("a" to "d", the panel of Fig. 1), signal and background in turn.

    The features x1 and x2 are not standardised (see `gaussian_standardiser`), and there is no theory parameter.
    ValueError for an unknown task, or no events.

    >>> load_gaussians("c", 1000)
    Events(500 signal, 500 background, 2 features)
    """
    if n_events < 1:
        raise ValueError(f"Expected n_events of at least 1. Received: n_events={n_events}.")
    signal, background = _task(task)
    generator = np.random.default_rng(seed)
    features = np.empty((n_events, 2))
    for first, gaussian in ((0, background), (1, signal)):
        features[first::2] = generator.multivariate_normal(*gaussian, size=len(features[first::2]))
    label = np.arange(n_events) % 2
    return Events(features, np.empty((n_events, 0)), label, names=("x1", "x2"), parameter_names=())


def gaussian_standardiser(task: str) -> Standardiser:
    """Standardises the features of a task by the exact mean and standard deviation of the mixture of its classes.

    The variance is the mean of the class variances, plus the square of half the distance between the class means.

    >>> gaussian_standardiser("d").std**2
    array([1.75, 1.75])
    """
    signal, background = _task(task)
    within = (np.diag(signal.covariance) + np.diag(background.covariance)) / 2
    between = ((signal.mean - background.mean) / 2) ** 2
    return Standardiser((signal.mean + background.mean) / 2, np.sqrt(within + between))


def bayes_posterior(task: str, x: np.ndarray) -> np.ndarray:
    """(n_events,) float64: the probability of signal at x (n_events, 2), features that are not standardised.

    ValueError for an unknown task or another shape.

    >>> bayes_posterior("a", [[0.0, 0.0], [0.0, 1.0]]).round(4)
    array([0.5   , 0.7311])
    """
    return expit(_logit(task, x)[0])


def bayes_coefficients(task: str, x: np.ndarray) -> np.ndarray:
    """(n_events, 5) float64: Taylor coefficients t_1, t_2, t_11, t_12, t_22 of the posterior about x (n_events, 2).

    They are with respect to the standardised features, x is not standardised. t_i is the first derivative, t_ii half
    of the second and t_12 the mixed one: each term of the expansion counts once.
    """
    logit, gradient, hessian = _logit(task, x)
    std = gaussian_standardiser(task).std
    gradient, hessian = std * gradient, np.outer(std, std) * hessian  # of the logit, to standardised features
    p, q = expit(logit), expit(-logit)
    first = (p * q)[:, None] * gradient
    second = (p * q)[:, None, None] * ((q - p)[:, None, None] * gradient[:, :, None] * gradient[:, None, :] + hessian)
    return np.column_stack([first, second[:, 0, 0] / 2, second[:, 0, 1], second[:, 1, 1] / 2])


def _task(task: str) -> Task:
    if task not in TASKS:
        raise ValueError(f"Expected task to be one of {tuple(TASKS)}. Received: task={task!r}.")
    return TASKS[task]


def _logit(task: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """l (n_events,), its gradient (n_events, 2) and its Hessian (2, 2), with respect to x."""
    x, densities = np.asarray(x, np.float64), _task(task)
    if x.ndim != 2 or x.shape[1] != 2:
        raise ValueError(f"Expected x of shape (n_events, 2). Received: shape {x.shape}.")
    signal, background = (np.atleast_1d(multivariate_normal(*density).logpdf(x)) for density in densities)
    precision = [np.linalg.inv(density.covariance) for density in densities]
    towards = [(density.mean - x) @ p for density, p in zip(densities, precision, strict=True)]
    return signal - background, towards[0] - towards[1], precision[1] - precision[0]
