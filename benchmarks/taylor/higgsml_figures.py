"""Figures of the HiggsML experiment: counterparts of TAYLOR Figs. 3, 4 and 5, and the ROC curves of the reduction."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.published import FIRST_ANGLE, TAYLOR_HIGGSML_RANKS
from benchmarks.style import BLUE, INK, ORANGE, QUIET, VERMILION, style
from benchmarks.taylor.higgsml_ranking import angles, by_treatment, containing, first_angle, importance

N_BARS = 25  # the upper 5 % of 495
LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)  # of the highest density
PHI = "\N{GREEK SMALL LETTER PHI}"
LINES = ("-", (0, (4, 1.5)))  # one a treatment


def plot(rows: Sequence[Mapping]) -> Figure:
    """TAYLOR Fig. 3 for the first treatment: the first features by name, and all on a logarithmic axis."""
    group = next(iter(by_treatment(rows).values()))
    ranking = importance(group).ranking()
    colours = [ORANGE if line.order == 1 else BLUE for line in ranking]
    with style():
        figure = Figure(figsize=(10.5, 5.4))
        first, everything = figure.subplots(1, 2, width_ratios=(1, 1.25))
        places = range(N_BARS)
        means = [line.mean for line in ranking]
        spread = np.std([row["mean"] for row in group], axis=0, ddof=1) if len(group) > 1 else None
        if spread is not None:
            order = np.argsort(importance(group).ranks)
            first.errorbar(
                means[:N_BARS], places, xerr=spread[order][:N_BARS], fmt="none", ecolor=INK, elinewidth=0.8, zorder=3
            )
        first.barh(places, means[:N_BARS], color=colours[:N_BARS], height=0.72)
        first.set_yticks(places, [line.feature for line in ranking[:N_BARS]], fontsize=7.5)
        first.invert_yaxis()
        first.tick_params(left=False)
        first.grid(axis="x")
        first.set_xlabel("<|t|>")
        first.set_title(f"The first {N_BARS}")
        for order, colour, size in ((2, BLUE, 7), (1, ORANGE, 24)):
            points = [(line.rank, line.mean) for line in ranking if line.order == order]
            everything.scatter(*zip(*points, strict=True), s=size, color=colour, lw=0, zorder=4 - order)
        everything.set_yscale("log")
        everything.set_xlabel("rank")
        everything.set_ylabel("<|t|>")
        everything.set_title(f"All {len(ranking)}")
        everything.grid()
        handles = [
            Line2D([], [], color=colour, marker="o", ls="", ms=size, label=label)
            for colour, size, label in ((ORANGE, 5, "first order: an input"), (BLUE, 4, "second order: a pair"))
        ]
        everything.legend(handles=handles, loc="upper right")
    return figure


def contours(counts: Mapping) -> Figure:
    """TAYLOR Fig. 4, from the counts that `higgsml_samples.contours` makes: each class against the highest density."""
    x, y = ([low + (high - low) * (i + 0.5) / n for i in range(n)] for (low, high), n in _axes(counts))
    with style():
        figure = Figure(figsize=(5.8, 4.6))
        axes = figure.subplots()
        for name, colour in (("background", BLUE), ("signal", VERMILION)):
            density = _smooth(np.array(counts[name], float)).T
            shades = LinearSegmentedColormap.from_list(name, [(colour, alpha) for alpha in (0.1, 0.55)])
            levels = [level * density.max() for level in LEVELS]
            axes.contourf(x, y, density, levels=[*levels, density.max()], cmap=shades)
            axes.contour(x, y, density, levels=levels, colors=[colour], linewidths=1.2)
        for set_label, axis in ((axes.set_xlabel, "x"), (axes.set_ylabel, "y")):
            name, unit = counts[axis]
            set_label(f"{name} ({unit})" if unit else name)
        axes.set_xlim(*counts["ranges"][0])
        axes.set_ylim(*counts["ranges"][1])
        handles = [
            Line2D([], [], color=colour, label=name) for name, colour in (("signal", VERMILION), ("background", BLUE))
        ]
        axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    return figure


def _axes(counts: Mapping):
    return zip(counts["ranges"], np.shape(counts["signal"]), strict=True)


def _smooth(counts: np.ndarray) -> np.ndarray:
    """Each bin averaged with its neighbours by the binomial weights 1, 4, 6, 4, 1 along both axes."""
    weights = np.array([1, 4, 6, 4, 1]) / 16
    for axis in (0, 1):
        counts = np.apply_along_axis(np.convolve, axis, counts, weights, mode="same")
    return counts


def occurrence(rows: Sequence[Mapping], peak: str) -> Figure:
    """TAYLOR Fig. 5: the cumulative share of the features with a primitive azimuth, and of those with `peak`."""
    groups = by_treatment(rows)
    higgs = "DER_mass_vis" in rows[0]["inputs"]
    with style():
        figure = Figure(figsize=(8.2, 4.4))
        axes = figure.subplots()
        for (name, group), line in zip(groups.items(), LINES, strict=False):
            for chosen, colour, what in (
                (lambda ranking: containing(ranking, [peak]), BLUE, peak),
                (angles, ORANGE, f"a primitive {PHI}"),
            ):
                for row in group if len(group) > 1 else ():
                    axes.plot(*_cumulative(chosen(importance([row]))), color=colour, ls=line, lw=0.7, alpha=0.6)
                label = f"{what}: {name}" if len(groups) > 1 else what
                axes.plot(*_cumulative(chosen(importance(group))), color=colour, ls=line, lw=2, label=label)
            rank = first_angle(importance(group)).rank
            axes.plot(rank, 0, "o", color=ORANGE, ms=6, mfc="none" if line != "-" else ORANGE, clip_on=False, zorder=5)
        n = len(rows[0]["mean"])
        axes.plot([0, n], [0, 1], color=QUIET, lw=0.9, ls=":", label="a ranking at random")
        if higgs:
            paper = TAYLOR_HIGGSML_RANKS[FIRST_ANGLE]
            axes.plot(paper, 0, "D", mfc="none", mec=INK, ms=7, clip_on=False, zorder=5, ls="")
            axes.annotate(
                f"first {PHI} in the paper: {paper}",
                (paper, 0),
                (0.42 * n, 0.04),
                arrowprops={"arrowstyle": "-", "color": INK, "lw": 0.7},
            )
        axes.set_xlim(0, n)
        axes.set_ylim(0, 1.01)
        axes.set_xlabel("rank")
        axes.set_ylabel("share of such features up to this rank")
        axes.grid()
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1))
    return figure


def _cumulative(chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(len(chosen) + 1), np.concatenate([[0], np.cumsum(chosen) / chosen.sum()])


def roc(rows: Sequence[Mapping]) -> Figure:
    """A column for each treatment: both curves averaged over the seeds, and their ratio for each seed."""
    groups = by_treatment(rows)
    with style():
        figure = Figure(figsize=(4.6 * len(groups) + 0.6, 5.2))
        panels = figure.subplots(2, len(groups), sharex=True, sharey="row", squeeze=False, height_ratios=(2.4, 1))
        for (name, group), (curves, ratios) in zip(groups.items(), panels.T, strict=True):
            roc = np.array([row["roc"] for row in group])  # (n_seeds, 2, n_efficiencies)
            efficiency = np.arange(1, roc.shape[2] + 1) / roc.shape[2]
            kept = np.unique([len(row["kept"]) for row in group])
            labels = f"all {len(group[0]['inputs'])} inputs", f"{' or '.join(map(str, kept))} inputs"
            for i, (label, colour, line) in enumerate(zip(labels, (INK, VERMILION), ("-", (0, (4, 1.5))), strict=True)):
                curves.plot(efficiency, 1 - roc[:, i].mean(axis=0), color=colour, ls=line, label=label)
            curves.set_title(name)
            curves.set_ylim(0, 1.01)
            curves.legend(loc="lower left")
            curves.grid()
            wide = efficiency >= 0.1  # below, a handful of background events decide
            with np.errstate(divide="ignore", invalid="ignore"):
                for of_seed in roc:
                    ratios.plot(efficiency[wide], (of_seed[1] / of_seed[0])[wide], color=VERMILION, lw=1)
            ratios.axhline(1, color=INK, lw=0.9)
            ratios.set_ylim(0.5, 2)
            ratios.set_xlim(0, 1)
            ratios.set_xlabel("signal efficiency")
            ratios.grid()
        weighted = "weighted " if rows[0]["auc_weighted"] else ""
        panels[0, 0].set_ylabel(f"{weighted}background rejection")
        panels[1, 0].set_ylabel("background,\nfew / all inputs")
    return figure
