"""Features by name: from tables of columns into arrays, in the order that a network was trained with.

A network that remembers names takes any table that has them, in any order; one without takes the columns as they come.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from pnn_tf import keras_graph

# An array (n_events, n_features), or a table of columns (n_events,) by name: a dict, a DataFrame of pandas or Polars,
# an Arrow table, records of Awkward Array, a structured array of NumPy.
Features: TypeAlias = ArrayLike | Mapping[str, ArrayLike]


@keras.saving.register_keras_serializable(package="pnn_tf")
class FeatureNames(keras.layers.Layer):
    """Passes features on as they are, and remembers their names with the model.

    Scoring functions then pick the columns of a table by these names, and `export_savedmodel` writes them down.

    Args:
        names: one a feature, in the order of the columns.

    Input shape: (n_events, n_features). Output shape: the same.
    """

    identity_at_inference = True  # for whoever analyses a network layer by layer

    def __init__(self, names: Iterable[str], **kwargs: Any):
        super().__init__(autocast=False, **kwargs)  # features lose digits in half precision
        self.names = [names] if isinstance(names, str) else [str(name) for name in names]
        if len(set(self.names)) < len(self.names) or not self.names:
            raise ValueError(f"Expected distinct names of features, at least one. Received: {self.names}")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if input_shape[-1] != len(self.names):
            raise ValueError(
                f"Expected {input_shape[-1]} names, one a feature. Received {len(self.names)}: {self.names}"
            )

    def call(self, features: tf.Tensor) -> tf.Tensor:
        return features

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "names": self.names}


def trained_names(model: keras.Model) -> list[str] | None:
    """The names of the features that a model takes, in order, by its FeatureNames layers; None if it has none.

    Raises:
        ValueError: models inside it take the same features by other names or in another order.
    """
    shapes = [tensor.shape for tensor in getattr(model, "inputs", None) or () if tensor.name == "features"]
    found: list[list[str]] = []
    for layer in keras_graph.layers(model):
        # Names of a part of the features, as of an inner model's own, are not comparable.
        if isinstance(layer, FeatureNames) and shapes in ([], [(None, len(layer.names))]) and layer.names not in found:
            found.append(list(layer.names))
    if len(found) > 1:
        raise ValueError(
            f"{model.name!r} holds networks of other features or another order: {found}. "
            "Train them on the same columns."
        )
    return found[0] if found else None


def names_of(features: Features) -> list[str] | None:
    """The names of the columns of a table, in its order; None for an array."""
    keys = _keys(features)
    return None if keys is None else [str(key) for key in keys]


def stacked(features: Features, names: Iterable[str] | None = None) -> ArrayLike:
    """The columns of a table side by side, (n_events, n_features) float32; an array as it is.

    Args:
        features: a table or an array.
        names: of the columns to take, in this order; None for all, as they come.

    Raises:
        ValueError: a name that is not there, or there twice; a column that is not one finite or infinite number an
            event; columns of several lengths.
    """
    keys = _keys(features)
    if keys is None:
        return features
    own = [str(key) for key in keys]
    if len(set(own)) < len(own):
        raise ValueError(f"Expected columns with distinct names. Received: {own}")
    names = own if names is None else list(names)
    if missing := [name for name in names if name not in own]:
        raise ValueError(f"features lack the columns {missing} of the {len(names)} that are needed. They have: {own}")
    by_name: Any = dict(zip(own, keys, strict=True))
    table: Any = features
    columns = [_numbers(name, table[by_name[name]]) for name in names]
    lengths = {name: len(column) for name, column in zip(names, columns, strict=True)}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"Expected columns of one length. Received: {lengths}")
    rows = np.empty((len(columns[0]) if columns else 0, len(columns)), np.float32)
    with np.errstate(over="ignore"):  # as `checks.as_features`
        for i, column in enumerate(columns):
            rows[:, i] = column
    return rows


def _keys(features: Features) -> list | None:
    if isinstance(features, Mapping):
        return list(features)
    if isinstance(features, np.ndarray):
        return None if features.dtype.names is None else list(features.dtype.names)
    # Of the class, as an instance may have columns of these names. Those of Arrow, Awkward, and pandas or Polars.
    for attribute in ("column_names", "fields", "columns"):
        if hasattr(type(features), attribute):
            return list(getattr(features, attribute)) or None
    return None


def _numbers(name: str, values: ArrayLike) -> np.ndarray:
    if np.ma.is_masked(values):
        raise ValueError(f"The column {name!r} of features is masked in some events. Drop them, or fill in values.")
    try:
        values = np.asarray(values)
    except ValueError as error:  # lists of several lengths, or missing values, of Awkward Array
        reason = str(error).partition("\n")[0]
        raise ValueError(f"Expected one number an event in the column {name!r} of features: {reason}") from error
    if values.ndim != 1 or values.dtype.kind not in "biuf":
        raise ValueError(
            f"Expected one number an event in the column {name!r} of features. "
            f"Received: {values.dtype} of shape {values.shape}"
        )
    return values
