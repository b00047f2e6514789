"""ROC curves as rows keep them (`benchmarks.pnn.tested`), drawn as in searches: background rejection on a log scale."""

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.pnn.tested import SIGNAL_EFFICIENCY, AtTheta


def draw_curves(axes, curves: Mapping[str, Sequence[AtTheta]], lines: Mapping[str, Mapping]) -> None:
    """One line each, the mean over seeds.

    Args:
        axes: of a figure.
        curves: what was tested under each label, one entry a seed.
        lines: for each label, what `axes.plot` is to know of the line.
    """
    for label, tested in curves.items():
        passing = np.mean([one["background_efficiency"] for one in tested], axis=0)
        some = passing > 0
        axes.plot(SIGNAL_EFFICIENCY[some], 1 / passing[some], label=label, **lines[label])
    axes.set_yscale("log")
    axes.set_ylim(bottom=1)
    axes.set_xlim(0, 1)
    axes.set_xlabel("signal efficiency")
    axes.set_ylabel("background rejection\n1 / background efficiency")
    axes.grid()
