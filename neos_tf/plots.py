"""Figures of what neos_tf makes: `import neos_tf.plots`, which needs matplotlib, `pip install keras-hep[plots]`.

Each function returns a matplotlib Figure. It draws into `figure` instead if one is given, a Figure or SubFigure with
constrained layout, so that several stand side by side. Fonts, sizes and the ink are those of the user's own style;
colours are those of Okabe and Ito, which readers with any common colour blindness can tell apart, or `colours` by name.
"""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib import rcParams
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from neos_tf.impacts import Impacts, Postfit, strings
from neos_tf.templates import Likelihood

COLOURS = "#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9"
GREY = "#8c959f"
DASHES = "-", "--", "-.", ":"
LABELS = {"cls": "median expected CLs", "significance": "median expected significance"}
DECADE = 10.0  # values above zero that differ by more are drawn on a logarithmic axis


def templates(
    likelihood: Likelihood | Mapping,
    modifiers: Sequence[str] | None = None,
    *,
    edges: Mapping[str, Sequence[float]] | Sequence[float] | None = None,
    label: str | None = None,
    colours: Mapping[str, str] | None = None,
    legend: bool = True,
    figure: FigureBase | None = None,
) -> FigureBase:
    """Expected events of each sample in each bin, and below their variations relative to them.

    A column a sample, two rows a channel. Of a variation (histosys, normsys), up is a full line, down a dashed one.
    Absolute uncertainties (staterror, shapesys), in quadrature, are a grey band around the nominal.

    Args:
        likelihood: `model.bind(...)`, such as of `SummaryStatistic.histograms()`; or a pyhf specification with numbers,
            as of `Likelihood.specification`.
        modifiers: names of the variations to draw; all if None.
        edges: (n_bins + 1,) of the observable, of all channels or by channel; bins are counted from 1 if None.
        label: what the observable is, with its unit; "bin" if there are no edges, else "summary statistic".
        colours: by modifier.
        legend: whether there is one.
        figure: to draw into; a new one if None.

    Raises:
        ValueError: no channel, an unknown modifier, edges that do not fit the bins.
    """
    specification = likelihood if isinstance(likelihood, Mapping) else likelihood.specification()
    channels = specification["channels"]
    known = dict.fromkeys(
        modifier["name"]
        for channel in channels
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
        if modifier["type"] in ("histosys", "normsys")
    )
    modifiers = list(known) if modifiers is None else list(modifiers)
    if unknown := [name for name in modifiers if name not in known]:
        raise ValueError(f"Expected variations out of {', '.join(known) or 'none'}. Received: {', '.join(unknown)}.")
    given = dict(colours or {})
    free = cycle([colour for colour in COLOURS if colour not in given.values()] or COLOURS)
    colours = {name: given[name] if name in given else next(free) for name in modifiers}
    n_samples = max((len(channel["samples"]) for channel in channels), default=0)
    if not n_samples:
        raise ValueError("Expected a specification with channels and samples. Received: none.")
    figure = _figure(figure, (1.0 + 2.9 * n_samples, 0.6 + 3.6 * len(channels)))
    heights = {"height_ratios": [2, 1] * len(channels)}
    grid = figure.subplots(2 * len(channels), n_samples, squeeze=False, sharex="row", gridspec_kw=heights)
    with_band = False
    for channel, above, below in zip(channels, grid[::2], grid[1::2], strict=True):
        own = edges.get(channel["name"]) if isinstance(edges, Mapping) else edges
        for axes in (*above[len(channel["samples"]) :], *below[len(channel["samples"]) :]):
            axes.remove()
        for sample, counts, ratios in zip(channel["samples"], above, below, strict=False):
            n_bins = len(sample["data"])
            borders = np.arange(n_bins + 1) + 0.5 if own is None else np.asarray(own, float)
            if len(borders) != n_bins + 1:
                raise ValueError(
                    f"Expected edges of {n_bins} bins for channel {channel['name']!r}. Received: {len(borders)} edges."
                )
            with_band |= _sample(counts, ratios, sample, borders, colours)
            title = sample["name"] if len(channels) == 1 else f"{channel['name']}: {sample['name']}"
            counts.set_title(title)
            counts.tick_params(labelbottom=False)
            for axes in (counts, ratios):
                axes.set_xlim(borders[0], borders[-1])
            ratios.set_xlabel(label or ("bin" if own is None else "summary statistic"))
            if own is None:
                ratios.xaxis.set_major_locator(MaxNLocator(min(n_bins, 8), integer=True))
        above[0].set_ylabel("expected events")
        below[0].set_ylabel("ratio")
    if legend:
        lines = [Line2D([], [], color=colour, label=name) for name, colour in colours.items()]
        ways = [Line2D([], [], color=GREY, ls=ls, label=way) for way, ls in (("up", "-"), ("down", "--"))]
        band = [Patch(color=GREY, alpha=0.4, lw=0, label="statistical")] if with_band else []
        _legend(figure, [*lines, *(ways if lines else ()), *band])
    return figure


def _sample(counts, ratios, sample, edges, colours) -> bool:
    """Draws one sample; says whether it has an absolute uncertainty."""
    nominal = np.asarray(sample["data"], float)
    counts.stairs(nominal, edges, color=GREY, fill=True, alpha=0.25)
    absolute = [m["data"] for m in sample["modifiers"] if m["type"] in ("staterror", "shapesys")]
    if absolute:
        error = np.sqrt(np.sum(np.square(absolute), axis=0))
        counts.stairs(nominal + error, edges, baseline=nominal - error, color=GREY, fill=True, alpha=0.4)
        ratios.stairs(
            1 + _relative(error, nominal),
            edges,
            baseline=1 - _relative(error, nominal),
            color=GREY,
            fill=True,
            alpha=0.4,
        )
    for modifier in sample["modifiers"]:
        if modifier["name"] not in colours or modifier["type"] not in ("histosys", "normsys"):
            continue
        data, name = modifier["data"], modifier["name"]
        pair = (data["hi_data"], data["lo_data"]) if "hi_data" in data else (data["hi"] * nominal, data["lo"] * nominal)
        for varied, dashes in zip(pair, ("-", "--"), strict=True):
            look = {"color": colours[name], "ls": dashes}
            counts.stairs(varied, edges, baseline=None, **look)
            ratios.stairs(_relative(np.asarray(varied, float), nominal), edges, baseline=None, **look)
    counts.set_ylim(bottom=0)
    ratios.axhline(1, color=GREY, lw=1)
    if not ratios.patches:
        ratios.set_ylim(0.9, 1.1)
    return bool(absolute)


def _relative(values, nominal) -> np.ndarray:
    """Relative to the nominal; NaN, which is not drawn, where that is 0."""
    return np.divide(values, nominal, out=np.full(len(nominal), np.nan), where=nominal != 0)


def course(
    history,
    metrics: Sequence[str] | None = None,
    *,
    first_epoch: int = 1,
    labels: Mapping[str, str] | None = None,
    colours: Mapping[str, str] | None = None,
    legend: bool = True,
    figure: FigureBase | None = None,
) -> FigureBase:
    """Metrics epoch by epoch, a panel each; validation is a full line, training a dashed one.

    Several trainings of one name are drawn as their mean, with a band of their standard deviation. An axis whose values
    are above zero and differ by more than a factor of ten is logarithmic, and so are the mean and the band there.
    Values that are not finite, such as the loss of an epoch without a fit that converged, are left out.

    Args:
        history: what `fit` returns, its `history` (metric to values), or a list of epochs (each metric to value); a
            list of such for several trainings; or a mapping of names to any of these, to overlay several.
        metrics: names without "val_"; all that there are if None.
        first_epoch: number of the first value; 0 if it was measured before the training.
        labels: of the axes, by metric, with units.
        colours: by name.
        legend, figure: as of `templates`.

    Raises:
        ValueError: no epoch, a metric that is not there.
    """
    named = {name: _trainings(one) for name, one in _named(history).items()}
    found = dict.fromkeys(key.removeprefix("val_") for trainings in named.values() for one in trainings for key in one)
    metrics = list(found) if metrics is None else list(metrics)
    unknown = [metric for metric in metrics if metric not in found]
    if unknown or not metrics:
        raise ValueError(f"Expected metrics out of {', '.join(found) or 'none'}. Received: {', '.join(unknown)}.")
    given = dict(colours or {})
    free = cycle([colour for colour in COLOURS if colour not in given.values()] or COLOURS)
    colours = {name: given[name] if name in given else next(free) for name in named}
    labels = LABELS | dict(labels or {})
    n_columns = min(len(metrics), 3)
    n_rows = -(-len(metrics) // n_columns)
    figure = _figure(figure, (0.6 + 3.4 * n_columns, 0.6 + 2.7 * n_rows))
    panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    ways = {}
    for axes, metric in zip(panels, metrics, strict=False):
        curves = {
            (name, key): np.array([one[key] for one in trainings], float)
            for name, trainings in named.items()
            for key in (metric, f"val_{metric}")
            if all(key in one for one in trainings)
        }
        logarithmic = _is_wide(curves.values())
        for (name, key), values in curves.items():
            both = (name, metric) in curves and (name, f"val_{metric}") in curves
            way, dashes = ("training", "--") if both and key == metric else ("validation", "-")
            if both:
                ways[way] = dashes
            _mean_and_band(axes, values, first_epoch, logarithmic, color=colours[name], ls=dashes)
        if logarithmic:
            axes.set_yscale("log")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_ylabel(labels.get(metric, _words(metric)))
    for axes in panels[len(metrics) :]:
        axes.remove()
    if legend:
        lines = [Line2D([], [], color=colour, label=name) for name, colour in colours.items() if name]
        _legend(figure, [*lines, *(Line2D([], [], color=GREY, ls=dashes, label=way) for way, dashes in ways.items())])
    return figure


def pulls(postfit: Postfit, *, names: Sequence[str] | None = None, figure: FigureBase | None = None) -> FigureBase:
    """Pulls of the parameters with constraint: points at the pull, bars as long as the post-fit uncertainty.

    Both are in widths of the constraint; the bands are one and two of them.

    Args:
        postfit: of `neos_tf.postfit`, or the `postfit` of impacts.
        names: of the parameters, from above; all with constraint if None.
        figure: as of `templates`.

    Raises:
        ValueError: no parameter with a constraint, unknown names.
    """
    own = strings(postfit.names)
    constrained = [name for name, width in zip(own, np.asarray(postfit.widths), strict=True) if np.isfinite(width)]
    names = constrained if names is None else list(names)
    unknown = [name for name in names if name not in constrained]
    if unknown or not names:
        raise ValueError(f"Expected names out of {', '.join(constrained) or 'none'}. Received: {', '.join(unknown)}.")
    figure = _figure(figure, (5.2, 0.9 + 0.26 * len(names)))
    _pulls(figure.subplots(), names, own, postfit)
    return figure


def ranking(impacts: Impacts, *, n_largest: int = 20, figure: FigureBase | None = None) -> FigureBase:
    """Impacts on the parameter of interest, the largest above, and the pulls beside them.

    Full bars are post-fit, outlines pre-fit; the two colours are the parameter held above and below its best fit.

    Args:
        impacts: of `neos_tf.impacts`.
        n_largest: how many to show.
        figure: as of `templates`.

    Raises:
        ValueError: no nuisance parameter.
    """
    order = np.asarray(impacts.ranking)[:n_largest]
    if not len(order):
        raise ValueError("Expected impacts of at least one nuisance parameter. Received: none.")
    names = [strings(impacts.names)[i] for i in order]
    figure = _figure(figure, (7.6, 1.6 + 0.28 * len(names)))
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.4])
    _pulls(left, names, strings(impacts.postfit.names), impacts.postfit)
    places, handles = np.arange(len(names)), []
    for way, colour in (("up", COLOURS[0]), ("down", COLOURS[1])):
        before, after = (np.asarray(getattr(impacts, f"{when}_{way}"))[order] for when in ("prefit", "postfit"))
        right.barh(places, before, 0.8, fill=False, edgecolor=colour)
        right.barh(places, after, 0.8, color=colour, alpha=0.8)
        handles.append(Patch(color=colour, alpha=0.8, label=f"post-fit {way}"))
        handles.append(Patch(fill=False, edgecolor=colour, label=f"pre-fit {way}"))
    right.axvline(0, color=GREY, lw=1)
    right.set_ylim(left.get_ylim())
    right.set_yticks(places, [])
    right.set_xlabel("shift of the parameter of interest")
    _legend(figure, handles)
    return figure


def _pulls(axes, names, own, postfit) -> None:
    places = [own.index(name) for name in names]
    pull, width = np.asarray(postfit.pulls)[places], np.asarray(postfit.widths)[places]
    heights = np.arange(len(names))
    for reach, alpha in ((2, 0.15), (1, 0.25)):
        axes.axvspan(-reach, reach, color=GREY, alpha=alpha, lw=0)
    axes.errorbar(pull, heights, xerr=width, fmt="o", color=rcParams["text.color"], ms=4)
    axes.set_yticks(heights, names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel("pull")


def _mean_and_band(axes, values, first_epoch, logarithmic, **look) -> None:
    epochs = first_epoch + np.arange(values.shape[1])
    values = np.where(np.isfinite(values), values, np.nan)
    forth, back = (np.log, np.exp) if logarithmic else (np.asarray, np.asarray)
    mean = forth(values).mean(axis=0)
    axes.plot(epochs, back(mean), marker="o" if len(epochs) == 1 else None, **look)
    if len(values) > 1:
        spread = forth(values).std(axis=0, ddof=1)
        axes.fill_between(epochs, back(mean - spread), back(mean + spread), color=look["color"], alpha=0.15, lw=0)


def _is_wide(curves) -> bool:
    values = np.concatenate([curve.ravel() for curve in curves])
    values = values[np.isfinite(values)]
    return len(values) > 0 and values.min() > 0 and values.max() > DECADE * values.min()


def _words(metric: str) -> str:
    return f"uncertainty of {metric.removeprefix('sigma_')}" if metric.startswith("sigma_") else metric


def _named(history) -> dict:
    """Names to histories: what is given, or that under no name."""
    if isinstance(history, Mapping) and not any(_is_values(values) for values in history.values()):
        return dict(history)
    return {"": history}


def _trainings(history) -> list[dict]:
    """Metric to values, once a training."""
    history = getattr(history, "history", history)
    if isinstance(history, Mapping):
        return [dict(history)]
    history = [getattr(one, "history", one) for one in history]
    if not history:
        raise ValueError("Expected a history of at least one epoch. Received: none.")
    if all(_is_values(values) for one in history for values in one.values()):
        return [dict(one) for one in history]
    return [{name: [epoch[name] for epoch in history] for name in history[0]}]


def _is_values(values) -> bool:
    """Whether these are numbers, one an epoch."""
    return isinstance(values, Sequence | np.ndarray) and len(values) > 0 and np.isscalar(values[0])


def _figure(figure, size):
    return Figure(figsize=size, layout="constrained") if figure is None else figure


def _legend(figure, handles) -> None:
    """Below, in as many columns as the labels leave room for."""
    if handles:
        size = rcParams["font.size"] / 72  # inches; a letter is about 0.6 as wide as it is high, a handle takes 4 of it
        width = size * (4 + 0.6 * max(len(handle.get_label()) for handle in handles))
        n_columns = max(1, min(len(handles), int(figure.bbox.width / figure.dpi / width)))
        figure.legend(handles=handles, loc="outside lower center", ncols=n_columns)
