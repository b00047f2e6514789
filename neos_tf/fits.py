"""Maximum likelihood fits, and the covariance of what they find, differentiable with respect to templates and data.

Every function works eagerly, in a graph and under XLA, which is the fastest. Derivatives are exact, once.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from neos_tf.histogram import as_float64
from neos_tf.likelihood import Likelihood
from neos_tf.minimise import derivatives, minimise
from neos_tf.newton import RIDGE
from neos_tf.parameters import Settings, settings_of
from neos_tf.templates import TemplateModel
from neos_tf.typing import TensorLike

NOISE = 1e-14  # of all counts: rounding of -2 ln L, in which terms n ln n of float64 cancel
do_not_convert = tf.autograph.experimental.do_not_convert


class FitResult(NamedTuple):
    """A maximum of the likelihood.

    Args:
        pars: (n_parameters,) best fit, in the order of `TemplateModel.parameter_names`.
        twice_nll: () -2 ln L there.
        converged: () bool.
        n_iterations: () int32.
        gradient_norm: () slope left; in these units half of its square is the -2 ln L still to gain.
        free: (n_parameters,) bool; neither fixed nor held at a bound.
    """

    pars: tf.Tensor
    twice_nll: tf.Tensor
    converged: tf.Tensor
    n_iterations: tf.Tensor
    gradient_norm: tf.Tensor
    free: tf.Tensor


class Solution(NamedTuple):
    """Where a fit ends, before it is evaluated: `FitResult` with `at` in place of -2 ln L.

    Args:
        at: (n_parameters,) `pars` as a constant, but for those that are held: -2 ln L there has the derivative of that
            at the minimum, by the envelope theorem.
    """

    pars: tf.Tensor
    at: tf.Tensor
    converged: tf.Tensor
    n_iterations: tf.Tensor
    gradient_norm: tf.Tensor
    free: tf.Tensor


@do_not_convert
def twice_nll(pars: TensorLike, likelihood: Likelihood, data: TensorLike) -> tf.Tensor:
    """-2 ln L, () at one point (n_parameters,), (n_points,) at many."""
    return -2 * likelihood.logpdf(pars, data)


@do_not_convert
def fit(
    likelihood: Likelihood,
    data: TensorLike,
    *,
    fixed_poi: TensorLike | None = None,
    init: TensorLike | Mapping | None = None,
    bounds: TensorLike | Mapping | None = None,
    fixed: TensorLike | Sequence[str] | Mapping | None = None,
    **options: Any,
) -> FitResult:
    """Maximum likelihood fit within bounds. A name of a modifier stands for all its parameters.

    Args:
        likelihood: templates bound to a model.
        data: (n_data,) counts and auxiliary data, see `Likelihood.data` and `Likelihood.expected_data`.
        fixed_poi: () value to hold the parameter of interest at; free if None.
        init: (n_parameters,) where the fit starts, or values by name, of which the others keep the model's.
        bounds: (n_parameters, 2) lower and upper, or these by name, of which the others keep the model's.
        fixed: values to hold parameters at, by name; or names of parameters that stay where they start; or
            (n_parameters,) bool, in place of the model's own.
        **options: tolerance and max_iterations of `minimise`.

    Raises:
        ValueError: a fixed_poi and no parameter of interest; data of another length; init, bounds or fixed of unknown
            names or another shape; a value to be held outside of the bounds (in a graph: not converged).
    """
    options |= {"fixed_poi": fixed_poi, "init": init, "bounds": bounds, "fixed": fixed}
    return evaluated(likelihood, data, search(likelihood, data, **options))[0]


@do_not_convert
def evaluated(likelihood: Likelihood, data: TensorLike, *solutions: Solution) -> list[FitResult]:
    """Fits to the same data, with -2 ln L: of all at once, since pyhf's graph is what takes long to compile."""
    values = tf.unstack(twice_nll(tf.stack([solution.at for solution in solutions]), likelihood, data))
    return [FitResult(found.pars, value, *found[2:]) for found, value in zip(solutions, values, strict=True)]


def search(
    likelihood: Likelihood, data: TensorLike, *, fixed_poi: TensorLike | None = None, **options: Any
) -> Solution:
    """`fit`, before it is evaluated."""
    given, options = settings_of(likelihood.model, options, fixed_poi)
    return search_with(likelihood, data, given, **options)


@do_not_convert
def search_with(likelihood: Likelihood, data: TensorLike, given: Settings, **options: Any) -> Solution:
    """`search` with settings that may be tensors."""
    model, data = likelihood.model, _data(likelihood, data)
    minimum = minimise(
        _objective(model),
        given.initial,
        (likelihood.numbers, data),
        noise=NOISE * tf.reduce_sum(data[: sum(model.channels.values())]),
        lower=given.lower,
        upper=given.upper,
        fixed=given.fixed,
        derivatives=model.closed_form,
        evaluate=False,
        **options,
    )
    at = tf.where(given.fixed, given.initial, tf.stop_gradient(minimum.x))
    return Solution(minimum.x, at, minimum.converged & given.valid, *minimum[3:])


@functools.lru_cache(maxsize=64)
def _objective(model: TemplateModel) -> Callable:
    return lambda points, numbers, data: twice_nll(points, Likelihood(model, numbers), data)


@do_not_convert
def value_and_gradient(likelihood: Likelihood, data: tf.Tensor) -> Callable:
    """A function of one point (n_parameters,): -2 ln L but for a constant, and its gradient (n_parameters,)."""
    closed_form = likelihood.model.closed_form
    if closed_form is not None:
        derive = closed_form(likelihood.numbers, data)
        return lambda pars: derive(pars)[:2]

    def at(pars):
        with tf.GradientTape() as tape:
            tape.watch(pars)
            value = twice_nll(pars, likelihood, data)
        return value, tape.gradient(value, pars, unconnected_gradients="zero")

    return at


def fixed_poi_fit(poi: TensorLike, likelihood: Likelihood, data: TensorLike, **options: Any) -> FitResult:
    """`fit` with the parameter of interest held at `poi`."""
    return fit(likelihood, data, fixed_poi=poi, **options)


def asimov_fit(pars: TensorLike) -> Solution:
    """The fit to the Asimov data of `pars`, which gives `pars`: nothing to be searched."""
    pars = tf.convert_to_tensor(pars, tf.float64)
    return Solution(
        pars,
        at=tf.stop_gradient(pars),
        converged=tf.reduce_all(tf.math.is_finite(pars)),
        n_iterations=tf.constant(0),
        gradient_norm=tf.zeros((), tf.float64),
        free=tf.fill(pars.shape, True),
    )


@do_not_convert
def covariance(
    likelihood: Likelihood,
    pars: TensorLike | None = None,
    data: TensorLike | None = None,
    *,
    unconstrained: Sequence[str] = (),
) -> tf.Tensor:
    """Covariance matrix of the parameters, the inverse of the Hessian of -ln L.

    Args:
        likelihood: templates bound to a model.
        pars: (n_parameters,) where, usually `FitResult.pars`; the initial parameters if None.
        data: (n_data,) counts and auxiliary data; the Asimov data of `pars` if None, for the Fisher information.
        unconstrained: names of parameters whose constraint is left out, so that the counts alone have to tell them.

    Returns:
        (n_parameters, n_parameters); rows and columns of fixed parameters are 0. All are NaN if there is no inverse, as
        where a bin without expected events has no likelihood, or a parameter no effect.

    Raises:
        ValueError: data of another length; a name in `unconstrained` that is not a parameter's.
    """
    model = likelihood.model
    unknown = [name for name in unconstrained if name not in model.parameter_names]
    if unknown or isinstance(unconstrained, str):
        raise ValueError(
            f"Expected unconstrained to be a list of some of {', '.join(model.parameter_names)}. Received: "
            f"{unconstrained!r}."
        )
    pars = tf.convert_to_tensor(model.initial if pars is None else pars, tf.float64)
    asimov = data is None
    data = likelihood.expected_data(pars) if asimov else _data(likelihood, data)
    hessian = _hessian(likelihood, pars, data)
    if unconstrained:
        _, _, constraints = derivatives(lambda points: -2 * likelihood.constraint_logpdf(points, data), pars)
        left_out = np.isin(model.parameter_names, unconstrained).astype(float)
        hessian -= left_out[:, None] * constraints
    if asimov:  # the information of a bin has no limit where nothing is expected
        hessian = tf.where(tf.reduce_all(data[: sum(model.channels.values())] > 0), hessian, float("nan"))
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


def _hessian(likelihood: Likelihood, pars: tf.Tensor, data: tf.Tensor) -> tf.Tensor:
    """(n_parameters, n_parameters) of -2 ln L."""
    closed_form = likelihood.model.closed_form
    if closed_form is None:
        return derivatives(_objective(likelihood.model), pars, (likelihood.numbers, data))[2]
    return closed_form(likelihood.numbers, data)(pars).hessian


@do_not_convert
def uncertainties(
    likelihood: Likelihood,
    pars: TensorLike | None = None,
    data: TensorLike | None = None,
    *,
    unconstrained: Sequence[str] = (),
) -> tf.Tensor:
    """(n_parameters,) standard deviations, roots of the diagonal of `covariance`; arguments as there."""
    return guarded_sqrt(tf.linalg.diag_part(covariance(likelihood, pars, data, unconstrained=unconstrained)))


@do_not_convert
def pulls(likelihood: Likelihood, pars: TensorLike) -> tf.Tensor:
    """(n_parameters,) distance of `pars` from what the constraints have measured, in widths of the constraints.

    0 for parameters without constraint.
    """
    return (tf.convert_to_tensor(pars, tf.float64) - likelihood.model.centres) / likelihood.constraint_widths


def guarded_sqrt(squared: tf.Tensor) -> tf.Tensor:
    """Square root with gradient 0, not infinity, at 0; NaN below."""
    zero = squared == 0
    return tf.where(zero, tf.zeros_like(squared), tf.sqrt(tf.where(zero, tf.ones_like(squared), squared)))


def _data(likelihood: Likelihood, data: TensorLike) -> tf.Tensor:
    data = as_float64(data)
    model = likelihood.model
    n_bins, n_auxdata = sum(model.channels.values()), len(model.pyhf_model.config.auxdata)
    if data.shape.rank != 1 or data.shape[0] not in (None, n_bins + n_auxdata):
        raise ValueError(
            f"Expected data of shape ({n_bins + n_auxdata},), {n_bins} bins and {n_auxdata} auxiliary data. Received: "
            f"shape {data.shape}. Use likelihood.data(observations)."
        )
    return data
