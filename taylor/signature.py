"""What a model is called with, and its call: Keras models, those of Keras 2 (`tf_keras`) and SavedModels alike."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from taylor import keras_graph
from taylor.events import array_of, event_shape, is_table, parts_of

ENDPOINTS = ("serve", "serving_default")


class Signature(NamedTuple):
    """The inputs of a model.

    Attributes:
        names: one an input.
        shapes: of one event, an input each, such as (n_features,), or () for a number. With None for a length that is
            not known, or in place of a shape.
        dtypes: one an input; None for floating-point numbers, which are taken in any precision.
        packing: how the tensors are handed over: by "keras" or "keras 2", as "keywords", "dict", "list", or "one".
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int | None, ...] | None, ...]
    dtypes: tuple[tf.DType | None, ...]
    packing: str


def signature_of(model: Any, x: Any = None) -> Signature:
    """What a model takes; what it does not know itself is that of events, or of their specification.

    Raises:
        TypeError: not a model.
        ValueError: a model without inputs yet.
    """
    if isinstance(model, keras.Sequential) and not model.built:
        raise ValueError(
            "Expected a model with known inputs. Received: a Sequential without. Begin it with keras.Input((n,)), "
            "or call it on events before."
        )
    if is_saved_model(model):
        specs = endpoint(model).structured_input_signature[1]
        names = tuple(sorted(specs))
        signature = _signature(names, [specs[name] for name in names], "keywords")
    elif keras_graph.has_graph(model):
        structure = _input_structure(model)
        names = tuple(sorted(structure)) if isinstance(structure, dict) else tuple(t.name for t in model.inputs)
        signature = _signature(names, model.inputs, "keras")
    elif is_keras_2(model) and getattr(model, "inputs", None):
        names = tuple(sorted(model.input)) if isinstance(model.input, dict) else tuple(model.input_names)
        signature = _signature(names, model.inputs, "keras 2")
    elif isinstance(model, keras.Model) or is_keras_2(model):
        return Signature(("x",), (None,), (None,), "one") if x is None else _signature_of_events(x)
    else:
        way_out = ". Load it with keras.models.load_model or tf.saved_model.load" if isinstance(model, str) else ""
        raise TypeError(f"Expected a keras.Model, or a loaded SavedModel. Received: {type(model).__name__}{way_out}")
    if x is None or not any(shape and None in shape for shape in signature.shapes):
        return signature
    parts = parts_of(x, signature.names)
    return signature._replace(shapes=tuple(map(_filled_in, signature.shapes, parts)))


def call(model: Any, signature: Signature, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """The outputs of a model at inference, for one tensor an input."""
    tensors = list(tensors)
    named = dict(zip(signature.names, tensors, strict=True))
    match signature.packing:
        case "keywords":
            served = endpoint(model)
            specs = served.structured_input_signature[1]
            return keras.tree.flatten(served(**{n: tf.cast(tensor, specs[n].dtype) for n, tensor in named.items()}))
        case "keras":
            structure = keras.tree.pack_sequence_as(_input_structure(model), tensors)
        case "keras 2":
            structure = tf.nest.pack_sequence_as(model.input, tensors)
        case "dict":
            structure = named
        case "list":
            structure = tensors
        case _:
            (structure,) = tensors
    return keras.tree.flatten(model(structure, training=False))


def output_names(model: Any) -> list[str] | None:
    """One for each of the output tensors of `call`; None if only a call tells."""
    if is_saved_model(model):
        return sorted(endpoint(model).structured_outputs)
    if keras_graph.has_graph(model):
        return getattr(model, "output_names", ["output"])  # a Sequential model has one
    return list(model.output_names) if is_keras_2(model) and getattr(model, "outputs", None) else None


def output_dtype(model: Any, tensor: int) -> tf.DType:
    """Of one of the output tensors of `call`."""
    if is_saved_model(model):
        served = endpoint(model).structured_outputs
        return served[sorted(served)[tensor]].dtype
    return tf.as_dtype(model.outputs[tensor].dtype if getattr(model, "outputs", None) else model.compute_dtype)


def output_shape(model: Any, tensor: int) -> tuple[int | None, ...]:
    """Of one of the output tensors of `call`, of a model that has `output_names`."""
    if is_saved_model(model):
        served = endpoint(model).structured_outputs
        return tuple(served[sorted(served)[tensor]].shape)
    return tuple(model.outputs[tensor].shape)


def require_differentiable(model: Any, order: int) -> None:
    """Raises ValueError for a SavedModel whose derivatives by TensorFlow fail or, above the first order, are wrong."""
    if not is_saved_model(model):
        return
    graph = endpoint(model).graph.as_graph_def()
    found = {node.op for function in graph.library.function for node in function.node_def}
    if unfit := found & {"While", "StatelessWhile", *(["StopGradient"] if order > 1 else [])}:
        raise ValueError(
            "Expected a SavedModel without loops, as of recurrent layers, and above the first order without "
            f"tf.stop_gradient, as of LayerNormalization. Received: {sorted(unfit)}. Analyse the Keras model that was "
            "exported."
        )


def is_saved_model(model: Any) -> bool:
    """Whether it is what `tf.saved_model.load` returns."""
    return hasattr(model, "signatures") and not isinstance(model, keras.Model)


def is_keras_2(model: Any) -> bool:
    """Whether it is a model of `tf_keras`."""
    return isinstance(model, tf.Module) and callable(model) and hasattr(model, "compute_dtype")


def endpoint(saved_model: Any) -> Any:
    """The function that a SavedModel is served by.

    Raises:
        ValueError: several, of which none is called as in ENDPOINTS; or none.
    """
    found = saved_model.signatures
    for name in (*ENDPOINTS, *(found if len(found) == 1 else ())):
        if name in found:
            return found[name]
    raise ValueError(
        f"Expected a SavedModel with one endpoint, or one of {ENDPOINTS}. Received: {sorted(found)}. Write it with "
        "model.export(path)."
    )


def _signature(names: tuple[str, ...], tensors: Sequence, packing: str) -> Signature:
    dtypes = [tf.as_dtype(tensor.dtype) for tensor in tensors]
    return Signature(
        names,
        tuple(tuple(tensor.shape)[1:] for tensor in tensors),
        tuple(None if dtype.is_floating else dtype for dtype in dtypes),
        packing,
    )


def _signature_of_events(x: Any) -> Signature:
    """Of a model with a `call` of its own: one input, a dict of them, or a list of arrays that have columns."""
    if isinstance(x, Mapping):
        names, packing = tuple(sorted(x)), "dict"
    elif isinstance(x, (tuple, list)) and x and all(len(getattr(part, "shape", ())) > 1 for part in x):
        names, packing = tuple(f"input{i + 1}" for i in range(len(x))), "list"
    else:
        names, packing = ("x",), "one"
    parts = parts_of(x, names)
    dtypes = [None if is_table(part) else tf.as_dtype(array_of(part).dtype) for part in parts]
    whole = tuple(dtype if dtype is not None and dtype.is_integer else None for dtype in dtypes)
    return Signature(names, tuple(map(event_shape, parts)), (None,) if packing == "one" else whole, packing)


def _filled_in(shape: tuple[int | None, ...] | None, part: Any) -> tuple[int | None, ...] | None:
    """The shape of an event, with what it lacks as in these events."""
    given = event_shape(part)
    if shape is None or len(given) != len(shape):
        return shape
    return tuple(b if a is None else a for a, b in zip(shape, given, strict=True))


def _input_structure(model: keras.Model) -> Any:
    """One symbolic tensor, or a list or dict of them: what the model is called with."""
    return model.inputs[0] if isinstance(model, keras.Sequential) else model.input
