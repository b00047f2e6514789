"""What an engine says, held against the model itself: derivatives of first and second order along random directions.

With the partial derivatives d_f of the features f of order k, in which input i occurs n_i times, the k-th derivative of
the response along v is

    d^k/de^k y(x + e v) = sum over f of k! / prod n_i! d_f prod v_i^n_i,

which nested tapes on the single number e give for the price of a few calls of the model.
"""

from collections.abc import Sequence
from itertools import combinations_with_replacement
from math import factorial

import numpy as np
import tensorflow as tf

from taylor.exact import exact_gradients
from taylor.features import FeatureSet
from taylor.response import Response

N_DIRECTIONS = 2
N_INPUTS = 30  # that a direction goes along
ORDERS = {1: "first", 2: "second"}
MOVED = 0.05  # standard deviations that events are moved by, away from kinks and zeros that many of them share
STEP = 0.02  # standard deviations, of differences
DIFFERENCES = {1: 8, -1: -8, 2: -1, -2: 1}  # f' = (8 f(h) - 8 f(-h) - f(2h) + f(-2h)) / 12 h + O(h^4)


class Probe:
    """Events near given ones, and directions through them: the same each time.

    Args:
        response: the outputs, and the inputs that they are differentiated in.
        features: those of the analysis.
        tensors: some events, one tensor for each of the model's inputs.

    Attributes:
        features: all of the first and second order of inputs that occur in `features`, as far as that goes in order.
        tensors: the events, for an engine to give the derivatives of these features at.
    """

    def __init__(self, response: Response, features: FeatureSet, tensors: Sequence[tf.Tensor]):
        inputs = np.unique([i for index in features.indices for i in index])
        inputs = inputs[np.linspace(0, len(inputs) - 1, min(N_INPUTS, len(inputs))).round().astype(int)]
        orders = range(1, min(features.order, max(ORDERS)) + 1)
        indices = tuple(index for k in orders for index in combinations_with_replacement(inputs.tolist(), k))
        self.features = FeatureSet(features.names, indices)
        generator = np.random.default_rng(0)
        x = np.concatenate([tensors[i] for i in response.analysed], axis=1)
        spread = x.std(axis=0)
        spread = np.where(spread > 0, spread, np.where(x[0] != 0, np.abs(x[0]), 1))
        self._x = x + MOVED * spread * generator.normal(size=x.shape)
        self._directions = np.zeros((N_DIRECTIONS, 1, x.shape[1]))
        self._directions[..., inputs] = spread[inputs] * generator.normal(size=(N_DIRECTIONS, 1, len(inputs)))
        self._response, self._given = response, tensors
        moved = self._events(self._x)
        self.tensors = [
            new if i in response.analysed else t for i, (new, t) in enumerate(zip(moved, tensors, strict=True))
        ]
        outputs = np.asarray(response(moved))
        self._largest = np.abs(outputs).max(initial=0, where=np.isfinite(outputs))
        self._of_outputs = np.ones(1) if outputs.ndim == 1 else generator.normal(size=outputs.shape[1])

    def mismatch(self, partial: tf.Tensor) -> str | None:
        """What differs from the model by more than rounding, in words; None if nothing does.

        A mismatch is what neither nested tapes nor differences confirm: tapes through some of TensorFlow's operations
        are wrong at the second order, and differences across a kink are. Half of the digits must agree, relative to
        the sum of the absolute terms; how far the model itself rounds is seen at inputs a few roundings away.

        Args:
            partial: (n_events, n_columns) derivatives of `features` at `tensors`, as an engine gives them.
        """
        epsilon = np.finfo(self._response.dtype.as_numpy_dtype).eps
        signs = np.random.default_rng(1).choice([-1, 1], self._x.shape)
        expected, nearby = self._by_tapes(self._x), self._by_tapes(self._x * (1 + 4 * epsilon * signs))
        floor = 100 * epsilon * self._largest
        for order, (along, size) in self._sums(np.asarray(partial, float)).items():
            allowed = 3 * np.sqrt(epsilon) * size + floor
            rounding = 30 * np.abs(nearby[order] - expected[order])
            wrong = np.isfinite(expected[order]) & ~_within(along - expected[order], allowed + rounding)
            if wrong.any():
                rounding = 10 * epsilon * np.abs(expected[order - 1]) / STEP
                wrong &= ~_within(along - self._by_differences(order), 10 * allowed + rounding)
            if wrong.any():
                at = np.unravel_index(np.argmax(wrong), wrong.shape)
                return (
                    f"its {ORDERS[order]} derivative along a random direction is {along[at]:.4g}, that of the model "
                    f"itself {expected[order][at]:.4g}"
                )
        return None

    def _sums(self, partial: np.ndarray) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """For each order, the derivative (n_directions, n_events) along the directions, and its absolute terms' sum."""
        partial = partial.reshape(len(partial), -1, len(self.features)) * self._of_outputs[:, None]
        products = [self.features.powers_of(direction) * self.features.factors for (direction,) in self._directions]
        sums = {}
        for order in range(1, self.features.order + 1):
            columns = self.features.positions(order)
            terms = factorial(order) * np.stack([partial[..., columns] * product[columns] for product in products])
            sums[order] = terms.sum(axis=(2, 3)), np.abs(terms).sum(axis=(2, 3))
        return sums

    def _by_tapes(self, x: np.ndarray, orders: Sequence[int] = (0, 1, 2)) -> list[np.ndarray]:
        """The response, and its derivatives along the directions, each (n_directions, n_events).

        NaN where an operation of the model has no gradient.
        """
        x = np.broadcast_to(x, (N_DIRECTIONS, *x.shape[-2:]))
        step = tf.zeros((*x.shape[:2], 1), self._response.dtype)
        results = [np.full(x.shape[:2], np.nan) for _ in orders]
        try:
            with exact_gradients(), tf.GradientTape() as outer:
                outer.watch(step)
                with tf.GradientTape() as inner:
                    inner.watch(step)
                    value = self._along(x, step)
                results[0] = np.asarray(value, float)
                first = inner.gradient(value, step, unconnected_gradients="zero")
            results[1] = np.asarray(first, float)[..., 0]
            if len(orders) > 2:
                results[2] = np.asarray(outer.gradient(first, step, unconnected_gradients="zero"), float)[..., 0]
        except (LookupError, ValueError, tf.errors.OpError):
            pass
        return results

    def _by_differences(self, order: int) -> np.ndarray:
        """The derivatives (n_directions, n_events), as differences of those of the order below."""
        moved = {h: self._by_tapes(self._x + STEP * h * self._directions, (0, 1))[order - 1] for h in DIFFERENCES}
        return sum(factor * moved[h] for h, factor in DIFFERENCES.items()) / (12 * STEP)

    def _along(self, x: np.ndarray, step: tf.Tensor) -> tf.Tensor:
        """(n_directions, n_events) the response, or the sum of several with random factors, at x + step v."""
        dtype = self._response.dtype
        rows = tf.constant(x, dtype) + step * tf.constant(self._directions, dtype)
        outputs = self._response(self._events(tf.reshape(rows, (-1, x.shape[-1])), copies=N_DIRECTIONS))
        values = outputs if outputs.shape.rank == 1 else tf.linalg.matvec(outputs, tf.constant(self._of_outputs, dtype))
        return tf.reshape(values, step.shape[:2])

    def _events(self, x: np.ndarray | tf.Tensor, copies: int = 1) -> list[tf.Tensor]:
        """One tensor for each input of the model, with the analysed columns `x`; a single row is repeated."""
        tensors = [tf.tile(t, (x.shape[0] if t.shape[0] == 1 else copies, 1)) for t in self._given]
        analysed = self._response.analysed
        widths = [tensors[i].shape[1] for i in analysed]
        for i, part in zip(analysed, tf.split(tf.cast(x, self._response.dtype), widths, axis=1), strict=True):
            tensors[i] = part
        return tensors


def _within(difference: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    return np.abs(difference) <= allowed  # never for NaN
