"""Limits, CLs and p-values over hypotheses or signal strengths."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import FigureBase

from neos_tf.inference import CLs, DiscoveryScan
from neos_tf.limits import UpperLimit
from neos_tf.plots.figure import COLOURS, GREY, add_legend, new_figure

BANDS = "#7fcdae", "#f5e28a"  # one and two standard deviations; apart in lightness as well


def limits(
    hypotheses: Sequence[float],
    upper_limits: Sequence[UpperLimit],
    *,
    label: str = "hypothesis",
    ylabel: str = "upper limit on the signal strength",
    observed: bool = True,
    legend: bool = True,
    figure: FigureBase | None = None,
) -> FigureBase:
    """Upper limits over hypotheses, such as masses, with the bands of the expected ones; infinite ones are left out.

    Args:
        hypotheses: (n_hypotheses,) values.
        upper_limits: of `upper_limit`, one a hypothesis.
        label: what a hypothesis is, with its unit.
        ylabel: what is limited, with its unit.
        observed: draw the observed limits.
        legend, figure: as of `templates`.

    Raises:
        ValueError: another number of limits than of hypotheses, or none.
    """
    expected = _one_each(hypotheses, [limit.expected for limit in upper_limits])
    line = [limit.observed for limit in upper_limits] if observed else None
    figure, axes = _band(hypotheses, expected, line, legend, figure)
    axes.set(xlabel=label, ylabel=ylabel)
    return figure


def cls_scan(
    poi_values: Sequence[float],
    tests: Sequence[CLs],
    *,
    level: float = 0.05,
    label: str = "signal strength",
    observed: bool = True,
    legend: bool = True,
    figure: FigureBase | None = None,
) -> FigureBase:
    """CLs over the signal strength with the bands of the expected, and the level whose crossing is the upper limit.

    Args:
        poi_values: (n_values,) signal strengths that are tested.
        tests: of `cls`, one a value.
        level: 1 - confidence level.
        label: of the parameter of interest.
        observed: draw the observed CLs.
        legend, figure: as of `templates`.

    Raises:
        ValueError: another number of tests than of values, or none.
    """
    expected = _one_each(poi_values, [test.expected for test in tests])
    figure, axes = _band(poi_values, expected, [test.observed for test in tests] if observed else None, legend, figure)
    axes.axhline(level, color=COLOURS[1], lw=1)
    axes.set(xlabel=label, ylabel="CLs", ylim=(level / 50, 1.5))
    return figure


def p_values(
    hypotheses: Sequence[float],
    scan: DiscoveryScan,
    *,
    label: str = "hypothesis",
    legend: bool = True,
    figure: FigureBase | None = None,
) -> FigureBase:
    """Local p-values over hypotheses, observed and expected, with lines at whole standard deviations.

    Args:
        hypotheses: (n_hypotheses,) values.
        scan: of `discovery_scan`.
        label: what a hypothesis is, with its unit.
        legend, figure: as of `templates`.

    Raises:
        ValueError: another number of p-values than of hypotheses, or none.
    """
    observed, expected = (_one_each(hypotheses, values) for values in (scan.p_value, scan.expected_p_value))
    figure = new_figure(figure, (4.8, 3.6))
    axes = figure.subplots()
    axes.plot(hypotheses, observed, color="black", marker=".", label="observed")
    axes.plot(hypotheses, expected, color=COLOURS[0], ls="--", label="expected")
    axes.set_yscale("log")
    least = min(values[np.isfinite(values) & (values > 0)].min(initial=0.1) for values in (observed, expected))
    axes.set(xlabel=label, ylabel="local p-value", ylim=(least / 5, 1), xlim=(hypotheses[0], hypotheses[-1]))
    for n_sigma in range(1, 38):
        p_value = 0.5 * math.erfc(n_sigma / math.sqrt(2))
        if p_value < least / 5:
            break
        axes.axhline(p_value, color=GREY, lw=0.7, ls=":")
        at = {"xycoords": ("axes fraction", "data"), "xytext": (3, 0), "textcoords": "offset points"}
        axes.annotate(rf"${n_sigma}\sigma$", (1, p_value), **at, color=GREY, va="center")
    if legend:
        add_legend(figure, axes.get_legend_handles_labels()[0])
    return figure


def _band(x, expected, observed, legend, figure) -> tuple:
    """Draws the median with its bands of one and two standard deviations, and what is observed."""
    figure = new_figure(figure, (4.8, 3.6))
    axes = figure.subplots()
    expected = np.where(np.isfinite(expected), expected, np.nan)
    axes.fill_between(x, expected[:, 0], expected[:, 4], color=BANDS[1], lw=0, label=r"$\pm 2\sigma$")
    axes.fill_between(x, expected[:, 1], expected[:, 3], color=BANDS[0], lw=0, label=r"$\pm 1\sigma$")
    axes.plot(x, expected[:, 2], color="black", ls="--", label="expected")
    if observed is not None:
        observed = np.asarray(observed, float)
        axes.plot(x, np.where(np.isfinite(observed), observed, np.nan), color="black", marker=".", label="observed")
    axes.set_xlim(min(x), max(x))
    axes.set_yscale("log")
    if legend:
        add_legend(figure, axes.get_legend_handles_labels()[0])
    return figure, axes


def _one_each(hypotheses, values) -> np.ndarray:
    if not len(hypotheses) or len(hypotheses) != len(values):
        raise ValueError(f"Expected one result for each of {len(hypotheses)} values. Received: {len(values)}.")
    return np.array([np.asarray(value) for value in values], float)
