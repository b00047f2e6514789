"""Figures of the HiggsML experiment: counterparts of TAYLOR Figs. 3, 4 and 5, and the ROC curves of the reduction.

All take `groups`: the rows of each treatment of undefined values, one a seed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

import pnn_tf.plots
import taylor.plots
from benchmarks.published import FIRST_ANGLE, TAYLOR_HIGGSML_RANKS
from benchmarks.style import BLUE, INK, ORANGE, QUIET, VERMILION, style
from benchmarks.taylor.higgsml_claims import ANGLE, importance, matching, with_input
from pnn_tf import RocCurve

N_BARS = 25  # the upper 5 % of 495
LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)  # of the highest density


def ranking(rows: Sequence[Mapping]) -> Figure:
    """TAYLOR Fig. 3 for one treatment: the first features by name, and all on a logarithmic axis."""
    found = importance(*rows)
    spread = np.std([row["mean"] for row in rows], axis=0, ddof=1) if len(rows) > 1 else found.error
    with style():
        figure = Figure(figsize=(10.4, 6.2))
        left, right = figure.subfigures(1, 2, width_ratios=(1.5, 1))
        taylor.plots.ranking(replace(found, error=spread), N_BARS, figure=left)
        axes = right.subplots()
        axes.scatter(
            found.ranks, found.mean, s=7, color=[taylor.plots.ORDERS[order] for order in found.features.orders]
        )
        axes.set(yscale="log", xlabel="rank", ylabel=taylor.plots.MEAN)
    return figure


def contours(counts: Mapping) -> Figure:
    """TAYLOR Fig. 4, from the counts that `higgsml_samples.contours` makes: each class against the highest density."""
    n_bins = np.shape(counts["signal"])
    x, y = (
        low + (high - low) * (np.arange(n) + 0.5) / n for (low, high), n in zip(counts["ranges"], n_bins, strict=True)
    )
    with style():
        figure = Figure(figsize=(5.6, 4.4))
        axes = figure.subplots()
        for name, colour in (("background", BLUE), ("signal", VERMILION)):
            density = gaussian_filter(np.array(counts[name], float), 1.0, mode="constant").T  # bins
            axes.contour(x, y, density / density.max(), levels=LEVELS, colors=[colour])
        x_label, y_label = (f"{name} ({unit})" if unit else name for name, unit in (counts["x"], counts["y"]))
        axes.set(xlabel=x_label, ylabel=y_label, xlim=counts["ranges"][0], ylim=counts["ranges"][1])
    return figure


def occurrence(groups: Mapping[str, Sequence[Mapping]], peak: str) -> Figure:
    """TAYLOR Fig. 5: the cumulative share of the features with a primitive azimuth, and of those with `peak`."""
    with style():
        figure = Figure(figsize=(7.2, 5.0))
        axes = figure.subplots()
        for (name, rows), line in zip(groups.items(), taylor.plots.DASHES, strict=False):
            for what, colour, pattern in ((peak, BLUE, with_input(peak)), ("a primitive φ", ORANGE, ANGLE)):
                for width, label, some in ((2, f"{what}, {name}", rows), *((0.7, None, [row]) for row in rows)):
                    chosen = matching(pattern, *some)
                    axes.plot([0, *np.cumsum(chosen) / chosen.sum()], color=colour, ls=line, lw=width, label=label)
        axes.plot([0, len(chosen)], [0, 1], color=QUIET, lw=0.9, ls=":", label="a ranking at random")
        if peak in TAYLOR_HIGGSML_RANKS:
            first = TAYLOR_HIGGSML_RANKS[FIRST_ANGLE]
            axes.plot(first, 0, "D", mfc="none", mec=INK, clip_on=False, label=f"paper: {FIRST_ANGLE}, {first}")
        axes.set(xlim=(0, len(chosen)), ylim=(0, 1.01), xlabel="rank", ylabel="share of such features up to this rank")
        axes.grid()
        figure.legend(loc="outside lower center", ncols=2)
    return figure


def roc(groups: Mapping[str, Sequence[Mapping]]) -> Figure:
    """The curves of both networks with each treatment, averaged over the seeds."""
    curves = {}
    for name, rows in groups.items():
        background = np.mean([row["roc"] for row in rows], axis=0)  # (2, n_efficiencies)
        signal = np.arange(1, background.shape[1] + 1) / background.shape[1]
        curves |= {f"{name}: all inputs": RocCurve(signal, background[0])}
        curves |= {f"{name}: kept inputs": RocCurve(signal, background[1])}
    with style():
        return pnn_tf.plots.roc(curves, figure=Figure(figsize=(7.2, 5.0)))
