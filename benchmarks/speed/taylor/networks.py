"""The networks that are timed: those of a search's size, untrained, since no time depends on the weights."""

from typing import NamedTuple

import keras
import numpy as np

from benchmarks.speed.taylor.peers import Layers
from pnn_tf import AffineConditioning, parametric_network

THETA = np.array([[1000.0]], np.float32)  # GeV; one theta for all events


class Network(NamedTuple):
    """A Keras model, and what its peers need to know of it.

    Args:
        name: as it is printed.
        model: with one sigmoid output; a parametric one is shown THETA.
        activation: of the hidden layers, "tanh" or "relu".
    """

    name: str
    model: keras.Model
    activation: str

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of each layer, from the inputs to the output."""
        weights = [layer[0] for layer in self.layers]
        return (len(weights[0]), *(weight.shape[1] for weight in weights))

    @property
    def layers(self) -> Layers:
        """The weights as plain arrays."""
        layers = []
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.Dense):
                layers.append(tuple(layer.get_weights()))
            elif isinstance(layer, AffineConditioning):
                theta = self.model.get_layer("theta_scale")(THETA)
                layers[-1] += tuple(np.asarray(values)[0] for values in layer.scale_and_shift(theta))
        return layers

    def data(self, x: np.ndarray):
        """Events x (n, d) as the model takes them."""
        return {"features": x, "theta": THETA} if len(self.model.inputs) == 2 else x


def tanh_network(n_inputs: int, *units: int) -> Network:
    """Hidden layers of tanh, as in Wunsch et al. 2018."""
    layers = [keras.Input((n_inputs,))]
    for i, width in enumerate(units):
        layers.append(keras.layers.Dense(width, "tanh", kernel_initializer=keras.initializers.GlorotUniform(i)))
    layers.append(keras.layers.Dense(1, "sigmoid", kernel_initializer=keras.initializers.GlorotUniform(len(units))))
    return Network("-".join(map(str, (n_inputs, *units, 1))) + " tanh", keras.Sequential(layers), "tanh")


def affine_network(n_features: int, units: tuple[int, ...] = (300, 150, 100, 50)) -> Network:
    """The AffinePNN of Anzalone et al. 2022, ReLU, in its features; 27 of them in the paper."""
    return Network(
        f"AffinePNN {n_features}+1 ReLU",
        parametric_network(n_features, units=units, affine_start="glorot_uniform", seed=0),
        "relu",
    )


def events(n_events: int, n_inputs: int) -> np.ndarray:
    """(n_events, n_inputs) float32, standard normal as standardised inputs are."""
    return np.random.default_rng(0).standard_normal((n_events, n_inputs), np.float32)
