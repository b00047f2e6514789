"""Compiled functions that are cheap to call."""

from collections.abc import Callable
from threading import Lock

import tensorflow as tf


def compiled(function: Callable, *, jit_compile: bool) -> Callable:
    """A function of tensors, or tuples of them, as one graph for each set of shapes that it is called with.

    TensorFlow compares all about the arguments to find the graph of a call, which takes longer than a small
    computation. Here their shapes decide: types and structure must be the same in all calls. Threads that call it with
    the same new shapes wait for one graph.
    """
    traced = tf.function(function, autograph=False)
    graphs: dict[tuple, Callable] = {}
    xla, lock = jit_compile, Lock()

    def call(*arguments):
        if tf.config.functions_run_eagerly():
            return traced(*arguments)
        shapes = tuple(tuple(tensor.shape) for tensor in tf.nest.flatten(arguments))
        if shapes not in graphs:
            with lock:
                if shapes not in graphs:
                    return first_call(shapes, arguments)
        return graphs[shapes](*arguments)

    def first_call(shapes, arguments):
        nonlocal xla
        graph = traced.get_concrete_function(*arguments)
        if xla:
            try:
                by_xla = tf.function(graph, jit_compile=True, autograph=False).get_concrete_function(*arguments)
                result = by_xla(*arguments)
                graphs[shapes] = by_xla
                return result
            except tf.errors.OpError:  # what XLA does not have; if it is another error, the graph has it too
                xla = False
        graphs[shapes] = graph
        return graph(*arguments)

    return call
