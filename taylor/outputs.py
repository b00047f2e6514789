"""The importance of features to each output of a network of several, such as the classes of a softmax, in one pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from taylor.importance import importances_of
from taylor.response import Events, Outputs, Response
from taylor.result import TaylorImportance
from taylor.several import Several
from taylor.sources import Stream


@dataclass(frozen=True, eq=False)
class ImportanceOfOutputs(Several):
    """Mean absolute Taylor coefficients of several outputs of one network.

    Attributes:
        names: one an output.
        importances: one TaylorImportance an output, over the same events.
    """

    names: tuple[str, ...]
    importances: tuple[TaylorImportance, ...]

    kind = "output"

    @property
    def labels(self) -> list[str]:
        """The names."""
        return list(self.names)

    def __getitem__(self, name: str) -> TaylorImportance:
        """The importance of the features to the output of that name."""
        return self.importances[self.names.index(name)]


def importance_of_outputs(
    model: keras.Model,
    data: Events | Stream,
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
    >>> importance_of_outputs(model, [[0.0, 0.0]], order=1, outputs=["signal", "background"])["signal"].mean
    array([0., 0.])
    """
    if "output" in keywords:
        raise TypeError("Expected outputs, the columns or their names. Received: output. Use outputs=[...].")
    names, columns = _names_and_columns(outputs)
    wanted = Outputs(tensor, columns)
    response = Response(model, output=wanted)
    names = names or tuple(map(str, response.columns))
    if len(set(names)) != response.n_outputs:
        raise ValueError(f"Expected {response.n_outputs} different names, one an output. Received: outputs={names}")
    (importances,) = importances_of(model, data, keywords | {"output": wanted})
    return ImportanceOfOutputs(names, tuple(importances))


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
