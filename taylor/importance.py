"""<t_i>, the mean absolute Taylor coefficients over a stream of events: Wunsch et al. 2018, Eq. (1)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np
import tensorflow as tf

from taylor.analysis import Analysis
from taylor.coefficients import warn_of_vanishing
from taylor.features import FeatureSet
from taylor.response import Response
from taylor.result import TaylorImportance
from taylor.sources import source_of
from taylor.streaming import Sums, sum_over_events


def mean_abs_coefficients(
    model: keras.Model,
    data,
    *,
    order: int = 2,
    weight=None,
    regions: Mapping | Callable | None = None,
    bootstrap: int = 0,
    seed: int = 0,
    names: Sequence[str] | None = None,
    output=0,
    target: str = "output",
    inputs=None,
    features=None,
    scale=None,
    engine: str = "auto",
) -> TaylorImportance:
    """The influence of each feature on the response: the weighted mean of |t_i| over events, with its standard error.

    Any number of events is read once, chunk by chunk, in constant memory.

    Args:
        model: as `taylor_coefficients`.
        data: events in memory, as `x` of `taylor_coefficients`; or a finite `tf.data.Dataset` of batches x, (x, y) or
            (x, y, sample_weight), as for `fit`.
        order: highest order of the features, at least 1.
        weight: (n_events,) event weights; ones if None. They may be negative, as those of some generators, but not in
            sum. A dataset brings its own.
        regions: further sets of events to be averaged over in the same pass: {name: (n_events,) of bool}, such as
            {"signal": y == 1}; for a dataset a function of (x, y) that returns the like as tensors.
        bootstrap: number of Poisson bootstrap replicas of the events, from which the uncertainty of the ranks follows;
            100 are enough for an interval of 68 per cent.
        seed: of the replicas.
        names: of the analysed inputs; by default those of a data frame, else x1, x2, ...
        output, target, inputs, features, scale, engine: as `taylor_coefficients`.

    Returns:
        TaylorImportance; its `regions` hold one for each region.

    Warns:
        UserWarning: as `taylor_coefficients`.

    Raises:
        ValueError: as `taylor_coefficients`; also a region without events, weights that sum to zero or less.
        MemoryError: more features than fit in memory.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid", kernel_initializer="ones")])
    >>> print(mean_abs_coefficients(model, np.zeros((4, 2)), order=1, names=["mass", "pt"]))
    Mean absolute Taylor coefficients of 2 features over 4 events
    rank  feature  order     <|t|>     error
       1  mass         1      0.25         0
       2  pt           1      0.25         0
    """
    arguments = {
        "order": order,
        "output": output,
        "target": target,
        "inputs": inputs,
        "names": names,
        "features": features,
        "scale": scale,
        "engine": engine,
    }
    source = source_of(model, data, weight, regions, arguments)
    (sums,) = sum_over_events(source.analysis, source.chunks, bootstrap, seed)
    return _result(source.analysis, source.region_names, sums)


def importance_over_theta(model: keras.Model, data, theta, *, held: str = "theta", **keywords) -> "ImportanceOverTheta":
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
    if not isinstance(data, tf.data.Dataset):
        others = [name for name in response.input_names if name != held]
        data = {**(data if isinstance(data, dict) else dict.fromkeys(others, data)), held: theta[:1]}
    options = {"bootstrap": 0, "seed": 0, "weight": None, "regions": None} | keywords
    bootstrap, seed, weight, regions = (options.pop(name) for name in ("bootstrap", "seed", "weight", "regions"))
    source = source_of(model, data, weight, regions, options)
    replacements = [{position: tf.constant(row[None], source.analysis.response.dtype)} for row in theta]
    all_sums = sum_over_events(source.analysis, source.chunks, bootstrap, seed, replacements)
    importances = tuple(_result(source.analysis, source.region_names, sums) for sums in all_sums)
    return ImportanceOverTheta(theta, importances)


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


def _result(analysis: Analysis, region_names: Sequence[str], sums: Sums) -> TaylorImportance:
    if sums.n_bad_inputs:
        raise ValueError(
            "Expected finite inputs. Received: NaN or infinity in some events. Drop these events or replace the values."
        )
    if sums.n_bad_responses:
        raise ValueError(
            "The coefficients of some events are NaN or infinite, although the inputs are finite. Has the network "
            "diverged, or do the inputs lack standardisation?"
        )
    results = []
    for r, name in enumerate(region_names):
        if sums.n_events[r] == 0:
            raise ValueError(f"Expected events of weight other than 0 in region {name!r}. Received: none.")
        if not sums.w[r] > 0:
            raise ValueError(f"Expected weights with a positive sum in region {name!r}. Received: {sums.w[r]:g}.")
        mean = sums.wt[r] / sums.w[r]
        variance = (sums.w2t2[r] - 2 * mean * sums.w2t[r] + mean**2 * sums.w2[r]) / sums.w[r] ** 2
        n_replicas = sums.cw.shape[1]
        results.append(
            TaylorImportance(
                features=analysis.features,
                mean=mean,
                error=np.sqrt(np.maximum(variance, 0)),
                n_events=int(sums.n_events[r]),
                engine=analysis.engine,
                replicas=sums.cwt[r] / sums.cw[r][:, None] if n_replicas else None,
            )
        )
    everything, *others = results
    warn_of_vanishing(analysis.features, everything.mean, stacklevel=4)
    return replace(everything, regions=dict(zip(region_names[1:], others, strict=True)))
