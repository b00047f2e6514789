"""Compiled functions that are cheap to call."""

from collections.abc import Callable

import tensorflow as tf


def compiled(function: Callable, *, jit_compile: bool) -> Callable:
    """A function of tensors, or tuples of them, as one graph for each set of shapes that it is called with.

    TensorFlow compares all about the arguments to find the graph of a call, which takes longer than a small
    computation. Here their shapes decide: types and structure must be the same in all calls.
    """
    traced = tf.function(function, jit_compile=jit_compile, autograph=False)
    plain = tf.function(function, autograph=False)  # for operations that XLA does not have
    graphs = {}

    def call(*arguments):
        nonlocal traced
        if tf.config.functions_run_eagerly():
            return traced(*arguments)
        shapes = tuple(tuple(tensor.shape) for tensor in tf.nest.flatten(arguments))
        if shapes not in graphs:
            graphs[shapes] = traced.get_concrete_function(*arguments)
        try:
            return graphs[shapes](*arguments)
        except tf.errors.InvalidArgumentError as error:
            if not jit_compile or "unsupported operations" not in str(error):
                raise
            traced = plain
            graphs[shapes] = plain.get_concrete_function(*arguments)
            return graphs[shapes](*arguments)

    return call
