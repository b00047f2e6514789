"""A Keras model as an ONNX graph, by way of the TensorFlow operations that it consists of.

Layers are taken apart by TensorFlow itself, so that those of this package, of Keras and of a user are the same here:
what counts is which operations they use. Everything is computed in float32, also where the model has another precision.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import tensorflow as tf

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    raise ImportError("export_onnx needs the package onnx: pip install keras-hep[onnx].") from error

OPSET, IR_VERSION = 13, 7  # of 2021: onnxruntime from 1.7 on reads them
LAST = np.iinfo(np.int64).max  # the end of an axis, whatever its length

# Operations that ONNX has under the same or another name, with the same arguments.
_SAME = "Abs Add Elu Erf Exp Greater Identity Less Log Mul Neg Pow Reciprocal Relu Reshape Selu Shape Sigmoid Softmax "
_SAME += "Softplus Softsign Sqrt Sub Tanh"
SAME = {name: name for name in _SAME.split()}
SAME |= {"AddV2": "Add", "BiasAdd": "Add", "GreaterEqual": "GreaterOrEqual", "LessEqual": "LessOrEqual"}
SAME |= {"LogicalAnd": "And", "LogicalNot": "Not", "LogicalOr": "Or", "Maximum": "Max", "Minimum": "Min"}
SAME |= {"PreventGradient": "Identity", "RealDiv": "Div", "SelectV2": "Where", "StopGradient": "Identity"}
REDUCTIONS = {"Max": "ReduceMax", "Mean": "ReduceMean", "Min": "ReduceMin", "Prod": "ReduceProd", "Sum": "ReduceSum"}


def to_onnx(function: tf.types.experimental.ConcreteFunction, output: str) -> onnx.ModelProto:
    """Translates a graph without variables.

    Args:
        function: of tensors (n_events, ...), with names, that returns one. All its constants are in it or captured.
        output: name of the result.

    Returns:
        An ONNX model with the same inputs, float32, for any number of events.

    Raises:
        ValueError: an operation that has no translation here, or none with arguments that depend on the events.
    """
    graph = _Graph()
    captured = function.inputs[len(function.inputs) - len(function.captured_inputs) :]
    for tensor, value in zip(captured, function.captured_inputs, strict=True):
        if value.dtype != tf.resource:
            graph.names[tensor.name] = graph.constant(value.numpy())
    inputs = function.inputs[: len(function.inputs) - len(captured)]
    graph.names |= {tensor.name: tensor.op.name for tensor in inputs}
    (result,) = function.outputs
    for operation in _needed(result):
        graph.translate(operation)
    graph.add("Identity", [graph.names[result.name]], output)
    used = set(chain.from_iterable(node.input for node in graph.nodes))
    body = helper.make_graph(
        graph.nodes,
        output,
        [_described(tensor.op.name, tensor) for tensor in inputs],
        [_described(output, result)],
        [constant for constant in graph.constants if constant.name in used],
    )
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="keras-hep")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model)
    return model


def _needed(result: tf.Tensor) -> list[tf.Operation]:
    """The operations that a tensor depends on, in an order in which each follows its inputs."""
    needed, waiting = set(), [result.op]
    while waiting:
        operation = waiting.pop()
        if operation.name not in needed:
            needed.add(operation.name)
            waiting += [tensor.op for tensor in operation.inputs]
    return [operation for operation in result.graph.get_operations() if operation.name in needed]


def _described(name: str, tensor: tf.Tensor) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n_events", *tensor.shape[1:]])


class _Graph:
    """Nodes and constants, and the name in ONNX of each tensor of TensorFlow that has one."""

    def __init__(self):
        self.nodes, self.constants, self.names = [], [], {}

    def translate(self, operation: tf.Operation) -> None:
        kind, names = operation.type, [tensor.name for tensor in operation.outputs]
        if kind == "Placeholder" and names[0] in self.names:
            return
        if kind == "Const":
            self.names[names[0]] = self.constant(_static(operation, operation.outputs[0]))
            return
        inputs = [self.names[tensor.name] for tensor in operation.inputs]
        if kind == "IdentityN":
            self.names |= zip(names, inputs, strict=True)
        elif kind in SAME:
            self.names[names[0]] = self.add(SAME[kind], inputs)
        elif kind in COMPOSED:
            self.names[names[0]] = COMPOSED[kind](self, operation, *inputs)
        else:
            raise ValueError(
                f"export_onnx does not know the operation {kind} of TensorFlow, in {operation.name!r}. Make the layer "
                "of other operations, or export_savedmodel and convert that, such as with the package tf2onnx."
            )

    def add(self, kind: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """A node; returns the name of its output."""
        output = f"{kind}_{len(self.nodes)}" if output is None else output
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, value: Any) -> str:
        value = np.asarray(value)
        if value.dtype != bool:
            value = value.astype(np.int64 if np.issubdtype(value.dtype, np.integer) else np.float32)
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name


def _static(operation: tf.Operation, tensor: tf.Tensor) -> np.ndarray:
    """The value of a tensor that does not depend on the events."""
    value = tf.get_static_value(tensor)
    if value is None:
        raise ValueError(
            f"export_onnx needs the arguments of {operation.type}, in {operation.name!r}, to be constants: a shape, "
            "axis or index that depends on the events is not translated."
        )
    return value


def _integers(operation: tf.Operation, place: int) -> list[int]:
    """An input of an operation that holds axes, or a shape, as numbers."""
    return np.atleast_1d(_static(operation, operation.inputs[place])).tolist()


def _cast(graph, operation, x):
    dtype = operation.outputs[0].dtype
    if dtype.is_floating and operation.inputs[0].dtype.is_floating:
        return x
    kind = TensorProto.BOOL if dtype.is_bool else TensorProto.FLOAT if dtype.is_floating else TensorProto.INT64
    return graph.add("Cast", [x], to=kind)


def _matmul(graph, operation, *factors):
    transposed = [operation.get_attr(f"transpose_{side}") for side in "ab"]
    factors = [
        graph.add("Transpose", [factor], perm=[1, 0]) if swap else factor
        for factor, swap in zip(factors, transposed, strict=True)
    ]
    return graph.add("MatMul", factors)


def _concatenate(graph, operation, *inputs):
    return graph.add("Concat", inputs[:-1], axis=_integers(operation, -1)[0])


def _reduce(graph, operation, x, _):
    axes, keepdims = _integers(operation, 1), int(operation.get_attr("keep_dims"))
    if operation.type == "Sum":
        return graph.add("ReduceSum", [x, graph.constant(axes)], keepdims=keepdims)
    return graph.add(REDUCTIONS[operation.type], [x], axes=axes, keepdims=keepdims)


def _all(graph, operation, x, _):
    axes, keepdims = _integers(operation, 1), int(operation.get_attr("keep_dims"))
    number = graph.add("Cast", [x], to=TensorProto.FLOAT)
    least = graph.add("ReduceMin", [number], axes=axes, keepdims=keepdims)
    return graph.add("Cast", [least], to=TensorProto.BOOL)


def _slice(graph, operation, x, *_):
    """A part of a tensor, as x[begin:end:strides]; the attributes are masks of bits, one for each of these."""
    masks = {
        name: operation.get_attr(f"{name}_mask") for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    begins, ends, strides = (_integers(operation, place) for place in (1, 2, 3))
    rank, axis = operation.inputs[0].shape.rank, 0
    n_real = sum(not masks["new_axis"] >> i & 1 and not masks["ellipsis"] >> i & 1 for i in range(len(begins)))
    slices, dropped, new, n_out = [], [], [], 0
    for i, (begin, end, stride) in enumerate(zip(begins, ends, strides, strict=True)):
        is_set = {name: bool(mask >> i & 1) for name, mask in masks.items()}
        if is_set["ellipsis"]:
            axis, n_out = axis + rank - n_real, n_out + rank - n_real
        elif is_set["new_axis"]:
            new.append(n_out)
            n_out += 1
        else:
            if is_set["shrink_axis"]:
                end, stride = begin + 1 or LAST, 1
                dropped.append(axis)
            else:
                begin = (0 if stride > 0 else LAST) if is_set["begin"] else begin
                end = (LAST if stride > 0 else -LAST) if is_set["end"] else end
                n_out += 1
            slices.append((begin, end, axis, stride))
            axis += 1
    if slices:
        x = graph.add("Slice", [x, *map(graph.constant, zip(*slices, strict=True))])
    if dropped:
        x = graph.add("Squeeze", [x, graph.constant(dropped)])
    return graph.add("Unsqueeze", [x, graph.constant(new)]) if new else x


def _pack(graph, operation, *inputs):
    axis = graph.constant([operation.get_attr("axis")])
    return graph.add("Concat", [graph.add("Unsqueeze", [x, axis]) for x in inputs], axis=operation.get_attr("axis"))


def _squeeze(graph, operation, x):
    return graph.add("Squeeze", [x, graph.constant(operation.get_attr("squeeze_dims"))])


def _gather(graph, operation, x, index, _):
    return graph.add("Gather", [x, index], axis=_integers(operation, 2)[0])


def _filled(value: float) -> Callable:
    tensor = numpy_helper.from_array(np.float32([value]))
    return lambda graph, _, x: graph.add("ConstantOfShape", [graph.add("Shape", [x])], value=tensor)


def _square(graph, _, x):
    return graph.add("Mul", [x, x])


def _squared_difference(graph, _, x, y):
    return _square(graph, _, graph.add("Sub", [x, y]))


def _select(graph, operation, condition, x, y):
    if operation.inputs[0].shape.rank != operation.inputs[1].shape.rank:  # a row for each condition: not as in Where
        raise ValueError(f"export_onnx knows Select, in {operation.name!r}, for arguments of one rank. Use tf.where.")
    return graph.add("Where", [condition, x, y])


def _is_finite(graph, _, x):
    return graph.add("Less", [graph.add("Abs", [x]), graph.constant(np.inf)])


# From (graph, operation, *names of its inputs) to the name of its output.
COMPOSED: dict[str, Any] = {
    "All": _all,
    "Cast": _cast,
    "ConcatV2": _concatenate,
    "Erfc": lambda graph, _, x: graph.add("Sub", [graph.constant(1.0), graph.add("Erf", [x])]),
    "ExpandDims": lambda graph, operation, x, _: graph.add("Unsqueeze", [x, graph.constant(_integers(operation, 1))]),
    "GatherV2": _gather,
    "IsFinite": _is_finite,
    "LeakyRelu": lambda graph, operation, x: graph.add("LeakyRelu", [x], alpha=operation.get_attr("alpha")),
    "LogSoftmax": lambda graph, _, x: graph.add("LogSoftmax", [x], axis=-1),
    "MatMul": _matmul,
    "OnesLike": _filled(1.0),
    "Pack": _pack,
    "Relu6": lambda graph, _, x: graph.add("Clip", [x, graph.constant(0.0), graph.constant(6.0)]),
    "Rsqrt": lambda graph, _, x: graph.add("Reciprocal", [graph.add("Sqrt", [x])]),
    "Select": _select,
    "Square": _square,
    "SquaredDifference": _squared_difference,
    "Squeeze": _squeeze,
    "StridedSlice": _slice,
    "Transpose": lambda graph, operation, x, _: graph.add("Transpose", [x], perm=_integers(operation, 1)),
    "ZerosLike": _filled(0.0),
} | dict.fromkeys(REDUCTIONS, _reduce)
