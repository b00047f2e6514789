"""A loss that keeps the background's score independent of an observable, so that a cut does not shape it.

The penalty is the squared distance correlation of Kasieczka and Shih, PRL 125 (2020) 122001, arXiv:2001.05310, here at
fixed theta, and without the bias of few events.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

FEWEST = 1e-3  # of the share of quadruples of distinct events in a group, 0.09 for four events of equal weight
ROUNDING = 100  # a distance variance of fewer units of rounding counts as 0
MANY = 32  # background events of a batch, of which some two should have the same theta

# The estimator is the unbiased one of Szekely and Rizzo, Ann. Stat. 42 (2014) 2382, with weights: means over pairs,
# triples and quadruples of distinct events. That of the paper above, over all of them, is of the order 1 / n for n
# independent events. This bias is smallest for a score of two values only, and in groups of 50 events drives a network
# there.


def squared_distance_correlation(
    x: tf.Tensor, y: tf.Tensor, weight: tf.Tensor | None = None, groups: tf.Tensor | None = None
) -> tf.Tensor:
    """How much two quantities depend on each other, in whatever way: 0 for not at all, 1 for one linear in the other.

    With a and b the distances |x - x'| and |y - y'| of two events, dCov2(x, y) is mean(a_12 b_12) - 2 mean(a_12 b_13) +
    mean(a_12 b_34) over distinct events, and the result dCov2(x, y) / sqrt(dCov2(x, x) dCov2(y, y)), without bias in
    each. It has a gradient, and takes memory of n_events squared.

    Args:
        x: (n_events,).
        y: (n_events,).
        weight: (n_events,) non-negative event weights; ones if None.
        groups: (n_events, n), what is the same in all events of a group, such as theta. The result is then the mean
            over the groups, by their weight; None for one group.

    Returns:
        A scalar in [-1, 1], of the type of x; for independent x and y around 0, also below; 0 for no events. A
        group in which x or y is constant, or of fewer than four events, counts as 0; so does one of few events whose
        weights differ so much that a distance variance comes out negative.
    """
    x, y = tf.convert_to_tensor(x), tf.cast(y, x.dtype)
    weight = tf.ones_like(x) if weight is None else tf.cast(weight, x.dtype)
    if groups is None:
        groups = tf.zeros_like(x)[:, tf.newaxis]
    together = _together(groups, x.dtype)
    w = tf.math.divide_no_nan(weight, tf.linalg.matvec(together, weight))  # share of an event in its group
    a, b = (together * tf.abs(values[:, tf.newaxis] - values) for values in (x, y))
    weights = tf.stack([w, w**2], axis=1)
    of_a, of_b = tf.linalg.matvec(a, w), tf.linalg.matvec(b, w)
    products = [tf.unstack(tf.matmul(product, weights), axis=1) for product in (a * b, a * a, b * b)]
    columns = [w * of_a, w * of_b, w**2, w**3, w**4]
    for (first, second), (once, twice) in zip([(of_a, of_b), (of_a, of_a), (of_b, of_b)], products, strict=True):
        columns += [w * once, w * twice, w**2 * twice, w * first * second, w**2 * first * second]
    sums = tf.unstack(tf.matmul(together, tf.stack(columns, axis=1)), axis=1)  # over the group of each event
    mean_a, mean_b, p2, p3, p4 = sums[:5]
    # Shares of pairs, triples and quadruples that are distinct.
    pairs, triples, quadruples = 1 - p2, 1 - 3 * p2 + 2 * p3, 1 - 6 * p2 + 3 * p2**2 + 8 * p3 - 6 * p4
    enough = quadruples > FEWEST
    one, zero = tf.ones_like(w), tf.zeros_like(w)
    pairs, triples, quadruples = (tf.where(enough, shares, one) for shares in (pairs, triples, quadruples))

    def dcov2(mean_first, mean_second, of_pair, of_half, of_both, of_triple, of_star):
        distinct_four = mean_first * mean_second - 4 * of_star + 2 * of_both
        return of_pair / pairs - 2 * (of_triple - of_half) / triples + distinct_four / quadruples

    covariance = dcov2(mean_a, mean_b, *sums[5:10])
    variances = dcov2(mean_a, mean_a, *sums[10:15]), dcov2(mean_b, mean_b, *sums[15:])
    smallest = ROUNDING * np.finfo(x.dtype.as_numpy_dtype).eps
    defined = enough & (variances[0] > smallest * sums[10]) & (variances[1] > smallest * sums[15])
    found = tf.where(defined, covariance / tf.sqrt(tf.where(defined, variances[0] * variances[1], one)), zero)
    found = tf.clip_by_value(found, -1, 1)  # with very different weights it may be beyond
    return tf.math.divide_no_nan(tf.reduce_sum(weight * found), tf.reduce_sum(weight))


def _together(groups: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """(n_events, n_events): 1 for two events of a group, else 0."""
    return tf.cast(tf.reduce_all(groups[:, tf.newaxis] == groups, axis=-1), dtype)


def _of_all_replicas(events: tf.Tensor) -> tuple[tf.Tensor, int]:
    """Rows of all devices of a `tf.distribute` strategy, and how many these are: Keras sums a loss over them."""
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return events, 1
    return replica.all_gather(events, axis=0), replica.num_replicas_in_sync


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
    batch size. Under a `tf.distribute` strategy it is that of the whole batch, on each device.

    Under a strong penalty from the first step on the score may fall with signal for many steps: train without it for
    some epochs, then compile anew with it.

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
        events, n_replicas = _of_all_replicas(tf.concat([y_pred, weight[:, tf.newaxis], y_true[:, 1:]], axis=1))
        score, weight, observable, groups = events[:, 0], events[:, 1], events[:, 2], events[:, 3:]
        self._require_groups(groups, weight)
        penalty = squared_distance_correlation(score, observable, weight, groups)
        loss = super().__call__(y_true, y_pred, sample_weight)
        return loss + tf.cast(self.strength * penalty / n_replicas, loss.dtype)

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
