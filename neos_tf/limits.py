"""Upper limits on the parameter of interest, observed and expected, differentiable with respect to templates and data.

The limit is where CLs has fallen to `level`. With the test statistic's distance d from its background-only median, in
standard deviations (CCGV, arXiv:1007.1727, Eqs. 59 and 65), that is where

    sqrt(q_A(mu)) = t(d),    t(d) = -d - Phi^-1(level Phi(-d)),

and d is a constant for each expected limit and almost one for the observed. mu is searched as a quadratic in sqrt(q_A)
through the origin, exact for few and for many events, with the slope of the envelope theorem: some three conditional
fits a limit, each started from the one before. The solution has the gradient of the implicit function theorem.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from neos_tf.fits import asimov_fit, covariance, guarded_sqrt, search, twice_nll, value_and_gradient
from neos_tf.inference import N_SIGMA, distance_from_background
from neos_tf.likelihood import Likelihood
from neos_tf.parameters import parameters_with_poi, poi_index, settings
from neos_tf.typing import TensorLike

TOLERANCE = 1e-6  # of sqrt(q), before a last Newton step that squares it
MAX_FITS = 25  # of one limit
MAX_FACTOR = 1e3  # between two signal strengths that are tried in turn

do_not_convert = tf.autograph.experimental.do_not_convert


class UpperLimit(NamedTuple):
    """Upper limits on the parameter of interest; infinite where there is none within its bounds.

    Args:
        observed: () on the data.
        expected: (5,) if there is no signal: -2, -1 standard deviations, median, +1, +2, rising.
        converged: () bool, all limits are found and all fits converged.
    """

    observed: tf.Tensor
    expected: tf.Tensor
    converged: tf.Tensor


class _Limits(NamedTuple):
    value: tf.Tensor  # (n_limits,)
    slope: tf.Tensor  # (n_limits,) of the residual
    pars: tf.Tensor  # (n_limits, n_parameters) conditional fits to the Asimov data


class _State(NamedTuple):
    which: tf.Tensor  # limit that is searched
    n_fits: tf.Tensor
    failed: tf.Tensor
    mu: tf.Tensor
    low: tf.Tensor
    high: tf.Tensor
    fitted_at: tf.Tensor  # the signal strength of `pars`
    pars: tf.Tensor  # last fit to the Asimov data
    pars_of_data: tf.Tensor
    found: _Limits


@do_not_convert
def upper_limit(
    likelihood: Likelihood, data: TensorLike | None = None, level: float = 0.05, **options: Any
) -> UpperLimit:
    """Signal strength above which CLs is below `level`, from q~_mu (q_mu where the parameter may be negative).

    Args:
        likelihood: templates bound to a model.
        data: (n_data,) counts and auxiliary data. None for Asimov data without signal at the initial parameters, as
            for `cls`: observed is the median expected.
        level: 1 - confidence level.
        **options: as `fit`. The limit is searched within the bounds of the parameter of interest, so give
            bounds={"mu": (0, 100)} where it may be beyond those of the model.

    Raises:
        ValueError: as `cls`; a level outside of (0, 1).
    """
    limits, converged = upper_limits(likelihood, data, level, N_SIGMA, **options)
    return UpperLimit(limits[2] if data is None else limits[5], limits[:5], converged)


@do_not_convert
def upper_limits(
    likelihood: Likelihood, data: TensorLike | None, level: float, n_sigma: Sequence[float], **options: Any
) -> tuple[tf.Tensor, tf.Tensor]:
    """Expected limits, of falling n_sigma of the test statistic, and if there are data the observed; () converged.

    Arguments and errors as `upper_limit`.
    """
    if np.ndim(level) or not 0 < level < 1:
        raise ValueError(
            f"Expected level between 0 and 1, such as 0.05 for a confidence level of 95 %. Received: {level}."
        )
    index = poi_index(likelihood, **options)
    lower, upper = (bound[index] for bound in settings(likelihood.model, bounds=options.get("bounds"))[1:3])
    if data is None:
        background = best = asimov_fit(parameters_with_poi(likelihood, 0.0, **options))
        data = tf.zeros(0, tf.float64)
    else:
        background, best = search(likelihood, data, fixed_poi=0.0, **options), search(likelihood, data, **options)
        n_sigma = (*n_sigma, 0.0)  # that of the data, to start with
    observed = len(n_sigma) - 1 if data.shape[0] else None
    asimov_data = likelihood.expected_data(background.pars)
    best_poi, distances, zero = best.pars[index], tf.constant(n_sigma, tf.float64), tf.zeros((), tf.float64)

    def residual(q_asimov, distance):
        return guarded_sqrt(q_asimov) - _target(distance, level)

    def observed_distance(mu, twice_nll_there, best_twice_nll, q_asimov):
        q = tf.maximum(twice_nll_there - best_twice_nll, 0)
        q = tf.where(mu < best_poi, tf.zeros_like(q), q)
        return distance_from_background(q, q_asimov, bounded=lower >= 0)

    stopped = Likelihood(likelihood.model, tf.stop_gradient(likelihood.numbers))
    origin, asimov, counts = (
        tf.stop_gradient(tensor) for tensor in (background.pars, asimov_data, tf.convert_to_tensor(data))
    )
    of_asimov = value_and_gradient(stopped, asimov)
    known_nll = of_asimov(origin)[0]
    of_data = value_and_gradient(stopped, counts) if observed is not None else None
    best_nll = tf.zeros((), tf.float64) if of_data is None else of_data(tf.stop_gradient(best.pars))[0]
    options = {name: value for name, value in options.items() if name != "init"}

    def fit_at(mu, pars, fitted_at, counts, of_counts):
        start = tf.where(fitted_at > 0, origin + (pars - origin) * mu / fitted_at, pars)
        result = search(stopped, counts, fixed_poi=mu, init=start, **options)
        value, gradient = of_counts(result.pars)
        return result.pars, value, gradient[index], result.converged

    def unfinished(*state):
        state = tf.nest.pack_sequence_as(first, state)
        return ~state.failed & (state.which < len(n_sigma))

    def step(*state):
        state = tf.nest.pack_sequence_as(first, state)
        mu, is_observed = tf.identity(state.mu), state.which == observed
        pars, asimov_nll, asimov_slope, converged = fit_at(mu, state.pars, state.fitted_at, asimov, of_asimov)
        pars_of_data = state.pars_of_data
        if observed is not None:
            fitted_at = tf.where(state.n_fits > 0, state.fitted_at, zero)
            pars_of_data, data_nll, data_slope, also = tf.cond(
                is_observed,
                lambda: fit_at(mu, pars_of_data, fitted_at, counts, of_data),
                lambda: (pars_of_data, best_nll, zero, tf.constant(True)),
            )
            converged &= also
        with tf.GradientTape() as tape:
            tape.watch(mu)
            q_asimov = tf.maximum(asimov_nll + (mu - state.mu) * asimov_slope - known_nll, 0)
            distance = tf.gather(distances, state.which)
            if observed is not None:
                own = observed_distance(mu, data_nll + (mu - state.mu) * data_slope, best_nll, q_asimov)
                distance = tf.where(is_observed, own, distance)
            excess = residual(q_asimov, distance)
        slope, root = tape.gradient(excess, mu), tf.sqrt(q_asimov)

        found = converged & (tf.abs(excess) < TOLERANCE) & (slope > 0)
        here = found & (tf.range(len(n_sigma)) == state.which)
        limits = _Limits(
            tf.where(here, mu, state.found.value),
            tf.where(here, slope, state.found.slope),
            tf.where(here[:, None], pars[None], state.found.pars),
        )
        following = tf.minimum(state.which + 1, len(n_sigma) - 1)
        next_distance = tf.gather(distances, following)
        if observed is not None:  # in units of the standard deviation mu / sqrt(q_A)
            next_distance = tf.where(following == observed, -best_poi * root / mu, next_distance)
        target = tf.where(found, _target(next_distance, level), root - excess)
        low, high = tf.where(excess < 0, mu, state.low), tf.where(excess < 0, state.high, mu)
        if observed is not None:
            low = tf.where(found & (following == observed), zero, low)
        high = tf.where(found, infinite, high)
        bend = (1 / slope - mu / root) / root
        proposal = target * (2 * mu / root - 1 / slope + bend * target)
        inside = (proposal > tf.maximum(low, mu / MAX_FACTOR)) & (proposal < tf.minimum(high, mu * MAX_FACTOR))
        proposal = tf.where(inside, proposal, tf.where(tf.math.is_finite(high), (low + high) / 2, 10 * mu))
        at_bound = ~found & (mu >= upper) & (excess < 0)
        return tf.nest.flatten(
            _State(
                which=state.which + tf.cast(found, tf.int32),
                n_fits=tf.where(found, 0, state.n_fits + 1),
                failed=~converged | at_bound | (state.n_fits >= MAX_FITS),
                mu=tf.minimum(proposal, upper),
                low=low,
                high=high,
                fitted_at=mu,
                pars=pars,
                pars_of_data=pars_of_data,
                found=limits,
            )
        )

    n_limits, infinite = len(n_sigma), tf.constant(float("inf"), tf.float64)
    # Of a Gaussian likelihood: its limit, and how the other parameters follow.
    along = covariance(stopped, origin, asimov)[index]
    gaussian = tf.reduce_all(tf.math.is_finite(along)) & (along[index] > 0)
    variance = tf.where(gaussian, along[index], 1)
    held = settings(likelihood.model, fixed=options.get("fixed")).fixed
    following = origin + tf.where(gaussian & ~held, along / variance, zero)  # where a fit starts is where it holds them
    first = _State(
        which=tf.constant(0),
        n_fits=tf.constant(0),
        failed=tf.constant(False),
        mu=tf.minimum(_target(distances[0], level) * tf.sqrt(variance), upper),
        low=zero,
        high=infinite,
        fitted_at=tf.ones_like(zero),
        pars=following,
        pars_of_data=tf.stop_gradient(best.pars),
        found=_Limits(
            tf.zeros(n_limits, tf.float64), tf.ones(n_limits, tf.float64), tf.tile(origin[None], (n_limits, 1))
        ),
    )
    last = tf.nest.pack_sequence_as(first, tf.while_loop(unfinished, step, tf.nest.flatten(first)))
    mu, slope, pars = (tf.stop_gradient(tensor) for tensor in last.found)
    values = twice_nll(tf.concat([pars, origin[None]], axis=0), likelihood, asimov_data)
    q_asimov = tf.maximum(values[:-1] - values[-1], 0)
    if observed is not None:
        points = tf.stop_gradient(tf.stack([last.pars_of_data, best.pars]))
        there, best_there = tf.unstack(twice_nll(points, likelihood, data))
        own = observed_distance(mu[-1], there, best_there, q_asimov[-1])
        distances = tf.concat([distances[:-1], own[None]], axis=0)
    limits = mu - residual(q_asimov, distances) / slope  # Newton's last step, and the implicit function theorem
    limits = tf.where(mu > 0, limits, float("inf"))
    return limits, background.converged & best.converged & ~last.failed & tf.reduce_all(tf.math.is_finite(limits))


def _target(distance: tf.Tensor, level: float) -> tf.Tensor:
    """sqrt(q_A) of the limit."""
    return -distance - tf.math.ndtri(level * 0.5 * tf.math.erfc(distance / 2**0.5))
