"""Pulls of nuisance parameters, and their impact on the parameter of interest."""

from collections.abc import Sequence

import numpy as np
from matplotlib import rcParams
from matplotlib.figure import FigureBase
from matplotlib.patches import Patch

from neos_tf.impacts import Impacts, Postfit, strings
from neos_tf.plots.figure import COLOURS, GREY, add_legend, new_figure


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
    figure = new_figure(figure, (5.2, 0.9 + 0.26 * len(names)))
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
    figure = new_figure(figure, (7.6, 1.6 + 0.28 * len(names)))
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
    add_legend(figure, handles)
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
