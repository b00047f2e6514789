"""What Fig. 2 of TAYLOR says: phases of the training beside the paper's, the scan and the figure, from rows alone."""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil

import numpy as np
from matplotlib.figure import Figure

from benchmarks.comparison import Cell, Comparison, Finding, Section
from benchmarks.published import TAYLOR_FIG_2
from benchmarks.style import BLUE, GREEN, INK, ORANGE, PURPLE, QUIET, SKY, VERMILION, style

CURVES = (  # label, colour and line of x1, x2, (x1, x1), (x1, x2), (x2, x2): what is alike by symmetry has one colour
    ("$x_1$", ORANGE, "-"),
    ("$x_2$", ORANGE, (0, (4, 1.5))),
    ("$x_1,x_1$", GREEN, "-"),
    ("$x_1,x_2$", BLUE, "-"),
    ("$x_2,x_2$", GREEN, (0, (4, 1.5))),
)
PHASES = ("plateau", "fall", "second_rise")  # those that a setting is chosen by
X12 = 3  # index of (x1, x2)


def section(record: dict) -> Section:
    """Everything for the report."""
    rows, data, config = record["rows"], record["data"], record["configuration"]
    drawn = of_the_figure(rows)
    seeds = sorted(row["seed"] for row in drawn)
    return Section(
        title="TAYLOR Fig. 2",
        introduction=(
            f"Mean absolute Taylor coefficients and AUC of a network on task c in the course of its first "
            f"{config['n_steps']} gradient steps, over {data['n_test']:,} independent events; "
            f"{data['n_train']:,} for training and validation, seed{'s' if len(seeds) > 1 else ''} "
            f"{', '.join(map(str, seeds))}. The published numbers are those in the text of Wunsch, Friese, Wolf and "
            "Quast, arXiv:1803.08782, section 3."
        ),
        findings=tuple(_findings(rows)),
        tables=(
            (
                "Gradient steps at which the phases of the training begin, of each setting and seed: the AUC comes to "
                "that of a linear classifier; the features x1 and x2 begin to decrease; the AUC leaves the plateau; "
                f"the stopping criterion is met. {config['n_steps'] + 1} stands for later than {config['n_steps']}. "
                "Last, the AUC at the end.",
                _phases(rows, config["n_steps"]),
            ),
            ("Time, medians in milliseconds: a gradient step, and a look of the monitor.", _times(rows)),
        ),
        figures=(
            (
                f"<|t|> of each feature (left axis) and the AUC (right axis): {drawn[0]['row']}, seed "
                f"{drawn[0]['seed']}. Vertical lines: where the stopping criterion is met, in red, and where it is "
                f"met in the paper, step {TAYLOR_FIG_2.stop}, in grey.",
                plot(rows),
            ),
            ("The scan: AUC, and <|t|> of (x1, x2), by batch size and learning rate.", scan(rows)),
        ),
        departures=tuple(_departures(config)),
    )


def of_the_figure(rows: Sequence[Mapping]) -> list[Mapping]:
    """The rows of the setting that is drawn, which is the first; one a seed."""
    return [row for row in rows if row["row"] == rows[0]["row"]]


def plot(rows: Sequence[Mapping]) -> Figure:
    """The paper's figure, of the first row."""
    row = rows[0]
    with style():
        figure = Figure(figsize=(8.4, 4.6))
        axes = figure.subplots()
        for values, (label, colour, line) in zip(row["mean"], CURVES, strict=True):
            axes.plot(row["step"], values, color=colour, ls=line, label=label)
        axes.set_xlabel("gradient step")
        axes.set_ylabel(r"$\langle |t| \rangle$")
        axes.set_xlim(0, row["step"][-1])
        axes.set_ylim(0, 1.12 * np.max(row["mean"]))
        axes.grid(axis="y")
        right = axes.twinx()
        right.plot(row["step"], row["auc"], color=INK, lw=1.2, label="AUC (right)")
        right.set_ylim(0.5, 0.9)
        right.set_ylabel("AUC")
        right.spines["right"].set_visible(True)
        if row["stop"] is not None:
            axes.axvline(row["stop"], color=VERMILION, lw=1.4, label=f"stop, step {row['stop']}")
        axes.axvline(TAYLOR_FIG_2.stop, color=QUIET, lw=1.2, ls=":", label=f"paper: stop, step {TAYLOR_FIG_2.stop}")
        handles, labels = (
            a + b for a, b in zip(*(ax.get_legend_handles_labels() for ax in (axes, right)), strict=True)
        )
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def scan(rows: Sequence[Mapping]) -> Figure:
    """AUC and the coefficient of (x1, x2) for every setting, with the first seed: colour the rate, line the batch."""
    rows = [row for row in rows if row["seed"] == rows[0]["seed"]]
    rates = sorted({row["learning_rate"] for row in rows})
    batches = sorted({row["batch_size"] for row in rows}, reverse=True)
    colours = dict(zip(rates, (SKY, GREEN, BLUE, VERMILION, PURPLE, ORANGE), strict=False))
    lines = dict(zip(batches, ("-", (0, (5, 1.5)), (0, (3, 1.5, 1, 1.5)), (0, (1, 1.2))), strict=False))
    with style():
        figure = Figure(figsize=(9.6, 4.4))
        auc, pair = figure.subplots(1, 2)
        for row in rows:
            look = {"color": colours[row["learning_rate"]], "ls": lines[row["batch_size"]], "lw": 1.4}
            auc.plot(row["step"], row["auc"], label=row["row"], **look)
            pair.plot(row["step"], row["mean"][X12], **look)
        auc.set_ylim(0.8, 0.885)
        auc.set_ylabel("AUC")
        pair.set_ylabel(r"$\langle |t| \rangle$ of $x_1,x_2$")
        for axes in (auc, pair):
            axes.set_xlabel("gradient step")
            axes.grid()
        figure.legend(loc="outside lower center", ncols=3)
    return figure


def distance(row: Mapping) -> float | None:
    """How far the phases of a row are from the paper's: mean of |ln(step / paper's step)|; None if one is missing."""
    if any(not row[phase] for phase in PHASES):
        return None
    return float(np.mean([abs(np.log(row[phase] / getattr(TAYLOR_FIG_2, phase))) for phase in PHASES]))


def _findings(rows: Sequence[Mapping]) -> Iterator[Finding]:
    drawn = of_the_figure(rows)
    yield Finding(
        "First phase",
        f"The AUC comes to a plateau at step {_steps(drawn, 'plateau')} (paper: about {TAYLOR_FIG_2.plateau}); where "
        f"x1 and x2 are largest, it is {_range([row['plateau_auc'] for row in drawn], 3)} (paper: "
        f"{TAYLOR_FIG_2.plateau_auc / 100:.2f}).",
    )
    yield Finding(
        "First-order features",
        f"x1 and x2 fall from step {_steps(drawn, 'fall')} (paper: {TAYLOR_FIG_2.fall}).",
    )
    before, after = ([_at(row, row["mean"][X12], step) for row in drawn] for step in (100, np.inf))
    yield Finding(
        "Second phase",
        f"The AUC leaves the plateau at step {_steps(drawn, 'second_rise')} (paper: about "
        f"{TAYLOR_FIG_2.second_rise}); <|t|> of (x1, x2) goes from {_range(before, 3)} at step 100 to "
        f"{_range(after, 3)} at the end. The AUC ends at {_range([row['auc'][-1] for row in drawn], 3)}; the best "
        f"classifier has {drawn[0]['bayes_auc']:.3f}.",
    )
    yield Finding("Stop", _stop(rows))
    of_first_seed = {row["row"]: distance(row) for row in rows if row["seed"] == rows[0]["seed"]}
    known = {name: value for name, value in of_first_seed.items() if value is not None}
    if known:
        nearest = min(known, key=known.get)
        listed = ", ".join(f"{value:.2f} ({name})" for name, value in sorted(known.items(), key=lambda item: item[1]))
        yield Finding(
            "Chosen by shape",
            f"Nearest to the paper in the steps of plateau, fall and second rise is {nearest}. Mean |ln(step / paper's "
            f"step)|: {listed}.",
        )
    step, look = (float(np.mean([row[field] for row in drawn])) for field in ("step_ms", "look_ms"))
    yield Finding(
        "Cost of the monitor",
        f"{look:.0f} ms a look, beside {step:.0f} ms a gradient step.",
    )


def _stop(rows: Sequence[Mapping]) -> str:
    drawn = of_the_figure(rows)
    met, n_steps = [row for row in drawn if row["stop"] is not None], drawn[0]["step"][-1]
    text = (
        f"The criterion is met at step {_steps(drawn, 'stop')}"
        if met
        else f"The criterion is not met in {n_steps} steps"
    )
    text += f" (paper: {TAYLOR_FIG_2.stop})."
    early = [row for row in rows if row["stop"] and (row["second_rise"] is None or row["stop"] < row["second_rise"])]
    if not early:
        return text
    listed = ", ".join(f"step {row['stop']} ({row['row']}, seed {row['seed']})" for row in early)
    return (
        f"{text} It is met before the second rise at {listed}: the features of first order have come too high there, "
        "and until they fall the validation loss does not. The paper says that this might well have happened to it."
    )


def _at(row: Mapping, values: Sequence[float], step: float) -> float:
    """The value at a step, or at the last one before it."""
    return values[max(i for i, s in enumerate(row["step"]) if s <= step)]


def _steps(rows: Sequence[Mapping], field: str) -> str:
    """The steps of all seeds, such as "17, 18 and never"."""
    *first, last = [str(row[field]) if row[field] is not None else "never" for row in rows]
    return f"{', '.join(first)} and {last}" if first else last


def _range(values: Sequence[float], decimals: int) -> str:
    low, high = f"{min(values):.{decimals}f}", f"{max(values):.{decimals}f}"
    return low if low == high else f"{low} to {high}"


def _phases(rows: Sequence[Mapping], n_steps: int) -> Comparison:
    columns = ("plateau", "fall", "second_rise", "stop")
    table = []
    for row in rows:
        steps = [
            Cell(n_steps + 1 if row[name] is None else row[name], paper=getattr(TAYLOR_FIG_2, name)) for name in columns
        ]
        table.append((f"{row['row']}, seed {row['seed']}", (*steps, Cell(100 * row["auc"][-1]))))
    return Comparison(
        "gradient step", ("plateau", "fall", "second rise", "stop", "AUC (%)"), tuple(table), (0, 0, 0, 0, 2)
    )


def _times(rows: Sequence[Mapping]) -> Comparison:
    table = tuple(
        (f"{row['row']}, seed {row['seed']}", tuple(Cell(row[field]) for field in ("step_ms", "look_ms", "wall_s")))
        for row in rows
    )
    return Comparison("time", ("step (ms)", "look (ms)", "wall time (s)"), table, (1, 1, 0))


def _departures(config: Mapping) -> Iterator[str]:
    if config["n_train"] != 100_000:
        yield f"{config['n_train']:,} training events, validation included, instead of 100,000."
    yield f"Coefficients and AUC are taken over {config['n_test']:,} independent events."
    yield (
        f"The paper gives neither batch size nor learning rate. Batches of {config['batch_size']:,} and a rate of "
        f"{config['learning_rate']:g} were chosen for the shape of the curves, from the scan in the tables below."
    )
    n_gradients = round((1 - config["validation_fraction"]) * config["n_train"])
    yield (
        f"The network goes on where the criterion, {config['patience']} epochs in a row without a smaller validation "
        f"loss, is met. An epoch has {ceil(n_gradients / config['batch_size'])} steps."
    )
    yield (
        "The phases are called by rule, not by eye: the AUC comes within 0.005 of that of the best linear classifier, "
        "x1 and x2 are largest, the AUC exceeds that of the linear classifier by 0.005. How soon the plateau comes "
        "depends on the initial weights."
    )
    yield f"The scan is made with the first seed, and looks at the networks every {config['scan_every']} steps."
