"""What the checks for users say: tables, the responses and the sculpted background, and findings, from rows alone."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from benchmarks.comparison import Comparison, Finding, Section, cell
from benchmarks.style import INK, MASS_COLOURS, QUIET, style

IDENTICAL = "identical"
UNIFORM = "uniform"
UNREGULARISED = "uniform, not regularised"
TITLES = {
    IDENTICAL: "Background at the hypotheses",
    UNIFORM: "Uniform background mass",
    UNREGULARISED: "Uniform, no dropout, no L2",
}


def section(record: dict) -> Section:
    """Everything for the report."""
    rows, data, config = record["rows"], record["data"], record["configuration"]
    return Section(
        title="Where users go wrong",
        introduction=(
            "What to check before a parametric network is trusted, by functions of pnn_tf that anyone can call: "
            f"networks that are told the mass, trained on {data['n_train']:,} {data['name']} events with the "
            "background's mass drawn from the hypotheses, or uniformly between them, with and without regularisation "
            "(the pitfall of Anzalone et al., sections 4.2 and 5.1)."
        ),
        findings=tuple(_findings(rows, config)),
        tables=(
            (
                "Share of the background in a training batch whose mass alone gives it away, and what comes of it: how "
                "deep the mean score of the signal falls between hypotheses, the AUC, and how much a cut that passes "
                f"{config['efficiency']:.0%} of the background shapes its reconstructed mass.",
                _summary(rows),
            ),
        ),
        figures=(
            (
                "Mean score of signal, by its true mass (colour), against the mass that the network is told. Dotted: "
                "the hypotheses; grey: outside of their hull, where the network extrapolates.",
                plot(rows),
            ),
            (
                "Background before (grey) and after a cut on the score at three masses: a peak appears where the "
                "network is told to look, also without any signal.",
                _sculpting_figure(rows),
            ),
        ),
        departures=("The checks are this project's; the paper describes the first of them.",),
    )


def _dip(row: Mapping) -> float:
    """How far the score of signal falls between hypotheses, at the mass half-way to its neighbours, in per cent.

    Relative to the mean of the scores at its own mass and at that neighbour; averaged over masses and neighbours.
    """
    dips = []
    masses = row["masses"]
    for response in row["responses"]:
        for neighbour in masses:
            if abs(masses.index(neighbour) - masses.index(response["mass"])) == 1:
                told = [response["mass"], neighbour, (response["mass"] + neighbour) / 2]
                own, other, between = np.interp(told, response["grid"], response["score"])
                dips.append(1 - between / ((own + other) / 2))
    return 100 * float(np.mean(dips))


def _summary(rows: Sequence[Mapping]) -> Comparison:
    table = []
    for name in (IDENTICAL, UNIFORM, UNREGULARISED):
        own = [row for row in rows if row["row"] == name]
        if own:
            columns = (
                [100 * row["leak"][0] for row in own],
                [_dip(row) for row in own],
                [100 * float(np.mean(row["auc"])) for row in own],
                [float(np.mean([s["divergence"] for s in row["sculpting"]])) for row in own],
            )
            table.append((name, tuple(cell(column) for column in columns)))
    headings = ("given away (%)", "fall between (%)", "mean AUC (%)", "divergence (bits)")
    return Comparison("background mass", headings, tuple(table), (1, 1, 2, 3))


def _findings(rows: Sequence[Mapping], config: Mapping) -> Iterator[Finding]:
    by_name = {name: [row for row in rows if row["row"] == name] for name in TITLES}
    if all(by_name.values()):
        leak, dip = ({name: np.mean([f(row) for row in own]) for name, own in by_name.items()} for f in (_leak, _dip))
        yield Finding(
            "A uniform background mass gives the class away",
            f"{leak[UNIFORM]:.1f} % of the background has a mass that no signal has ({leak[IDENTICAL]:.1f} % if it is "
            "drawn from the hypotheses). Half-way between two hypotheses the score of signal is lower than the mean of "
            f"the two by {dip[UNREGULARISED]:.1f} % without regularisation, {dip[UNIFORM]:.1f} % with it, and "
            f"{dip[IDENTICAL]:.1f} % where the background is at the hypotheses.",
        )
    row = rows[0]
    by_mass = {s["mass"]: s["divergence"] for s in row["sculpting"]}
    yield Finding(
        "A cut sculpts the background",
        f"Passing {config['efficiency']:.0%} of the background, the Jensen-Shannon divergence of its reconstructed "
        f"mass is {min(by_mass.values()):.2f} to {max(by_mass.values()):.2f} bits (0 for an unchanged shape, 1 for no "
        "overlap). Whoever fits a smooth background to what passes has to allow for it.",
    )
    if row["too_few"]:
        text = "; ".join(
            f"{mass:.0f} GeV: \N{PLUS-MINUS SIGN}{100 * error:.2f} points from {n} signal events, {needed:,} needed"
            for mass, error, n, needed in row["too_few"]
        )
        yield Finding(
            "Too few events",
            "On the validation part of HEPMASS-IMB made of this sample, AUCs are not known to "
            f"{100 * config['error']:g} points at {text}.",
        )
    if row["outside"]:
        yield Finding(
            "Outside of the hull",
            f"Of the masses that the networks are told in the figure, {len(row['outside'])} lie outside of the "
            f"hypotheses, from {min(row['outside']):.0f} to {max(row['outside']):.0f} GeV; `predict_scores` warns.",
        )


def _leak(row: Mapping) -> float:
    return 100 * row["leak"][0]


def plot(rows: Sequence[Mapping]) -> Figure:
    """Mean score of signal against the mass that the network is told: a panel a network, first seed."""
    first = {name: row for name in TITLES for row in reversed(rows) if row["row"] == name}
    with style():
        figure = Figure(figsize=(10.5, 3.4))
        panels = figure.subplots(1, len(first), sharey=True, squeeze=False)[0]
        for axes, (name, row) in zip(panels, first.items(), strict=True):
            for response in row["responses"]:
                colour = MASS_COLOURS.get(round(response["mass"]), INK)
                axes.plot(response["grid"], response["score"], color=colour, label=f"{response['mass']:.0f} GeV")
            low, high = min(row["masses"]), max(row["masses"])
            grid = row["responses"][0]["grid"]
            for start, end in ((min(grid), low), (high, max(grid))):
                if start < end:
                    axes.axvspan(start, end, color=QUIET, alpha=0.2, lw=0)
            for mass in row["masses"]:
                axes.axvline(mass, color=QUIET, lw=0.8, ls=":")
            axes.set_xlim(min(grid), max(grid))
            axes.set_ylim(0, 1)
            axes.set_title(TITLES[name])
            axes.set_xlabel("mass that the network is told (GeV)")
        panels[0].set_ylabel("mean score of signal")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5, title="signal of")
    return figure


def _sculpting_figure(rows: Sequence[Mapping]) -> Figure:
    (row,) = [row for row in rows if row["row"] == IDENTICAL][:1] or rows[:1]
    with style():
        figure = Figure(figsize=(6.4, 3.6))
        axes = figure.subplots()
        first = row["sculpting"][0]
        width = np.diff(first["edges"])
        axes.stairs(first["before"] / width, first["edges"], fill=True, color=QUIET, alpha=0.4, label="all background")
        for sculpted in row["sculpting"][::2]:
            colour = MASS_COLOURS.get(round(sculpted["mass"]), INK)
            label = f"cut at {sculpted['mass']:.0f} GeV"
            axes.stairs(sculpted["after"] / width, sculpted["edges"], color=colour, lw=1.6, label=label)
        axes.set_xlabel("reconstructed mass of the background (GeV)")
        axes.set_ylabel("density (1/GeV)")
        axes.set_xlim(first["edges"][0], first["edges"][-1])
        axes.legend()
    return figure
