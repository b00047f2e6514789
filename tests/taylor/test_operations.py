"""Operations on tensors of a functional model, against differences of the gradient of the model itself."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from taylor import FeatureSet, NoRule, mean_abs_coefficients
from taylor.adjoint import adjoint
from taylor.operations import ACTIVATIONS, OPERATIONS, PIECEWISE, SMOOTH
from taylor.response import Response
from tests.taylor.test_rules import around, check, events  # noqa: F401, a fixture

pytestmark = pytest.mark.usefixtures("float64")

ROW = np.array([0.3, 1.2, -0.7, 0.9])
MATRIX = np.random.default_rng(5).normal(size=(4, 2))

# h is a hidden layer of 4 units between -1 and 1, x the 3 analysed inputs, c 2 inputs that are held fixed.
NETWORKS = {
    "a + b": lambda h, x, c: h + layers.Dense(4, "silu")(x),
    "a + number": lambda h, x, c: 1 + (h + 2.3) * h,
    "a + row": lambda h, x, c: (h + ROW) * h,
    "a + fixed": lambda h, x, c: (layers.Dense(4)(c) + h) * h,
    "a - b": lambda h, x, c: (1 - h) - layers.Dense(4, "silu")(x),
    "-a": lambda h, x, c: -h,
    "a * b": lambda h, x, c: h * layers.Dense(4, "silu")(x),
    "a * a": lambda h, x, c: h * h,
    "number * a": lambda h, x, c: (0.1 * h) * 3,
    "row * a": lambda h, x, c: ops.multiply(ROW, h),
    "fixed * a": lambda h, x, c: h * layers.Dense(4)(c),
    "a / number": lambda h, x, c: h / 3,
    "a / b": lambda h, x, c: h / (2 + h),
    "number / b": lambda h, x, c: 1 / (2 + h),
    "a ** number": lambda h, x, c: h**3 + (h + 2) ** 0.5,
    "a @ matrix": lambda h, x, c: h @ MATRIX + ops.dot(h, MATRIX),
    "one unit for all": lambda h, x, c: (h + layers.Dense(1)(x)) * layers.Dense(1, "silu")(x) * layers.Dense(1)(c),
    "all units for one": lambda h, x, c: layers.Dense(1, "tanh")(x) * ROW + layers.Dense(1)(h),
    "columns": lambda h, x, c: ops.concatenate([h[:, 1:3], h[..., ::2], ops.take(h, [0, -1], axis=1)], axis=1),
    "split": lambda h, x, c: ops.concatenate([*ops.split(h, [1, 3], axis=-1), c], axis=-1) ** 2,
    "mean and sum": lambda h, x, c: h * ops.mean(h, axis=-1, keepdims=True) - ops.sum(h, axis=1, keepdims=True),
    "bounds": lambda h, x, c: ops.maximum(h, 0.1) - ops.minimum(0.2, h) + ops.clip(h, -0.3, 0.4) + abs(h),
    "reshape": lambda h, x, c: ops.reshape(h, (-1, 4)),
    "softmax": lambda h, x, c: ops.softmax(h) + keras.activations.softmax(h),
    "relu": lambda h, x, c: keras.activations.relu(h, negative_slope=0.2, max_value=0.5) + ops.relu(h),
    "leaky": lambda h, x, c: keras.activations.leaky_relu(h, 0.3) + ops.hard_shrink(h) + ops.soft_shrink(h),
    "hard": lambda h, x, c: ops.hard_tanh(2 * h) + ops.hard_sigmoid(4 * h) + ops.relu6(7 * h),
    "exponentials": lambda h, x, c: ops.exp(h) + ops.expm1(h) + ops.cosh(h) + ops.sinh(h) + ops.elu(h) + ops.celu(h, 2),
    "logarithms": lambda h, x, c: ops.log(h + 2) + ops.log1p(h) + ops.log2(h + 2) + ops.log10(h + 2),
    "waves": lambda h, x, c: ops.sin(h) * ops.cos(h) + ops.erf(h),
    "powers": lambda h, x, c: ops.sqrt(h + 2) + ops.rsqrt(h + 2) + ops.reciprocal(h + 2) + ops.square(h),
    "activations": lambda h, x, c: (
        ops.sigmoid(h) + ops.silu(h) * ops.softplus(h) + ops.softsign(h) * ops.selu(h) + ops.log_sigmoid(h)
    ),
    "more activations": lambda h, x, c: (
        keras.activations.tanh(h) + ops.gelu(h) + ops.squareplus(h) + ops.tanh_shrink(h) + ops.sparse_plus(h)
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_operation_is_exact(name, events, differences):  # noqa: F811
    check(around(NETWORKS[name]), events, differences)


def test_every_operation_with_a_rule_is_tested():
    used = {type(op).__name__ for network in NETWORKS.values() for op in around(network).operations}
    assert {*OPERATIONS} - {"Divide"} <= used  # ops.divide, which is the same as a / b
    assert {*ACTIVATIONS, *SMOOTH, *PIECEWISE} <= {*OPERATIONS}


def test_a_residual_by_plus_takes_the_fast_engine_also_with_the_last_activation_as_an_operation():
    x = keras.Input((3,))
    h = layers.Dense(4, "tanh")(x)
    model = keras.Model(x, ops.sigmoid(layers.Dense(1)(h + layers.Dense(4, "tanh")(h))))
    for target in ("output", "logit"):
        importances = [
            mean_abs_coefficients(model, np.ones((2, 3)), target=target, engine=engine)
            for engine in ("auto", "autodiff")
        ]
        assert importances[0].engine == "adjoint"
        np.testing.assert_allclose(importances[0].mean, importances[1].mean, rtol=1e-12)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda h, x, c: ops.cumsum(h, axis=1), r"'cumsum.*' \(Cumsum\) has no rule"),
        (lambda h, x, c: ops.maximum(h, layers.Dense(4)(x)), "'maximum.*' has another operand than a number"),
        (lambda h, x, c: h ** layers.Dense(4)(x), "'power.*' has another operand than a number"),
        (lambda h, x, c: ops.flip(h, axis=1) @ MATRIX, r"'flip.*' \(Flip\) has no rule"),
        (lambda h, x, c: ops.softmax(h, axis=0), "'softmax.*' acts along the axis 0"),
        (lambda h, x, c: layers.Softmax(axis=0)(h), "'softmax.*' acts along the axis 0"),
        (lambda h, x, c: ops.reshape(h[:, 0], (-1, 1)), "'get_item.*' is not a slice of units"),
        (lambda h, x, c: h + ops.sum(h), "'sum.*' acts along the axis"),
        (lambda h, x, c: ops.reshape(ops.reshape(h, (-1, 2)), (-1, 4)), "'reshape.*' changes the shape"),
    ],
)
def test_what_has_no_rule_is_named(network, message, events):  # noqa: F811
    derivatives = adjoint(Response(around(network)), FeatureSet.complete(("a", "b", "c"), 2))
    with pytest.raises(NoRule, match=message):
        derivatives([tf.constant(part) for part in events])
