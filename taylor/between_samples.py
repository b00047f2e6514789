"""Which inputs carry the difference of a network's mean output between samples of different events."""

from collections.abc import Sequence

import keras
import numpy as np
from numpy.typing import ArrayLike

from taylor.analysis import Analysis, analysis_of
from taylor.chunks import array_chunks, count_events, require_finite
from taylor.marginals import marginal_maps
from taylor.response import Events
from taylor.shifts import Estimates, combinations, sum_over_shifts
from taylor.variation import assembled, expansion_of, varied_parts, warn_of_remainder, weights_of
from taylor.variation_result import VariationImportance

FEWEST = 20  # events in a sample: a replica is without any once in 5e8


def importance_between_samples(
    model: keras.Model,
    nominal: Events,
    up: Events,
    down: Events | None = None,
    *,
    order: int = 2,
    points: int = 3,
    weight: ArrayLike | None = None,
    up_weight: ArrayLike | None = None,
    down_weight: ArrayLike | None = None,
    bootstrap: int = 100,
    seed: int = 0,
    names: Sequence[str] | None = None,
    output: int | Sequence[int | str] = 0,
    target: str = "output",
    inputs: str | Sequence[str] | None = None,
    engine: str = "auto",
) -> VariationImportance:
    """What each feature contributes to the difference of the mean response between samples of different events.

    For a variation that comes as a sample of its own, such as that of another generator, no event has a shift. Each
    input of the nominal events is moved, by itself, to the distribution that it has in the varied sample, by the
    monotone map between the two (`taylor.marginals`), and the events that are moved so are divided as by
    `importance_to_variation`. This is what the variation does if it shifts and stretches inputs one by one. Whatever
    else it does, correlations above all, is `beyond_marginals`: the change minus that of the moved events. A variation
    of the correlations alone is all there.

    The standard errors are those of `bootstrap` Poisson replicas of all samples, each with maps of its own; a replica
    computes 63 per cent of the nominal events anew. Inputs of few different values are moved to the mean of what they
    become, which need not be one of the values. The contribution of the square of an input is off by t_ii times the
    mean variance of its map, of order 1 / n_events.

    Args:
        model, order, points, names, output, target, inputs, engine: as `importance_to_variation`.
        nominal, up, down: samples, each as `x` of `taylor_coefficients`; of any sizes, all in memory.
        weight, up_weight, down_weight: event weights of each, not negative; ones if None. Only their ratios within a
            sample matter.
        bootstrap: number of replicas, at least 2; with 100, errors are good to 7 per cent.
        seed: of the replicas.

    Returns:
        VariationImportance, as of `importance_to_variation`; its `mean_abs` are those of moved events.

    Warns:
        UserWarning: the remainder is large.

    Raises:
        ValueError: NaN, a wrong shape, negative weights, fewer than 20 events in a sample.
    """
    if not isinstance(bootstrap, int) or bootstrap < 2:
        raise ValueError(f"Expected bootstrap, the number of replicas, to be at least 2. Received: {bootstrap!r}")
    if down is None and down_weight is not None:
        raise ValueError("Expected down_weight=None without a sample down.")
    arguments = {"output": output, "target": target, "inputs": inputs, "names": names, "engine": engine}
    analysis, parts = analysis_of(model, nominal, order=1, **arguments)
    response = analysis.response
    given = {"up": (up, up_weight), "down": (down, down_weight)}
    given = {name: both for name, both in given.items() if both[0] is not None}
    samples = [parts, *(varied_parts(response, nominal, x, name) for name, (x, _) in given.items())]
    weights = [
        _weights(of_sample, response.analysed, one, name)
        for of_sample, (name, one) in zip(
            samples, [("weight", weight), *((f"{name}_weight", w) for name, (_, w) in given.items())], strict=True
        )
    ]
    columns = []
    for of_sample in samples:
        require_finite(of_sample, response.input_names)
        columns.append(np.concatenate([np.asarray(of_sample[i], float) for i in response.analysed], axis=1))
    maps = [marginal_maps(columns[0], other) for other in columns[1:]]
    moving = np.flatnonzero(
        [np.ptp(np.concatenate(column)) > 0 for column in zip(*(c.T for c in columns), strict=True)]
    )
    names = analysis.features.names
    expansion = expansion_of(model, nominal, parts, names, moving.tolist(), order, points, arguments)
    responses = [_responses(expansion.highest, of_sample) for of_sample in samples]
    widths = np.cumsum([np.shape(parts[i])[1] for i in response.analysed])[:-1]

    def compare(weights):
        """The changes (n_shifts,), and the Sums of the events that are moved."""
        rows = np.flatnonzero(weights[0])
        moved = [to(weights[0], other)[rows] for to, other in zip(maps, weights[1:], strict=True)]
        moved = [np.split(one, widths, axis=1) for one in moved]
        few = [part if i not in response.analysed and len(part) == 1 else part[rows] for i, part in enumerate(parts)]
        sums = sum_over_shifts(expansion, few, moved, weights[0][rows, None])
        mean, *others = [np.average(y, weights=w) for y, w in zip(responses, weights, strict=True)]
        return np.array(combinations(*(other - mean for other in others))), sums

    replicas = []
    for number in range(bootstrap):
        rng = np.random.default_rng((seed, number))
        change, sums = compare([w * rng.poisson(1.0, len(w)) for w in weights])
        replicas.append((change, sums.wz[0] / sums.w[0]))
    change, sums = compare(weights)
    estimates = _of_replicas(change, sums.wz[0] / sums.w[0], sums.wa[0] / sums.w[0], replicas)
    result = assembled(expansion, int(sums.n_events[0]), estimates)
    warn_of_remainder(result)
    return result


def _weights(parts: Sequence, analysed: Sequence[int], weight: ArrayLike | None, name: str) -> np.ndarray:
    weight = weights_of(weight, count_events(parts, analysed), name)
    if np.count_nonzero(weight) < FEWEST:
        raise ValueError(
            f"Expected {name} of at least {FEWEST} events other than 0, for errors by a bootstrap. Received: "
            f"{np.count_nonzero(weight)}."
        )
    if (weight < 0).any():
        raise ValueError(
            f"Expected {name} without negative numbers, which make no distribution to move events to. Received: "
            f"{np.count_nonzero(weight < 0)} of them."
        )
    return weight


def _responses(analysis: Analysis, parts: Sequence) -> np.ndarray:
    """(n_events,) float64."""
    response, size = analysis.response, analysis.chunk_size
    chunks = array_chunks(parts, response.analysed, size, response.dtypes)
    return np.concatenate([np.asarray(analysis.respond(x), float)[: rows.stop - rows.start] for x, rows in chunks])


def _of_replicas(change: np.ndarray, mean: np.ndarray, mean_abs: np.ndarray, replicas: Sequence) -> Estimates:
    """The standard deviations over replicas of all that is estimated."""
    changes, means = (np.stack(values) for values in zip(*replicas, strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = means - (mean / change[:, None]) * changes[:, :, None]
        share_error = apart.std(axis=0, ddof=1) / np.abs(change)[:, None]
    return Estimates(
        change=change,
        change_error=changes.std(axis=0, ddof=1),
        mean=mean,
        error=means.std(axis=0, ddof=1),
        share_error=share_error,
        mean_abs=mean_abs,
        beyond=change - mean[:, -2],
        beyond_error=(changes - means[:, :, -2]).std(axis=0, ddof=1),
    )
