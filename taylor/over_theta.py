"""The importance of features to a parametric model, as a function of theta."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from taylor.importance import importances_of
from taylor.response import Events, Response
from taylor.result import TaylorImportance
from taylor.several import Several
from taylor.sources import Stream, is_stream


@dataclass(frozen=True, eq=False)
class ImportanceOverTheta(Several):
    """Mean absolute Taylor coefficients on a grid of theta.

    Attributes:
        theta: (n_theta, n_parameters).
        importances: one TaylorImportance a theta, over the same events.
    """

    theta: np.ndarray
    importances: tuple[TaylorImportance, ...]
    kind = "theta"

    @property
    def labels(self) -> list[str]:
        """The parameters of each theta, joined by a comma."""
        return [", ".join(f"{value:g}" for value in theta) for theta in self.theta]


def importance_over_theta(
    model: keras.Model, data: Events | Stream, theta: ArrayLike, *, held: str = "theta", **keywords: Any
) -> ImportanceOverTheta:
    """<t_i>(theta): the importance of each feature to a parametric model, as a function of the theta it is shown.

    The events are read once; each chunk is shown at every theta.

    Args:
        model: one with an input for theta, such as `pnn_tf.parametric_network`.
        data: the other inputs: an array if there is one, else a dict; or a dataset as of `mean_abs_coefficients`, whose
            x has an entry `held` too, which is replaced.
        theta: (n_theta,) or (n_theta, n_parameters), in the units of the model's input.
        held: name of the model's input for theta.
        **keywords: as `mean_abs_coefficients`.

    Raises:
        ValueError: as `mean_abs_coefficients`; also a model without the input `held`, or one that is analysed in it.
    """
    theta = np.asarray(theta, float)
    theta = theta[:, None] if theta.ndim == 1 else theta
    if theta.ndim != 2 or len(theta) == 0 or not np.isfinite(theta).all():
        raise ValueError(f"Expected theta of shape (n_theta, n_parameters), finite. Received: shape {theta.shape}")
    response = Response(model, inputs=keywords.get("inputs"))
    if held not in response.input_names or response.input_names.index(held) in response.analysed:
        raise ValueError(
            f"Expected a model with an input {held!r} that is not analysed. Received: inputs {response.input_names}, "
            f"analysed: {[response.input_names[i] for i in response.analysed]}"
        )
    position = response.input_names.index(held)
    if not is_stream(data):
        others = [name for name in response.input_names if name != held]
        data = {**(data if isinstance(data, dict) else dict.fromkeys(others, data)), held: theta[:1]}
    importances = importances_of(model, data, keywords, [{position: row[None]} for row in theta])
    return ImportanceOverTheta(theta, tuple(importance for (importance,) in importances))
