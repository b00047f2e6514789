"""The networks that are timed, and their Taylor coefficients as this package computes them, in the form of the peers.

The networks are those of a search's size, untrained, since no time depends on the weights.
"""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from benchmarks.speed.taylor import Job
from pnn_tf import AffineConditioning, parametric_network
from taylor import mean_abs_coefficients
from taylor.analysis import analysis_of
from taylor.bootstrap import draw_copies
from taylor.streaming import make_summation

THETA = np.array([[1000.0]], np.float32)  # GeV; one theta for all events


class Network(NamedTuple):
    """A Keras model with one sigmoid output, and what its peers need to know of it; a parametric one is shown THETA."""

    name: str
    model: keras.Model
    activation: str  # of the hidden layers, "tanh" or "relu"

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of each layer, from the inputs to the output."""
        return (len(self.layers[0][0]), *(len(bias) for _, bias, *_ in self.layers))

    @property
    def layers(self) -> list[tuple[np.ndarray, ...]]:
        """The weights as plain arrays, see `peers.Layers`."""
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
    hidden = [keras.layers.Dense(width, "tanh") for width in units]
    model = keras.Sequential([keras.Input((n_inputs,)), *hidden, keras.layers.Dense(1, "sigmoid")])
    return Network("-".join(map(str, (n_inputs, *units, 1))) + " tanh", model, "tanh")


def affine_network(n_features: int, units: Sequence[int] = (300, 150, 100, 50)) -> Network:
    """The AffinePNN of Anzalone et al. 2022, ReLU, in its features; 27 of them in the paper."""
    model = parametric_network(n_features, units=units, affine_start="glorot_uniform", seed=0)
    return Network(f"AffinePNN {n_features}+1 ReLU", model, "relu")


def events(n_events: int, n_inputs: int) -> np.ndarray:
    """(n_events, n_inputs) float32, standard normal as standardised inputs are."""
    return np.random.default_rng(0).standard_normal((n_events, n_inputs), np.float32)


def end_to_end(network: Network, x: np.ndarray) -> Job:
    """`mean_abs_coefficients` of all events x (n, d); its standard errors come with the means."""
    return Job(lambda x: len(x) * mean_abs_coefficients(network.model, network.data(x)).mean, x)


def summation(network: Network, x: np.ndarray, engine: str, order: int = 2) -> Job:
    """The sums that `mean_abs_coefficients` is made of, those for its errors among them, of a chunk of x (n, d)."""
    analysis, parts = analysis_of(network.model, network.data(x), order=order, engine=engine)
    analysis.try_out(parts)
    compiled, chunk = make_summation(analysis), min(analysis.chunk_size, len(x))
    weight, copies = tf.ones((chunk, 1)), draw_copies(0, chunk, 0, 0)

    def sums(x):
        tensors = tuple(map(tf.constant, analysis.response.arrange(network.data(x))))
        return compiled(tensors, weight, copies).wt[0].numpy()

    return Job(sums, x[:chunk])


def matrix_product(size: int, *, jit_compile: bool) -> Job:
    """A product of two float32 matrices (size, size), whose rows are its events."""
    matrix = tf.random.stateless_uniform((size, size), (0, 0))
    multiply = tf.function(tf.matmul, jit_compile=jit_compile, autograph=False)
    return Job(lambda x: multiply(x, x).numpy()[0], matrix)


def multiply_adds(network: Network, engine: str) -> float:
    """Multiplications, each with an addition, in the matrix products of all first and second derivatives of an event.

    Read from the graphs of 31 and of 15 events, odd so that no loop over blocks of events hides products. What is
    elementwise is not counted, nor what is the same for all events.
    """
    return (_in_products(network, engine, 31) - _in_products(network, engine, 15)) / 16


def _in_products(network, engine, n_events) -> int:
    analysis, parts = analysis_of(network.model, network.data(events(n_events, network.widths[0])), engine=engine)
    analysis.try_out(parts)
    specs = tuple(tf.TensorSpec(part.shape) for part in parts)
    graph = tf.function(analysis.coefficients, autograph=False).get_concrete_function(specs)
    # The graph of nested tapes holds products that nothing asks for: only what the output comes from runs.
    found = {graph.outputs[0].op}
    while new := {tensor.op for operation in found for tensor in operation.inputs} - found:
        found |= new
    total = 0
    for operation in found:
        if operation.type in ("MatMul", "BatchMatMulV2"):
            transposed = operation.get_attr("transpose_a" if operation.type == "MatMul" else "adj_x")
            contracted = operation.inputs[0].shape[-2 if transposed else -1]
            total += contracted * operation.outputs[0].shape.num_elements()
    return total
