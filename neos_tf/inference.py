"""Fits, test statistics and what is made of them, differentiable with respect to templates and data.

Asymptotic formulae of Cowan, Cranmer, Gross and Vitells, arXiv:1007.1727, cited as CCGV; names are pyhf's. Every
function works eagerly, in a graph and under XLA, which is the fastest. Derivatives are exact, once.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf
import tensorflow_probability as tfp

from neos_tf.histogram import as_float64
from neos_tf.minimise import RIDGE, derivatives, minimise
from neos_tf.staterror import profile_staterrors
from neos_tf.templates import Likelihood, TemplateModel

N_SIGMA = (2.0, 1.0, 0.0, -1.0, -2.0)  # of the test statistic: its upward fluctuation is a smaller CLs

do_not_convert = tf.autograph.experimental.do_not_convert


class FitResult(NamedTuple):
    """A maximum of the likelihood.

    Args:
        pars: (n_parameters,) best fit, in the order of `TemplateModel.parameter_names`.
        twice_nll: () -2 ln L there.
        converged: () bool.
        n_iterations: () int32.
        gradient_norm: () slope left; in these units half of its square is the -2 ln L still to gain.
        free: (n_parameters,) bool; neither fixed, nor held at a bound, nor profiled in closed form.
    """

    pars: tf.Tensor
    twice_nll: tf.Tensor
    converged: tf.Tensor
    n_iterations: tf.Tensor
    gradient_norm: tf.Tensor
    free: tf.Tensor


class TestStatistic(NamedTuple):
    """A profile likelihood ratio.

    Args:
        value: () the statistic, at least 0.
        converged: () bool, of both fits.
        fixed_poi: the fit at the value that is tested.
        best: the fit with a free parameter of interest.
    """

    __test__ = False  # for pytest

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


@do_not_convert
def twice_nll(pars, likelihood: Likelihood, data) -> tf.Tensor:
    """-2 ln L, () at one point (n_parameters,), (n_points,) at many."""
    return -2 * likelihood.logpdf(pars, data)


@do_not_convert
def fit(likelihood: Likelihood, data, *, fixed_poi=None, profile_staterror: bool = False, **options) -> FitResult:
    """Maximum likelihood fit within the model's bounds.

    Args:
        likelihood: templates bound to a model.
        data: (n_data,) counts and auxiliary data, see `Likelihood.data` and `Likelihood.expected_data`.
        fixed_poi: () value to hold the parameter of interest at; free if None.
        profile_staterror: take the parameters of staterror modifiers from their closed form instead of searching them.
        **options: tolerance and max_iterations of `minimise`.

    Raises:
        ValueError: a fixed_poi and no parameter of interest; data of another length.
    """
    model = likelihood.model
    data = _data(likelihood, data)
    fixed, initial = model.fixed.copy(), tf.constant(model.initial)
    if fixed_poi is not None:
        fixed[_poi_index(likelihood)] = True
        initial = parameters_with_poi(likelihood, fixed_poi)
    if profile_staterror:
        fixed[model.staterrors.parameters] = True

    minimum = minimise(
        _objective(model, profile_staterror),
        initial,
        (likelihood.numbers, data),
        lower=model.lower,
        upper=model.upper,
        fixed=fixed,
        **options,
    )
    pars = profile_staterrors(minimum.x[None], likelihood, data)[0] if profile_staterror else minimum.x
    return FitResult(pars, *minimum[1:])


@functools.lru_cache(maxsize=64)
def _objective(model: TemplateModel, profile_staterror: bool) -> Callable:
    def objective(points, numbers, data):
        likelihood = Likelihood(model, numbers)
        return twice_nll(
            profile_staterrors(points, likelihood, data) if profile_staterror else points, likelihood, data
        )

    return objective


def fixed_poi_fit(poi, likelihood: Likelihood, data, **options) -> FitResult:
    """`fit` with the parameter of interest held at `poi`."""
    return fit(likelihood, data, fixed_poi=poi, **options)


@do_not_convert
def qmu(poi, likelihood: Likelihood, data, **options) -> TestStatistic:
    """Test statistic q_mu for upper limits, CCGV Eq. (14); the bounds of the parameter should allow for mu < 0.

    Args:
        poi: () value of the parameter of interest that is tested.
        likelihood, data, **options: as `fit`.

    Raises:
        ValueError: as `fit`.
    """
    fixed, best = fixed_poi_fit(poi, likelihood, data, **options), fit(likelihood, data, **options)
    above = best.pars[_poi_index(likelihood)] > as_float64(poi)
    return _statistic(fixed, best, zero=above)


def qmu_tilde(poi, likelihood: Likelihood, data, **options) -> TestStatistic:
    """Test statistic q~_mu for upper limits on a non-negative signal, CCGV Eq. (16).

    The lower bound 0 of the parameter of interest makes it of `qmu`, as in pyhf. Arguments as there.

    Raises:
        ValueError: a lower bound that is not 0.
    """
    lower = likelihood.model.lower[_poi_index(likelihood)]
    if lower != 0:
        raise ValueError(f"Expected a parameter of interest with lower bound 0. Received: {lower}. Use qmu.")
    return qmu(poi, likelihood, data, **options)


@do_not_convert
def q0(likelihood: Likelihood, data, **options) -> TestStatistic:
    """Test statistic q_0 for the discovery of a positive signal, CCGV Eq. (12). Arguments as `fit`."""
    fixed, best = fixed_poi_fit(0.0, likelihood, data, **options), fit(likelihood, data, **options)
    return _statistic(fixed, best, zero=best.pars[_poi_index(likelihood)] < 0)


@do_not_convert
def cls(likelihood: Likelihood, data=None, poi_test=1.0, **options) -> CLs:
    """Observed and expected CLs of a signal strength, from q~_mu (q_mu where the parameter may be negative).

    Args:
        likelihood: templates bound to a model.
        data: (n_data,) counts and auxiliary data. None for Asimov data without signal at the initial parameters, whose
            own fit is known: only one fit is done, and observed is the median expected.
        poi_test: () signal strength that is tested.
        **options: as `fit`.

    Raises:
        ValueError: as `fit`.
    """
    if data is None:
        background = asimov_fit(likelihood, parameters_with_poi(likelihood, 0.0))
        observed = None
    else:
        observed = qmu(poi_test, likelihood, data, **options)
        background = fixed_poi_fit(0.0, likelihood, data, **options)
    asimov_data = likelihood.expected_data(background.pars)
    conditional = fixed_poi_fit(poi_test, likelihood, asimov_data, **options)
    known = asimov_fit(likelihood, background.pars)
    asimov = _statistic(conditional, known, zero=as_float64(poi_test) < 0)

    root_asimov = guarded_sqrt(asimov.value)
    standard = tfp.distributions.Normal(tf.constant(0.0, tf.float64), 1.0)
    n_sigma = tf.constant(N_SIGMA, tf.float64)
    log_expected = standard.log_cdf(-(n_sigma + root_asimov)) - standard.log_cdf(-n_sigma)
    if observed is None:
        log_observed, q_observed, converged = log_expected[2], asimov.value, asimov.converged
    else:
        q_observed = observed.value
        converged = asimov.converged & background.converged & observed.converged
        below = q_observed <= asimov.value
        guarded = tf.where(~below, root_asimov, 1)
        distance = tf.where(below, guarded_sqrt(q_observed) - root_asimov, (q_observed - asimov.value) / (2 * guarded))
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
def discovery_significance(likelihood: Likelihood, data=None, poi_asimov=1.0, **options) -> Discovery:
    """Significance sqrt(q_0) of a signal, CCGV Eq. (53).

    Args:
        likelihood: templates bound to a model.
        data: (n_data,) counts and auxiliary data; None for Asimov data with a signal: the median expected significance.
        poi_asimov: () signal strength of the Asimov data.
        **options: as `fit`.

    Raises:
        ValueError: as `fit`.
    """
    if data is None:
        best = asimov_fit(likelihood, parameters_with_poi(likelihood, poi_asimov))
        fixed = fixed_poi_fit(0.0, likelihood, likelihood.expected_data(best.pars), **options)
        statistic = _statistic(fixed, best, zero=as_float64(poi_asimov) < 0)
    else:
        statistic = q0(likelihood, data, **options)
    significance = guarded_sqrt(statistic.value)
    standard = tfp.distributions.Normal(tf.constant(0.0, tf.float64), 1.0)
    return Discovery(significance, standard.cdf(-significance), statistic.value, statistic.converged)


@do_not_convert
def covariance(likelihood: Likelihood, pars=None, data=None) -> tf.Tensor:
    """Covariance matrix of the parameters, the inverse of the Hessian of -ln L.

    Args:
        likelihood: templates bound to a model.
        pars: (n_parameters,) where, usually `FitResult.pars`; the initial parameters if None.
        data: (n_data,) counts and auxiliary data; the Asimov data of `pars` if None, for the Fisher information.

    Returns:
        (n_parameters, n_parameters); rows and columns of fixed parameters are 0. All are NaN if there is no inverse, as
        where a bin without expected events has no likelihood, or a parameter no effect.

    Raises:
        ValueError: data of another length.
    """
    model = likelihood.model
    pars = tf.convert_to_tensor(model.initial if pars is None else pars, tf.float64)
    data = likelihood.expected_data(pars) if data is None else _data(likelihood, data)
    _, _, hessian = derivatives(_objective(model, False), pars, (likelihood.numbers, data))
    free = tf.cast(~model.fixed, tf.float64)
    fixed = tf.linalg.diag(1 - free)
    scale = tf.stop_gradient(tf.sqrt(tf.abs(tf.linalg.diag_part(hessian))))
    scale = tf.where(scale > 0, scale, 1)
    outer = scale[:, None] * scale[None, :]  # the inverse is taken of a matrix of order one
    both = free[:, None] * free[None, :]
    matrix = both * hessian / 2 / outer + fixed
    identity = tf.eye(len(model.initial), dtype=tf.float64)
    finite = tf.reduce_all(tf.math.is_finite(matrix))
    regular = finite & (tf.reduce_min(tf.abs(tf.linalg.eigvalsh(tf.where(finite, matrix, identity)))) > RIDGE)
    inverse = tf.linalg.inv(tf.where(regular, matrix, identity))  # which would raise on others
    return tf.where(regular, both * inverse / outer, float("nan"))


@do_not_convert
def uncertainties(likelihood: Likelihood, pars=None, data=None) -> tf.Tensor:
    """(n_parameters,) standard deviations, roots of the diagonal of `covariance`; arguments as there."""
    return guarded_sqrt(tf.linalg.diag_part(covariance(likelihood, pars, data)))


@do_not_convert
def pulls(likelihood: Likelihood, pars) -> tf.Tensor:
    """(n_parameters,) distance of `pars` from what the constraints have measured, in widths of the constraints.

    0 for parameters without constraint.
    """
    return (tf.convert_to_tensor(pars, tf.float64) - likelihood.model.centres) / likelihood.constraint_widths


@do_not_convert
def asimov_fit(likelihood: Likelihood, pars) -> FitResult:
    """The fit to the Asimov data of `pars`, which gives `pars`: nothing to be searched."""
    n_parameters = len(likelihood.model.initial)
    pars = tf.convert_to_tensor(pars, tf.float64)
    return FitResult(
        pars,
        twice_nll(tf.stop_gradient(pars), likelihood, likelihood.expected_data(pars)),
        converged=tf.reduce_all(tf.math.is_finite(pars)),
        n_iterations=tf.constant(0),
        gradient_norm=tf.zeros((), tf.float64),
        free=tf.fill([n_parameters], True),
    )


def _statistic(fixed: FitResult, best: FitResult, zero) -> TestStatistic:
    value = tf.maximum(fixed.twice_nll - best.twice_nll, 0)
    return TestStatistic(tf.where(zero, tf.zeros_like(value), value), fixed.converged & best.converged, fixed, best)


def guarded_sqrt(squared) -> tf.Tensor:
    """Square root with gradient 0, not infinity, at 0; NaN below."""
    zero = squared == 0
    return tf.where(zero, tf.zeros_like(squared), tf.sqrt(tf.where(zero, tf.ones_like(squared), squared)))


def _poi_index(likelihood: Likelihood) -> int:
    index = likelihood.model.poi_index
    if index is None:
        raise ValueError("Expected a model with a parameter of interest. Received: none. Give poi= to from_spec.")
    return index


def parameters_with_poi(likelihood: Likelihood, poi) -> tf.Tensor:
    """The initial parameters, but for the parameter of interest."""
    index = tf.one_hot(_poi_index(likelihood), len(likelihood.model.initial), dtype=tf.float64)
    return (1 - index) * likelihood.model.initial + index * as_float64(poi)


def _data(likelihood: Likelihood, data) -> tf.Tensor:
    data = as_float64(data)
    model = likelihood.model
    n_bins, n_auxdata = sum(model.channels.values()), len(model.pyhf_model.config.auxdata)
    if data.shape.rank != 1 or data.shape[0] not in (None, n_bins + n_auxdata):
        raise ValueError(
            f"Expected data of shape ({n_bins + n_auxdata},), {n_bins} bins and {n_auxdata} auxiliary data. Received: "
            f"shape {data.shape}. Use likelihood.data(observations)."
        )
    return data
