"""The start of a training on cross-entropy: which samples are signal, and when it ends."""

from collections.abc import Iterable, Mapping

import keras

from neos_tf.losses import BCELoss
from neos_tf.templates import TemplateModel


def cross_entropy(model: TemplateModel, names: Iterable[str]) -> BCELoss:
    """Of the samples that the parameter of interest scales against the others, without variations.

    Args:
        model: the measurement.
        names: templates of events.

    Raises:
        ValueError: no events of one of the classes.
    """
    classes: dict[bool, dict[str, None]] = {True: {}, False: {}}
    for channel in model.get_config()["spec"]["channels"]:
        for sample in channel["samples"]:
            path = f"{channel['name']}/{sample['name']}"
            name = sample["data"] if isinstance(sample["data"], str) else path
            if name in names:
                is_signal = any(modifier["name"] == model.poi_name for modifier in sample["modifiers"])
                classes[is_signal][name] = None
    signal, background = tuple(classes[True]), tuple(classes[False])
    if not signal or not background:
        raise ValueError(
            "Expected events of samples that the parameter of interest scales, and of others, for "
            f"cross_entropy_steps. Received: {', '.join(signal) or 'none'}; {', '.join(background) or 'none'}."
        )
    return BCELoss(signal, background)


class StopAfter(keras.callbacks.Callback):
    """Ends a training after some steps, within an epoch or not."""

    def __init__(self, n_steps: int):
        super().__init__()
        self.n_steps = n_steps

    def on_train_batch_end(self, batch: int, logs: Mapping | None = None) -> None:
        self.n_steps -= 1
        self.model.stop_training = self.n_steps <= 0
