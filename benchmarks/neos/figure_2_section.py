"""What Fig. 2 of NEOS says: the estimates at three bandwidths, and the trade-off behind them, from rows alone."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from benchmarks.comparison import Comparison, Finding, Section, cell
from benchmarks.neos import mixture
from benchmarks.neos.training import Recipe
from benchmarks.style import BLUE, GREEN, INK, ORANGE, QUIET, VERMILION, style

PANELS = (0.05, 0.2, 1.0)  # bandwidths that are drawn, in bin widths
KERNEL_HEIGHT = 0.06  # of the drawn kernels, per unit of t: a kernel of 1 / n of unit area would not be seen
FIGURE_3 = Recipe()


def section(record: dict) -> Section:
    """Everything for the report."""
    rows, config = record["rows"], record["configuration"]
    seeds = sorted({row["seed"] for row in rows})
    noise = by_bandwidth(rows)[0.0][0]["count_deviation"] / np.sqrt(config["n_draws"])
    return Section(
        title="NEOS Fig. 2",
        introduction=(
            f"Binned kernel density estimates of {config['n_samples']} samples of a bimodal Gaussian mixture in "
            f"{config['n_bins']} bins, with kernels of several bandwidths, and their bias and variance over "
            f"{config['n_draws']:,} independent draws, seed{'s' if len(seeds) > 1 else ''} "
            f"{', '.join(map(str, seeds))}. Simpson and Heinrich, arXiv:2203.05570, draw the first and give no numbers."
        ),
        findings=tuple(_findings(rows, config)),
        tables=(
            (
                "Root mean squares over the bins, of counts in events and of slopes, which are their derivatives to "
                "the location of the mixture, relative to the true slopes. Bandwidths are in bin widths. With so "
                f"many draws, the mean count of a bin is uncertain by {noise:.1f} events.",
                _table(rows),
            ),
        ),
        figures=(
            (
                "Above, estimates of the same samples at three bandwidths, of unit area; kernels scaled to one height. "
                "Below, error of the counts and of the slopes against the bandwidth: measured (points) and in closed "
                "form (lines).",
                plot(rows),
            ),
        ),
        departures=tuple(_departures(config)),
    )


def by_bandwidth(rows: Sequence[Mapping]) -> dict[float, list[Mapping]]:
    """The rows of each bandwidth, ascending from 0, the histogram; one a seed."""
    return {h: [row for row in rows if row["bandwidth"] == h] for h in sorted({row["bandwidth"] for row in rows})}


def slope_error(row: Mapping) -> float:
    """Bias and standard deviation of the slopes together, relative to the true slopes."""
    return float(np.hypot(row["slope_bias"], row["slope_deviation"]))


def plot(rows: Sequence[Mapping]) -> Figure:
    """Three estimates above, as in the paper; below, what is too narrow and what too wide."""
    groups = by_bandwidth(rows)
    drawn = [groups[h][0] for h in PANELS if h in groups]
    with style():
        figure = Figure(figsize=(10.2, 7.0))
        above, below = figure.subfigures(2, 1, height_ratios=(1.0, 1.0))
        panels = above.subplots(1, len(drawn), sharey=True, squeeze=False)[0]
        for axes, row in zip(panels, drawn, strict=True):
            _estimate(axes, row, groups[0.0][0])
        panels[0].set_ylabel("density per unit of t")
        handles = [
            Line2D([], [], color=INK, lw=1.2, ls=(0, (4, 2)), label="true density"),
            Patch(facecolor=QUIET, alpha=0.35, label="histogram"),
            Line2D([], [], color=VERMILION, label="binned KDE"),
            Line2D([], [], color=ORANGE, lw=1.2, label="KDE"),
            Line2D([], [], color=BLUE, lw=0.6, label="kernels, scaled"),
        ]
        above.legend(handles=handles, loc="outside lower center", ncols=len(handles))
        counts, slopes = below.subplots(1, 2)
        _errors(counts, groups, "count", 1)
        counts.set_ylabel("events a bin")
        counts.set_title("Counts")
        _errors(slopes, groups, "slope", 100)
        slopes.axhline(100, color=INK, lw=1.0, ls=":")
        slopes.annotate("histogram: no gradient at all", (1, 100), xycoords=("axes fraction", "data"), **ABOVE_RIGHT)
        slopes.set_ylabel("% of the true slopes")
        slopes.set_title("Slopes: derivatives of the counts to the location")
        handles = [*slopes.get_legend_handles_labels()[0], Line2D([], [], color=INK, lw=1.2, label="closed form")]
        below.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


ABOVE_RIGHT = {"xytext": (-2, 3), "textcoords": "offset points", "ha": "right", "va": "bottom", "fontsize": 9}


def _estimate(axes, row: Mapping, histogram: Mapping) -> None:
    edges, samples = np.array(row["edges"]), np.array(histogram["samples"])
    width = edges[1] - edges[0]
    h, area = row["bandwidth"] * width, len(samples) * width
    t = np.linspace(edges[0], edges[-1], 401)
    offsets = np.linspace(-3, 3, 25)  # of a kernel, in bandwidths
    kernel = np.exp(-(offsets**2) / 2)
    curves = [np.column_stack([sample + h * offsets, KERNEL_HEIGHT * kernel]) for sample in samples]
    axes.add_collection(LineCollection(curves, colors=BLUE, linewidths=0.4, alpha=0.3))
    axes.stairs(np.array(histogram["counts"]) / area, edges, fill=True, color=QUIET, alpha=0.35)
    estimate = np.exp(-(((t[:, None] - samples) / h) ** 2) / 2).mean(axis=1) / (h * np.sqrt(2 * np.pi))
    axes.plot(t, estimate, color=ORANGE, lw=1.0)
    axes.plot(t, mixture.density(t), color=INK, lw=1.2, ls=(0, (4, 2)))
    axes.stairs(np.array(row["counts"]) / area, edges, color=VERMILION, lw=1.6)
    axes.set_title(f"Bandwidth {row['bandwidth']:g} bin widths")
    axes.set_xlabel("t")
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, 1.6 * mixture.density(t).max())


def _errors(axes, groups: Mapping[float, list[Mapping]], of: str, scale: float) -> None:
    """Bias, standard deviation and both together against the bandwidth; `of` is "count" or "slope"."""
    h = np.array([bandwidth for bandwidth in groups if bandwidth])

    def values(field):
        return scale * np.array([np.mean([row[field] for row in groups[bandwidth]]) for bandwidth in h])

    bias, deviation = values(f"{of}_bias"), values(f"{of}_deviation")
    axes.plot(h, values(f"exact_{of}_bias"), color=BLUE, lw=1.2)
    if of == "slope":
        exact = values("exact_slope_deviation")
        axes.plot(h, exact, color=GREEN, lw=1.2)
        axes.plot(h, np.hypot(values("exact_slope_bias"), exact), color=VERMILION, lw=1.2)
    axes.plot(h, bias, "o", ms=5, color=BLUE, label="bias")
    axes.plot(h, deviation, "s", ms=5, color=GREEN, label="standard deviation")
    axes.plot(h, np.hypot(bias, deviation), "D", ms=7, color=VERMILION, mfc="none", label="both together")
    axes.set_xscale("log")
    ticks = [tick for tick in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0) if h[0] <= tick <= h[-1]]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("bandwidth in bin widths")
    axes.set_ylim(bottom=0)
    axes.grid()


def _findings(rows: Sequence[Mapping], config: Mapping) -> Iterator[Finding]:
    groups = by_bandwidth(rows)
    smooth = {h: group for h, group in groups.items() if h}

    def mean(h, field):
        return np.mean([row[field] for row in groups[h]])

    best = min(smooth, key=lambda h: np.mean([slope_error(row) for row in smooth[h]]))
    least = np.mean([slope_error(row) for row in smooth[best]])
    ends = (min(smooth), max(smooth))
    yield Finding(
        "The trade-off",
        f"The slopes' error, of bias and standard deviation together, is least at a bandwidth of {best:g} bin widths: "
        f"{100 * least:.0f} % of the true slopes, of which {100 * mean(best, 'slope_bias'):.0f} % are bias and "
        f"{100 * mean(best, 'slope_deviation'):.0f} % standard deviation. At {ends[0]:g} the standard deviation is "
        f"{100 * mean(ends[0], 'slope_deviation'):.0f} %, at {ends[1]:g} the bias is "
        f"{100 * mean(ends[1], 'slope_bias'):.0f} %. The histogram's slopes are zero, off by 100 %.",
    )
    yield Finding(
        "What it costs the counts",
        f"At {best:g} bin widths counts are off by {mean(best, 'count_bias'):.1f} events a bin, beside "
        f"{mean(0.0, 'count_deviation'):.1f} events of statistical fluctuation of the histogram; at {ends[1]:g} by "
        f"{mean(ends[1], 'count_bias'):.1f}.",
    )
    apart = max(
        abs(row[field] - row[f"exact_{field}"])
        for group in smooth.values()
        for row in group
        for field in ("slope_bias", "slope_deviation")
    )
    yield Finding(
        "Closed forms",
        f"Bias and standard deviation of the slopes, differentiated through binned_kde, are those of the closed forms "
        f"to {100 * apart:.1f} % of the true slopes.",
    )
    few, many = (_best_bandwidth(config, n) for n in (config["n_samples"], FIGURE_3.batch_size))
    yield Finding(
        "More samples want less bandwidth",
        f"By the closed forms the slopes' error is least at {few[0]:.2f} bin widths for {config['n_samples']} samples "
        f"({100 * few[1]:.0f} % of the true slopes), and at {many[0]:.2f} for the {FIGURE_3.batch_size:,} of a batch "
        f"of Fig. 3 ({100 * many[1]:.0f} %), where the paper has {FIGURE_3.bandwidth * FIGURE_3.n_bins:g}. It "
        "leaves this open in its second footnote.",
    )


def _best_bandwidth(config: Mapping, n_samples: int) -> tuple[float, float]:
    """The bandwidth in bin widths with the least error of the slopes, and that error, relative to the true slopes."""
    edges = np.linspace(config["low"], config["high"], config["n_bins"] + 1)
    truth = mixture.slopes(edges)

    def error(bandwidth):
        h = bandwidth * (edges[1] - edges[0])
        squares = (mixture.slopes(edges, h) - truth) ** 2 + mixture.slope_variances(edges, h) / n_samples
        return np.sqrt(squares.mean() / (truth**2).mean())

    grid = np.geomspace(0.01, 2, 400)
    errors = [error(bandwidth) for bandwidth in grid]
    return float(grid[np.argmin(errors)]), float(min(errors))


def _table(rows: Sequence[Mapping]) -> Comparison:
    fields = (("count_bias", 1), ("count_deviation", 1), ("slope_bias", 100), ("slope_deviation", 100))
    table = []
    for group in by_bandwidth(rows).values():
        cells = [cell([scale * row[field] for row in group]) for field, scale in fields]
        table.append((group[0]["row"], (*cells, cell([100 * slope_error(row) for row in group]))))
    columns = (
        "counts: bias (events)",
        "counts: st. dev. (events)",
        "slopes: bias (%)",
        "slopes: st. dev. (%)",
        "slopes: both (%)",
    )
    return Comparison("root mean square over bins", columns, tuple(table), (2, 2, 1, 1, 1))


def _departures(config: Mapping) -> Iterator[str]:
    modes = " and ".join(
        f"{100 * fraction:.0f} % at {mode.mean:g} with a standard deviation of {mode.stdev:g}"
        for fraction, mode in mixture.MODES
    )
    yield (
        f"The paper gives neither the mixture nor the bins. Ours: {modes}; {config['n_bins']} bins from "
        f"{config['low']:g} to {config['high']:g}."
    )
    yield "The paper draws the trade-off; its measurement, in the lower half of the figure, is added here."
