"""AUC and significance ratio as Keras metrics, for `model.compile`: both from one histogram of the scores."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import ArrayLike

LOGIT_LIMIT = 16.0  # sigmoid(16) is the largest float32 below 1 but two


class ScoreHistogram(keras.metrics.Metric):
    """Weighted counts of signal and background in bins of equal width in the logit, from -16 to 16.

    Equal bins of the score itself would pour most events of a good classifier into the first and the last. With the
    default 8192 bins, a bin is 0.004 wide in the logit and at most 0.001 in the score.

    Args:
        n_bins: number of bins.
        from_logits: True if the model's output is a logit, False if it is a score in [0, 1].
        name: name of the metric.
        dtype: of the result; counts are float64.
    """

    def __init__(
        self, n_bins: int = 8192, from_logits: bool = False, name: str | None = None, dtype: str | None = None
    ):
        super().__init__(name=name, dtype=dtype)
        if n_bins < 2:
            raise ValueError(f"Expected n_bins >= 2. Received: n_bins={n_bins}")
        self.n_bins = n_bins
        self.from_logits = from_logits
        self.counts = self.add_variable((2, n_bins), initializer="zeros", dtype="float64", name="counts")

    def update_state(
        self,
        y_true: ArrayLike | tf.Tensor,
        y_pred: ArrayLike | tf.Tensor,
        sample_weight: ArrayLike | tf.Tensor | None = None,
    ) -> None:
        """Adds a batch.

        Args:
            y_true: (n_events,) or (n_events, 1), 1 for signal, 0 for background. Of a label y between, the share y
                counts as signal and 1 - y as background. Another label makes the result NaN.
            y_pred: the scores or logits, of the same size. A NaN makes the result NaN.
            sample_weight: non-negative event weights of the same size; ones if None.

        Raises:
            ValueError: several scores an event.
        """
        y_pred = ops.convert_to_tensor(y_pred)
        if len(y_pred.shape) > 1 and y_pred.shape[-1] not in (None, 1):
            raise ValueError(f"Expected one score an event, (n_events,) or (n_events, 1). Received: {y_pred.shape}")
        score, label = (ops.cast(ops.reshape(values, [-1]), "float64") for values in (y_pred, y_true))
        label = ops.where((label >= 0) & (label <= 1), label, np.nan)
        weight = (
            ops.ones_like(score) if sample_weight is None else ops.cast(ops.reshape(sample_weight, [-1]), "float64")
        )
        logit = score if self.from_logits else ops.log(score) - ops.log1p(-score)
        position = (ops.clip(logit, -LOGIT_LIMIT, LOGIT_LIMIT) / LOGIT_LIMIT + 1) / 2
        weight = ops.where(ops.isnan(position), position, weight)
        column = ops.clip(ops.cast(position * self.n_bins, "int32"), 0, self.n_bins - 1)
        both = ops.stack([weight * (1 - label), weight * label], axis=1)
        self.counts.assign_add(ops.transpose(ops.segment_sum(both, column, num_segments=self.n_bins)))

    def passing(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Background and signal at or above the lower edge of each bin, from the highest bin down; each (n_bins,)."""
        passing = ops.cumsum(self.counts[:, ::-1], axis=1)
        return passing[0], passing[1]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n_bins": self.n_bins, "from_logits": self.from_logits}


@keras.saving.register_keras_serializable(package="pnn_tf")
class StreamingAUC(ScoreHistogram):
    """`roc_auc` over the batches of an epoch.

    Events of one bin count as ties, so it differs from the exact value by at most half the probability that a signal
    and a background event share a bin. 0 until both have been seen. With labels smoothed to 1 - a and a it is what it
    is for such events: of as many of each class, a + (1 - 2 a) times itself. Arguments as `ScoreHistogram`.

    >>> metric = StreamingAUC()
    >>> metric.update_state([1, 0, 1, 0], [0.9, 0.5, 0.5, 0.1])
    >>> float(metric.result())
    0.875
    """

    def __init__(
        self, n_bins: int = 8192, from_logits: bool = False, name: str | None = "auc", dtype: str | None = None
    ):
        super().__init__(n_bins, from_logits, name, dtype)

    def result(self) -> tf.Tensor:
        background, signal = self.passing()
        mean_signal = signal - self.counts[1, ::-1] / 2
        area = ops.sum(mean_signal * self.counts[0, ::-1])
        return ops.cast(ops.divide_no_nan(area, signal[-1] * background[-1]), self.dtype)


@keras.saving.register_keras_serializable(package="pnn_tf")
class StreamingSignificance(ScoreHistogram):
    """The ratio of `significance_ratio` over the batches of an epoch.

    Cuts only between bins, so it never exceeds the exact value. 0 until signal has been seen. Arguments as
    `ScoreHistogram`.

    >>> metric = StreamingSignificance()
    >>> metric.update_state([1, 1, 0], [0.9, 0.8, 0.1])
    >>> float(metric.result())
    1.0
    """

    def __init__(
        self,
        n_bins: int = 8192,
        from_logits: bool = False,
        name: str | None = "significance_ratio",
        dtype: str | None = None,
    ):
        super().__init__(n_bins, from_logits, name, dtype)

    def result(self) -> tf.Tensor:
        background, signal = self.passing()
        best = ops.max(ops.divide_no_nan(signal, ops.sqrt(signal + background)))
        return ops.cast(ops.divide_no_nan(best, ops.sqrt(signal[-1])), self.dtype)
