"""The course of trainings."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from neos_tf.plots.figure import COLOURS, GREY, add_legend, new_figure

DASHES = "-", "--", "-.", ":"
LABELS = {"cls": "median expected CLs", "significance": "median expected significance"}
DECADE = 10.0  # values above zero that differ by more are drawn on a logarithmic axis


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
    figure = new_figure(figure, (0.6 + 3.4 * n_columns, 0.6 + 2.7 * n_rows))
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
        add_legend(
            figure, [*lines, *(Line2D([], [], color=GREY, ls=dashes, label=way) for way, dashes in ways.items())]
        )
    return figure


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
