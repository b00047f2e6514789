"""The response of a network: one of its outputs, as a function of those inputs that are analysed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from taylor import keras_graph
from taylor.activations import canonical

TARGETS = ("output", "logit")
WINNING = "winning"  # in place of a column: the one with the largest output at each event

# Events in memory, as a model takes them: one array, or one for each of its inputs.
Events: TypeAlias = ArrayLike | tf.Tensor | Mapping[str, ArrayLike | tf.Tensor] | Sequence[ArrayLike | tf.Tensor]


@dataclass(frozen=True)
class Outputs:
    """Several columns of one output tensor, to be analysed together.

    Attributes:
        tensor: name or position of the output tensor.
        columns: those wanted; None for all.
    """

    tensor: int | str = 0
    columns: tuple[int, ...] | None = None


class Response:
    """One output of a Keras model, or several of one output tensor, and the inputs to differentiate in.

    Args:
        model: any Keras model on flat events: inputs (n_events, width), outputs (n_events, n_outputs) or (n_events,).
        inputs: names of the model's inputs to analyse, in the order wanted; the others are held fixed at the values of
            each event. None for the only input, for "features" in a parametric model, else for all.
        output: column of the output to analyse, or "winning" for the largest one at each event; for a model of several
            output tensors a pair (name or position, one of these). `Outputs` for several columns.
        target: "output", or "logit" for what goes into the last sigmoid or softmax.

    Attributes:
        input_names: names of all inputs of the model, in its own order.
        analysed: positions among them of the analysed ones.
        has_graph: whether the model's layers and their connections can be read.
        tensor: position of the output tensor.
        columns: those of it that are analysed; all if only the winning one is, None if their number is unknown.
        winning: whether the response is the largest output at each event.

    Raises:
        TypeError: not a Keras model.
        ValueError: an unknown input, output or target, a model without inputs yet, an integer input, mixed precision,
            quantized layers, a layer that was told to run in training mode, a "logit" that cannot be found.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        inputs: Sequence[str] | None = None,
        output: int | str | Sequence[int | str] | Outputs = 0,
        target: str = "output",
    ):
        if not isinstance(model, keras.Model):
            raise TypeError(f"Expected a keras.Model. Received: {type(model).__name__}")
        if target not in TARGETS:
            raise ValueError(f"Expected target to be one of {TARGETS}. Received: target={target!r}")
        if isinstance(model, keras.Sequential) and not model.built:
            raise ValueError(
                "Expected a model with known inputs. Received: a Sequential without. Begin it with keras.Input((n,)), "
                "or call it on events before."
            )
        self.model, self.target = model, target
        self.has_graph = keras_graph.has_graph(model)
        self.input_names = _input_names(model) if self.has_graph else ("x",)
        self.analysed = _analysed(self.input_names, inputs)
        _check_model(model, self.has_graph)
        self.winning = (output[1] if isinstance(output, (tuple, list)) else output) == WINNING
        self.tensor, self.columns = self._output(output)
        self._last = self._last_operation() if target == "logit" else None

    @property
    def dtype(self) -> tf.DType:
        """That of the model's output."""
        return tf.as_dtype(self.model.outputs[self.tensor].dtype if self.has_graph else self.model.compute_dtype)

    @property
    def n_outputs(self) -> int:
        """How many outputs are analysed at each event."""
        return 1 if self.winning else len(self.columns)

    def __call__(self, tensors: Sequence[tf.Tensor]) -> tf.Tensor:
        """The response to one tensor for each of `input_names`, at inference.

        Returns:
            (n_events,) for one output, (n_events, n_outputs) for several.
        """
        if self._last is not None:
            layer, argument = self._last
            (z,) = keras_graph.evaluate(self.model, list(tensors), _call, outputs=[argument])
            return self._chosen(operation_without_activation(layer, z))
        if self.has_graph:
            structure = keras.tree.pack_sequence_as(_input_structure(self.model), list(tensors))
            results = keras.tree.flatten(self.model(structure, training=False))
        else:
            results = keras.tree.flatten(self.model(tensors[0], training=False))
        result = results[self.tensor]
        return self._chosen(result[:, None] if result.shape.rank == 1 else result)

    def _chosen(self, values: tf.Tensor) -> tf.Tensor:
        """The analysed ones of all columns (n_events, width)."""
        if self.winning:
            return tf.reduce_sum(tf.where(largest(values) > 0, values, 0), axis=1)
        for column in self.columns:
            _require_column(column, values.shape[1])
        return values[:, self.columns[0]] if len(self.columns) == 1 else tf.gather(values, self.columns, axis=1)

    def arrange(self, x: Events) -> tuple:
        """Events as one array or tensor for each of `input_names`; nothing is copied.

        Args:
            x: as the model takes it: an array, a dict by name, or a sequence in the order of the model's inputs; or the
                specification of such tensors.

        Raises:
            TypeError: whole numbers in an analysed input.
            ValueError: an input that is missing or too much, or of a wrong shape.
        """
        parts = [_array(part) for part in _parts(x, self.input_names)]
        for i, (name, part) in enumerate(zip(self.input_names, parts, strict=True)):
            width = self.model.inputs[i].shape[-1] if self.has_graph else None
            if len(part.shape) != 2 or (width is not None and part.shape[1] != width):
                expected = f"({'n_events'}, {'n_inputs' if width is None else width})"
                raise ValueError(f"Expected {name!r} of shape {expected}. Received: {tuple(part.shape)}")
            if i in self.analysed and not tf.as_dtype(part.dtype).is_floating:
                raise TypeError(
                    f"Expected floating-point numbers in {name!r}: there is no derivative in a whole number. Received: "
                    f"{tf.as_dtype(part.dtype).name}. If it stands for a continuous quantity, use .astype('float32')."
                )
        return tuple(parts)

    def column_names(self, x: Events) -> tuple[str, ...]:
        """A name for each analysed column of `x`, as `arrange` takes it.

        Those of a data frame; else x1, x2, ..., with the input's name in place of x if several are analysed.
        """
        parts = _parts(x, self.input_names)
        names: list[str] = []
        for i in self.analysed:
            if hasattr(parts[i], "columns"):
                names += map(str, parts[i].columns)
                continue
            width = _array(parts[i]).shape[1]
            stem = self.input_names[i] if len(self.analysed) > 1 else "x"
            names += [stem] if len(self.analysed) > 1 and width == 1 else [f"{stem}{k + 1}" for k in range(width)]
        return tuple(names)

    def _output(self, output: int | str | Sequence[int | str] | Outputs) -> tuple[int, tuple[int, ...] | None]:
        if isinstance(output, Outputs):
            tensor, columns = output.tensor, output.columns
        else:
            tensor, column = output if isinstance(output, (tuple, list)) else (0, output)
            columns = None if self.winning else (column,)
        if not self.has_graph:
            if columns is None and not self.winning:
                raise ValueError(
                    f"Expected outputs as columns, or as {{name: column}}: {type(self.model).__name__} does not say "
                    "how many it has."
                )
            return tensor, columns
        names = getattr(self.model, "output_names", ["output"])  # a Sequential model has one
        tensor = names.index(tensor) if tensor in names else tensor
        if tensor not in range(len(names)):
            raise ValueError(f"Expected one of the output tensors {names}. Received: output={output!r}")
        shape = self.model.outputs[tensor].shape
        if len(shape) > 2:
            raise ValueError(f"Expected a model with outputs of shape (n_events, n_outputs). Received: {shape}")
        width = shape[1] if len(shape) == 2 else 1
        columns = tuple(range(width)) if columns is None else columns
        for column in columns:
            _require_column(column, width)
        return tensor, columns

    def _last_operation(self) -> tuple[keras.Operation, keras.KerasTensor]:
        """The layer of the last activation, and the symbolic tensor that it is called on."""
        if self.has_graph:
            layer, arguments = keras_graph.producer(self.model.outputs[self.tensor])
            last = keras_graph.operation_name(layer) or canonical(getattr(layer, "activation", layer))
            if last in ("Sigmoid", "Softmax", keras.activations.sigmoid, keras.activations.softmax):
                return layer, arguments[0]
        raise ValueError(
            "target='logit' needs a functional model whose last layer has the activation sigmoid or softmax. Otherwise "
            "make a model that ends before its last activation, and analyse that with target='output'."
        )


def operation_without_activation(layer: keras.Layer, x: tf.Tensor) -> tf.Tensor:
    """What goes into the activation of a Dense, Activation or Softmax layer."""
    if not isinstance(layer, keras.layers.Dense):
        return x
    z = x @ tf.convert_to_tensor(layer.kernel)
    return z if layer.bias is None else z + tf.convert_to_tensor(layer.bias)


def largest(values: tf.Tensor) -> tf.Tensor:
    """(n_events, width) 1 for the largest value of each event, the first of equal ones, and 0 for the others."""
    return tf.one_hot(tf.argmax(values, axis=1), values.shape[1], dtype=values.dtype)


def _call(operation: keras.Operation, *arguments: Any, **keywords: Any) -> Any:
    return operation(*arguments, **keywords)


def _require_column(column: int, width: int) -> None:
    if column not in range(width):
        raise ValueError(f"Expected output to be a column below {width}. Received: output={column!r}")


def _input_names(model: keras.Model) -> tuple[str, ...]:
    structure = _input_structure(model)
    return tuple(sorted(structure)) if isinstance(structure, dict) else tuple(t.name for t in model.inputs)


def _input_structure(model: keras.Model) -> Any:
    """One symbolic tensor, or a list or dict of them: what the model is called with."""
    return model.inputs[0] if isinstance(model, keras.Sequential) else model.input


def _analysed(names: tuple[str, ...], inputs: str | Sequence[str] | None) -> tuple[int, ...]:
    if inputs is None:
        return (names.index("features"),) if "features" in names else tuple(range(len(names)))
    inputs = (inputs,) if isinstance(inputs, str) else tuple(inputs)
    if not inputs or not set(inputs) <= set(names):
        raise ValueError(f"Expected inputs to name some of {names}. Received: inputs={inputs}")
    return tuple(names.index(name) for name in inputs)


def _parts(x: Events, names: tuple[str, ...]) -> tuple:
    if isinstance(x, dict):
        if set(x) != set(names):
            raise ValueError(f"Expected the inputs {names}. Received: {tuple(x)}")
        parts = tuple(x[name] for name in names)
    elif isinstance(x, (tuple, list)) and len(names) > 1:
        parts = tuple(x)
    else:
        parts = (x,)
    if len(parts) != len(names):
        raise ValueError(f"Expected one array for each of the inputs {names}. Received: {len(parts)}")
    return parts


def _array(part: Any) -> Any:
    return part if hasattr(part, "shape") and hasattr(part, "dtype") else np.asarray(part)


def _check_model(model: keras.Model, has_graph: bool) -> None:
    dtypes = {layer.compute_dtype for layer in keras_graph.layers(model)} - {None}
    if low := sorted(dtypes & {"float16", "bfloat16"}):
        raise ValueError(
            f"Expected a model that computes in float32 or float64. Received: {low[0]}, whose 8 or 11 binary digits "
            "leave little of a second derivative. Load the weights into a model made with dtype='float32'."
        )
    quantized = [layer.name for layer in keras_graph.layers(model) if getattr(layer, "quantization_mode", None)]
    if quantized:
        raise ValueError(
            f"Expected layers with floating-point weights and inputs. Received: quantized layers {quantized}, whose "
            "response goes in steps and has no derivative. Analyse the model as it was before quantize()."
        )
    if not has_graph:
        return
    if integers := [t.name for t in model.inputs if not tf.as_dtype(t.dtype).is_floating]:
        raise ValueError(
            f"Expected inputs of floating-point numbers. Received: integers in {integers}, in which there is no "
            "derivative. Analyse the part of the model that follows their embedding."
        )
    if training := keras_graph.in_training_mode(model):
        raise ValueError(
            f"Expected a model at inference. Received: layers that were called with training=True: {training}. Their "
            "response is random, or depends on the other events: build the model without it."
        )
