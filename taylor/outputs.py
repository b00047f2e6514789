"""The importance of features to each output of a network of several, such as the classes of a softmax, in one pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from taylor.features import FeatureSet
from taylor.importance import importance_of
from taylor.response import Events, Outputs
from taylor.result import TaylorImportance
from taylor.sources import source_of
from taylor.streaming import sum_over_events


@dataclass(frozen=True, eq=False)
class ImportanceOfOutputs:
    """Mean absolute Taylor coefficients of several outputs of one network.

    Attributes:
        names: one an output.
        importances: one TaylorImportance an output, over the same events.
    """

    names: tuple[str, ...]
    importances: tuple[TaylorImportance, ...]

    def __getitem__(self, name: str) -> TaylorImportance:
        """The importance of the features to the output of that name."""
        return self.importances[self.names.index(name)]

    @property
    def features(self) -> FeatureSet:
        """Names and input indices of the columns."""
        return self.importances[0].features

    @property
    def mean(self) -> np.ndarray:
        """(n_outputs, n_features) <t_i>."""
        return np.stack([importance.mean for importance in self.importances])

    @property
    def error(self) -> np.ndarray:
        """(n_outputs, n_features) standard error of the mean."""
        return np.stack([importance.error for importance in self.importances])


def importance_of_outputs(
    model: keras.Model,
    data: Events | tf.data.Dataset,
    *,
    outputs: Sequence[int] | Sequence[str] | Mapping[str, int] | None = None,
    tensor: int | str = 0,
    **keywords: Any,
) -> ImportanceOfOutputs:
    """The importance of each feature to each output of a network, as to every class of a softmax, in one pass.

    It gives what `mean_abs_coefficients(output=k)` does for each k. The events are read once, the network is compiled
    once, and what the outputs have in common is computed once.

    Args:
        model: as `mean_abs_coefficients`.
        data: as `mean_abs_coefficients`.
        outputs: columns of the output; or a name for each column there is; or the columns wanted by name, {name:
            column}. None for all, named by their number.
        tensor: name or position of the output tensor, of a model with several.
        **keywords: as `mean_abs_coefficients`, but for `output`.

    Raises:
        TypeError: `output` among the keywords.
        ValueError: as `mean_abs_coefficients`; also no output, one that is named twice, or another number of names than
            outputs.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, "softmax", kernel_initializer="zeros")])
    >>> importance_of_outputs(model, np.zeros((4, 2)), order=1, outputs=["signal", "background"])["signal"].mean
    array([0., 0.])
    """
    if "output" in keywords:
        raise TypeError("Expected outputs, the columns or their names. Received: output. Use outputs=[...].")
    names, columns = _names_and_columns(outputs)
    options = {
        "bootstrap": 0,
        "seed": 0,
        "weight": None,
        "regions": None,
        "output": Outputs(tensor, columns),
    } | keywords
    bootstrap, seed, weight, regions = (options.pop(name) for name in ("bootstrap", "seed", "weight", "regions"))
    source = source_of(model, data, weight, regions, options | {"output": Outputs(tensor, columns)})
    analysis = source.analysis
    names = names or tuple(map(str, analysis.response.columns))
    if len(set(names)) != analysis.response.n_outputs:
        raise ValueError(
            f"Expected {analysis.response.n_outputs} different names, one an output. Received: outputs={names}"
        )
    (sums,) = sum_over_events(analysis, source.chunks, bootstrap, seed)
    parts = [sums.of_output(k, len(analysis.features)) for k in range(len(names))]
    return ImportanceOfOutputs(names, tuple(importance_of(analysis, source.region_names, part) for part in parts))


def _names_and_columns(outputs: Sequence | Mapping | None) -> tuple[tuple[str, ...] | None, tuple[int, ...] | None]:
    if outputs is None:
        return None, None
    if isinstance(outputs, str) or len(outputs) == 0:
        raise ValueError(f"Expected outputs as columns or names. Received: outputs={outputs!r}")
    if isinstance(outputs, Mapping):
        return tuple(outputs), tuple(outputs.values())
    if all(isinstance(output, str) for output in outputs):
        return tuple(outputs), None
    return None, tuple(outputs)
