"""Figs. 11 and 13 of AFFINE, from the curves that rows of Table 5 keep."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from benchmarks.affine import curves
from benchmarks.affine.table_5_rows import BASELINES, SEPARATED, SEPARATION_MASS
from benchmarks.style import BLUE, GREEN, KIND_COLOURS, VERMILION, style

DASHES = ("-", "--", "-.")  # networks are told apart without colours too
LOWEST = 1e-4  # background efficiency where a ROC curve begins


def baselines(rows: Mapping[str, Mapping]) -> Figure:
    """Fig. 11: a column a mass; ROC, precision-recall, and significance ratio against the cut.

    Args:
        rows: by name, one seed; those of BASELINES are drawn.
    """
    masses = [curve["mass"] for curve in rows[BASELINES[0]]["curves"]]
    with style():
        figure = Figure(figsize=(2.05 * len(masses) + 0.8, 7.4))
        panels = figure.subplots(3, len(masses), sharey="row", squeeze=False)
        for name, dashes in zip(BASELINES, DASHES, strict=True):
            for column, curve in zip(panels.T, rows[name]["curves"], strict=True):
                look = {"color": KIND_COLOURS[name.split()[0]], "ls": dashes}
                _roc(column[0], curve, **look)
                _precision_recall(column[1], curve, **look)
                _significance(column[2], curve, **look)
        for axes, mass in zip(panels[0], masses, strict=True):
            axes.set_title(f"{mass:.0f} GeV")
        for axes in panels.flat:
            axes.grid()
        for axes in panels[:, 1:].flat:
            axes.set_ylabel("")
        handles = [
            Line2D([], [], color=KIND_COLOURS[name.split()[0]], ls=dashes, label=name)
            for name, dashes in zip(BASELINES, DASHES, strict=True)
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def separations(rows: Mapping[str, Mapping]) -> Figure:
    """Fig. 13: the classes on the scores of two networks with the best cut, and both networks' curves.

    Args:
        rows: by name, one seed; those of SEPARATED are drawn, at SEPARATION_MASS.
    """
    with style():
        figure = Figure(figsize=(10.5, 5.6))
        left, right = figure.subfigures(1, 2, width_ratios=(3, 2))
        for axes, name in zip(left.subplots(2, 1, sharex=True, sharey=True), SEPARATED, strict=True):
            _separation(axes, name, rows[name])
        axes.set_xlabel("score")
        left.legend(handles=_separation_handles(), loc="outside lower center", ncols=4)
        roc, precision_recall = right.subplots(2, 1)
        for name, dashes in zip(SEPARATED, DASHES, strict=False):
            curve = _at_mass(rows[name]["curves"])
            look = {"color": KIND_COLOURS[name.split()[0]], "ls": dashes, "label": name}
            _roc(roc, curve, **look)
            _precision_recall(precision_recall, curve, **look)
        for axes in (roc, precision_recall):
            axes.grid()
        right.legend(handles=roc.get_lines(), loc="outside lower center", ncols=1)
    return figure


def _at_mass(kept: list[Mapping]) -> Mapping:
    return next(curve for curve in kept if curve["mass"] == SEPARATION_MASS)


def _roc(axes, curve: Mapping, **look) -> None:
    axes.plot(curve["background"], curve["signal"], **look)
    axes.set_xscale("log")
    axes.set_xlim(LOWEST, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("background efficiency")
    axes.set_ylabel("signal efficiency")


def _precision_recall(axes, curve: Mapping, **look) -> None:
    axes.plot(curve["signal"], curves.purity(curve), **look)
    axes.set_xlim(0, 1)
    axes.set_ylim(0.48, 1.02)
    axes.set_xlabel("signal efficiency")
    axes.set_ylabel("purity")


def _significance(axes, curve: Mapping, **look) -> None:
    axes.plot(curve["cut"], curves.significance_ratio(curve), **look)
    axes.plot(*curves.best(curve), "o", color=look["color"], ms=4.5)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("cut on the score")
    axes.set_ylabel("significance ratio")


def _separation(axes, name: str, row: Mapping) -> None:
    shares, curve = _at_mass(row["separations"]), _at_mass(row["curves"])
    edges = np.linspace(0, 1, curves.N_BINS + 1)
    for of, colour in (("background", BLUE), ("signal", VERMILION)):
        axes.stairs(shares[of], edges, color=colour, fill=True, alpha=0.35)
        axes.stairs(shares[of], edges, color=colour, lw=1)
    axes.set_yscale("log")
    axes.set_ylim(1e-4, 1.5)
    axes.set_ylabel("share of the class")
    cut, ratio = curves.best(curve)
    axes.set_title(f"{name}: best cut {cut:.3f}, significance ratio {ratio:.3f}")
    twin = axes.twinx()
    twin.spines["right"].set_visible(True)
    twin.plot(curve["cut"], curves.significance_ratio(curve), color=GREEN)
    twin.axvline(cut, color=GREEN, ls="--", lw=1.2)
    twin.set_ylim(0, 1.02)
    twin.set_ylabel("significance ratio")


def _separation_handles() -> list:
    return [
        Patch(color=VERMILION, alpha=0.5, label="signal"),
        Patch(color=BLUE, alpha=0.5, label="background"),
        Line2D([], [], color=GREEN, label="significance ratio"),
        Line2D([], [], color=GREEN, ls="--", lw=1.2, label="best cut"),
    ]
