"""What numpy pyhf says of a model, to the last digits it can.

pyhf's own minimiser stops at 1e-6 to 1e-5 of an uncertainty. Within `accurate_fits` Newton's method takes over from
there, so that everything pyhf builds upon its fits is as accurate as they are. Derivatives are differences of pyhf's
likelihood, extrapolated to step 0 (Richardson's way, as organised by Ridders 1982).
"""

from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import pyhf

# Steps of the differences, in widths of a parameter: from where a likelihood bends to where rounding sets in.
LADDER = 0.8 * 0.5 ** np.arange(7)


class Reference(NamedTuple):
    """What numpy pyhf says.

    Attributes:
        data: (n_bins + n_auxdata,) main and auxiliary data, as pyhf orders them.
        pars: (n_pars,) best fit, in pyhf's order.
        twice_nll: there.
        fixed_pars: (n_pars,) best fit with the parameter of interest held at `poi_test`.
        fixed_twice_nll: there.
        qmu_tilde: test statistic of `poi_test`, Eq. (16) of Cowan et al. 2011.
        cls: observed CLs of `poi_test`.
        expected_cls: (5,) at -2, -1, 0, 1 and 2 standard deviations of a background-only experiment.
    """

    data: np.ndarray
    pars: np.ndarray
    twice_nll: float
    fixed_pars: np.ndarray
    fixed_twice_nll: float
    qmu_tilde: float
    cls: float
    expected_cls: np.ndarray


class Hessian(NamedTuple):
    """Second derivatives of -log L, (n_pars, n_pars), and the estimate of their absolute error, likewise."""

    value: np.ndarray
    error: np.ndarray


def model_and_data(spec, data=None):
    """The pyhf model of a workspace or specification, and its data.

    Data are, if not given, the workspace's observations with the auxiliary data, or, of a bare specification, what is
    expected of the initial parameters at mu = 0.
    """
    if "measurements" in spec:
        own = pyhf.Workspace(spec)
        model = own.model()
        return model, np.array(own.data(model) if data is None else data, dtype=float)
    model = pyhf.Model(spec, poi_name="mu")
    if data is None:
        pars = np.array(model.config.suggested_init())
        pars[model.config.poi_index] = 0.0
        data = model.expected_data(pars)
    return model, np.array(data, dtype=float)


def reference(spec, data=None, poi_test=1.0) -> Reference:
    """Fits and tests of a workspace or specification by pyhf; `data` as in `model_and_data`."""
    with accurate_fits():
        model, data = model_and_data(spec, data)
        cls, expected, calculator = pyhf.infer.hypotest(
            poi_test, data, model, return_expected_set=True, return_calculator=True
        )
        pars, fixed_pars = calculator.fitted_pars.free_fit_to_data, calculator.fitted_pars.fixed_poi_fit_to_data
        twice_nll, fixed_twice_nll = (float(pyhf.infer.mle.twice_nll(x, data, model)[0]) for x in (pars, fixed_pars))
    above = pars[model.config.poi_index] > poi_test
    qmu_tilde = 0.0 if above else max(0.0, fixed_twice_nll - twice_nll)
    expected = np.array(expected)
    return Reference(data, pars, twice_nll, fixed_pars, fixed_twice_nll, qmu_tilde, float(cls), expected)


def hessian(model, pars, data) -> Hessian:
    """Second derivatives of -log L of a pyhf model at any point, also in parameters that are fixed or at a bound."""
    with accurate_fits():
        value, error = _second(lambda x: model.logpdf(x, data)[0], np.array(pars, dtype=float), LADDER)
    return Hessian(-value, error)


def uncertainties(model, pars, data):
    """(n_pars,) roots of the diagonal of the inverse Hessian over all parameters that are not fixed; of those 0."""
    free = ~np.array(model.config.suggested_fixed())
    result = np.zeros(len(free))
    result[free] = np.sqrt(np.diag(np.linalg.inv(hessian(model, pars, data).value[np.ix_(free, free)])))
    return result


@contextmanager
def accurate_fits():
    """Within it pyhf computes with numpy, and its fits are accurate to about 1e-10 of an uncertainty."""
    before = pyhf.get_backend()
    pyhf.set_backend("numpy", NewtonAfterScipy(tolerance=1e-12, maxiter=1000))
    try:
        yield
    finally:
        pyhf.set_backend(*before)


class NewtonAfterScipy(pyhf.optimize.scipy_optimizer):
    """SciPy's answer, improved by Newton's steps within the bounds."""

    def _minimize(self, minimizer, func, x0, do_grad=False, bounds=None, fixed_vals=None, options=None):
        result = super()._minimize(minimizer, func, x0, do_grad, bounds, fixed_vals, options or {})
        for index, value in fixed_vals or []:
            result.x[index] = value
        held = np.isin(np.arange(len(x0)), [index for index, _ in fixed_vals or []])
        result.x, result.success = _newton(func, result.x, np.array(bounds).T, held)
        result.fun = func(result.x)
        return result


def _newton(function, x, bounds, held):
    """Where the function is least, and whether the last step was below 1e-9 widths: the next would be of rounding."""
    low, high = bounds
    x = np.clip(x, low, high)
    for _ in range(20):
        width = _width(function, x)
        gradient = _first(function, x, width)
        curvature, _ = _second(function, x, LADDER[5:6], width)
        near = 1e-12 * width  # where SciPy may stop before a bound
        free = ~(held | (x <= low + near) & (gradient > 0) | (x >= high - near) & (gradient < 0))
        step = np.zeros(len(x))
        step[free] = np.linalg.solve(curvature[np.ix_(free, free)], -gradient[free])
        here, noise = function(x), 1e-13 * abs(function(x))
        for _ in range(50):
            if function(np.clip(x + step, low, high)) <= here + noise:
                break
            step /= 2
        moved = np.clip(x + step, low, high)
        x, last = moved, np.max(np.abs(moved - x) / width)
        if last < 1e-9:
            return x, True
    return x, False


def _width(function, x):
    """Steps that change the function by about 1, one a parameter."""
    _, curvature = _quotients(function, x, np.eye(len(x)), np.array([1e-3]))
    return np.sqrt(2 / np.clip(np.nan_to_num(np.abs(curvature[0])), 0.02, 1e8))


def _first(function, x, width):
    """(n,) gradient."""
    slopes, _ = _quotients(function, x, np.diag(width), LADDER)
    return _extrapolated(slopes, _rounding(function, x, width) / LADDER)[0] / width


def _second(function, x, steps, width=None):
    """(n, n) Hessian and its error, from second derivatives along the axes and along the sum of each two."""
    width = _width(function, x) if width is None else width
    row, column = np.triu_indices(len(x))
    axes, diagonal = np.diag(width), row == column
    directions = np.where(diagonal[:, np.newaxis], axes[row], axes[row] + axes[column])
    _, quotients = _quotients(function, x, directions, steps)
    along, error = _extrapolated(quotients, 4 * _rounding(function, x, width) / steps**2)
    own, own_error = along[diagonal], error[diagonal]
    value, deviation = np.zeros((2, len(x), len(x)))
    value[row, column] = value[column, row] = np.where(diagonal, along, (along - own[row] - own[column]) / 2)
    deviation[row, column] = np.where(diagonal, error, (error + own_error[row] + own_error[column]) / 2)
    deviation[column, row] = deviation[row, column]
    return value / np.outer(width, width), deviation / np.outer(width, width)


def _quotients(function, x, directions, steps):
    """First and second central difference quotients, (n_steps, n_directions) each; NaN beyond its domain."""
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.array([[function(x + step * direction) for direction in directions] for step in steps])
        below = np.array([[function(x - step * direction) for direction in directions] for step in steps])
        steps = steps[:, np.newaxis]
        return (above - below) / (2 * steps), (above - 2 * function(x) + below) / steps**2


def _rounding(function, x, width):
    """Standard deviation of the function's rounding errors, from second differences too small to hold anything else."""
    steps = 1e-13 * np.arange(1, 17)
    _, quotients = _quotients(function, x, width[np.newaxis], steps)
    return np.sqrt(np.mean((quotients[:, 0] * steps**2) ** 2) / 6)


def _extrapolated(quotients, noise):
    """To step 0, with errors, from quotients at steps that halve: the entry of Neville's table that moved least.

    An entry that includes a point beyond the function's domain is NaN, and is never the one.
    """
    row, error = [quotients[0]], np.full(quotients.shape[1], np.inf)
    best = quotients[0]
    for quotient, rounding in zip(quotients[1:], noise[1:], strict=True):
        previous, row = row, [quotient]
        for order, coarse in enumerate(previous, start=1):
            fine = row[-1]
            row.append(fine + (fine - coarse) / (4**order - 1))
            moved = np.maximum(np.abs(row[-1] - fine), np.abs(row[-1] - coarse)) + rounding
            better = moved < error
            best, error = np.where(better, row[-1], best), np.where(better, moved, error)
    return best, error
