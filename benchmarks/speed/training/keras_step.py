"""The step as users have it in `fit` of Keras: of our network, or of the same with Keras' own dropout."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

import pnn_tf
from benchmarks.speed.training import BIAS_L2, KERNEL_L2, LEARNING_RATE, Config


def make_network(config: Config, fast: bool = True) -> keras.Model:
    """The network, not compiled; the same weights each time."""
    network = pnn_tf.parametric_network(
        config.n_features,
        units=config.units,
        dropout=config.dropout,
        kernel_l2=KERNEL_L2,
        bias_l2=BIAS_L2,
        affine_start="glorot_uniform",
        seed=1,
    )
    if fast:
        return network
    slow = keras.models.clone_model(network, clone_function=_with_keras_dropout)
    slow.set_weights(network.get_weights())
    return slow


def _with_keras_dropout(layer):
    other = keras.layers.Dropout if isinstance(layer, pnn_tf.FastDropout) else type(layer)
    return other.from_config(layer.get_config())


def weights_of(network: keras.Model) -> list[dict[str, np.ndarray]]:
    """Of each block and of the output, by the names that the peers use."""
    blocks = []
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dense):
            blocks.append(dict(zip(("kernel", "bias"), layer.get_weights(), strict=True)))
        elif isinstance(layer, pnn_tf.AffineConditioning):
            for name in ("scale", "shift"):
                weight = getattr(layer, name).numpy()
                blocks[-1] |= {f"{name}_kernel": weight[:-1], f"{name}_bias": weight[-1]}
    return blocks


def keras_steps(config: Config, batch, *, fast: bool = True) -> Callable[[], float]:
    """A function that runs the steps as `fit` does within an epoch, and returns the mean loss."""
    network = make_network(config, fast)
    together = min(config.steps_per_execution, config.n_steps)
    network.compile(keras.optimizers.Adam(LEARNING_RATE), "binary_crossentropy", steps_per_execution=together)
    network.make_train_function()
    features, theta, label = batch
    batches = iter(tf.data.Dataset.from_tensors(({"features": features, "theta": theta}, label)).repeat())

    def steps() -> float:
        network.reset_metrics()
        for _ in range(config.n_steps // together):
            logs = network.train_function(batches)
        return float(logs["loss"])

    return steps
