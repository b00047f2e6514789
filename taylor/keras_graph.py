"""The graph of layers inside a Keras model, and walking through it with values of any kind, not only tensors.

The only file of this package that uses what Keras keeps private.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import keras


def layers(model: Any) -> list[keras.Layer]:
    """A model and all layers in it, each once; also those inside its layers and inner models. None of a SavedModel."""
    return list(model._flatten_layers()) if hasattr(model, "_flatten_layers") else []


def has_graph(model: Any) -> bool:
    """Whether a model is functional or a built Sequential, rather than one with a `call` of its own."""
    if not isinstance(model, (keras.Sequential, keras.Function)) or not getattr(model, "outputs", None):
        return False
    definers = [definer(model, method) for method in ("call", "__call__")]
    return all(cls is not None and cls.__module__.startswith("keras.") for cls in definers)


def operation_name(operation: keras.Operation) -> str | None:
    """The class name of one of Keras' own operations that are no layers, such as "Add" for a + b; None of others."""
    cls, modules = type(operation), ("keras.src.ops.", "keras.src.activations.")
    return None if isinstance(operation, keras.Layer) or not cls.__module__.startswith(modules) else cls.__name__


def definer(instance: Any, attribute: str) -> type | None:
    """The class that an attribute of an instance comes from; None where it is its own."""
    if attribute in vars(instance):
        return None
    return next(cls for cls in type(instance).__mro__ if attribute in vars(cls))


def evaluate(model: keras.Model, inputs: list, call: Callable, outputs: list | None = None) -> list:
    """The outputs of a model, with `call(operation, *arguments, **keywords)` in place of `operation(...)`.

    Args:
        model: one that `has_graph`.
        inputs: one value for each of `model.inputs`.
        call: what to do at each operation; its result, or list of results, goes on to the next.
        outputs: symbolic tensors within the model; `model.outputs` if None.

    Returns:
        One value for each of the outputs.
    """
    outputs = model.outputs if outputs is None else outputs
    values: dict[int, Any] = {id(tensor): value for tensor, value in zip(model.inputs, inputs, strict=True)}

    def filled(structure):
        return keras.tree.map_structure(
            lambda leaf: values[id(leaf)] if isinstance(leaf, keras.KerasTensor) else leaf, structure
        )

    for node in _nodes(model, outputs):
        if id(node.outputs[0]) not in values:
            results = call(node.operation, *filled(node.arguments.args), **filled(node.arguments.kwargs))
            results = results if isinstance(results, list) else keras.tree.flatten(results)
            values.update((id(tensor), result) for tensor, result in zip(node.outputs, results, strict=True))
    return [values[id(tensor)] for tensor in outputs]


def in_training_mode(model: keras.Model) -> list[str]:
    """Names of the layers that are called with `training=True`, whatever the model is called with."""
    names = []
    for node in _nodes(model, model.outputs):
        if node.arguments.kwargs.get("training"):
            names.append(node.operation.name)
        if has_graph(node.operation):
            names += in_training_mode(node.operation)
    return names


def producer(tensor: keras.KerasTensor) -> tuple[Any, list[keras.KerasTensor]]:
    """The operation that a symbolic tensor comes from, and the symbolic tensors that it was called with."""
    return tensor._keras_history.operation, _node_of(tensor).input_tensors


def is_called_on(layer: keras.Layer, tensor: keras.KerasTensor) -> bool:
    """Whether one of the calls of a layer, in this model or another, takes a symbolic tensor."""
    return any(other is tensor for node in layer._inbound_nodes for other in node.input_tensors)


def _nodes(model: keras.Model, outputs: list) -> Iterator:
    """The calls that the outputs depend on, each after those it depends on; calls of `keras.Input` are left out."""
    done, stack = set(), [tensor._keras_history for tensor in reversed(outputs)]
    inputs = {id(tensor) for tensor in model.inputs}
    while stack:
        operation, index, _ = stack[-1]
        node = operation._inbound_nodes[index]
        waiting = (
            []
            if id(node) in done
            else [
                tensor._keras_history
                for tensor in node.input_tensors
                if id(tensor) not in inputs and id(_node_of(tensor)) not in done
            ]
        )
        if waiting:
            stack += reversed(waiting)
            continue
        stack.pop()
        if id(node) not in done:
            done.add(id(node))
            if not node.is_input and id(node.outputs[0]) not in inputs:
                yield node


def _node_of(tensor: keras.KerasTensor) -> Any:
    operation, index, _ = tensor._keras_history
    return operation._inbound_nodes[index]


@lru_cache(maxsize=1)
def bookkeeping() -> frozenset[str]:
    """Names of the attributes of any layer or model that its response does not depend on, or that repeat others."""
    of_weights = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance", "embeddings", "recurrent")
    names = {
        *(f"{weight}_{kind}" for weight in of_weights for kind in ("initializer", "regularizer", "constraint")),
        *("_compile_config", "_compiled_trainable_state", "_eval_epoch_iterator", "history", "optimizer"),
        *("stop_training", "stop_evaluating", "stop_predicting"),
        *("_dropout_mask", "_recurrent_dropout_mask"),  # of a recurrent cell, made in a call and gone after it
        # A graph of layers never changes: its outputs stand for it, or the layers of a Sequential model.
        *(
            "_functional",
            "_inputs",
            "_inputs_struct",
            "_outputs_struct",
            "_nodes",
            "_nodes_by_depth",
            "_operations_by_depth",
        ),
    }
    bare = keras.Model(name="bare")
    bare._maybe_initialize_trackable()
    return frozenset((names | set(vars(bare))) - {"_dtype_policy", "_layers", "autocast"})
