"""How theta enters a network: by concatenation (Baldi et al. 2016) or elementwise affine maps (Anzalone et al. 2022).

`ThetaScale` takes theta from physical units to the order of one, and remembers what was trained on.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from pnn_tf import checks
from pnn_tf.precision import at_least_float32

Shape: TypeAlias = tuple[int | None, ...]
Activation: TypeAlias = str | dict | Callable  # what keras.activations.get takes
Initializer: TypeAlias = str | dict | Callable  # what keras.initializers.get takes


@keras.saving.register_keras_serializable(package="pnn_tf")
class ThetaScale(keras.layers.Layer):
    """Brings theta to the order of one, so that a network takes it in physical units: (theta - offset) / scale.

    It computes in float32 where the dtype policy, its own or the global one, has float16 or bfloat16.

    Args:
        scale: what theta is divided by, positive and finite; a number or one per parameter.
        offset: what is subtracted from theta before; a number or one per parameter. For a nuisance parameter, such as a
            jet energy scale near 1, its nominal value.
        trained_points: (n_points,) or (n_points, n_parameters), the theta of the training set, or corners around it, in
            physical units. They change nothing in the output; prediction outside their convex hull warns. None if
            unknown.

    Input shape: (n_events, n_parameters). Output shape: the same.
    """

    def __init__(
        self, scale: ArrayLike = 1.0, offset: ArrayLike = 0.0, trained_points: ArrayLike | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs | {"dtype": at_least_float32(kwargs.get("dtype"))})
        self.scale, self.offset = (np.atleast_1d(np.asarray(values, "float64")).tolist() for values in (scale, offset))
        if not all(0 < value < np.inf for value in self.scale):
            raise ValueError(f"Expected scale > 0 and finite. Received: scale={scale}")
        if not np.isfinite(self.offset).all():
            raise ValueError(f"Expected a finite offset. Received: offset={offset}")
        if trained_points is not None:
            trained_points = checks.as_points("trained_points", trained_points).tolist()
        self.trained_points = trained_points

    def build(self, input_shape: Shape) -> None:
        n_parameters = input_shape[-1]
        for argument in ("scale", "offset"):
            if len(getattr(self, argument)) not in (1, n_parameters):
                raise ValueError(
                    f"Expected one number, or one for each of the {n_parameters} parameters, in {argument}. "
                    f"Received: {getattr(self, argument)}"
                )
        if self.trained_points is not None and len(self.trained_points[0]) != n_parameters:
            raise ValueError(
                f"Expected trained_points of {n_parameters} parameters. Received: {len(self.trained_points[0])}"
            )
        # One column of theta would otherwise be taken for every parameter, by broadcasting.
        self.input_spec = keras.layers.InputSpec(min_ndim=2, axes={-1: n_parameters})

    def call(self, theta: tf.Tensor) -> tf.Tensor:
        offset, scale = (keras.ops.convert_to_tensor(v, dtype=theta.dtype) for v in (self.offset, self.scale))
        return (theta - offset) / scale

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        config = {"scale": self.scale, "offset": self.offset, "trained_points": self.trained_points}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package="pnn_tf")
class ConcatConditioning(keras.layers.Layer):
    """Appends theta, or a dense map of it, to the features.

    With the defaults, the parametrised network of Baldi et al. 2016 (section 2): theta is one more input. It computes
    in float32 as `ThetaScale` does; the Dense layer that follows has to, too, or theta is rounded there.

    Args:
        units: width of a dense map of theta to append in place of theta itself; None for theta as it is.
        activation: activation of that map; only with units.

    Call arguments: `[x, theta]`.

    Input shape: [(n_events, n_features), (n_events, n_parameters)].
    Output shape: (n_events, n_features + n_parameters), or (n_events, n_features + units).
    """

    def __init__(self, units: int | None = None, activation: Activation | None = None, **kwargs: Any):
        super().__init__(**kwargs | {"dtype": at_least_float32(kwargs.get("dtype"))})
        if units is None and activation is not None:
            raise ValueError(f"activation acts on a map of theta, which needs units. Received: activation={activation}")
        if units is not None and units < 1:
            raise ValueError(f"Expected units >= 1 or None. Received: units={units}")
        self.units = units
        self.activation = keras.activations.get(activation)
        self.map = None
        if units is not None:
            self.map = keras.layers.Dense(units, activation=self.activation, dtype=self.dtype_policy, name="map")

    def build(self, input_shape: Sequence[Shape]) -> None:
        _, theta_shape = _pair(input_shape)
        if self.map is not None:
            self.map.build(theta_shape)

    def appended(self, theta: tf.Tensor) -> tf.Tensor:
        """What is appended to x: theta (n_events, n_parameters) itself, or its map (n_events, units)."""
        return theta if self.map is None else self.map(theta)

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        x, theta = _pair(inputs)
        return keras.ops.concatenate([x, self.appended(theta)], axis=-1)

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        x_shape, theta_shape = _pair(input_shape)
        return (*x_shape[:-1], x_shape[-1] + (theta_shape[-1] if self.units is None else self.units))

    def get_config(self) -> dict[str, Any]:
        activation = None if self.units is None else keras.activations.serialize(self.activation)
        return {**super().get_config(), "units": self.units, "activation": activation}


@keras.saving.register_keras_serializable(package="pnn_tf")
class AffineConditioning(keras.layers.Layer):
    """Scales and shifts each unit, or does one of the two, by functions of theta: z * s(theta) + b(theta).

    s and b are dense maps of theta to the width of z; Anzalone et al. 2022, section 4.1 (there s = phi m, b = psi m).
    Conditional scaling or conditional biasing alone (Dumoulin et al. 2018, Distill, Feature-wise transformations) has
    one of the two. It computes in float32 as `ThetaScale` does.

    Args:
        scale_activation: activation of s; None for linear as in the paper.
        shift_activation: activation of b; None for linear as in the paper.
        use_bias: whether both maps have a bias. The paper's equations have none; its networks, and its parameter
            counts, do.
        scale_initializer: of the kernel of s.
        shift_initializer: of the kernel of b.
        scale_bias_initializer: of the bias of s. With "ones" here and "zeros" for the kernels, the layer starts as
            the identity.
        shift_bias_initializer: of the bias of b.
        scaling: whether there is s; if not, it is 1.
        shifting: whether there is b; if not, it is 0.

    Its weights are `scale` and `shift`, (n_parameters + 1, units) with the bias as the last row; None for what it does
    not do.

    Call arguments: `[z, theta]`.

    Input shape: [(n_events, units), (n_events, n_parameters)]. Output shape: (n_events, units).

    Raises:
        ValueError: neither scaling nor shifting.
    """

    def __init__(
        self,
        scale_activation: Activation | None = None,
        shift_activation: Activation | None = None,
        use_bias: bool = True,
        scale_initializer: Initializer = "glorot_uniform",
        shift_initializer: Initializer = "glorot_uniform",
        scale_bias_initializer: Initializer = "zeros",
        shift_bias_initializer: Initializer = "zeros",
        *,
        scaling: bool = True,
        shifting: bool = True,
        **kwargs: Any,
    ):
        super().__init__(**kwargs | {"dtype": at_least_float32(kwargs.get("dtype"))})
        if not (scaling or shifting):
            raise ValueError("Expected scaling=True or shifting=True, or no layer. Received: both False")
        self.scaling, self.shifting = scaling, shifting
        self.scale = self.shift = None
        self.scale_activation = keras.activations.get(scale_activation)
        self.shift_activation = keras.activations.get(shift_activation)
        self.use_bias = use_bias
        self.scale_initializer = keras.initializers.get(scale_initializer)
        self.shift_initializer = keras.initializers.get(shift_initializer)
        self.scale_bias_initializer = keras.initializers.get(scale_bias_initializer)
        self.shift_bias_initializer = keras.initializers.get(shift_bias_initializer)

    def build(self, input_shape: Sequence[Shape]) -> None:
        z_shape, theta_shape = _pair(input_shape)
        shape = (theta_shape[-1], z_shape[-1])
        if self.scaling:
            self.scale = self._add_map("scale", shape, self.scale_initializer, self.scale_bias_initializer)
        if self.shifting:
            self.shift = self._add_map("shift", shape, self.shift_initializer, self.shift_bias_initializer)

    def _add_map(
        self, name: str, shape: tuple[int, int], kernel_initializer: Callable, bias_initializer: Callable
    ) -> keras.Variable:
        """A dense map of theta as one weight: its kernel, and the bias as one more row.

        The bias then has a matrix product for its gradient. The sum over the events, which it has otherwise, takes
        three times as long on a CPU.
        """

        def initializer(_, dtype=None):
            kernel, bias = kernel_initializer(shape, dtype), bias_initializer(shape[1:], dtype)
            return keras.ops.concatenate([kernel, bias[None]], axis=0)

        if not self.use_bias:
            return self.add_weight(shape, kernel_initializer, name=name)
        return self.add_weight((shape[0] + 1, shape[1]), initializer, name=name)

    def scale_and_shift(self, theta: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The maps themselves.

        Args:
            theta: (n_events, n_parameters), as the layer receives it (in a parametric network, after its scaling).

        Returns:
            s(theta) and b(theta), each (n_events, units): ones without scaling, zeros without shifting.
        """
        if self.use_bias:
            theta = keras.ops.concatenate([theta, keras.ops.ones_like(theta[..., :1])], axis=-1)
        scale = self.scale_activation(keras.ops.matmul(theta, self.scale)) if self.scaling else None
        shift = self.shift_activation(keras.ops.matmul(theta, self.shift)) if self.shifting else None
        if scale is None:
            scale = keras.ops.ones_like(shift)
        return scale, keras.ops.zeros_like(scale) if shift is None else shift

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        z, theta = _pair(inputs)
        scale, shift = self.scale_and_shift(theta)
        if not self.shifting:
            return z * scale
        return z * scale + shift if self.scaling else z + shift

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        return _pair(input_shape)[0]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "scale_activation": keras.activations.serialize(self.scale_activation),
            "shift_activation": keras.activations.serialize(self.shift_activation),
            "use_bias": self.use_bias,
            "scale_initializer": keras.initializers.serialize(self.scale_initializer),
            "shift_initializer": keras.initializers.serialize(self.shift_initializer),
            "scale_bias_initializer": keras.initializers.serialize(self.scale_bias_initializer),
            "shift_bias_initializer": keras.initializers.serialize(self.shift_bias_initializer),
            "scaling": self.scaling,
            "shifting": self.shifting,
        }


def _pair(inputs):
    """The two members of a layer's input, tensors or shapes."""
    if not isinstance(inputs, (list, tuple)) or len(inputs) != 2 or isinstance(inputs[0], (int, type(None))):
        raise ValueError(f"Expected a list of two, [z, theta]. Received: {inputs}")
    return inputs
