"""Curves of a classifier in few points, and the figures of AFFINE's Table 5 that are drawn from them: Figs. 11 and 13.

From the efficiencies of signal and background at each cut follow the ROC curve, the precision-recall curve and the
significance ratio, where the weights are such that all background weighs as much as all signal (w_b = 1/5 at five
equal masses). A curve is a dict of lists, `cut`, `signal` and `background`, from the highest cut down, as
`pnn_tf.roc_curve` has them; in rows it has the `mass` as well.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

import pnn_tf
from benchmarks.style import BLUE, GREEN, KIND_COLOURS, VERMILION, style

N_BINS = 50  # of the histograms
DASHES = ("-", "--", "-.")  # networks are told apart without colours too


class Best(NamedTuple):
    """The cut with the largest significance ratio, and that ratio in [0, 1]."""

    cut: float
    ratio: float


def curve_of(label, score) -> dict[str, list[float]]:
    """The curve of scores (n_events,), to five digits; labels are 1 for signal, 0 for background."""
    curve = pnn_tf.roc_curve(label, score)
    return {name: _rounded(getattr(curve, name)) for name in ("cut", "signal", "background")}


def separation(label, score) -> dict[str, list[float]]:
    """Shares of the `signal` and of the `background` in N_BINS equal bins of the score between 0 and 1."""
    label, score = np.asarray(label), np.asarray(score)
    shares = (np.histogram(score[label == of], N_BINS, range=(0, 1))[0] / np.sum(label == of) for of in (1, 0))
    return dict(zip(("signal", "background"), map(_rounded, shares), strict=True))


def _rounded(values) -> list[float]:
    return [float(f"{value:.5g}") for value in values]


def purity(curve: Mapping) -> np.ndarray:
    """Share of signal in what passes each cut, all signal and all background weighing the same."""
    signal, background = np.array(curve["signal"]), np.array(curve["background"])
    return signal / np.maximum(signal + background, np.finfo(np.float64).tiny)


def significance_ratio(curve: Mapping) -> np.ndarray:
    """s / sqrt(s + b) at each cut, relative to the square root of all signal."""
    return np.sqrt(curve["signal"] * purity(curve))


def best(curve: Mapping) -> Best:
    """The best cut of a curve, and its significance ratio."""
    ratio = significance_ratio(curve)
    return Best(curve["cut"][np.argmax(ratio)], float(ratio.max()))


def baselines(curves: Mapping[str, list[Mapping]]) -> Figure:
    """Fig. 11: a column a mass; ROC, precision-recall, and significance ratio against the cut.

    Args:
        curves: of each network, a curve a mass.
    """
    masses = [curve["mass"] for curve in next(iter(curves.values()))]
    with style():
        figure = Figure(figsize=(1.85 * len(masses) + 0.8, 7.4))
        panels = figure.subplots(3, len(masses), sharey="row", squeeze=False)
        for (name, of_masses), dashes in zip(curves.items(), DASHES, strict=False):
            look = {"color": KIND_COLOURS[name.split()[0]], "ls": dashes, "label": name}
            for (roc, precision_recall, significance), curve in zip(panels.T, of_masses, strict=True):
                _roc(roc, curve, look)
                _precision_recall(precision_recall, curve, look)
                significance.plot(curve["cut"], significance_ratio(curve), **look)
                significance.plot(*best(curve), "o", color=look["color"], ms=4.5)
        for axes, mass in zip(panels[0], masses, strict=True):
            axes.set_title(f"{mass:.0f} GeV")
        for axes in panels[2]:
            axes.set(xlim=(-0.02, 1.02), ylim=(0, 1.02), xlabel="cut", ylabel="significance ratio")
        for axes in panels.flat:
            axes.grid()
        for axes in panels[:, 1:].flat:
            axes.set_ylabel("")
        figure.legend(handles=panels[0, 0].get_lines(), loc="outside lower center", ncols=3)
    return figure


def separations(curves: Mapping[str, Mapping], shares: Mapping[str, Mapping]) -> Figure:
    """Fig. 13: the classes on the scores of some networks with the best cut, and all their curves.

    Args:
        curves: of each network, its curve.
        shares: of each network, its `separation`.
    """
    with style():
        figure = Figure(figsize=(10.2, 5.6))
        left, right = figure.subfigures(1, 2, width_ratios=(3, 2))
        for axes, (name, curve) in zip(left.subplots(len(curves), 1, sharex=True), curves.items(), strict=True):
            _separation(axes, name, curve, shares[name])
        axes.set_xlabel("score")
        left.legend(
            handles=[
                Patch(color=VERMILION, alpha=0.5, label="signal"),
                Patch(color=BLUE, alpha=0.5, label="background"),
                Line2D([], [], color=GREEN, label="significance ratio"),
                Line2D([], [], color=GREEN, ls="--", lw=1.2, label="best cut"),
            ],
            loc="outside lower center",
            ncols=4,
        )
        roc, precision_recall = right.subplots(2, 1)
        for (name, curve), dashes in zip(curves.items(), DASHES, strict=False):
            look = {"color": KIND_COLOURS[name.split()[0]], "ls": dashes, "label": name}
            _roc(roc, curve, look)
            _precision_recall(precision_recall, curve, look)
        for axes in (roc, precision_recall):
            axes.grid()
        right.legend(handles=roc.get_lines(), loc="outside lower center")
    return figure


def _roc(axes, curve: Mapping, look: Mapping) -> None:
    axes.plot(curve["background"], curve["signal"], **look)
    axes.set(xscale="log", xlim=(1e-4, 1), ylim=(0, 1.02), xlabel="background efficiency", ylabel="signal efficiency")


def _precision_recall(axes, curve: Mapping, look: Mapping) -> None:
    axes.plot(curve["signal"], purity(curve), **look)
    axes.set(xlim=(0, 1), ylim=(0.48, 1.02), xlabel="signal efficiency", ylabel="purity")


def _separation(axes, name: str, curve: Mapping, shares: Mapping) -> None:
    edges, (cut, ratio) = np.linspace(0, 1, N_BINS + 1), best(curve)
    for of, colour in (("background", BLUE), ("signal", VERMILION)):
        axes.stairs(shares[of], edges, color=colour, fill=True, alpha=0.35)
        axes.stairs(shares[of], edges, color=colour, lw=1)
    axes.set(yscale="log", ylim=(1e-4, 1.5), ylabel="share of the class")
    axes.set_title(f"{name}: best cut {cut:.3f}, significance ratio {ratio:.3f}")
    twin = axes.twinx()
    twin.spines["right"].set_visible(True)
    twin.plot(curve["cut"], significance_ratio(curve), color=GREEN)
    twin.axvline(cut, color=GREEN, ls="--", lw=1.2)
    twin.set(ylim=(0, 1.02), ylabel="significance ratio")
