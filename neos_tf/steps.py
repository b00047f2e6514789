"""Steps of a training that are taken or leave everything as it was, and what is counted of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf


def take(
    usable: tf.Tensor,
    optimizer: keras.Optimizer,
    gradients: Sequence[tuple[tf.Tensor, keras.Variable]],
    before: Sequence[tuple[keras.Variable, tf.Tensor]],
) -> None:
    """Applies gradients, or gives the variables in `before` their values back.

    Args:
        usable: () bool, whether to take the step; the same on all replicas of a `tf.distribute` strategy. There the
            step is taken in any case, as replicas meet in it, which no condition may contain, and then taken back.
        optimizer: of the variables.
        gradients: pairs of a gradient and its variable.
        before: pairs of another variable and the value that it had.
    """

    def step():
        optimizer.apply_gradients(gradients)
        return 0

    def undo():
        for variable, value in before:
            variable.assign(value)
        return 0

    if tf.distribute.has_strategy():
        moved = [*(variable for _, variable in gradients), *optimizer.variables]
        before = [*before, *((variable, tf.identity(variable.value)) for variable in moved)]
        with tf.control_dependencies([usable]):  # not before it is known that there is a batch
            optimizer.apply_gradients(gradients)
        for variable, value in before:
            variable.assign(tf.where(usable, variable.value, value))
    else:
        tf.cond(usable, step, undo)


class StepsWithout(keras.metrics.Metric):
    """Number of steps that were not taken, of which every replica knows."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.steps = self.add_variable((), "zeros", dtype=self.dtype, aggregation="mean", name="steps")

    def update_state(self, taken: tf.Tensor) -> None:
        self.steps.assign_add(tf.cast(~taken, self.dtype))

    def result(self) -> tf.Tensor:
        return tf.convert_to_tensor(self.steps)


class LossOfSteps(keras.metrics.Mean):
    """Mean over the steps that had a gradient; infinite if none had."""

    def result(self) -> tf.Tensor:
        return tf.where(tf.convert_to_tensor(self.count) > 0, super().result(), float("inf"))


class Invalid(keras.metrics.Metric):
    """(n_samples,) number of events that have NaN or infinite values, of each of some samples."""

    def __init__(self, names: Iterable[str], **kwargs: Any):
        super().__init__(dtype="float64", **kwargs)
        self.samples = tuple(names)
        self.events = self.add_variable((len(self.samples),), "zeros", dtype="float64", name="events")

    def update_state(self, counts: tf.Tensor) -> None:
        self.events.assign_add(counts)

    def result(self) -> tf.Tensor:
        return tf.convert_to_tensor(self.events)

    def refuse(self) -> None:
        """Raises ValueError, which names them, if there are any."""
        counts = zip(self.samples, self.result().numpy(), strict=True)
        named = [f"{int(count)} events of {name!r}" for name, count in counts if count]
        if named:
            raise ValueError(
                f"Expected finite features and weights. Received: NaN or infinite values in {', '.join(named)}. Leave "
                "these events out, or fill the values in."
            )


class RefuseInvalid(keras.callbacks.Callback):
    """Ends a training after an epoch with such events."""

    def __init__(self, invalid: Invalid):
        super().__init__()
        self.invalid = invalid

    def on_epoch_begin(self, epoch: int, logs: Mapping | None = None) -> None:
        self.invalid.reset_state()

    def on_epoch_end(self, epoch: int, logs: Mapping | None = None) -> None:
        self.invalid.refuse()
