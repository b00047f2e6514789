"""What Keras keeps private, which no other file of this package uses: the graph of layers inside a model, mostly."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras


def layers(model: keras.Model) -> list[keras.Layer]:
    """A model and all layers in it, each once; also those inside its layers and inner models."""
    return model._flatten_layers()


def is_functional(model: keras.Model) -> bool:
    """Whether a model is made of `keras.Input`s and outputs, and does no more in its call than to go through them."""
    return hasattr(model, "_run_through_graph") and "call" not in {
        name for kind in type(model).__mro__ if not kind.__module__.startswith("keras.") for name in vars(kind)
    }


def as_only_input(model: keras.Model, value: Any) -> Any:
    """A value in the structure, a dict, a list or bare, that a model of one input was built with."""
    return keras.tree.map_structure(lambda _: value, getattr(model, "_inputs_struct", 0))


def followers(layer: keras.Layer) -> list[keras.Operation]:
    """The operations that a layer's output goes to, in any model that the layer is part of."""
    return [node.operation for node in layer._outbound_nodes]


def producer(tensor: keras.KerasTensor) -> tuple[keras.Operation, list[keras.KerasTensor]]:
    """The operation that a symbolic tensor comes from, and the symbolic tensors that it was called with."""
    operation, index, _ = tensor._keras_history
    return operation, operation._inbound_nodes[index].input_tensors


def evaluate(model: keras.Model, inputs: list, call: Callable) -> list:
    """The outputs of a model, with `call(operation, *arguments, **keywords)` in place of `operation(...)`.

    Args:
        model: functional.
        inputs: one value, of any kind, for each of `model.inputs`.
        call: what to do at each operation; its result goes on to the next.

    Returns:
        One value for each of `model.outputs`.
    """
    outputs: Any = model._run_through_graph(inputs, operation_fn=lambda operation: partial(call, operation))
    return keras.tree.flatten(outputs)


def begin_at(model: keras.Model, epoch: int | None) -> None:
    """Lets the `fit` that has called `on_train_begin` begin at an epoch; None for that of its `initial_epoch`."""
    model._initial_epoch = epoch
