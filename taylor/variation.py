"""Which inputs, and which relations between inputs, carry the change of a network's output under a variation.

A systematic variation moves the inputs of a network, and so its output. Taylor's theorem divides the change of the
output into contributions of features; `taylor.shifts` has the equation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from taylor.analysis import analysis_of
from taylor.chunks import count_events
from taylor.features import FeatureSet
from taylor.response import Events, Response
from taylor.shifts import Estimates, Expansion, of_sums, sum_over_shifts
from taylor.variation_result import VariationImportance, inputs_of
from taylor.warning import warn

ROWS = 1 << 16  # events that are compared together


def importance_to_variation(
    model: keras.Model,
    nominal: Events,
    up: Events,
    down: Events | None = None,
    *,
    order: int = 2,
    points: int = 3,
    weight: ArrayLike | None = None,
    regions: Mapping[str, ArrayLike] | None = None,
    names: Sequence[str] | None = None,
    output: int | Sequence[int | str] = 0,
    target: str = "output",
    inputs: str | Sequence[str] | None = None,
    engine: str = "auto",
) -> VariationImportance:
    """What each feature contributes to the change of the response when the inputs of the same events move.

    For a variation that is known event by event, such as an energy scale: row i of `up` is row i of `nominal` with its
    inputs shifted by d. Up to the highest order k, here 2,

        y(x + d) - y(x) = sum_i t_i(x) d_i + sum_{i <= j} d_i d_j int_0^1 2 (1 - s) t_ij(x + s d) ds,

    which is Taylor's theorem with its last term as an integral; for order 1, sum_i d_i int_0^1 t_i(x + s d) ds, the
    Integrated Gradients of Sundararajan, Taly and Yan, arXiv:1703.01365, from x to x + d. A contribution is the
    weighted mean of its term over events. The integrals are done by Gauss' rule; what this leaves is the remainder.

    Any number of events is read chunk by chunk; features of inputs that move in no event are left out.

    Args:
        model: as `taylor_coefficients`.
        nominal: events in memory, as `x` of `taylor_coefficients`.
        up: the same events with varied inputs. Those that are not analysed may be left out of a dict; they stay.
        down: the same, varied the other way.
        order: 1 for inputs alone, the way for networks with kinks, such as of ReLU; 2 for their pairs, too.
        points: of Gauss' rule on the line from x to x + d. More of them make the remainder smaller.
        weight: (n_events,) event weights, the same before and after; they may be negative, but not in sum.
        regions: further sets of events: {name: (n_events,) of bool}.
        names, output, target, inputs, engine: as `taylor_coefficients`.

    Returns:
        VariationImportance of up, with `down`, `half_difference` and `mean_shift` if there is a down.

    Warns:
        UserWarning: the remainder is large.

    Raises:
        ValueError: NaN, a wrong shape, varied events that do not match the nominal ones, inputs that do not move.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    >>> x = np.zeros((4, 2), "float32")
    >>> print(importance_to_variation(model, x, x + [0.5, 0.0], order=1, names=["pt", "eta"]))
    Change of the mean response over 4 events; 1 of 2 inputs move
    rank  feature    order  contribution    error     share    error   mean |.|
       1  pt             1           0.5        0    100.0%     0.0%        0.5
          remainder                    0        0      0.0%
          change                     0.5        0    100.0%
    """
    arguments = {"output": output, "target": target, "inputs": inputs, "names": names, "engine": engine}
    analysis, parts = analysis_of(model, nominal, order=1, **arguments)
    response = analysis.response
    n_events = count_events(parts, response.analysed)
    moved = []
    for name, x in {"up": up, "down": down}.items():
        if x is not None:
            varied = varied_parts(response, nominal, x, name)
            _require_same_events(response, parts, varied, name)
            moved.append([varied[i] for i in response.analysed])
    columns = [weights_of(weight, n_events, "weight")]
    for name, mask in (regions or {}).items():
        mask = np.asarray(mask)
        if mask.shape != (n_events,) or mask.dtype != bool:
            raise ValueError(
                f"Expected region {name!r} as a mask of {n_events} bool. Received: {mask.dtype} {mask.shape}"
            )
        columns.append(weights_of(columns[0] * mask, n_events, f"weight in region {name!r}"))
    moving = _moving([parts[i] for i in response.analysed], moved)
    expansion = expansion_of(model, nominal, parts, analysis.features.names, moving, order, points, arguments)
    sums = sum_over_shifts(expansion, parts, moved, np.stack(columns, axis=1))
    everything, *others = [assembled(expansion, int(sums.n_events[r]), of_sums(sums, r)) for r in range(len(columns))]
    warn_of_remainder(everything)
    return replace(everything, regions=dict(zip(regions or {}, others, strict=True)))


def varied_parts(response: Response, nominal: Events, varied: Events, name: str) -> tuple:
    """Varied events as one array for each input; those that are left out of a dict are the nominal ones.

    Raises:
        ValueError: data frames whose columns are not in the same order; as `Response.arrange`.
    """
    if isinstance(nominal, Mapping):
        if not isinstance(varied, Mapping) and len(response.analysed) == 1:
            varied = {response.input_names[response.analysed[0]]: varied}
        held = {n: nominal[n] for i, n in enumerate(response.input_names) if i not in response.analysed}
        varied = {**held, **varied} if isinstance(varied, Mapping) else varied
    for one, other in zip(_tables(nominal), _tables(varied), strict=False):
        if list(one.columns) != list(other.columns):
            raise ValueError(
                f"Expected {name!r} with the columns {list(one.columns)}, in this order. Received: "
                f"{list(other.columns)}. Use {name}[nominal.columns]."
            )
    return response.arrange(varied)


def _tables(x: Events) -> list:
    several = x.values() if type(x) is dict else x if isinstance(x, (tuple, list)) else [x]
    return [part for part in several if hasattr(part, "columns")]


def _require_same_events(response: Response, parts: Sequence, varied: Sequence, name: str) -> None:
    for i, (one, other) in enumerate(zip(parts, varied, strict=True)):
        if i in response.analysed and len(other) != len(one):
            raise ValueError(
                f"Expected {name!r} to be the {len(one)} nominal events, with other inputs. Received: {len(other)} "
                "events. importance_between_samples compares samples of different events."
            )
        if i not in response.analysed and not np.array_equal(*np.broadcast_arrays(np.asarray(one), np.asarray(other))):
            raise ValueError(
                f"Expected the input {response.input_names[i]!r}, which is held fixed, to be in {name!r} as it is in "
                "nominal. Received: other values. Leave it out, or name it in `inputs`."
            )


def _moving(parts: Sequence, moved: Sequence[Sequence]) -> list[int]:
    """The analysed columns that move in any event of any variation."""
    moves = []
    for k, part in enumerate(parts):
        slices = [slice(start, start + ROWS) for start in range(0, len(part), ROWS)]
        differ = [
            np.any(np.asarray(of_one[k][rows]) != np.asarray(part[rows]), axis=0) for of_one in moved for rows in slices
        ]
        moves.append(np.any(differ, axis=0))
    return np.flatnonzero(np.concatenate(moves)).tolist()


def weights_of(weight: ArrayLike | None, n_events: int, name: str) -> np.ndarray:
    """(n_events,) float64; ones if None."""
    weight = np.ones(n_events) if weight is None else np.asarray(weight, float)
    if weight.shape != (n_events,) or not np.isfinite(weight).all() or not weight.sum() > 0:
        raise ValueError(
            f"Expected {name} with {n_events} finite numbers of positive sum. Received: shape {weight.shape}, "
            f"sum {weight.sum():g}"
        )
    return weight


def expansion_of(
    model: keras.Model,
    nominal: Events,
    parts: Sequence,
    names: Sequence[str],
    moving: Sequence[int],
    order: int,
    points: int,
    arguments: dict,
) -> Expansion:
    """The analyses of the features of the inputs that move, tried out."""
    if order not in (1, 2):
        raise ValueError(f"Expected order to be 1 or 2. Received: order={order!r}")
    if not isinstance(points, (int, np.integer)) or points < 1:
        raise ValueError(f"Expected points, on the line between events, to be at least 1. Received: points={points!r}")
    if not moving:
        raise ValueError("Expected varied inputs that differ from the nominal ones. Received: the same.")
    indices = FeatureSet.complete(tuple(names), order).indices
    by_order = [[f for f in indices if len(f) == k and set(f) <= set(moving)] for k in range(1, order + 1)]
    engine = arguments["engine"]
    analyses = []
    for features in reversed(by_order):  # the engine that can do the highest order does all
        analysis, _ = analysis_of(model, nominal, features=features, **arguments | {"engine": engine})
        analysis.try_out(parts)
        analyses.append(analysis)
        engine = analysis.engine
    highest, *below = analyses
    return Expansion(highest, below[0] if below else None, int(points))


def assembled(expansion: Expansion, n_events: int, estimates: Estimates) -> VariationImportance:
    """The result, with what follows from a down variation if there is one."""
    features, n = expansion.features, len(expansion.features)
    inputs = inputs_of(features)

    def one(v: int) -> VariationImportance:
        def of_columns(features: FeatureSet, columns: slice, by_input: VariationImportance | None):
            return VariationImportance(
                features,
                change=float(estimates.change[v]),
                change_error=float(estimates.change_error[v]),
                contribution=estimates.mean[v, columns],
                error=estimates.error[v, columns],
                share_error=estimates.share_error[v, columns],
                mean_abs=estimates.mean_abs[v, columns],
                remainder=float(estimates.mean[v, -1]),
                remainder_error=float(estimates.error[v, -1]),
                beyond_marginals=float(estimates.beyond[v]),
                beyond_marginals_error=float(estimates.beyond_error[v]),
                n_events=n_events,
                engine=expansion.highest.engine,
                by_input=by_input,
            )

        return of_columns(features, slice(n), of_columns(inputs, slice(n, n + len(inputs)), None))

    up, *others = [one(v) for v in range(len(estimates.change))]
    further: dict[str, Any] = dict(zip(("down", "half_difference", "mean_shift"), others, strict=False))
    return replace(up, **further)


def warn_of_remainder(result: VariationImportance) -> None:
    """Warns if the contributions do not add up to the change."""
    if abs(result.remainder) > max(abs(result.change) / 10, 2 * result.remainder_error):
        warn(
            f"The contributions leave {result.remainder:.3g} of the change of {result.change:.3g}. Use more points, or "
            "order=1 if the network has kinks as of ReLU or the shifts are large."
        )
