"""Rates of a HistFactory model with their first and second derivatives in the parameters, in closed form.

The rate of a sample in a bin, here called a cell, is F N h: a product F of parameters, a product N of normsys factors,
and h, nominal counts and shifts by histosys, which is linear in the templates. With U = d log N / dx and
Y = N (h U + dh/dx), derivatives are sums of

    d(F N h)/dx = F Y + N h dF/dx
    d^2(F N h)/dx^2 = F (U Y^T + Y U^T - N h U U^T) + dF Y^T + Y dF^T + N h d^2F/dx^2 + terms on the diagonal.

Products F leave one or two parameters out for their derivatives, so these are exact where a parameter is 0, unlike
TensorFlow's second derivative of a product. Interpolation codes are those of Cranmer et al., CERN-OPEN-2012-016, as
pyhf has them.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from neos_tf.arrangement import Structure
from neos_tf.newton import Derivatives

# Coefficients of code 4's polynomial, powers 1 to 6 of alpha, from its value, slope and curvature at 1 and -1. All are
# multiples of 1/16.
_POWERS = np.arange(1, 7)
_FALLING = [np.ones(6), _POWERS, _POWERS * (_POWERS - 1)]
_AT_EDGES = [factor * side ** (_POWERS - float(order)) for order, factor in enumerate(_FALLING) for side in (1.0, -1.0)]
_INTERPOLATE = np.round(16 * np.linalg.inv(_AT_EDGES)) / 16


class _Numbers(NamedTuple):
    """What a likelihood has before its parameters have values; rows are systematic parameters, columns cells.

    Args:
        nominal: (n_cells,) counts.
        odd, even: (n_systematics, n_cells) high - low and high + low - 2 nominal of histosys.
        rise, bend: (n_systematics, n_groups) sum and difference of the logarithms of the normsys factors, likewise.
        polynomial: (6, n_systematics, n_groups) coefficients of code 4, by power.
        observed: (n_bins,) counts.
        measured, precision: (n_parameters,) what the constraint of each has measured, and 1 / variance.
    """

    nominal: tf.Tensor
    odd: tf.Tensor
    even: tf.Tensor
    rise: tf.Tensor
    bend: tf.Tensor
    polynomial: tf.Tensor
    observed: tf.Tensor
    measured: tf.Tensor
    precision: tf.Tensor


class ClosedForm:
    """-2 ln L of the models of one structure, but for a constant.

    Cells are ordered (n_slots, n_bins), as many slots as the fullest bin has samples, and parameters with those of
    histosys and normsys first.

    Args:
        structure: what scales and shifts which counts, and the constraints.
        n_parameters: of the model.
        widths: function of the numbers, giving the (n_parameters,) standard deviations of the constraints.
        floor: smallest expected count of a bin; None for none.
    """

    def __init__(self, structure: Structure, n_parameters: int, widths: Callable, floor: float | None):
        self._widths, self._floor = widths, floor
        self._codes = structure.histosys_code, structure.normsys_code
        there = structure.nominal > 0
        n_samples, n_bins = there.shape
        n_slots = max(1, there.sum(axis=0).max())
        samples = np.argsort(~there, axis=0, kind="stable")[:n_slots]
        filled = np.take_along_axis(there, samples, axis=0).ravel()
        cells = (samples * n_bins + np.arange(n_bins)).ravel()
        self._n_bins, self._n_slots = n_bins, n_slots

        def at_cells(array: np.ndarray, otherwise: int) -> np.ndarray:
            return np.where(filled, array.reshape(*array.shape[:-2], n_samples * n_bins)[..., cells], otherwise)

        systematics = sorted({*structure.histosys, *structure.normsys})
        others = np.setdiff1d(np.arange(n_parameters), systematics)
        self._systematics, self._order = systematics, np.array([*systematics, *others], int)
        self._inverse = np.argsort(self._order)
        self._nominal = at_cells(structure.nominal, 0)

        def rows(positions: dict[int, np.ndarray], otherwise: int) -> np.ndarray:
            without = np.full((3, n_samples, n_bins), otherwise)
            stacked = np.array([positions.get(i, without) for i in systematics], int)
            return at_cells(stacked.reshape(len(systematics), 3, n_samples, n_bins), otherwise)

        self._histosys = np.moveaxis(rows(structure.histosys, 0), 1, 0)
        normsys = np.moveaxis(rows(structure.normsys, 1)[:, ::2], 1, 0)
        keys = np.concatenate([filled[None], normsys.reshape(-1, len(cells))])
        _, first, self._group = np.unique(keys, axis=1, return_index=True, return_inverse=True)
        self._normsys = normsys[..., first]
        self._group = self._group.ravel()
        self._in_group = np.eye(len(first))[self._group]

        place = self._inverse - len(systematics)  # of parameters that multiply; pyhf has none that does both
        factors = [at_cells(array, -1) for array in structure.factors]
        multiply = [[int(place[array[c]]) for array in factors if array[c] >= 0] for c in range(len(cells))]
        one, longest = len(others), max((len(factors) for factors in multiply), default=0)

        def padded(factors: list[int], left_out: tuple[int, ...] = ()) -> list[int]:
            kept = [p for place, p in enumerate(factors) if place not in left_out]
            return kept + [one] * (longest - len(factors))

        self._n_others = len(others)
        self._products = np.array([padded(factors) for factors in multiply], int)
        ones = [(p, c, padded(factors, (i,))) for c, factors in enumerate(multiply) for i, p in enumerate(factors)]
        twos = [
            (p, q, c, padded(factors, (i, j)))
            for c, factors in enumerate(multiply)
            for i, p in enumerate(factors)
            for j, q in enumerate(factors)
            if i != j
        ]
        self._one_at = np.array([entry[:2] for entry in ones], int).reshape(-1, 2)
        self._one_out = np.array([entry[2] for entry in ones], int).reshape(len(ones), max(longest - 1, 0))
        self._two_at = np.array([entry[:2] for entry in twos], int).reshape(-1, 2)
        self._two_cells = np.array([entry[2] for entry in twos], int)
        self._two_out = np.array([entry[3] for entry in twos], int).reshape(len(twos), max(longest - 2, 0))

        self._measurement = np.full(n_parameters, -1)
        self._is_poisson = np.zeros(n_parameters, bool)
        for parameter, datum in (*structure.gaussian, *structure.poisson):
            self._measurement[parameter] = datum
        self._is_poisson[structure.poisson[:, 0]] = True

    def __call__(self, numbers: tf.Tensor, data: tf.Tensor) -> Callable[[tf.Tensor], Derivatives]:
        """The likelihood of `numbers` and `data` as a function of one point (n_parameters,), for `minimise`."""
        return functools.partial(self._derivatives, self._hoisted(numbers, data))

    def rates(self, numbers: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """(n_bins,) expected counts."""
        hoisted = self._hoisted(numbers, tf.zeros(self._n_bins + len(self._measurement), tf.float64))
        alpha, others = self._split(x)
        norms, counts = self._norms(hoisted, alpha)[0], self._counts(hoisted, alpha)[0]
        total = self._summed(_product(others, self._products) * norms * counts)
        return total if self._floor is None else tf.maximum(total, self._floor)

    def _hoisted(self, numbers: tf.Tensor, data: tf.Tensor) -> _Numbers:
        low, middle, high = (tf.gather(numbers, positions) for positions in self._histosys)
        down, up = (tf.gather(numbers, positions) for positions in self._normsys)
        log_down, log_up = tf.math.log(down), tf.math.log(up)
        edges = [up - 1, down - 1, log_up * up, -log_down * down, log_up**2 * up, log_down**2 * down]
        return _Numbers(
            nominal=tf.gather(numbers, self._nominal),
            odd=high - low,
            even=high + low - 2 * middle,
            rise=log_up - log_down,
            bend=log_up + log_down,
            polynomial=tf.tensordot(_INTERPOLATE, tf.stack(edges), 1),
            observed=data[: self._n_bins],
            measured=tf.gather(tf.concat([tf.zeros(1, tf.float64), data], axis=0), self._measurement + 1),
            precision=1 / self._widths(numbers) ** 2,
        )

    def _derivatives(self, hoisted: _Numbers, x: tf.Tensor) -> Derivatives:
        alpha, others = self._split(x)
        counts, slopes, curvatures = self._counts(hoisted, alpha)
        norms, log_slopes, log_curvatures = self._norms(hoisted, alpha)
        product, one_out = _product(others, self._products), _product(others, self._one_out)
        one_out = tf.scatter_nd(self._one_at, one_out, [self._n_others, len(self._nominal)])
        bent = norms * (counts * log_slopes + slopes)
        total = self._summed(product * norms * counts)
        jacobian = self._summed(tf.concat([product * bent, norms * counts * one_out], axis=0))
        above = tf.ones_like(total)
        if self._floor is not None:
            above = tf.cast(total >= self._floor, tf.float64)
            total, jacobian = tf.maximum(total, self._floor), jacobian * above

        relative = tf.math.divide_no_nan(hoisted.observed, total)
        weight = tf.tile(above * (1 - relative), [self._n_slots])
        half = tf.matmul(weight * product * log_slopes, bent - norms * counts * log_slopes / 2, transpose_b=True)
        diagonal = tf.linalg.matvec(log_curvatures, self._by_group(weight * product * norms * counts))
        diagonal += curvatures * tf.linalg.matvec(hoisted.even, weight * product * norms)
        mixed = tf.matmul(weight * one_out, bent, transpose_b=True)
        two_out = tf.gather(weight * norms * counts, self._two_cells) * _product(others, self._two_out)
        corner = tf.scatter_nd(self._two_at, two_out, [self._n_others, self._n_others])
        second = tf.concat(
            [
                tf.concat([half + tf.transpose(half) + tf.linalg.diag(diagonal), tf.transpose(mixed)], axis=1),
                tf.concat([mixed, corner], axis=1),
            ],
            axis=0,
        )
        information = tf.math.divide_no_nan(relative, total)
        hessian = second + tf.matmul(jacobian * information, jacobian, transpose_b=True)
        fisher = tf.matmul(jacobian * tf.math.divide_no_nan(above, total), jacobian, transpose_b=True)
        value, slope, curvature, expected = self._constraints(hoisted, x)
        gradient = tf.gather(tf.linalg.matvec(jacobian, 1 - relative), self._inverse) + slope
        hessian, fisher = (
            tf.gather(tf.gather(matrix, self._inverse), self._inverse, axis=1) for matrix in (hessian, fisher)
        )
        return Derivatives(
            2 * (_deviance(hoisted.observed, total) + value),
            2 * gradient,
            2 * (hessian + tf.linalg.diag(curvature)),
            2 * (fisher + tf.linalg.diag(expected)),
        )

    def _constraints(self, hoisted: _Numbers, x: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """-ln L of the constraints (), its first and second derivatives and the expected second, (n_parameters,)."""
        measured, precision = hoisted.measured, hoisted.precision
        gaussian, poisson = ~self._is_poisson, tf.cast(self._is_poisson, tf.float64)
        distance = tf.where(gaussian, x - measured, 0)
        relative = poisson * tf.math.divide_no_nan(measured, precision * x)
        value = tf.reduce_sum(precision * distance**2) / 2 + _deviance(poisson * measured, poisson * precision * x)
        return (
            value,
            precision * tf.where(gaussian, distance, 1 - relative),
            tf.where(gaussian, precision, precision * tf.math.divide_no_nan(relative, x)),
            tf.where(gaussian, precision, tf.math.divide_no_nan(precision, x)),
        )

    def _counts(self, hoisted: _Numbers, alpha: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """h (n_cells,), dh/dalpha (n_systematics, n_cells) and the second derivatives, in units of `even`."""
        odd, even = _HISTOSYS[self._codes[0]](alpha)
        counts = hoisted.nominal + tf.linalg.matvec(hoisted.odd, odd[0], transpose_a=True)
        counts += tf.linalg.matvec(hoisted.even, even[0], transpose_a=True)
        return counts, odd[1][:, None] * hoisted.odd + even[1][:, None] * hoisted.even, even[2]

    def _norms(self, hoisted: _Numbers, alpha: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """N (n_cells,), d log N/dalpha (n_systematics, n_cells), d^2 log N/dalpha^2 (n_systematics, n_groups)."""
        alpha = alpha[:, None]
        logarithm = (alpha * hoisted.rise + tf.abs(alpha) * hoisted.bend) / 2
        slope = (hoisted.rise + tf.sign(alpha) * hoisted.bend) / 2
        curvature, negative = tf.zeros_like(slope), tf.zeros_like(slope, tf.int32)
        if self._codes[1] == "code4":
            inside = tf.abs(alpha) < 1
            within = tf.where(inside, alpha, 0)
            rest, first, second = (tf.zeros_like(slope) for _ in range(3))  # Horner's scheme, with two derivatives
            for coefficient in reversed(tf.unstack(hoisted.polynomial)):
                second, first, rest = first + within * second, rest + within * first, coefficient + within * rest
            factor, first, second = 1 + within * rest, rest + within * first, 2 * (first + within * second)
            logarithm = tf.where(inside, tf.math.log(tf.abs(factor)), logarithm)
            slope = tf.where(inside, first / factor, slope)
            curvature = tf.where(inside, second / factor - slope**2, 0)
            negative = tf.cast(factor < 0, tf.int32)
        sign = 1 - 2 * (tf.reduce_sum(negative, axis=0) % 2)
        norms = tf.cast(sign, tf.float64) * tf.exp(tf.reduce_sum(logarithm, axis=0))
        return tf.gather(norms, self._group), tf.gather(slope, self._group, axis=1), curvature

    def _split(self, x: tf.Tensor) -> list[tf.Tensor]:
        """Parameters that interpolate, and those that multiply."""
        return tf.split(tf.gather(x, self._order), [len(self._systematics), self._n_others])

    def _summed(self, cells: tf.Tensor) -> tf.Tensor:
        """(..., n_bins) sums over the samples."""
        return tf.reduce_sum(tf.reshape(cells, [*cells.shape[:-1], self._n_slots, self._n_bins]), axis=-2)

    def _by_group(self, cells: tf.Tensor) -> tf.Tensor:
        """(n_groups,) sums over the cells that have the same normsys factors."""
        return tf.linalg.matvec(self._in_group, cells, transpose_a=True)


def _product(parameters: tf.Tensor, places: np.ndarray) -> tf.Tensor:
    """(n,) products of the parameters at places (n, n_factors); the place behind the last is a 1."""
    padded = tf.concat([parameters, tf.ones(1, tf.float64)], axis=0)
    factors = [tf.gather(padded, column) for column in places.T]
    return functools.reduce(tf.multiply, factors, tf.ones(len(places), tf.float64))


def _deviance(observed: tf.Tensor, expected: tf.Tensor) -> tf.Tensor:
    """() -ln L of Poisson counts, less that of expecting what is observed: large terms do not cancel. NaN below 0."""
    distance = tf.where(expected >= 0, expected - observed, float("nan"))
    relative = tf.math.divide_no_nan(distance, observed)
    near = tf.abs(relative) < 0.5
    ratio = tf.math.divide_no_nan(expected, observed)
    ratio = tf.where(near | (observed == 0), tf.ones_like(ratio), ratio)
    logarithm = tf.where(near, tf.math.log1p(tf.where(near, relative, 0)), tf.math.log(ratio))
    return tf.reduce_sum(distance - observed * logarithm)


def _code0(alpha: tf.Tensor) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Odd and even part of the shift, each with two derivatives; at the kink that between both sides."""
    ones = tf.ones_like(alpha)
    return [alpha / 2, ones / 2], [tf.abs(alpha) / 2, tf.sign(alpha) / 2, 0 * ones]


def _code2(alpha: tf.Tensor) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """As pyhf 0.7 has it, which jumps at 1 and -1."""
    ones, above, below = tf.ones_like(alpha), alpha > 1, alpha < -1
    even = tf.where(above, alpha - 1, tf.where(below, -alpha, alpha**2 / 2))
    slope = tf.where(above, ones, tf.where(below, -ones, alpha))
    return [(alpha - tf.cast(above, tf.float64)) / 2, ones / 2], [even, slope, tf.cast(~(above | below), tf.float64)]


def _code4p(alpha: tf.Tensor) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    ones, square, inside = tf.ones_like(alpha), alpha**2, tf.abs(alpha) <= 1
    even = tf.where(inside, square * (15 - 10 * square + 3 * square**2) / 16, tf.abs(alpha) / 2)
    slope = tf.where(inside, alpha * (30 - 40 * square + 18 * square**2) / 16, tf.sign(alpha) / 2)
    return [alpha / 2, ones / 2], [even, slope, tf.where(inside, (30 - 120 * square + 90 * square**2) / 16, 0)]


_HISTOSYS = {"code0": _code0, "code2": _code2, "code4p": _code4p}
