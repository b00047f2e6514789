"""Figures of the HiggsML experiment: counterparts of TAYLOR Figs. 3, 4 and 5, and the ROC curves of the reduction.

All take `groups`: the rows of each treatment of undefined values, one a seed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

import taylor.plots
from benchmarks.published import FIRST_ANGLE, TAYLOR_HIGGSML_RANKS
from benchmarks.style import BLUE, INK, ORANGE, QUIET, VERMILION, style
from benchmarks.taylor.higgsml_ranking import angles, containing, importance

N_BARS = 25  # the upper 5 % of 495
LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)  # of the highest density
LINES = ("-", (0, (4, 1.5)))  # one a treatment


def ranking(rows: Sequence[Mapping]) -> Figure:
    """TAYLOR Fig. 3 for one treatment: the first features by name, and all on a logarithmic axis."""
    found = importance(*rows)
    spread = np.std([row["mean"] for row in rows], axis=0, ddof=1) if len(rows) > 1 else found.error
    with style():
        figure = Figure(figsize=(10.4, 6.2))
        left, right = figure.subfigures(1, 2, width_ratios=(1.5, 1))
        taylor.plots.ranking(replace(found, error=spread), N_BARS, figure=left)
        axes = right.subplots()
        for order, size in ((2, 7), (1, 24)):
            of_order = found.features.orders == order
            axes.scatter(found.ranks[of_order], found.mean[of_order], s=size, color=taylor.plots.ORDERS[order], lw=0)
        axes.set(yscale="log", xlabel="rank", ylabel=taylor.plots.MEAN)
        axes.grid()
    return figure


def contours(counts: Mapping) -> Figure:
    """TAYLOR Fig. 4, from the counts that `higgsml_samples.contours` makes: each class against the highest density."""
    shape = np.shape(counts["signal"])
    x, y = (
        low + (high - low) * (np.arange(n) + 0.5) / n for (low, high), n in zip(counts["ranges"], shape, strict=True)
    )
    with style():
        figure = Figure(figsize=(5.6, 4.4))
        axes = figure.subplots()
        for name, colour in (("background", BLUE), ("signal", VERMILION)):
            density = gaussian_filter(np.array(counts[name], float), 1.0, mode="constant").T  # bins
            levels = [level * density.max() for level in LEVELS]
            shades = [(colour, alpha) for alpha in np.linspace(0.1, 0.5, len(LEVELS))]
            axes.contourf(x, y, density, levels=[*levels, density.max()], colors=shades)
            axes.contour(x, y, density, levels=levels, colors=[colour], linewidths=1.2)
        x_label, y_label = (f"{name} ({unit})" if unit else name for name, unit in (counts["x"], counts["y"]))
        axes.set(xlabel=x_label, ylabel=y_label, xlim=counts["ranges"][0], ylim=counts["ranges"][1])
    return figure


def occurrence(groups: Mapping[str, Sequence[Mapping]], peak: str) -> Figure:
    """TAYLOR Fig. 5: the cumulative share of the features with a primitive azimuth, and of those with `peak`."""
    kinds = (
        (peak, BLUE, lambda found: containing(found, [peak])),
        ("primitive \N{GREEK SMALL LETTER PHI}", ORANGE, angles),
    )
    with style():
        figure = Figure(figsize=(7.2, 5.0))
        axes = figure.subplots()
        for (name, rows), line in zip(groups.items(), LINES, strict=False):
            for what, colour, chosen in kinds:
                for row in rows if len(rows) > 1 else ():
                    axes.plot(*_cumulative(chosen(importance(row))), color=colour, ls=line, lw=0.7, alpha=0.6)
                axes.plot(*_cumulative(chosen(importance(*rows))), color=colour, ls=line, lw=2, label=f"{what}, {name}")
        n = len(rows[0]["mean"])
        axes.plot([0, n], [0, 1], color=QUIET, lw=0.9, ls=":", label="a ranking at random")
        if peak in TAYLOR_HIGGSML_RANKS:
            first = TAYLOR_HIGGSML_RANKS[FIRST_ANGLE]
            axes.plot(first, 0, "D", mfc="none", mec=INK, ms=7, clip_on=False, label=f"paper: {FIRST_ANGLE}, {first}")
        axes.set(xlim=(0, n), ylim=(0, 1.01), xlabel="rank", ylabel="share of such features up to this rank")
        axes.grid()
        figure.legend(loc="outside lower center", ncols=2)
    return figure


def _cumulative(chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(len(chosen) + 1), np.concatenate([[0], np.cumsum(chosen) / chosen.sum()])


def roc(groups: Mapping[str, Sequence[Mapping]]) -> Figure:
    """A column for each treatment: both curves averaged over the seeds, and their ratio for each seed."""
    with style():
        figure = Figure(figsize=(4.6 * len(groups) + 0.6, 5.2))
        panels = figure.subplots(2, len(groups), sharex=True, sharey="row", squeeze=False, height_ratios=(2.4, 1))
        for (name, rows), (curves, ratios) in zip(groups.items(), panels.T, strict=True):
            of_seeds = np.array([row["roc"] for row in rows])  # (n_seeds, 2, n_efficiencies)
            efficiency = np.arange(1, of_seeds.shape[2] + 1) / of_seeds.shape[2]
            for i, (label, colour) in enumerate((("all inputs", INK), ("kept inputs", VERMILION))):
                curves.plot(efficiency, 1 - of_seeds[:, i].mean(axis=0), color=colour, ls=LINES[i], label=label)
            wide = efficiency >= 0.1  # below, a handful of background events decide
            with np.errstate(divide="ignore", invalid="ignore"):
                ratios.plot(efficiency[wide], (of_seeds[:, 1] / of_seeds[:, 0])[:, wide].T, color=VERMILION, lw=1)
            ratios.axhline(1, color=INK, lw=0.9)
            curves.set(title=name, ylim=(0, 1.01))
            ratios.set(xlabel="signal efficiency", xlim=(0, 1), ylim=(0.5, 2))
            curves.legend(loc="lower left")
            for axes in (curves, ratios):
                axes.grid()
        panels[0, 0].set_ylabel("background rejection")
        panels[1, 0].set_ylabel("background,\nkept / all")
    return figure
