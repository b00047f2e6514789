"""The step as users have it in `fit` of Keras: of our network, or of the same with Keras' own dropout."""

from collections.abc import Callable

import keras
import numpy as np

import pnn_tf
from benchmarks.speed import train_steps
from benchmarks.speed.training import ADAM, BIAS_L2, KERNEL_L2, Config


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
    """A function that runs `n_steps` steps as `fit` does within an epoch, and returns the mean loss."""
    network = make_network(config, fast)
    together = min(config.steps_per_execution, config.n_steps)
    network.compile(keras.optimizers.Adam(*ADAM), "binary_crossentropy", steps_per_execution=together)
    features, theta, label = batch
    steps = train_steps(network, ({"features": features, "theta": theta}, label))
    return lambda: steps(config.n_steps // together)
