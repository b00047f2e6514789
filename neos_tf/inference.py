"""Test statistics, limits and significances, differentiable with respect to templates and data.

Asymptotic formulae of Cowan, Cranmer, Gross and Vitells, arXiv:1007.1727, cited as CCGV; names are pyhf's. Every
function works eagerly, in a graph and under XLA, which is the fastest. Derivatives are exact, once.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

from neos_tf.fits import FitResult, Solution, asimov_fit, evaluated, guarded_sqrt, search
from neos_tf.histogram import as_float64
from neos_tf.likelihood import Likelihood
from neos_tf.parameters import parameters_with_poi, poi_index, settings
from neos_tf.typing import TensorLike

N_SIGMA = (2.0, 1.0, 0.0, -1.0, -2.0)  # of the test statistic: its upward fluctuation is a smaller CLs

do_not_convert = tf.autograph.experimental.do_not_convert


class TestStatistic(NamedTuple):
    """A profile likelihood ratio.

    Args:
        value: () the statistic, at least 0.
        converged: () bool, of both fits.
        fixed_poi: the fit at the value that is tested.
        best: the fit with a free parameter of interest.
    """

    value: tf.Tensor
    converged: tf.Tensor
    fixed_poi: FitResult
    best: FitResult


class CLs(NamedTuple):
    """CLs of the value that is tested.

    Args:
        observed: () on the data.
        expected: (5,) if there is no signal: -2, -1 standard deviations, median, +1, +2, as pyhf orders them.
        log_expected: () natural logarithm of the median, precise however small it is.
        converged: () bool, of all fits.
        qmu: () test statistic on the data.
        qmu_asimov: () on the Asimov data without signal.
    """

    observed: tf.Tensor
    expected: tf.Tensor
    log_expected: tf.Tensor
    converged: tf.Tensor
    qmu: tf.Tensor
    qmu_asimov: tf.Tensor


class Discovery(NamedTuple):
    """Significance of a signal.

    Args:
        significance: () Z in standard deviations.
        p_value: () one-sided.
        q0: () test statistic.
        converged: () bool, of all fits.
    """

    significance: tf.Tensor
    p_value: tf.Tensor
    q0: tf.Tensor
    converged: tf.Tensor


class DiscoveryScan(NamedTuple):
    """Local p-values of hypotheses, in their order.

    Args:
        p_value: (n_hypotheses,) one-sided, on the data.
        expected_p_value: (n_hypotheses,) median of each hypothesis, if it holds.
        significance: (n_hypotheses,) Z in standard deviations, on the data; 0 for deficits.
        expected_significance: (n_hypotheses,) median.
        converged: (n_hypotheses,) bool, of all fits.
    """

    p_value: tf.Tensor
    expected_p_value: tf.Tensor
    significance: tf.Tensor
    expected_significance: tf.Tensor
    converged: tf.Tensor


@do_not_convert
def qmu(poi: TensorLike, likelihood: Likelihood, data: TensorLike, **options: Any) -> TestStatistic:
    """Test statistic q_mu for upper limits, CCGV Eq. (14); the bounds of the parameter should allow for mu < 0.

    Args:
        poi: () value of the parameter of interest that is tested.
        likelihood, data, **options: as `fit`.

    Raises:
        ValueError: as `fit`; a parameter of interest that is missing or fixed.
    """
    index = poi_index(likelihood, **options)
    fixed, best = search(likelihood, data, fixed_poi=poi, **options), search(likelihood, data, **options)
    above = best.pars[index] > as_float64(poi)
    return _statistic(likelihood, data, fixed, best, zero=above)


def qmu_tilde(poi: TensorLike, likelihood: Likelihood, data: TensorLike, **options: Any) -> TestStatistic:
    """Test statistic q~_mu for upper limits on a non-negative signal, CCGV Eq. (16).

    The lower bound 0 of the parameter of interest makes it of `qmu`, as in pyhf. Arguments as there.

    Raises:
        ValueError: a lower bound that is not 0.
    """
    index = poi_index(likelihood, **options)
    lower = settings(likelihood.model, bounds=options.get("bounds")).lower[index]
    if lower != 0:
        raise ValueError(f"Expected a parameter of interest with lower bound 0. Received: {lower}. Use qmu.")
    return qmu(poi, likelihood, data, **options)


@do_not_convert
def q0(likelihood: Likelihood, data: TensorLike, **options: Any) -> TestStatistic:
    """Test statistic q_0 for the discovery of a positive signal, CCGV Eq. (12). Arguments as `fit`."""
    index = poi_index(likelihood, **options)
    fixed, best = search(likelihood, data, fixed_poi=0.0, **options), search(likelihood, data, **options)
    return _statistic(likelihood, data, fixed, best, zero=best.pars[index] < 0)


@do_not_convert
def cls(likelihood: Likelihood, data: TensorLike | None = None, poi_test: TensorLike = 1.0, **options: Any) -> CLs:
    """Observed and expected CLs of a signal strength, from q~_mu (q_mu where the parameter may be negative).

    Args:
        likelihood: templates bound to a model.
        data: (n_data,) counts and auxiliary data. None for Asimov data without signal at the initial parameters, whose
            own fit is known: only one fit is done, and observed is the median expected.
        poi_test: () signal strength that is tested.
        **options: as `fit`.

    Raises:
        ValueError: as `fit`; a parameter of interest that is missing or fixed.
    """
    index = poi_index(likelihood, **options)
    if data is None:
        background = asimov_fit(parameters_with_poi(likelihood, 0.0, **options))
        observed = None
    else:
        observed = qmu(poi_test, likelihood, data, **options)
        background = search(likelihood, data, fixed_poi=0.0, **options)
    asimov_data = likelihood.expected_data(background.pars)
    conditional = search(likelihood, asimov_data, fixed_poi=poi_test, **options)
    known = asimov_fit(background.pars)
    asimov = _statistic(likelihood, asimov_data, conditional, known, zero=as_float64(poi_test) < 0)

    root_asimov = guarded_sqrt(asimov.value)
    standard = tfp.distributions.Normal(tf.constant(0.0, tf.float64), 1.0)
    n_sigma = tf.constant(N_SIGMA, tf.float64)
    log_expected = standard.log_cdf(-(n_sigma + root_asimov)) - standard.log_cdf(-n_sigma)
    if observed is None:
        log_observed, q_observed, converged = log_expected[2], asimov.value, asimov.converged
    else:
        q_observed = observed.value
        converged = asimov.converged & background.converged & observed.converged
        lower = settings(likelihood.model, bounds=options.get("bounds")).lower[index]
        distance = distance_from_background(q_observed, asimov.value, bounded=lower >= 0)
        log_observed = standard.log_cdf(-(distance + root_asimov)) - standard.log_cdf(-distance)
    return CLs(
        observed=tf.exp(log_observed),
        expected=tf.exp(log_expected),
        log_expected=log_expected[2],
        converged=converged,
        qmu=q_observed,
        qmu_asimov=asimov.value,
    )


@do_not_convert
def discovery_significance(
    likelihood: Likelihood, data: TensorLike | None = None, poi_asimov: TensorLike = 1.0, **options: Any
) -> Discovery:
    """Significance sqrt(q_0) of a signal, CCGV Eq. (53).

    Args:
        likelihood: templates bound to a model.
        data: (n_data,) counts and auxiliary data; None for Asimov data with a signal: the median expected significance.
        poi_asimov: () signal strength of the Asimov data.
        **options: as `fit`.

    Raises:
        ValueError: as `fit`; a parameter of interest that is missing or fixed.
    """
    poi_index(likelihood, **options)
    if data is None:
        best = asimov_fit(parameters_with_poi(likelihood, poi_asimov, **options))
        asimov_data = likelihood.expected_data(best.pars)
        fixed = search(likelihood, asimov_data, fixed_poi=0.0, **options)
        statistic = _statistic(likelihood, asimov_data, fixed, best, zero=as_float64(poi_asimov) < 0)
    else:
        statistic = q0(likelihood, data, **options)
    significance = guarded_sqrt(statistic.value)
    standard = tfp.distributions.Normal(tf.constant(0.0, tf.float64), 1.0)
    return Discovery(significance, standard.cdf(-significance), statistic.value, statistic.converged)


@do_not_convert
def discovery_scan(
    likelihoods: Sequence[Likelihood],
    data: TensorLike | Sequence[TensorLike],
    poi_asimov: TensorLike = 1.0,
    **options: Any,
) -> DiscoveryScan:
    """`discovery_significance` of several hypotheses, such as masses, observed and expected; without a trials factor.

    Args:
        likelihoods: one model, bound to the templates of each hypothesis; in a graph it is traced once.
        data: (n_data,) counts and auxiliary data; or (n_hypotheses, n_data), one row for each, where events are binned
            otherwise under each hypothesis, as by a parametric network. Also a sequence of rows.
        poi_asimov: () signal strength that is expected of each hypothesis.
        **options: as `fit`.

    Raises:
        ValueError: as `discovery_significance`; no likelihood, or those of several models; data of another number of
            hypotheses.
    """
    models = {likelihood.model for likelihood in likelihoods}
    if len(models) != 1:
        raise ValueError(
            f"Expected likelihoods of one model, such as [model.bind({{'signal': s}}) for s in signals]. Received: "
            f"{len(models)} models. Take discovery_significance of each."
        )
    (model,) = models
    rows = as_float64(data)
    if rows.shape.rank == 1:
        rows = tf.repeat(rows[tf.newaxis], len(likelihoods), axis=0)
    if not rows.shape.is_compatible_with((len(likelihoods), None)):
        raise ValueError(
            f"Expected data of shape (n_data,), or (n_hypotheses, n_data) of {len(likelihoods)} hypotheses. Received: "
            f"shape {tuple(rows.shape)}."
        )

    def of_one(given):
        likelihood = Likelihood(model, given[0])
        observed = discovery_significance(likelihood, given[1], **options)
        expected = discovery_significance(likelihood, poi_asimov=poi_asimov, **options)
        return DiscoveryScan(
            observed.p_value,
            expected.p_value,
            observed.significance,
            expected.significance,
            observed.converged & expected.converged,
        )

    types = DiscoveryScan(tf.float64, tf.float64, tf.float64, tf.float64, tf.bool)
    numbers = tf.stack([likelihood.numbers for likelihood in likelihoods])
    return tf.map_fn(of_one, (numbers, rows), fn_output_signature=types)


def distance_from_background(q: tf.Tensor, q_asimov: tf.Tensor, bounded: bool) -> tf.Tensor:
    """() of a test statistic from its median without signal, in standard deviations, CCGV Eqs. (59) and (65).

    Args:
        q, q_asimov: () test statistic on the data and on the Asimov data without signal.
        bounded: the parameter of interest may not be negative, q is q~_mu.
    """
    root_asimov = guarded_sqrt(q_asimov)
    linear = guarded_sqrt(q) - root_asimov
    if not bounded:
        return linear
    below = q <= q_asimov
    return tf.where(below, linear, (q - q_asimov) / (2 * tf.where(~below, root_asimov, 1)))


def _statistic(
    likelihood: Likelihood, data: TensorLike, at_poi: Solution, free: Solution, zero: tf.Tensor
) -> TestStatistic:
    fixed, best = evaluated(likelihood, data, at_poi, free)
    value = tf.maximum(fixed.twice_nll - best.twice_nll, 0)
    return TestStatistic(tf.where(zero, tf.zeros_like(value), value), fixed.converged & best.converged, fixed, best)
