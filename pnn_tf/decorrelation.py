"""A loss that keeps the background's score independent of an observable, so that a cut does not shape it.

The penalty is the squared distance correlation of Kasieczka and Shih, PRL 125 (2020) 122001, arXiv:2001.05310, here at
fixed theta.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

ROUNDING = 100  # a distance variance of fewer units of rounding counts as 0; it is 2 / n of its first term, or more
MANY = 32  # background events of a batch, of which some two should have the same theta

# The estimator is the V-statistic of Szekely, Rizzo and Bakirov, Ann. Stat. 35 (2007) 2769, section 2.3: it takes
# weights and is never negative. In a group of n independent events it is of the order 1/n.


def squared_distance_correlation(
    x: tf.Tensor, y: tf.Tensor, weight: tf.Tensor | None = None, groups: tf.Tensor | None = None
) -> tf.Tensor:
    """How much two quantities depend on each other, in whatever way: 0 for not at all, 1 for one linear in the other.

    With a and b the distances |x - x'| and |y - y'| of two events and means over events, dCov2(x, y) is mean(a b) -
    2 mean(mean'(a) mean'(b)) + mean(a) mean(b), and the result dCov2(x, y) / sqrt(dCov2(x, x) dCov2(y, y)) (Szekely,
    Rizzo and Bakirov 2007, Remark 1 and Definition 5). It has a gradient, and takes memory of n_events squared.

    Args:
        x: (n_events,).
        y: (n_events,).
        weight: (n_events,) non-negative event weights; ones if None.
        groups: (n_events, n), what is the same in all events of a group, such as theta. The result is then the mean
            over the groups, by their weight; None for one group.

    Returns:
        A scalar in [0, 1], in the type of x and up to its rounding; 0 for no events. A group in which x or y is
        constant counts as 0.
    """
    x, y = tf.convert_to_tensor(x), tf.cast(y, x.dtype)
    weight = tf.ones_like(x) if weight is None else tf.cast(weight, x.dtype)
    if groups is None:
        groups = tf.zeros_like(x)[:, tf.newaxis]
    together = _together(groups, x.dtype)
    share = tf.math.divide_no_nan(weight, tf.linalg.matvec(together, weight))  # of an event in its group
    a, b = (together * tf.abs(values[:, tf.newaxis] - values) for values in (x, y))
    of_a, of_b, ab, aa, bb = (tf.linalg.matvec(distances, share) for distances in (a, b, a * b, a * a, b * b))
    of_event = [of_a, of_b, ab, aa, bb, of_a * of_b, of_a**2, of_b**2]
    in_group = tf.matmul(together, share[:, tf.newaxis] * tf.stack(of_event, axis=1))
    mean_a, mean_b, *means = tf.unstack(in_group, axis=1)
    means = means[:3], means[3:], (mean_a * mean_b, mean_a**2, mean_b**2)
    covariance, *variances = (first - 2 * second + third for first, second, third in zip(*means, strict=True))
    smallest = ROUNDING * np.finfo(x.dtype.as_numpy_dtype).eps
    defined = (variances[0] > smallest * means[0][1]) & (variances[1] > smallest * means[0][2])
    one, zero = tf.ones_like(covariance), tf.zeros_like(covariance)
    found = tf.where(defined, covariance / tf.sqrt(tf.where(defined, variances[0] * variances[1], one)), zero)
    return tf.math.divide_no_nan(tf.reduce_sum(weight * found), tf.reduce_sum(weight))


def _together(groups: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """(n_events, n_events): 1 for two events of a group, else 0."""
    return tf.cast(tf.reduce_all(groups[:, tf.newaxis] == groups, axis=-1), dtype)


@keras.saving.register_keras_serializable(package="pnn_tf")
class DecorrelatedCrossentropy(keras.losses.Loss):
    """Binary cross-entropy + strength * squared distance correlation of score and observable in the background.

    The observable, such as the reconstructed mass, and theta come beside the label, as columns of y:

        def target(x, label, *weight):
            return x, tf.concat([label, x["features"][:, 25:26], x["theta"]], axis=1), *weight

        model.compile("adam", pnn_tf.DecorrelatedCrossentropy(strength=3.0))
        model.fit(batches.dataset.map(target), steps_per_epoch=batches.steps_per_epoch)

    The correlation is taken among the background events of a batch at the same theta, and averaged over theta: a score
    may depend on the observable at each theta and not on average over theta. Give a continuous theta in bins, or leave
    it out. Metrics of `compile` see the columns of y too. The penalty's memory and time grow with the square of the
    batch size.

    A strong penalty from the first step on can end with a score that is constant or falls with signal: train without it
    for some epochs, then compile anew with it.

    Args:
        strength: of the penalty, not negative. A larger one leaves less of the observable in the score, and less
            separation if signal and background differ in it; of the order of one.
        name, dtype: as of any Keras loss.

    Call arguments: y_true (n_events, 2 + n), columns label (1 for signal, 0 for background), observable, and n (0 too)
    that are the same in events that are compared; y_pred (n_events, 1) in [0, 1]; sample_weight (n_events,), which
    weighs both parts, or None.

    Raises:
        ValueError: a strength that is negative or not finite, a y without observable, several scores.
        tf.errors.InvalidArgumentError: no two background events of a batch are the same in the columns after the
            observable.
    """

    def __init__(self, strength: float, name: str = "decorrelated_crossentropy", dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        if not 0 <= strength < float("inf"):
            raise ValueError(f"Expected strength >= 0 and finite. Received: strength={strength}")
        self.strength = float(strength)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """The cross-entropy alone, (n_events,)."""
        return keras.losses.binary_crossentropy(y_true[:, :1], y_pred)

    def __call__(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None) -> tf.Tensor:
        y_true, y_pred = tf.cast(y_true, self.dtype), tf.cast(y_pred, self.dtype)
        if y_true.shape.rank != 2 or y_true.shape[1] == 1:
            raise ValueError(
                "Expected y of shape (n_events, 2 + n): label, observable and what else is the same in events that are "
                f"compared, by dataset.map for example. Received: {tuple(y_true.shape)}"
            )
        if y_pred.shape[-1] != 1:
            raise ValueError(f"Expected one score an event, (n_events, 1). Received: {tuple(y_pred.shape)}")
        # Signal has no weight: a selection has no shape that XLA knows, and is silently wrong under it.
        weight = tf.cast(y_true[:, 0] == 0, y_pred.dtype)
        if sample_weight is not None:
            weight *= tf.cast(tf.reshape(sample_weight, [-1]), weight.dtype)
        self._require_groups(y_true[:, 2:], weight)
        penalty = squared_distance_correlation(y_pred[:, 0], y_true[:, 1], weight, y_true[:, 2:])
        loss = super().__call__(y_true, y_pred, sample_weight)
        return loss + tf.cast(self.strength * penalty, loss.dtype)

    def _require_groups(self, groups: tf.Tensor, weight: tf.Tensor) -> None:
        """Refuses a batch of many background events of which no two are compared: its penalty would be 0."""
        there = tf.cast(weight > 0, weight.dtype)
        largest = tf.reduce_max(tf.linalg.matvec(_together(groups, there.dtype), there))
        tf.debugging.Assert(
            (largest > 1) | (tf.reduce_sum(there) < MANY),
            [
                "No two background events of the batch are the same in the columns of y after the observable. Give a "
                "continuous theta in bins, or leave it out."
            ],
        )

    def get_config(self) -> dict[str, Any]:
        return {"strength": self.strength, "name": self.name, "dtype": self.dtype}
