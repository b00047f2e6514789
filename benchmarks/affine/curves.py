"""Curves of a classifier in few points, and the figures of AFFINE's Table 5 that are drawn from them: Figs. 11 and 13.

From the efficiencies of signal and background at each cut follow the ROC curve, the precision-recall curve and the
significance ratio, where the weights are such that all background weighs as much as all signal (w_b = 1/5 at five
equal masses). A curve is a dict of lists, `cut`, `signal` and `background`, from the highest cut down, as
`pnn_tf.roc_curve` has them; in rows it has the `mass` as well.
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

import pnn_tf
from benchmarks.style import BLUE, GREEN, KIND_COLOURS, VERMILION, style

N_BINS = 50  # of the histograms
DASHES = "-", "--", "-."  # networks are told apart without colours too


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


def best(curve: Mapping) -> tuple[float, float]:
    """The cut of a curve with the largest significance ratio, and that ratio in [0, 1]."""
    ratio = significance_ratio(curve)
    return curve["cut"][np.argmax(ratio)], float(ratio.max())


def baselines(curves: Mapping[str, list[Mapping]]) -> Figure:
    """Fig. 11: a column a mass; ROC, precision-recall, and significance ratio against the cut.

    Args:
        curves: of each network, a curve a mass.
    """
    masses = [curve["mass"] for curve in next(iter(curves.values()))]
    with style():
        figure = Figure(figsize=(1.85 * len(masses) + 0.8, 7.4))
        panels = figure.subplots(3, len(masses), sharey="row", squeeze=False)
        for i, mass in enumerate(masses):
            _overlay(panels[:2, i], {name: of_masses[i] for name, of_masses in curves.items()})
            for line, of_masses in zip(panels[0, i].get_lines(), curves.values(), strict=True):
                significance, look = panels[2, i], {"color": line.get_color(), "ls": line.get_linestyle()}
                significance.plot(of_masses[i]["cut"], significance_ratio(of_masses[i]), **look)
                significance.plot(*best(of_masses[i]), "o", color=line.get_color(), ms=4.5)
            panels[0, i].set_title(f"{mass:.0f} GeV")
            panels[2, i].set(xlim=(-0.02, 1.02), ylim=(0, 1.02), xlabel="cut", ylabel="significance ratio")
            panels[2, i].grid()
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
    edges = np.linspace(0, 1, N_BINS + 1)
    with style():
        figure = Figure(figsize=(10.2, 5.6))
        left, right = figure.subfigures(1, 2, width_ratios=(3, 2))
        for axes, (name, curve) in zip(left.subplots(len(curves), 1, sharex=True), curves.items(), strict=True):
            for of, colour in (("background", BLUE), ("signal", VERMILION)):
                axes.stairs(shares[name][of], edges, color=colour, fill=True, alpha=0.45, label=of)
            axes.set(yscale="log", ylim=(1e-4, 1.5), ylabel="share of the class")
            cut, ratio = best(curve)
            axes.set_title(f"{name}: best cut {cut:.3f}, significance ratio {ratio:.3f}")
            twin = axes.twinx()
            twin.plot(curve["cut"], significance_ratio(curve), color=GREEN, label="significance ratio")
            twin.axvline(cut, color=GREEN, ls="--", label="best cut")
            twin.set(ylim=(0, 1.02), ylabel="significance ratio")
            twin.spines["right"].set_visible(True)
        axes.set_xlabel("score")
        left.legend(handles=[*axes.patches, *twin.get_lines()], loc="outside lower center", ncols=4)
        panels = right.subplots(2, 1)
        _overlay(panels, curves)
        right.legend(handles=panels[0].get_lines(), loc="outside lower center")
    return figure


def _overlay(panels, curves: Mapping[str, Mapping]) -> None:
    """The ROC curve of each network, and below the precision-recall curve."""
    roc, precision_recall = panels
    for (name, curve), dashes in zip(curves.items(), DASHES, strict=False):
        look = {"color": KIND_COLOURS[name.split()[0]], "ls": dashes, "label": name}
        roc.plot(curve["background"], curve["signal"], **look)
        precision_recall.plot(curve["signal"], purity(curve), **look)
    roc.set(xscale="log", xlim=(1e-4, 1), ylim=(0, 1.02), xlabel="background efficiency", ylabel="signal efficiency")
    precision_recall.set(xlim=(0, 1), ylim=(0.48, 1.02), xlabel="signal efficiency", ylabel="purity")
    for axes in panels:
        axes.grid()
