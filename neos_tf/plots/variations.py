"""The templates of a likelihood, and their variations."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.figure import FigureBase
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from neos_tf.likelihood import Likelihood
from neos_tf.plots.figure import COLOURS, GREY, add_legend, new_figure


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
        likelihood: `model.bind(...)`, such as of `SummaryStatistic.histograms()`; or a pyhf specification or
            workspace with numbers.
        modifiers: names of the variations to draw; all if None.
        edges: (n_bins + 1,) of the observable, of all channels or by channel; bins are counted from 1 if None.
        label: what the observable is, with its unit; "bin" if there are no edges, else "summary statistic".
        colours: by modifier.
        legend: whether there is one.
        figure: to draw into; a new one if None.

    Raises:
        ValueError: no channel, an unknown modifier, edges that do not fit the bins.
    """
    if isinstance(likelihood, Mapping):
        channels = likelihood["channels"]
    else:
        channels = likelihood.model._arrangement.channels(likelihood.numbers.numpy())
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
    figure = new_figure(figure, (1.0 + 2.9 * n_samples, 0.6 + 3.6 * len(channels)))
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
        add_legend(figure, [*lines, *(ways if lines else ()), *band])
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
