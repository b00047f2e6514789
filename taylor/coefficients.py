"""Taylor coefficients of a network's response, event by event. Wunsch et al. 2018, section 1."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from taylor.analysis import N_TRIED, analysis_of, require_memory
from taylor.chunks import array_chunks, count_events, require_finite
from taylor.features import FeatureSet
from taylor.response import Events
from taylor.warning import warn


@dataclass(frozen=True, eq=False)
class TaylorCoefficients:
    """Coefficients t_i of the Taylor expansion of the response around each event.

    Attributes:
        values: (n_events, n_features), one column a feature.
        features: names and input indices of the columns.
        engine: name of the engine that made them: "adjoint", "closed_form" or "autodiff".
    """

    values: tf.Tensor
    features: FeatureSet
    engine: str

    def of_order(self, order: int) -> tf.Tensor:
        """(n_events, n) the columns of one order."""
        return tf.gather(self.values, self.features.positions(order), axis=1)

    @property
    def first(self) -> tf.Tensor:
        """(n_events, n_inputs) the first order."""
        return self.of_order(1)

    @property
    def second(self) -> tf.Tensor:
        """(n_events, n_inputs (n_inputs + 1) / 2) the second order: pairs i <= j in lexicographic order."""
        return self.of_order(2)


def taylor_coefficients(
    model: keras.Model,
    x: Events,
    *,
    order: int = 2,
    output: int | str | Sequence[int | str] = 0,
    target: str = "output",
    inputs: str | Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    features: Iterable[int | str | Sequence[int | str]] | None = None,
    scale: str | ArrayLike | None = None,
    engine: str = "auto",
) -> TaylorCoefficients:
    """The Taylor coefficients of a network's response at each event.

    With the response y and inputs x, a feature's coefficient is its partial derivative over prod n_i!, where n_i is how
    often input i occurs in it: dy/dx_i, 1/2 d2y/dx_i^2, d2y/dx_i dx_j for i < j. Each set of inputs is counted once.

    Args:
        model: a Keras model, one of `tf_keras`, or a loaded SavedModel, that responds to each event on its own.
        x: events, as the model takes them: an array (n_events, n_inputs) or of a higher rank, such as (n_events,
            n_constituents, n_features), a data frame, or a dict or list of such. An input that is not analysed may have
            one row for all events, such as a `theta` of shape (1, n_parameters).
        order: highest order, at least 1.
        output: column of the model's output, or "winning" for the largest one at each event, the first of equal ones;
            for a model of several output tensors a pair (name or position, one of these).
        target: "output", or "logit" for the argument of the last sigmoid or softmax.
        inputs: names of the model's inputs to analyse; the others are held fixed. By default "features" if there is an
            input of that name, else all of floating-point numbers.
        names: of the analysed columns, in a flat list; by default those of a data frame, else x1, x2, ..., or x[1,2]
            for the second feature of the first constituent.
        features: only these features, each an input or a tuple of inputs, by index or name; `order` is ignored.
        scale: what each analysed input is divided by before differentiation: its standard deviation (n_inputs,) for a
            model that takes raw inputs, or "normalization" for the one in the model's own Normalization layer. With
            1 / standard deviation, a model of standardised inputs gives the coefficients of raw ones. None for 1.
        engine: "adjoint" (layer by layer, to order 2), "closed_form" (one hidden layer, any order), "autodiff" (nested
            tapes, any order), or "auto" for the fastest that can; all are exact.

    Returns:
        TaylorCoefficients(values, features, engine). In a tf.function its values are symbolic.

    Warns:
        UserWarning: a layer that the adjoint engine does not know, or a second order that vanishes, as for ReLU.

    Raises:
        TypeError: whole numbers, bool or text in an analysed input.
        ValueError: NaN, a wrong shape, a model in training mode, in low precision or quantized, and other arguments out
            of range.
        MemoryError: more coefficients than fit in memory.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid", kernel_initializer="ones")])
    >>> taylor_coefficients(model, [[0.0, 0.0]], order=1).first.numpy()
    array([[0.25, 0.25]], dtype=float32)
    """
    analysis, parts = analysis_of(
        model,
        x,
        order=order,
        output=output,
        target=target,
        inputs=inputs,
        names=names,
        features=features,
        scale=scale,
        engine=engine,
    )
    dtypes, chosen = analysis.response.dtypes, analysis.features
    if any(tf.is_symbolic_tensor(part) for part in parts):
        with tf.init_scope():
            tf.autograph.experimental.do_not_convert(analysis.try_out)(
                [_made_up_events(part.shape, dtype) for part, dtype in zip(parts, dtypes, strict=True)]
            )
        values = analysis.coefficients([tf.cast(part, dtype) for part, dtype in zip(parts, dtypes, strict=True)])
        return TaylorCoefficients(values, chosen, analysis.engine)
    n_events = count_events(parts, analysis.response.analysed)
    require_memory(
        2.0 * n_events * len(chosen) * analysis.response.dtype.size,
        f"{len(chosen)} coefficients of {n_events} events",
        "Take fewer events, or their means with mean_abs_coefficients.",
    )
    require_finite(parts, analysis.response.input_names)
    analysis.try_out(parts)
    chunks = array_chunks(parts, analysis.response.analysed, analysis.chunk_size, dtypes)
    values = [analysis.compiled(tensors) for tensors, _ in chunks]
    values = values[0] if len(values) == 1 else tf.concat(values, axis=0)
    values = values if len(values) == n_events else values[:n_events]
    warn_of_vanishing(chosen, values)
    return TaylorCoefficients(values, chosen, analysis.engine)


def _made_up_events(shape: Sequence[int], dtype: tf.DType) -> np.ndarray:
    """(n, width) different events to try a model with before there are any; one if there is but one."""
    n_events, width = 1 if shape[0] == 1 else N_TRIED, shape[1]
    if not dtype.is_floating:
        return np.zeros((n_events, width), dtype.as_numpy_dtype)
    return np.linspace(-1, 1, n_events * width).reshape(n_events, width)


def warn_of_vanishing(features: FeatureSet, values: ArrayLike | tf.Tensor) -> None:
    """Warns if all coefficients (..., n_features) of the second order and above are zero, and of what that means."""
    values, higher = np.asarray(values), features.orders > 1
    if not higher.any() or values[..., higher].any():
        return
    if not higher.all() and values.any():
        warn(
            "All coefficients of the second order and above are zero: the response is piecewise linear, as the logit "
            "of a network of ReLU layers. Analyse target='output', or a network with a smooth activation."
        )
    elif not higher.all():
        warn(
            "All coefficients are zero, those of the first order too: the response does not change around these "
            "events, as where activations are saturated or, of ReLU, off. Are the inputs scaled as in training? "
            "target='logit' leaves the last activation out."
        )
    else:
        warn(
            "All coefficients of the second order and above are zero: the response is piecewise linear or saturated, "
            "or these inputs do not act together. The coefficients of the first order tell which."
        )
