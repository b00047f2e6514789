"""Figures of what taylor finds: `import taylor.plots`, which needs matplotlib, `pip install keras-hep[plots]`.

Each function returns a matplotlib Figure. It draws into `figure` instead if one is given, a Figure or SubFigure with
constrained layout, so that several stand side by side. Fonts, sizes and the ink are those of the user's own style;
colours are those of Okabe and Ito, which readers with any common colour blindness can tell apart, or `colours` by name.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import rcParams
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from taylor.features import FeatureSet
from taylor.monitor import MonitorRecord
from taylor.over_theta import ImportanceOverTheta
from taylor.result import TaylorImportance
from taylor.variation_result import VariationImportance

if TYPE_CHECKING:
    from taylor.outputs import ImportanceOfOutputs

BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY = COLOURS = "#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9"
DASHES = "-", "--", "-.", ":"
MARKERS = "D", "o", "s", "^"
MEAN = r"$\langle |t| \rangle$"
ORDERS = {1: ORANGE, 2: BLUE, 3: GREEN}  # by order; higher ones are grey
GREY = "#8c959f"


def ranking(
    importance: TaylorImportance | Mapping[str, TaylorImportance],
    n: int = 20,
    *,
    colours: Mapping | None = None,
    legend: bool = True,
    figure: FigureBase | None = None,
) -> FigureBase:
    """Bars of the features with the largest means, with standard errors; the colour is the order.

    After a merge of networks, a thin outer bar with caps adds their spread to the error, in squares.

    Args:
        importance: of `mean_abs_coefficients`; or several of the same features by name, such as those of regions. The
            bars, and which features there are, are those of the first; the others are points on the same lines.
        n: number of features.
        colours: of the orders, 1, 2, ..., and of the names.
        legend: whether there is one.
        figure: to draw into; a new one if None.

    Raises:
        ValueError: no importance, other features in another.
    """
    named = dict(importance) if isinstance(importance, Mapping) else {"": importance}
    _features_of(named)
    (first_name, first), *others = named.items()
    lines = first.ranking(n)
    places, columns = np.arange(len(lines)), np.argsort(first.ranks)[:n]
    of_order = ORDERS | dict(colours or {})
    figure = _figure(figure, (5.4, 1.3 + 0.24 * len(lines)))
    axes = figure.subplots()
    axes.barh(
        places,
        first.mean[columns],
        height=0.72,
        color=[of_order.get(line.order, GREY) for line in lines],
        xerr=first.error[columns],
        error_kw={"ecolor": _ink(), "elinewidth": 0.9 if first.spread is None else 2.4},
    )
    looks = _looks([name for name, _ in others], colours)
    ink = {"mec": _ink(), "ecolor": _ink(), "elinewidth": 0.9, "ls": ""}
    for (name, one), marker in zip(others, cycle(MARKERS), strict=False):
        points = {"marker": marker, "mfc": looks[name]["color"], "ms": 5, "label": name}
        axes.errorbar(one.mean[columns], places, xerr=one.error[columns], **points, **ink)
    for one in named.values():
        if one.spread is not None:
            outer = np.hypot(one.error, one.spread)[columns]
            axes.errorbar(one.mean[columns], places, xerr=outer, ecolor=_ink(), elinewidth=0.7, capsize=2.5, ls="")
    axes.set_yticks(places, [line.feature for line in lines])
    axes.tick_params(axis="y", left=False)
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel(MEAN)
    if legend:
        prefix = f"{first_name}, " if first_name else ""
        orders = sorted({line.order for line in lines})
        bars = [Patch(color=of_order.get(order, GREY), label=f"{prefix}order {order}") for order in orders]
        _legend(figure, [*bars, *axes.get_legend_handles_labels()[0]])
    return figure


def pairs(
    importance: TaylorImportance, *, n: int = 40, colormap: str = "cividis", figure: FigureBase | None = None
) -> FigureBase:
    """The second-order means as a matrix: off the diagonal the relation of two inputs, on it an auto-correlation.

    Pairs that were not analysed are left white.

    Args:
        importance: of `mean_abs_coefficients`.
        n: number of inputs: those with the largest mean in any pair, in their own order.
        colormap: of matplotlib.
        figure: as of `ranking`.

    Raises:
        ValueError: an importance without features of second order.
    """
    features = importance.features
    columns = features.positions(2)
    if len(columns) == 0:
        raise ValueError("Expected features of second order. Received: none. Use mean_abs_coefficients(order=2).")
    n_inputs = len(features.names)
    matrix = np.full((n_inputs, n_inputs), np.nan)
    i, j = features.of_order(2).T
    matrix[i, j] = matrix[j, i] = importance.mean[columns]
    shown = _largest(matrix, n)
    names = [features.names[i] for i in shown]
    size = 2.4 + 0.22 * len(names)
    figure = _figure(figure, (size + 0.8, size))
    _matrix(figure, matrix[np.ix_(shown, shown)], names, names, colormap, f"{MEAN} of the pair")
    return figure


def by_output(
    result: "ImportanceOfOutputs | Mapping[str, TaylorImportance]",
    *,
    features: Sequence[str] | None = None,
    n: int = 40,
    normalise: bool = False,
    colormap: str = "cividis",
    figure: FigureBase | None = None,
) -> FigureBase:
    """Which output rests on what: the means as a matrix, a row an output and a column a feature.

    Args:
        result: of `importance_of_outputs`; or importances of the same features by name.
        features: labels such as "mass" or "mass, pt"; those of first order if None.
        n: number of features if none are named: those that are largest in any output, in the order of the inputs.
        normalise: whether each row is in per cent of its sum, so that outputs with small derivatives are seen too.
        colormap: of matplotlib.
        figure: as of `ranking`.

    Raises:
        ValueError: no importance, other features in another, a feature that was not analysed, none of first order.
    """
    named = dict(result) if isinstance(result, Mapping) else dict(zip(result.names, result.importances, strict=True))
    of_all = _features_of(named)
    columns = of_all.positions(1) if features is None else [_column(of_all, label) for label in features]
    if len(columns) == 0:
        raise ValueError("Expected features of first order, or features=[...] to draw. Received: none.")
    matrix = np.stack([one.mean[columns] for one in named.values()])
    if normalise:
        matrix = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    shown = _largest(matrix, n if features is None else len(columns))
    labels = [of_all.label(columns[i]) for i in shown]
    figure = _figure(figure, (3.2 + 0.24 * len(labels), 2.6 + 0.3 * len(named)))
    label = "share of the output (%)" if normalise else MEAN
    _matrix(figure, matrix[:, shown], list(named), labels, colormap, label)
    return figure


def course(
    records: Sequence[MonitorRecord] | Mapping[str, Sequence[MonitorRecord]],
    *,
    features: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    n: int = 5,
    colours: Mapping[str, str] | None = None,
    legend: bool = True,
    figure: FigureBase | None = None,
) -> FigureBase:
    """Means of some features in the course of a training, with a band of one standard error, and metrics below.

    A vertical line marks the record of the network that a training ends with if it is not the last one.

    Args:
        records: of `TaylorMonitor` or `read_monitor`; or those of several trainings by name, told apart by dashes.
        features: labels such as "mass" or "mass, pt"; the n largest at the end (of the first training) if None.
        metrics: names; all if None.
        n: number of features if none are named.
        colours: by label of a feature.
        legend, figure: as of `ranking`.

    Raises:
        ValueError: no records, a feature that was not analysed.
    """
    named = dict(records) if isinstance(records, Mapping) else {"": records}
    if not named or not all(len(of_name) for of_name in named.values()):
        raise ValueError("Expected records of TaylorMonitor. Received: none.")
    first = next(iter(named.values()))
    last = first[-1].importance
    labels = [line.feature for line in last.ranking(n)] if features is None else list(features)
    metrics = list(first[-1].metrics) if metrics is None else list(metrics)
    looks = _looks(labels, colours)
    figure = _figure(figure, (6.4, 3.8 + 1.5 * len(metrics)))
    panels = figure.subplots(
        1 + len(metrics), sharex=True, squeeze=False, gridspec_kw={"height_ratios": [2.2] + [1] * len(metrics)}
    )[:, 0]
    for of_name, dashes in zip(named.values(), cycle(DASHES), strict=False):
        step = [record.step for record in of_name]
        for label in labels:
            column = _column(of_name[0].importance.features, label)
            mean = np.array([record.importance.mean[column] for record in of_name])
            error = np.array([record.importance.error[column] for record in of_name])
            _band(panels[0], step, mean, error, looks[label]["color"], dashes)
        for axes, metric in zip(panels[1:], metrics, strict=True):
            axes.plot(step, [record.metrics[metric] for record in of_name], color=_ink(), ls=dashes)
            axes.set_ylabel(metric)
        for record in of_name[:-1]:
            if record.ends_here:
                for axes in panels:
                    axes.axvline(record.step, color=GREY, ls=dashes, lw=1)
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel(MEAN)
    panels[-1].set_xlabel("gradient step")
    if legend:
        of_training = [Line2D([], [], color=_ink(), ls=d, label=name) for name, d in zip(named, cycle(DASHES)) if name]
        _legend(figure, [*(Line2D([], [], **look) for look in looks.values()), *of_training])
    return figure


def over_theta(
    result: ImportanceOverTheta,
    *,
    features: Sequence[str] | None = None,
    n: int = 5,
    parameter: int = 0,
    label: str = "theta",
    colours: Mapping[str, str] | None = None,
    legend: bool = True,
    figure: FigureBase | None = None,
) -> FigureBase:
    """Means of some features against theta, with a band of one standard error.

    Args:
        result: of `importance_over_theta`, of a grid in which one parameter varies.
        features: labels such as "mass" or "mass, pt"; those n whose mean is largest anywhere if None.
        n: number of features if none are named.
        parameter: which of several.
        label: what theta is, with its unit, such as "mass (GeV)".
        colours: by label of a feature.
        legend, figure: as of `ranking`.

    Raises:
        ValueError: a feature that was not analysed, a grid in which another parameter varies.
    """
    if np.ptp(np.delete(result.theta, parameter, axis=1), axis=0).any():
        raise ValueError(
            f"Expected a grid of theta in which only parameter {parameter} varies. Received: others vary too. Draw a "
            "part of the grid at a time."
        )
    order = np.argsort(result.theta[:, parameter])
    theta, mean, error = result.theta[order, parameter], result.mean[order], result.error[order]
    if features is None:
        features = [result.features.labels[i] for i in np.argsort(-mean.max(axis=0), kind="stable")[:n]]
    looks = _looks(features, colours)
    figure = _figure(figure, (5.8, 4.0))
    axes = figure.subplots()
    for name in features:
        column = _column(result.features, name)
        _band(axes, theta, mean[:, column], error[:, column], looks[name]["color"], looks[name]["ls"])
    axes.set_ylim(bottom=0)
    axes.set_xlabel(label)
    axes.set_ylabel(MEAN)
    if legend:
        _legend(figure, [Line2D([], [], **look) for look in looks.values()])
    return figure


def variation(
    result: VariationImportance,
    n: int = 15,
    *,
    relative: bool = False,
    colours: Mapping | None = None,
    legend: bool = True,
    figure: FigureBase | None = None,
) -> FigureBase:
    """Bars of the features that carry most of a change, with signs and standard errors, down to the change itself.

    Below the features come, hatched, the sum of those that are not shown, the remainder, and between samples what is
    beyond the marginals; then the change, which is the sum of all bars above it.

    Args:
        result: of `importance_to_variation` or `importance_between_samples`, or a part of it such as `half_difference`.
        n: number of features.
        relative: in per cent of the change, with the errors of the shares.
        colours: of the orders, 1 and 2.
        legend, figure: as of `ranking`.
    """
    ranked = result.ranking()
    lines, others = ranked[:n], ranked[n:]
    of_order = ORDERS | dict(colours or {})
    rest = [("remainder", result.remainder, result.remainder_error)]
    if others:
        rest.insert(0, (f"{len(others):,} more, their sum", sum(line.contribution for line in others), 0.0))
    if result.beyond_marginals_error:
        rest.append(("beyond marginals", result.beyond_marginals, result.beyond_marginals_error))
    unit = result.change / 100 if relative else 1.0
    bars = [
        (line.feature, line.contribution, 100 * line.share_error if relative else line.error, of_order[line.order], "")
        for line in lines
    ]
    bars += [(label, value, error / abs(unit), "none", "////") for label, value, error in rest]
    bars.append(("change", result.change, result.change_error / abs(unit), GREY, ""))
    figure = _figure(figure, (5.8, 1.3 + 0.24 * len(bars)))
    axes = figure.subplots()
    for place, (_, value, error, colour, hatch) in enumerate(bars):
        look = {"color": colour, "edgecolor": _ink() if hatch else colour, "hatch": hatch, "lw": 0.6, "height": 0.72}
        axes.barh(place, value / unit, xerr=error, error_kw={"ecolor": _ink(), "elinewidth": 0.9}, **look)
    axes.axvline(0, color=_ink(), lw=0.8)
    axes.axhline(len(bars) - 1.5, color=_ink(), lw=0.5)
    axes.set_yticks(range(len(bars)), [label for label, *_ in bars])
    axes.tick_params(axis="y", left=False)
    axes.invert_yaxis()
    axes.locator_params(axis="x", nbins=6)
    axes.ticklabel_format(axis="x", scilimits=(-3, 4))
    axes.set_xlabel("share of the change (%)" if relative else "contribution to the change of the mean response")
    if legend:
        orders = sorted({line.order for line in lines})
        _legend(figure, [Patch(color=of_order[order], label=f"order {order}") for order in orders])
    return figure


def _figure(figure, size):
    return Figure(figsize=size, layout="constrained") if figure is None else figure


def _looks(names: Sequence[str], colours) -> dict[str, dict]:
    """Colour, dashes and label by name; names without a colour get the next one that is free."""
    given = dict(colours or {})
    free = cycle([colour for colour in COLOURS if colour not in given.values()] or COLOURS)
    dashes = [style for style in DASHES for _ in COLOURS]  # another one where the colours begin anew
    return {
        name: {"color": given[name] if name in given else next(free), "ls": style, "label": name}
        for name, style in zip(names, cycle(dashes), strict=False)
    }


def _largest(matrix: np.ndarray, n: int) -> np.ndarray:
    """The n columns with the largest values, in their own order; NaN counts as nothing."""
    largest = np.nan_to_num(matrix).max(axis=0)
    return np.sort(np.argsort(-largest, kind="stable")[:n])


def _matrix(figure, matrix, rows: Sequence[str], columns: Sequence[str], colormap, label) -> None:
    """With names on both sides and a scale from 0."""
    axes = figure.subplots()
    image = axes.imshow(matrix, cmap=colormap, vmin=0, aspect="auto")
    upright = max(map(len, columns)) <= 4 and len(columns) <= 12
    for axis, names, rotation in ((axes.xaxis, columns, 0 if upright else 90), (axes.yaxis, rows, 0)):
        axis.set_ticks(
            range(len(names)), names, rotation=rotation, **({"fontsize": "small"} if len(names) > 12 else {})
        )
    axes.tick_params(left=False, bottom=False)
    axes.grid(False)
    figure.colorbar(image, ax=axes, label=label, fraction=0.05)


def _features_of(named: Mapping[str, TaylorImportance]) -> FeatureSet:
    if len({one.features for one in named.values()}) != 1:
        raise ValueError(f"Expected importances of the same features. Received: {', '.join(named) or 'none'}.")
    return next(iter(named.values())).features


def _column(features: FeatureSet, label: str) -> int:
    if label not in features.labels:
        raise ValueError(
            f"Expected one of the {len(features)} analysed features, such as 'a' or 'a, b'. Received: {label!r}"
        )
    return features.labels.index(label)


def _band(axes, x, mean, error, colour, dashes) -> None:
    axes.plot(x, mean, color=colour, ls=dashes)
    axes.fill_between(x, mean - error, mean + error, color=colour, alpha=0.2, lw=0)


def _legend(figure, handles) -> None:
    """Below, in as many columns as the labels leave room for."""
    if handles:
        size = rcParams["font.size"] / 72  # inches; a letter is about 0.6 as wide as it is high, a handle takes 4 of it
        width = size * (4 + 0.6 * max(len(handle.get_label()) for handle in handles))
        n_columns = max(1, min(len(handles), int(figure.bbox.width / figure.dpi / width)))
        figure.legend(handles=handles, loc="outside lower center", ncols=n_columns)


def _ink() -> str:
    return rcParams["text.color"]
