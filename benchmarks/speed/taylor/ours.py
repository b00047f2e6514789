"""Taylor coefficients as this package computes them, in the same form as the peers, and the machine's own rate."""

import numpy as np
import tensorflow as tf

from benchmarks.speed.taylor.networks import Network
from benchmarks.speed.taylor.timing import Job
from taylor import mean_abs_coefficients
from taylor.analysis import analysis_of
from taylor.streaming import draw_copies, make_summation


def end_to_end(network: Network, x: np.ndarray) -> Job:
    """`mean_abs_coefficients`, all events x (n, d) in one call; its standard errors come with the means."""
    return Job(lambda x: len(x) * mean_abs_coefficients(network.model, network.data(x)).mean, x, len(x))


def summation(network: Network, x: np.ndarray, engine: str, order: int = 2) -> Job:
    """The sums that `mean_abs_coefficients` is made of, those for its errors among them; a chunk in one call."""
    analysis, parts = analysis_of(network.model, network.data(x), order=order, engine=engine)
    analysis.try_out(parts)
    compiled, chunk = make_summation(analysis), min(analysis.chunk_size, len(x))
    weight, copies = tf.ones((chunk, 1)), draw_copies(chunk, 0, (0, 0))

    def sums(x):
        tensors = tuple(map(tf.constant, analysis.response.arrange(network.data(x))))
        return compiled(tensors, weight, copies).wt[0].numpy()

    return Job(sums, x, chunk)


def matrix_product(size: int, *, jit_compile: bool) -> Job:
    """A product of two float32 matrices (size, size); its `cpu_us` is the time of one row of the result."""
    matrix = tf.random.stateless_uniform((size, size), (0, 0))
    multiply = tf.function(tf.matmul, jit_compile=jit_compile, autograph=False)
    return Job(lambda x: multiply(matrix, matrix).numpy()[0], np.zeros((size, 1), np.float32), size)
