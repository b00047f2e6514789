"""What Fig. 1 of TAYLOR says: the paper's statements, each checked, tables and the figure, from rows alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from benchmarks.comparison import Cell, Comparison, Finding, Section, cell
from benchmarks.data.gaussians import TASKS, Gaussian
from benchmarks.published import TAYLOR_FIG_1_BAYES
from benchmarks.style import BLUE, INK, ORANGE, VERMILION, style

FEATURES = ("x1", "x2", "x1, x1", "x1, x2", "x2, x2")
SYMBOLS = ("$x_1$", "$x_2$", "$x_1,x_1$", "$x_1,x_2$", "$x_2,x_2$")
RADII = (2.0, 1.5, 1.0, 0.5)  # of the contours, in standard deviations


class Means(NamedTuple):
    """<|t|> of the features of a task."""

    x1: float
    x2: float
    x11: float
    x12: float
    x22: float


class Statement(NamedTuple):
    """What the paper's text says of a task, in our words, and whether means are so."""

    text: str
    holds: Callable[[Means], bool]


STATEMENTS = {
    "a": Statement(
        "x1 and x2 are large, above all pairs, and (x1, x2) is not negligible: more than a tenth of them",
        lambda t: min(t.x1, t.x2) > max(t.x11, t.x12, t.x22) and t.x12 > max(t.x1, t.x2) / 10,
    ),
    "b": Statement(
        "(x1, x2) is the largest, and x1 and x2 are large too, above (x1, x1) and (x2, x2)",
        lambda t: t.x12 > max(t.x1, t.x2) and min(t.x1, t.x2) > max(t.x11, t.x22),
    ),
    "c": Statement(
        "a combination of a and b: x1, x2 and (x1, x2) are each above (x1, x1) and (x2, x2)",
        lambda t: min(t.x1, t.x2, t.x12) > max(t.x11, t.x22),
    ),
    "d": Statement("(x1, x2) is below all others", lambda t: t.x12 < min(t.x1, t.x2, t.x11, t.x22)),
}


def section(record: dict) -> Section:
    """Everything for the report."""
    rows, data, config = record["rows"], record["data"], record["configuration"]
    seeds = sorted({row["seed"] for row in rows})
    return Section(
        title="TAYLOR Fig. 1",
        introduction=(
            "Mean absolute Taylor coefficients of networks that tell two Gaussians apart, for the four tasks of Table "
            f"1: {data['n_train']:,} events for training and validation, {data['n_test']:,} for the test, "
            f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}. Beside them those of the exact "
            "posterior, the best classifier there is, over the same test events. Wunsch, Friese, Wolf and Quast, "
            "arXiv:1803.08782, show the networks' as a figure without numbers."
        ),
        findings=tuple(_findings(rows)),
        tables=(
            ("<|t|> of each feature, to standardised inputs, and the area under the ROC curve.", _means(rows)),
            ("Training: the mean over the seeds.", _training(rows)),
        ),
        figures=(
            (
                "Above, the densities of signal (red) and background (blue): lines at 0.5, 1, 1.5 and 2 standard "
                "deviations. Below, <|t|> of the network and, as diamonds, of the best classifier.",
                plot(rows),
            ),
        ),
        departures=tuple(_departures(config)),
    )


def by_task(rows: Sequence[Mapping]) -> dict[str, list[Mapping]]:
    """The rows of each task, in the order of the panels."""
    return {task: group for task in TASKS if (group := [row for row in rows if row["task"] == task])}


def plot(rows: Sequence[Mapping]) -> Figure:
    """A column a task: contours above, mean coefficients below."""
    tasks = by_task(rows)
    with style():
        figure = Figure(figsize=(2.55 * len(tasks) + 0.6, 5.6))
        above, below = figure.subplots(2, len(tasks), sharey="row", squeeze=False)
        for axes, task in zip(above, tasks, strict=True):
            _contours(axes, task)
        for axes, group in zip(below, tasks.values(), strict=True):
            _bars(axes, group)
        above[0].set_ylabel("$x_2$")
        below[0].set_ylim(bottom=0)  # of all, which share it
        below[0].set_ylabel(r"$\langle |t| \rangle$")
        handles = [
            Patch(color=ORANGE, label="network, first order"),
            Patch(color=BLUE, label="network, second order"),
            Line2D([], [], color=INK, marker="D", mfc="white", ls="", ms=5, label="best classifier"),
        ]
        if any(len(group) > 1 for group in tasks.values()):
            handles.append(Line2D([], [], color=INK, lw=0.9, label="standard deviation over seeds"))
        figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


def _contours(axes, task: str) -> None:
    """Both densities, in units of the inputs before standardisation."""
    signal, background = TASKS[task]
    for gaussian, colour in ((background, BLUE), (signal, VERMILION)):
        axis = np.linspace(-4, 4, 161)
        distance = _distance(gaussian, axis)
        for radius in RADII:  # one on another: darker towards the centre
            axes.contourf(axis, axis, distance, levels=[0, radius], colors=[colour], alpha=0.15)
        axes.contour(axis, axis, distance, levels=sorted(RADII), colors=[colour], linewidths=0.9)
    axes.set_title(f"Task {task}")
    axes.set_aspect("equal")
    axes.set_xlabel("$x_1$")
    axes.set_xticks((-3, 0, 3))
    axes.set_yticks((-3, 0, 3))


def _distance(gaussian: Gaussian, axis: np.ndarray) -> np.ndarray:
    """(n, n) distances from the mean in standard deviations, on the grid of `axis` with x2 along the first index."""
    x2, x1 = np.meshgrid(axis, axis, indexing="ij")
    x = np.stack([x1, x2], axis=-1) - gaussian.mean
    return np.sqrt(np.einsum("...i,ij,...j", x, np.linalg.inv(gaussian.covariance), x))


def _bars(axes, group: Sequence[Mapping]) -> None:
    means = np.array([row["mean"] for row in group])
    places = np.arange(len(FEATURES))
    spread = means.std(axis=0, ddof=1) if len(group) > 1 else None
    axes.bar(places, means.mean(axis=0), color=[ORANGE] * 2 + [BLUE] * 3, width=0.7)
    if spread is not None:
        axes.errorbar(places, means.mean(axis=0), spread, fmt="none", ecolor=INK, elinewidth=0.9, capsize=2)
    axes.plot(places, group[0]["bayes_mean"], "D", mfc="white", mec=INK, ms=5.5)
    axes.set_xticks(places, SYMBOLS, fontsize=9)
    axes.tick_params(bottom=False)
    axes.grid(axis="y")


def _findings(rows: Sequence[Mapping]) -> Iterator[Finding]:
    tasks = by_task(rows)
    for task, group in tasks.items():
        statement = STATEMENTS[task]
        n_held = sum(statement.holds(Means(*row["mean"])) for row in group)
        of_best = "for" if statement.holds(Means(*group[0]["bayes_mean"])) else "not for"
        yield Finding(
            f"Task {task}",
            f"The paper: {statement.text}. So it is for the network in {n_held} of {len(group)} seeds, and {of_best} "
            "the best classifier.",
        )
    worst = max(
        (
            (row["mean"][i] - row["bayes_mean"][i], task, i, row["seed"])
            for task, group in tasks.items()
            for row in group
            for i in range(len(FEATURES))
        ),
        key=lambda entry: abs(entry[0]),
    )
    error = max(max(row["error"]) for row in rows)
    yield Finding(
        "Network against the best classifier",
        f"The largest difference of any <|t|> is {worst[0]:+.3f}, of ({FEATURES[worst[2]]}) in task {worst[1]} with "
        f"seed {worst[3]}. The finite test sample leaves a standard error of at most {error:.4f}, common to both.",
    )
    points = {task: np.mean([100 * (row["auc"] - row["bayes_auc"]) for row in group]) for task, group in tasks.items()}
    yield Finding(
        "AUC against the best",
        f"In points, mean over the seeds: {', '.join(f'{mean:+.2f} in task {task}' for task, mean in points.items())}.",
    )
    moved = max(abs(row["bayes_mean"][i] - TAYLOR_FIG_1_BAYES[row["task"]].mean[i]) for row in rows for i in range(5))
    yield Finding(
        "The best classifier",
        f"Its means are those found on an independent sample of 100,000 events to {moved:.4f}.",
    )


def _means(rows: Sequence[Mapping]) -> Comparison:
    table = []
    for task, group in by_task(rows).items():
        network = [cell(list(column)) for column in np.transpose([row["mean"] for row in group])]
        best = [Cell(value) for value in group[0]["bayes_mean"]]
        auc = cell([100 * row["auc"] for row in group])
        table.append((f"{task}, network", (*network, auc)))
        table.append((f"{task}, best classifier", (*best, Cell(100 * group[0]["bayes_auc"]))))
    return Comparison("<|t|>", (*FEATURES, "AUC (%)"), tuple(table), (3,) * len(FEATURES) + (2,))


def _training(rows: Sequence[Mapping]) -> Comparison:
    columns = ("epochs", "validation_loss", "n_train", "wall_s")
    table = tuple(
        (task, tuple(Cell(float(np.mean([row[field] for row in group]))) for field in columns))
        for task, group in by_task(rows).items()
    )
    return Comparison(
        "task", ("epochs", "validation loss", "events for gradients", "wall time (s)"), table, (1, 4, 0, 1)
    )


def _departures(config: Mapping) -> Iterator[str]:
    if config["n_train"] != 100_000 or config["n_test"] != 100_000:
        yield (
            f"{config['n_train']:,} training and {config['n_test']:,} test events instead of 100,000 each, and at most "
            f"{config['epochs']} epochs."
        )
    yield (
        f"The paper gives neither batch size nor learning rate: {config['batch_size']} events, and "
        f"{config['learning_rate']:g} of Adam."
    )
    yield "Inputs are standardised by the exact mean and standard deviation of the two Gaussians, not by the sample's."
    yield "Every seed trains on the same events: what differs is the split in halves, their order, the initial weights."
    yield "t of (x1, x1) is half of the second derivative, that of (x1, x2) the mixed one: each term counts once."
