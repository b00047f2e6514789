"""What Fig. 4 of PNN says: m_wwbb, networks that know nothing else, and what the feature allows, from rows alone."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from benchmarks import paired
from benchmarks.comparison import Cell, Comparison, Finding, Section, cell
from benchmarks.pnn.distributions import draw
from benchmarks.pnn.roc import draw_curves
from benchmarks.pnn.tested import SIGNAL_EFFICIENCY, AtTheta, auc_difference
from benchmarks.rows import by_name
from benchmarks.style import GREEN, INK, MASS_COLOURS, ORANGE, QUIET, style
from pnn_tf import auc_error

FEATURE = "m_wwbb"
FIXED, PARAMETRISED = "fixed", "parametrised without it"
RISING, RATIO = "the feature itself", "ratio of binned densities"
LINES = {
    RISING: {"color": QUIET, "ls": "-"},
    RATIO: {"color": INK, "ls": ":"},
    FIXED: {"color": GREEN, "ls": "-"},
    PARAMETRISED: {"color": ORANGE, "ls": "--"},
}


def one_line(row: Mapping) -> str:
    """What a log says of a finished row."""
    tested = row["tested"]
    return f"{row['row']}, seed {row['seed']}: AUC {100 * tested['auc']:.2f} % at {tested['theta']:g} GeV"


def plot(rows: Sequence[Mapping]) -> Figure:
    """Distributions of the feature, outputs as functions of it, and ROC curves at the mass in focus."""
    found, first = by_name(rows), rows[0]
    shown, focus = first["distribution"], first["tested"]["theta"]
    unit = "GeV" if first["physical"] else "standardised"
    with style():
        figure = Figure(figsize=(9.6, 3.9))
        left, middle, right = figure.subplots(1, 3)
        draw(left, shown, shown["masses"], unit)
        left.set_ylabel("share per bin")
        left.set_title("Background and signal")
        masses = [Patch(color=INK, alpha=0.2, label="background")]
        masses += [Line2D([], [], color=MASS_COLOURS[int(mass)], label=f"{mass:g} GeV") for mass in shown["masses"]]
        left.legend(handles=masses, fontsize=8)
        centres = (np.array(shown["edges"][1:]) + shown["edges"][:-1]) / 2
        for name, group in found.items():
            for row in group if group[0]["response"] else ():
                middle.plot(centres, row["response"], **LINES[name])
        middle.set_ylim(0, 1)
        middle.set_ylabel(f"output at {focus:g} GeV")
        middle.set_xlabel(f"{FEATURE} ({unit})")
        middle.set_title("Output")
        middle.grid()
        draw_curves(right, {name: _tested(group) for name, group in found.items()}, LINES)
        right.set_title(f"ROC at {focus:g} GeV")
        handles = [Line2D([], [], label=_label(name, focus), **LINES[name]) for name in found]
        figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=9)
    return figure


def section(record: dict) -> Section:
    """Everything for the report."""
    rows, config, data = record["rows"], record["configuration"], record["data"]
    focus, seeds = config["focus"], sorted({row["seed"] for row in rows})
    return Section(
        title="PNN Fig. 4",
        introduction=(
            f"Networks of one hidden layer of {config['units'][0]} units on the reconstructed mass {FEATURE} alone, of "
            f"{data['name']} events: {data['n_train']:,} for training and validation, {data['n_test']:,} for the test, "
            f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}. One is trained at {focus:g} GeV, one "
            "at all other masses; both are tested on the signal of that mass. Baldi et al. (2016) show curves without "
            "numbers."
        ),
        findings=tuple(_findings(rows)),
        tables=(
            (
                f"At {focus:g} GeV: AUC, its standard error from the finite test sample, and one over the background "
                "efficiency where half of the signal passes.",
                _table(rows),
            ),
        ),
        figures=(
            (
                "Left, the feature for background and each mass. Middle, what each answers to it: the ratio as the "
                "posterior of equally frequent classes. Right, background rejection against signal efficiency.",
                plot(rows),
            ),
        ),
        departures=tuple(_departures(config)),
    )


def _findings(rows: Sequence[Mapping]) -> Iterator[Finding]:
    found = by_name(rows)
    if len({len(group) for group in found.values()}) != 1 or set(found) != set(LINES):
        return
    tested = {name: _tested(group) for name, group in found.items()}
    focus = tested[FIXED][0]["theta"]
    gap = auc_difference(tested[PARAMETRISED], tested[FIXED])
    yield Finding(
        "Parametrised minus fixed",
        f"The paper: a parametrised network that has not seen {focus:g} GeV matches or nearly matches the one trained "
        f"there. Difference of the AUC on the same test events: {gap} points, {paired.verdict(gap)}.",
    )
    lost = {name: auc_difference(tested[name], tested[RATIO]) for name in (FIXED, PARAMETRISED, RISING)}
    from_rising = {name: auc_difference(tested[name], tested[RISING]) for name in (FIXED, PARAMETRISED)}
    no_better = [name for name, difference in from_rising.items() if difference.sign <= 0]
    yield Finding(
        "What the feature allows",
        f"AUC minus that of the ratio of binned densities, in points: {lost[FIXED]} for the fixed network, "
        f"{lost[PARAMETRISED]} for the parametrised one, {lost[RISING]} for the feature itself, a plain cut. Minus "
        f"that of the feature itself: {from_rising[FIXED]} and {from_rising[PARAMETRISED]}. "
        + (
            "Neither network is better than a plain cut: they have not learnt that the signal has a peak, and their "
            "agreement says little about interpolation."
            if len(no_better) == 2
            else f"No better than a plain cut: {no_better[0]}."
            if no_better
            else "Both are better than a plain cut."
        ),
    )
    gaps = {
        pair: fmean(_gap(a, b) for a, b in zip(*(found[name] for name in pair), strict=True))
        for pair in ((PARAMETRISED, FIXED), (PARAMETRISED, RATIO), (FIXED, RATIO))
    }
    yield Finding(
        "As functions of the feature",
        f"Mean absolute difference of the outputs at {focus:g} GeV over events, half of them signal: "
        f"{gaps[PARAMETRISED, FIXED]:.3f} between the two networks, {gaps[PARAMETRISED, RATIO]:.3f} between the "
        f"parametrised one and the binned posterior, {gaps[FIXED, RATIO]:.3f} between the fixed one and that. An AUC "
        "does not see it where the order is the same.",
    )


def _gap(first: Mapping, second: Mapping) -> float:
    """Mean absolute difference of two responses over the binned events, half signal of the mass in focus."""
    shown = first["distribution"]
    share = np.array(shown["signal"][shown["masses"].index(first["tested"]["theta"])]) + shown["background"]
    return float(np.average(np.abs(np.subtract(first["response"], second["response"])), weights=share))


def _table(rows: Sequence[Mapping]) -> Comparison:
    half = int(np.argmin(np.abs(SIGNAL_EFFICIENCY - 0.5)))
    lines = []
    for name, group in by_name(rows).items():
        tested = _tested(group)
        auc = cell([100 * one["auc"] for one in tested])
        error = 100 * auc_error(auc.ours / 100, tested[0]["n_signal"], tested[0]["n_background"])
        rejection = cell([1 / one["background_efficiency"][half] for one in tested])
        lines.append((_label(name, tested[0]["theta"]), (auc, Cell(error), rejection)))
    columns = ("AUC (%)", "its error", "rejection at half the signal")
    return Comparison("one feature", columns, tuple(lines), (2, 2, 2))


def _departures(config: Mapping) -> Iterator[str]:
    if config["sample"] != "hepmass":
        yield "The events are HEPMASS-like, simulated for this project with another simulation of the detector."
    if config["n_train"] is not None:
        yield f"{config['n_train']:,} training events are drawn from the sample."
    if config["batch_size"] != 1:
        yield (
            f"Batches of {config['batch_size']} events, half of them signal, and a rate of "
            f"{config['learning_rate']:g}, instead of one event and 0.01; Nesterov's momentum of "
            f"{config['momentum']:g} as in the paper."
        )
    yield (
        "As in the paper, inputs lie between 0 and 1: the feature by its smallest and largest value in training, the "
        "mass by 500 and 1500 GeV."
    )
    yield (f"The paper does not say how long it trains: {config['epochs']} epochs here.")


def _tested(group: Sequence[Mapping]) -> list[AtTheta]:
    return [row["tested"] for row in group]


def _label(name: str, focus: float) -> str:
    return {FIXED: f"fixed at {focus:g} GeV", PARAMETRISED: f"parametrised, without {focus:g} GeV"}.get(name, name)
