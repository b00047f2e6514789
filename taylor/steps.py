"""Elementary steps of a network, each of which knows its first and second derivative.

A network is a graph of steps. A step carries its value (n_events, units) and three rules:

    push        its Jacobian in the analysed inputs, given its parents', and its slopes where these differ by event
    pull        the adjoints of its parents, given its own (the derivative of the output in this step's value)
    curvature   what its own second derivative adds to the Hessian of the output

Adjoints are those of one or several outputs: (n_outputs, n_events, units), with one row for all events where they are
the same.
A Jacobian is (n_events, n_inputs, units), or (n_inputs, units) as long as it is the same for all events, as it is up to
the first activation.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from taylor.activations import derivatives


class NoRule(Exception):
    """A layer, a model or an order that an engine does not cover; says which, and what the user can do about it."""

    def __init__(self, reason: str, way_out: str = ""):
        super().__init__(reason)
        self.way_out = way_out


class Curvature(NamedTuple):
    """sum_u weight[u] left[u] right[u]^T, symmetrised, with the Jacobians of two steps as left and right.

    Attributes:
        left: a step.
        right: a step of the same width; the same one for a square.
        weight: (n_outputs, n_events, units).
    """

    left: "Step"
    right: "Step"
    weight: tf.Tensor


class Step:
    """One step: its value (n_events, units), and the steps that it was made from.

    Attributes:
        slopes: the tensors (n_events, units) that `push` needs; none for a step that is the same map for all events.
    """

    slopes: tuple[tf.Tensor, ...] = ()

    def __init__(self, value: tf.Tensor, *parents: "Step"):
        self.value = value
        self.parents = parents

    @property
    def units(self) -> int:
        return self.value.shape[-1]

    def push(self, jacobians: list[tf.Tensor], slopes: Sequence[tf.Tensor]) -> tf.Tensor:
        """The Jacobian of this step from those of its parents; `slopes` are those of the events in question."""
        raise NotImplementedError

    def pull(self, adjoint: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """The adjoints (n_outputs, n_events, units) that this step gives to its parents, from its own."""
        raise NotImplementedError

    def curvature(self, adjoint: tf.Tensor) -> Iterator[Curvature]:
        """Terms of the Hessian that are due to this step's own second derivative; none for a linear step."""
        return iter(())


class Variable(Step):
    """An analysed input.

    Args:
        value: (n_events, units).
        start: number of analysed columns before its first one.
        inputs: the analysed columns, of this input and others, that a Jacobian has a row for.
    """

    def __init__(self, value: tf.Tensor, start: int, inputs: Sequence[int] | np.ndarray):
        super().__init__(value)
        self.start, self.inputs = start, np.asarray(inputs)

    def push(self, jacobians: list[tf.Tensor], slopes: Sequence[tf.Tensor]) -> tf.Tensor:
        return tf.constant(self.inputs[:, None] == self.start + np.arange(self.units), self.value.dtype)

    def pull(self, adjoint: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return ()


class Linear(Step):
    """A dense map: parent @ kernel + bias."""

    def __init__(self, parent: Step, kernel: tf.Tensor, bias: tf.Tensor | None = None):
        value = parent.value @ kernel
        super().__init__(value if bias is None else value + bias, parent)
        self.kernel = kernel

    def push(self, jacobians: list[tf.Tensor], slopes: Sequence[tf.Tensor]) -> tf.Tensor:
        (jacobian,) = jacobians
        if jacobian.shape.rank == 2:
            return jacobian @ self.kernel
        rows = tf.reshape(jacobian, (-1, jacobian.shape[-1])) @ self.kernel  # one large product
        return tf.reshape(rows, (-1, jacobian.shape[1], self.units))

    def pull(self, adjoint: tf.Tensor) -> tuple[tf.Tensor, ...]:
        rows = tf.matmul(tf.reshape(adjoint, (-1, self.units)), self.kernel, transpose_b=True)  # one large product
        return (tf.reshape(rows, (adjoint.shape[0], -1, rows.shape[1])),)


class Scale(Step):
    """An elementwise affine map: its value, and the factor of the parent in it, (units,) or (n_events, units)."""

    def __init__(self, value: tf.Tensor, parent: Step, scale: tf.Tensor):
        super().__init__(value, parent)
        self.scale = scale
        self.slopes = (scale,) if scale.shape.rank == 2 else ()

    def push(self, jacobians: list[tf.Tensor], slopes: Sequence[tf.Tensor]) -> tf.Tensor:
        return _scaled(jacobians[0], *(slopes or (self.scale,)))

    def pull(self, adjoint: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return (adjoint * self.scale,)


class Elementwise(Step):
    """An activation: `function` of each unit."""

    def __init__(self, parent: Step, function: Callable):
        super().__init__(function(parent.value), parent)
        self.function = function
        self.first: tf.Tensor
        self.first, self.second = derivatives(function, parent.value, self.value, order=2)
        self.slopes = (self.first,)

    def push(self, jacobians: list[tf.Tensor], slopes: Sequence[tf.Tensor]) -> tf.Tensor:
        return _scaled(*jacobians, *slopes)

    def pull(self, adjoint: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return (adjoint * self.first,)

    def curvature(self, adjoint: tf.Tensor) -> Iterator[Curvature]:
        if self.second is not None:
            (parent,) = self.parents
            yield Curvature(parent, parent, adjoint * self.second)


class Softmax(Step):
    """Softmax p over the units.

    The second derivative of sum_k a_k p_k is sum_k b_k c_k c_k^T with b = p (a - a.p), the Jacobian c of z - p.z at
    fixed p, and z the parent.
    """

    def __init__(self, parent: Step):
        super().__init__(tf.nn.softmax(parent.value), parent)
        self.slopes = (self.value,)
        self._centred = Centred(parent, self.value)

    def push(self, jacobians: list[tf.Tensor], slopes: Sequence[tf.Tensor]) -> tf.Tensor:
        (p,) = slopes
        return _scaled(_centred(jacobians[0], p), p)

    def pull(self, adjoint: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return (self.value * (adjoint - tf.reduce_sum(self.value * adjoint, axis=-1, keepdims=True)),)

    def curvature(self, adjoint: tf.Tensor) -> Iterator[Curvature]:
        yield Curvature(self._centred, self._centred, *self.pull(adjoint))


class Centred(Step):
    """z - p.z for each unit of z, with fixed weights p (n_events, units)."""

    def __init__(self, parent: Step, weight: tf.Tensor):
        super().__init__(parent.value - tf.reduce_sum(weight * parent.value, axis=-1, keepdims=True), parent)
        self.slopes = (weight,)

    def push(self, jacobians: list[tf.Tensor], slopes: Sequence[tf.Tensor]) -> tf.Tensor:
        return _centred(*jacobians, *slopes)

    def pull(self, adjoint: tf.Tensor) -> tuple[tf.Tensor, ...]:
        (weight,) = self.slopes
        return (adjoint - weight * tf.reduce_sum(adjoint, axis=-1, keepdims=True),)


class Product(Step):
    """Two steps multiplied, unit by unit."""

    def __init__(self, left: Step, right: Step):
        super().__init__(left.value * right.value, left, right)
        self.slopes = right.value, left.value

    def push(self, jacobians: list[tf.Tensor], slopes: Sequence[tf.Tensor]) -> tf.Tensor:
        return _sum([_scaled(jacobian, slope) for jacobian, slope in zip(jacobians, slopes, strict=True)])

    def pull(self, adjoint: tf.Tensor) -> tuple[tf.Tensor, ...]:
        left, right = self.parents
        return adjoint * right.value, adjoint * left.value

    def curvature(self, adjoint: tf.Tensor) -> Iterator[Curvature]:
        left, right = self.parents
        yield Curvature(left, right, 2 * adjoint)  # both mixed derivatives are 1


class Sum(Step):
    """Steps of one width added, each with a sign or factor."""

    def __init__(self, value: tf.Tensor, parents: list[Step], factors: list[float]):
        super().__init__(value, *parents)
        self.factors = factors

    def push(self, jacobians: list[tf.Tensor], slopes: Sequence[tf.Tensor]) -> tf.Tensor:
        return _sum([jacobian * factor for jacobian, factor in zip(jacobians, self.factors, strict=True)])

    def pull(self, adjoint: tf.Tensor) -> tuple[tf.Tensor, ...]:
        return tuple(adjoint * factor for factor in self.factors)


class Concatenation(Step):
    """Steps side by side; `None` among the parts is a block of the given width that depends on no analysed input."""

    def __init__(self, value: tf.Tensor, parts: list[Step | None], widths: list[int]):
        super().__init__(value, *[part for part in parts if part is not None])
        self.parts, self.widths = parts, widths

    def push(self, jacobians: list[tf.Tensor], slopes: Sequence[tf.Tensor]) -> tf.Tensor:
        jacobians = iter(_alike(jacobians))
        blocks = [None if part is None else next(jacobians) for part in self.parts]
        like = next(block for block in blocks if block is not None)
        blocks = [
            tf.zeros_like(like[..., :1]) * tf.ones(width, like.dtype) if block is None else block
            for block, width in zip(blocks, self.widths, strict=True)
        ]
        return tf.concat(blocks, axis=-1)

    def pull(self, adjoint: tf.Tensor) -> tuple[tf.Tensor, ...]:
        blocks = tf.split(adjoint, self.widths, axis=-1)
        return tuple(block for block, part in zip(blocks, self.parts, strict=True) if part is not None)


def _centred(jacobian: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    return jacobian - tf.reduce_sum(jacobian * weight[:, None, :], axis=-1, keepdims=True)


def _scaled(jacobian: tf.Tensor, scale: tf.Tensor) -> tf.Tensor:
    """Each unit's column times its factor: (units,), which keeps what is common to all events so, or one an event."""
    return jacobian * (scale if scale.shape.rank == 1 else scale[:, None, :])


def _alike(jacobians: list[tf.Tensor]) -> list[tf.Tensor]:
    """Gives each an axis of events if one of them has it."""
    per_event = next((jacobian for jacobian in jacobians if jacobian.shape.rank == 3), None)
    if per_event is None:
        return jacobians
    rows = tf.zeros_like(per_event[..., :1])
    return [jacobian if jacobian.shape.rank == 3 else jacobian + rows for jacobian in jacobians]


def _sum(jacobians: list[tf.Tensor]) -> tf.Tensor:
    return tf.add_n(_alike(jacobians))
