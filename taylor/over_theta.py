"""The importance of features to a parametric model, as a function of theta."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from taylor import tables
from taylor.features import FeatureSet
from taylor.importance import importance_of
from taylor.median import Medians
from taylor.response import Events, Response
from taylor.result import TaylorImportance
from taylor.sources import Stream, is_stream, source_of
from taylor.streaming import sum_over_events


@dataclass(frozen=True, eq=False)
class ImportanceOverTheta:
    """Mean absolute Taylor coefficients on a grid of theta.

    Attributes:
        theta: (n_theta, n_parameters).
        importances: one TaylorImportance a theta, over the same events.
    """

    theta: np.ndarray
    importances: tuple[TaylorImportance, ...]

    @property
    def features(self) -> FeatureSet:
        """Names and input indices of the columns."""
        return self.importances[0].features

    @property
    def mean(self) -> np.ndarray:
        """(n_theta, n_features) <t_i>."""
        return np.stack([importance.mean for importance in self.importances])

    @property
    def error(self) -> np.ndarray:
        """(n_theta, n_features) standard error of the mean."""
        return np.stack([importance.error for importance in self.importances])

    def _repr_html_(self) -> str:
        """The features that are largest at any theta, a column a theta."""
        largest = np.argsort(-self.mean.max(axis=0), kind="stable")[: tables.N_SHOWN].tolist()
        shown = [("feature", [self.features.label(column) for column in largest])]
        for theta, mean, error in zip(self.theta, self.mean, self.error, strict=True):
            cells = [f"{mean[column]:.4g} ± {error[column]:.2g}" for column in largest]
            shown.append((", ".join(f"{value:g}" for value in theta), cells))
        title = f"Mean absolute Taylor coefficients of {len(self.features):,} features, a column for each theta"
        return tables.html_table(title, shown, *tables.more(self.features))


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
    apart = {"bootstrap": 0, "seed": 0, "weight": None, "regions": None, "median": False}
    options = apart | keywords
    bootstrap, seed, weight, regions, median = (options.pop(name) for name in apart)
    source = source_of(model, data, weight, regions, options)
    replacements = [{position: tf.constant(row[None], source.analysis.response.dtypes[position])} for row in theta]
    medians = Medians(source.analysis, median, replacements)
    all_sums = sum_over_events(source.analysis, medians.passing(source.chunks), bootstrap, seed, replacements)
    importances = (importance_of(source.analysis, source.region_names, sums) for sums in all_sums)
    return ImportanceOverTheta(theta, tuple(medians.added_to(one, i) for i, one in enumerate(importances)))
