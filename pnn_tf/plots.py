"""Figures of what pnn_tf finds: `import pnn_tf.plots`, which needs matplotlib, `pip install keras-hep[plots]`.

Each function returns a matplotlib Figure. It draws into `figure` instead if one is given, a Figure or SubFigure with
constrained layout, so that several stand side by side. Fonts, sizes and the ink are those of the user's own style;
colours are those of Okabe and Ito, which readers with any common colour blindness can tell apart, or `colours` by name.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib import rcParams
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D

from pnn_tf.agreement import HoldOut
from pnn_tf.calibration import Densities
from pnn_tf.compare import Difference
from pnn_tf.curves import RocCurve
from pnn_tf.evaluation import HypothesisResult
from pnn_tf.events_in_bins import EventsInBins
from pnn_tf.guidance import Sculpting

BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY = COLOURS = "#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9"
GREY = "#8c959f"
DASHES = "-", "--", "-.", ":"


def auc(
    results: Mapping[str, Sequence[HypothesisResult]] | Sequence[HypothesisResult],
    trained_on: Mapping[str, Collection] | Collection | None = None,
    *,
    label: str = "theta",
    colours: Mapping[str, str] | None = None,
    legend: bool = True,
    figure: FigureBase | None = None,
) -> FigureBase:
    """AUC against the hypothesis with its standard error: full circles where trained, open squares where held out.

    Args:
        results: of `evaluate_hypotheses`, or by name to overlay several; anything with `theta`, `auc` and `auc_error`.
        trained_on: hypotheses that the network was trained on, numbers or tuples, or by name; all if None, and for a
            name that is left out.
        label: what theta is, with its unit, such as "mass (GeV)".
        colours: by name.
        legend: whether there is one.
        figure: to draw into; a new one if None.

    Raises:
        ValueError: no result.
    """
    results, figure = _by_name(results), _figure(figure, (5.6, 4.0))
    axes = figure.subplots()
    looks, any_open = _looks(results, colours), False
    for name, of_name in results.items():
        held_out = _held_out([one.theta for one in of_name], _of_name(trained_on, name))
        values, errors = ([getattr(one, field) for one in of_name] for field in ("auc", "auc_error"))
        x = _theta_axis(axes, [one.theta for one in of_name])
        line = "-" if len(of_name[0].theta) == 1 else ""
        _points(axes, x, 100 * np.array(values), 100 * np.array(errors), held_out, looks[name]["color"], line)
        any_open |= held_out.any()
    axes.set_xlabel(label)
    axes.set_ylabel("AUC (%)")
    if legend:
        _legend(figure, [*_lines(results, looks), *(_trained_handles() if any_open else ())])
    return figure


def differences(
    found: Mapping[str, Mapping[object, Difference]] | Mapping[object, Difference],
    trained_on: Mapping[str, Collection] | Collection | None = None,
    *,
    label: str = "theta",
    colours: Mapping[str, str] | None = None,
    legend: bool = True,
    figure: FigureBase | None = None,
) -> FigureBase:
    """Differences of AUCs against the hypothesis, in points, with their standard errors; side by side if several.

    Args:
        found: theta, a number or a tuple, to `Difference` of `compare_auc`; or such mappings by name.
        trained_on, label, colours, legend, figure: as of `auc`.

    Raises:
        ValueError: no difference.
    """
    some = next(iter(found.values()), None)
    named: dict = {"": found} if isinstance(some, Difference) else dict(found)
    if not some:
        raise ValueError("Expected differences by theta, or such mappings by name. Received: none.")
    figure = _figure(figure, (5.6, 3.4))
    axes = figure.subplots()
    looks, any_open = _looks(named, colours), False
    axes.axhline(0, color=GREY, lw=1)
    for place, (name, by_theta) in enumerate(named.items()):
        points = [np.atleast_1d(theta) for theta in by_theta]
        held_out = _held_out(points, _of_name(trained_on, name))
        x = _theta_axis(axes, points)
        apart = np.min(np.diff(np.unique(x)), initial=np.ptp(x) or 1.0) / 4  # so that error bars stay apart
        x = x + apart * (place - (len(named) - 1) / 2) / max(len(named) - 1, 1)
        values, errors = (
            100 * np.array([getattr(one, field) for one in by_theta.values()]) for field in ("value", "error")
        )
        _points(axes, x, values, errors, held_out, looks[name]["color"], "")
        any_open |= held_out.any()
    axes.set_xlabel(label)
    axes.set_ylabel("difference of the AUC (points)")
    if legend:
        _legend(figure, [*_lines(named, looks, marker="o"), *(_trained_handles() if any_open else ())])
    return figure


def roc(
    curves: Mapping[str, RocCurve] | RocCurve,
    *,
    rejection: bool = True,
    colours: Mapping[str, str] | None = None,
    legend: bool = True,
    figure: FigureBase | None = None,
) -> FigureBase:
    """ROC curves.

    Args:
        curves: of `roc_curve`, or by name to overlay several.
        rejection: background rejection, 1 / background efficiency, on a logarithmic axis against the signal efficiency,
            as in searches; if False, the signal efficiency against the background efficiency.
        colours, legend, figure: as of `auc`.

    Raises:
        ValueError: no curve.
    """
    curves, figure = _by_name(curves), _figure(figure, (5.0, 4.4))
    axes = figure.subplots()
    looks = _looks(curves, colours)
    for name, curve in curves.items():
        signal, background = np.asarray(curve.signal), np.asarray(curve.background)
        if rejection:
            some = background > 0
            axes.plot(signal[some], 1 / background[some], **looks[name])
        else:
            axes.plot(np.append(0, background), np.append(0, signal), **looks[name])
    if rejection:
        axes.set_yscale("log")
        axes.set_ylim(bottom=1)
        axes.set_xlabel("signal efficiency")
        axes.set_ylabel("background rejection, 1 / background efficiency")
    else:
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("background efficiency")
        axes.set_ylabel("signal efficiency")
    axes.set_xlim(0, 1)
    if legend:
        _legend(figure, axes.get_legend_handles_labels()[0])
    return figure


def sculpting(
    results: Mapping[str, Sculpting] | Sculpting,
    *,
    label: str = "observable",
    colours: Mapping[str, str] | None = None,
    legend: bool = True,
    figure: FigureBase | None = None,
) -> FigureBase:
    """The background's density in an observable before a cut on the score, grey, and after it.

    Args:
        results: of `background_sculpting`, or by name, such as the theta of the cut; all of the same background, whose
            distribution before the cut is that of the first.
        label: what the observable is, with its unit.
        colours, legend, figure: as of `auc`.

    Raises:
        ValueError: no result.
    """
    results, figure = _by_name(results), _figure(figure, (5.6, 4.0))
    axes = figure.subplots()
    looks = _looks(results, colours)
    first = next(iter(results.values()))
    before = axes.stairs(first.before / np.diff(first.edges), first.edges, fill=True, color=GREY, alpha=0.4)
    before.set_label("all background")
    for name, result in results.items():
        axes.stairs(
            result.after / np.diff(result.edges),
            result.edges,
            **looks[name] | {"label": f"{name or 'after the cut'}: {100 * result.efficiency:.3g} % passes"},
        )
    axes.set_xlim(first.edges[0], first.edges[-1])
    axes.set_xlabel(label)
    axes.set_ylabel("density of the background")
    if legend:
        _legend(figure, axes.get_legend_handles_labels()[0])
    return figure


def calibration(
    tests: Mapping[str, Sequence[HoldOut]] | Sequence[HoldOut],
    *,
    label: str = "theta",
    colours: Mapping[str, str] | None = None,
    legend: bool = True,
    figure: FigureBase | None = None,
) -> FigureBase:
    """KS distance of a calibration to test events against theta, for signal, left, and background.

    Dashed lines are what the distance stays below, by chance alone, in 95 % of all cases.

    Args:
        tests: of `hold_out_test`, one a theta; or by name to overlay several calibrations.
        label, colours, legend, figure: as of `auc`.

    Raises:
        ValueError: no test.
    """
    tests, figure = _by_name(tests), _figure(figure, (7.4, 3.6))
    looks = _looks(tests, colours)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, what in zip(panels, ("signal", "background"), strict=True):
        for name, of_name in tests.items():
            ordered = sorted(of_name, key=lambda test: test.theta)
            theta, found = [test.theta for test in ordered], [getattr(test, what) for test in ordered]
            colour = looks[name]["color"]
            axes.plot(theta, [100 * one.ks for one in found], marker="o", color=colour)
            axes.plot(theta, [100 * one.chance for one in found], color=colour, ls="--", lw=1)
        axes.set_title(what)
        axes.set_xlabel(label)
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel("KS distance (points)")
    if legend:
        _legend(figure, [*_lines(tests, looks), Line2D([], [], color=_ink(), ls="--", lw=1, label="chance, 95 %")])
    return figure


def densities(
    calibrated: Densities,
    found: EventsInBins | None = None,
    *,
    colours: Mapping[str, str] | None = None,
    legend: bool = True,
    figure: FigureBase | None = None,
) -> FigureBase:
    """p(score | theta) of signal and background as calibrated, lines, and of test events, points with their error.

    They are shown per unit of the score's logit, ln(score / (1 - score)), as scores pile up near 0 and 1.

    Args:
        calibrated: `calibration.at(theta)`.
        found: of `events_in_bins`; none if None.
        colours: of "signal" and "background".
        legend, figure: as of `auc`.
    """
    figure = _figure(figure, (5.0, 3.8))
    axes = figure.subplots()
    colours = {"signal": VERMILION, "background": BLUE} | dict(colours or {})
    for what in ("signal", "background"):
        axes.plot(calibrated.logit, getattr(calibrated, what), color=colours[what], label=what)
        if found is not None:
            edges, share = np.asarray(found.edges), np.asarray(getattr(found, what))
            some, width = share > 0, np.diff(edges)
            error = np.sqrt(share * (1 - share) / getattr(found, f"n_{what}"))
            middle, height, bar = (edges[1:] + edges[:-1]) / 2, share / width, error / width
            axes.errorbar(middle[some], height[some], bar[some], fmt="o", ms=3, color=colours[what])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("logit of the score")
    axes.set_ylabel("density")
    if legend:
        events = [] if found is None else [Line2D([], [], color=_ink(), marker="o", ms=3, ls="", label="test events")]
        _legend(figure, [*axes.get_legend_handles_labels()[0][:2], *events])
    return figure


def _figure(figure, size):
    return Figure(figsize=size, layout="constrained") if figure is None else figure


def _by_name(results) -> dict:
    named = dict(results) if isinstance(results, Mapping) else {"": results}
    if not named or not all(len(of_name) for of_name in named.values()):
        raise ValueError(f"Expected results to draw. Received: {results!r}")
    return named


def _looks(names: Collection[str], colours) -> dict[str, dict]:
    """Colour, dashes and label by name; names without a colour get the next one that is free."""
    given = dict(colours or {})
    free = cycle([colour for colour in COLOURS if colour not in given.values()] or COLOURS)
    return {
        name: {"color": given[name] if name in given else next(free), "ls": dashes, "label": name}
        for name, dashes in zip(names, cycle(DASHES), strict=False)
    }


def _of_name(trained_on, name):
    return trained_on.get(name) if isinstance(trained_on, Mapping) else trained_on


def _held_out(points, trained_on) -> np.ndarray:
    if trained_on is None:
        return np.zeros(len(points), bool)
    known = {tuple(np.float32(np.atleast_1d(point)).tolist()) for point in trained_on}
    return np.array([tuple(np.float32(point).tolist()) not in known for point in points])


def _theta_axis(axes, points) -> np.ndarray:
    """(n,) positions: theta itself, or of several parameters the places in the list, with theta as their ticks."""
    if len(points[0]) == 1:
        return np.array([point[0] for point in points], float)
    places = np.arange(len(points))
    names = [f"({', '.join(f'{value:g}' for value in point)})" for point in points]
    axes.set_xticks(places, names, rotation=30 if len(points) > 4 else 0, ha="right" if len(points) > 4 else "center")
    return places.astype(float)


def _points(axes, x, values, errors, held_out, colour, line) -> None:
    axes.errorbar(x, values, errors, color=colour, ls=line, elinewidth=1)
    axes.plot(x[~held_out], values[~held_out], "o", color=colour, ms=5)
    axes.plot(x[held_out], values[held_out], "s", mec=colour, mfc="none", mew=1.4, ms=7)


def _lines(names, looks, **more) -> list[Line2D]:
    return [Line2D([], [], **{"color": looks[name]["color"], "label": name} | more) for name in names if name]


def _trained_handles() -> list[Line2D]:
    ink = {"color": _ink(), "ls": ""}
    return [
        Line2D([], [], marker="o", ms=5, label="trained there", **ink),
        Line2D([], [], marker="s", ms=7, mfc="none", mew=1.4, label="held out", **ink),
    ]


def _legend(figure, handles) -> None:
    """Below, in as many columns as the labels leave room for."""
    if handles:
        size = rcParams["font.size"] / 72  # inches; a letter is about 0.6 as wide as it is high, a handle takes 4 of it
        width = size * (4 + 0.6 * max(len(handle.get_label()) for handle in handles))
        n_columns = max(1, min(len(handles), int(figure.bbox.width / figure.dpi / width)))
        figure.legend(handles=handles, loc="outside lower center", ncols=n_columns)


def _ink() -> str:
    return rcParams["text.color"]
