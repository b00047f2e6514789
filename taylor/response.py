"""The response of a network: one of its outputs, as a function of those inputs that are analysed."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import keras
import tensorflow as tf
from numpy.typing import ArrayLike

from taylor import keras_graph
from taylor.activations import canonical
from taylor.events import column_names, event_shape, flat, parts_of
from taylor.signature import Signature, call, output_dtype, output_names, output_shape, signature_of

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
        model: a Keras model, one of `tf_keras`, or a loaded SavedModel, with outputs (n_events, n_outputs) or
            (n_events,).
        inputs: names of the model's inputs to analyse, in the order wanted; the others are held fixed at the values of
            each event. None for "features" if there is an input of that name, else for all of floating-point numbers.
        output: column of the output to analyse, or "winning" for the largest one at each event; for a model of several
            output tensors a pair (name or position, one of these). `Outputs` for several columns.
        target: "output", or "logit" for what goes into the last sigmoid or softmax.
        signature: of the model, if events tell what it does not know itself.

    Attributes:
        signature: names, shapes and types of all inputs.
        input_names: names of all inputs of the model, in its own order.
        analysed: positions among them of the analysed ones.
        has_graph: whether the model's layers and their connections can be read.
        tensor: position of the output tensor.
        columns: those of it that are analysed; all if only the winning one is, none if their number is unknown.
        winning: whether the response is the largest output at each event.

    Raises:
        TypeError: not a model.
        ValueError: an unknown input, output or target, a model without inputs yet, an analysed input of whole numbers,
            mixed precision, a quantized layer or one that was told to run in training mode, a "logit" that cannot be
            found.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        inputs: Sequence[str] | None = None,
        output: int | str | Sequence[int | str] | Outputs = 0,
        target: str = "output",
        signature: Signature | None = None,
    ):
        if target not in TARGETS:
            raise ValueError(f"Expected target to be one of {TARGETS}. Received: target={target!r}")
        self._model: Callable[[], Any] = lambda: model
        self.target = target
        self.has_graph = keras_graph.has_graph(model)
        self.signature = signature_of(model) if signature is None else signature
        self.input_names = self.signature.names
        self.analysed = _analysed(self.signature, inputs)
        _check_model(model, self.has_graph)
        self.winning = (output[1] if isinstance(output, (tuple, list)) else output) == WINNING
        self.tensor, self.columns = self._output(output)
        self._last = self._last_operation() if target == "logit" else None

    @property
    def model(self) -> keras.Model:
        """The Keras model."""
        model = self._model()
        if model is None:
            raise ReferenceError("The model of this response is no longer there. Keep it in a variable of its own.")
        return model

    def let_go(self) -> "Response":
        """Itself, from now on without keeping the model alive: for what is kept as long as the model is there."""
        self._model = weakref.ref(self.model)
        return self

    @property
    def dtype(self) -> tf.DType:
        """That of the model's output."""
        return output_dtype(self.model, self.tensor)

    @property
    def dtypes(self) -> tuple[tf.DType, ...]:
        """Of the tensors that it takes, one for each of `input_names`."""
        return tuple(dtype or self.dtype for dtype in self.signature.dtypes)

    def shaped(self, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Flat events (n_events, width) of each input in the shape that the model takes them in."""
        shapes = self.signature.shapes
        return [
            tensor if shape is None or len(shape) == 1 else tf.reshape(tensor, (-1, *shape))
            for tensor, shape in zip(tensors, shapes, strict=True)
        ]

    @property
    def n_outputs(self) -> int:
        """How many outputs are analysed at each event."""
        return 1 if self.winning else len(self.columns)

    def __call__(self, tensors: Sequence[tf.Tensor]) -> tf.Tensor:
        """The response to flat events (n_events, width), a tensor for each of `input_names`, at inference.

        Returns:
            (n_events,) for one output, (n_events, n_outputs) for several.
        """
        tensors = self.shaped(_of_as_many_events(tensors))
        if self._last is not None:
            layer, argument = self._last
            (z,) = keras_graph.evaluate(self.model, tensors, _call, outputs=[argument])
            return self._chosen(operation_without_activation(layer, z))
        results = call(self.model, self.signature, tensors)
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
        """Events as one array or tensor (n_events, width) for each of `input_names`; what is flat is not copied.

        Args:
            x: as the model takes it: an array, a dict by name, a table, or a sequence in the order of the model's
                inputs; or the specification of such tensors.

        Raises:
            TypeError: whole numbers in an analysed input, or other numbers where the model takes whole ones.
            ValueError: an input that is missing or too much, or of a wrong shape.
        """
        names, shapes, dtypes, _ = self.signature
        return tuple(
            flat(part, name, event_shape(part) if shape is None else shape, dtype, i in self.analysed)
            for i, part, name, shape, dtype in zip(
                range(len(names)), parts_of(x, names), names, shapes, dtypes, strict=True
            )
        )

    def column_names(self, x: Events) -> tuple[str, ...]:
        """A name for each analysed column of `x`, as `arrange` takes it.

        Those of a data frame; else x1, x2, ..., or x[1,2] for the second number of the first row of an event; with the
        input's name in place of x if several are analysed.
        """
        parts, alone = parts_of(x, self.input_names), len(self.analysed) == 1
        names: list[str] = []
        for i in self.analysed:
            shape = self.signature.shapes[i]
            shape = event_shape(parts[i]) if shape is None else shape
            names += column_names(parts[i], "x" if alone else self.input_names[i], shape, alone)
        return tuple(names)

    def _output(self, output: int | str | Sequence[int | str] | Outputs) -> tuple[int, tuple[int, ...]]:
        if isinstance(output, Outputs):
            tensor, columns = output.tensor, output.columns
        else:
            tensor, column = output if isinstance(output, (tuple, list)) else (0, output)
            columns = None if self.winning else (column,)
        names = output_names(self.model)
        if names is None:
            if columns is None and not self.winning:
                raise ValueError(
                    f"Expected outputs as columns, or as {{name: column}}: {type(self.model).__name__} does not say "
                    "how many it has."
                )
            return int(tensor), columns or ()
        tensor = names.index(tensor) if tensor in names else tensor
        if tensor not in range(len(names)):
            raise ValueError(f"Expected one of the output tensors {names}. Received: output={output!r}")
        tensor = int(tensor)
        shape = output_shape(self.model, tensor)
        width = shape[1] if len(shape) == 2 else 1
        if len(shape) > 2 or width is None:
            raise ValueError(f"Expected a model with outputs of shape (n_events, n_outputs). Received: {shape}")
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
            "make a model that ends before its last activation, export that one if it is to be a SavedModel, and "
            "analyse it with target='output'."
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


def _of_as_many_events(tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """With copies of a single row that is meant for all events."""
    many = [tensor for tensor in tensors if tensor.shape[0] != 1]
    if not many or len(many) == len(tensors):
        return list(tensors)
    n_events = many[0].shape[0] or tf.shape(many[0])[0]
    return [tf.repeat(tensor, n_events, axis=0) if tensor.shape[0] == 1 else tensor for tensor in tensors]


def _require_column(column: int, width: int) -> None:
    if column not in range(width):
        raise ValueError(f"Expected output to be a column below {width}. Received: output={column!r}")


def _analysed(signature: Signature, inputs: str | Sequence[str] | None) -> tuple[int, ...]:
    names = signature.names
    if inputs is None:
        continuous = tuple(i for i, dtype in enumerate(signature.dtypes) if dtype is None)
        inputs = ("features",) if "features" in names else tuple(names[i] for i in continuous) or names
    inputs = (inputs,) if isinstance(inputs, str) else tuple(inputs)
    if not inputs or not set(inputs) <= set(names):
        raise ValueError(f"Expected inputs to name some of {names}. Received: inputs={inputs}")
    analysed = tuple(names.index(name) for name in inputs)
    if integers := [names[i] for i in analysed if signature.dtypes[i] is not None]:
        raise ValueError(
            f"Expected floating-point numbers in the analysed inputs. Received: whole numbers in {integers}, in which "
            "there is no derivative. Name others as inputs=[...], or analyse the part of the model that follows the "
            "embedding."
        )
    return analysed


def _check_model(model: Any, has_graph: bool) -> None:
    layers = keras_graph.layers(model)
    dtypes = {getattr(layer, "compute_dtype", None) for layer in layers}
    if low := sorted({"float16", "bfloat16"} & dtypes):
        raise ValueError(
            f"Expected a model that computes in float32 or float64. Received: {low[0]}, whose 8 or 11 binary digits "
            "leave little of a second derivative. Load the weights into a model made with dtype='float32'."
        )
    if quantized := [layer.name for layer in layers if getattr(layer, "quantization_mode", None)]:
        raise ValueError(
            f"Expected a model without quantized layers. Received: {quantized}, whose rounding has no derivative. "
            "Analyse the model as it was before model.quantize(...)."
        )
    if has_graph and (training := keras_graph.in_training_mode(model)):
        raise ValueError(
            f"Expected a model at inference. Received: layers that were called with training=True: {training}. Their "
            "response is random, or depends on the other events: build the model without it."
        )
