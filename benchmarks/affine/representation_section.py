"""What the last hidden layers of AFFINE's networks look like: Figs. 9 and 10, and guesses of neighbours, from rows."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.affine.departures import of_recipe, of_size
from benchmarks.comparison import Cell, Comparison, Finding, Section, cell
from benchmarks.style import BLUE, INK, MASS_COLOURS, VERMILION, style

INDIVIDUAL, PARAMETRIC, CONTROL = "Individual-NNs", "pNN", "Single-NNs (control)"
CLASSES = (("background", BLUE), ("signal", VERMILION))
COLUMNS = {
    "mass": "mass_accuracy",
    "mass, background alone": "mass_accuracy_background",
    "class": "class_accuracy",
}


def section(record: dict) -> Section:
    """Everything for the report."""
    rows, config, data = record["rows"], record["configuration"], record["data"]
    seeds = sorted({row["seed"] for row in rows})
    return Section(
        title="AFFINE Figs. 9 and 10",
        introduction=(
            f"What networks make of an event in their last hidden layer, for {config['n_points']:,} test events of "
            f"{data['name']}, after training on {data['n_train']:,} for {config['epochs']} epochs, "
            f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}. Each event goes through the individual "
            "network of its mass, or with its mass through the pNN. Anzalone, Diotallevi and Bonacorsi, "
            "arXiv:2202.00424, show maps alone; the guesses of neighbours and the control are ours."
        ),
        findings=tuple(_findings(rows)),
        tables=(
            (
                f"How often the {config['n_neighbours']} nearest neighbours in the layer guess the mass and the class "
                f"of an event, in per cent. By chance: {100 / len(rows[0]['masses']):.0f} and 50.",
                _accuracies(rows),
            ),
        ),
        figures=(
            (
                "Maps by t-SNE, by mass on the left and by class on the right. Above, the five individual networks "
                "(Fig. 9) and the pNN (Fig. 10). Below, the control: five networks that are told no mass and trained "
                "on random fifths of all events, of which an event's mass chooses one.",
                plot(rows),
            ),
        ),
        departures=tuple(_departures(config)),
    )


def plot(rows: Sequence[Mapping]) -> Figure:
    """A line of panels for each kind of network, of the first seed."""
    first = [row for row in rows if row["seed"] == rows[0]["seed"]]
    with style():
        # Points are an image inside the figure: as shapes they would fill megabytes.
        figure = Figure(figsize=(9, 3.9 * len(first) + 0.6), dpi=200)
        grid = figure.subplots(len(first), 2, squeeze=False)
        for (left, right), row in zip(grid, first, strict=True):
            mass, label = np.divmod(row["kind"], 2)
            masses = [MASS_COLOURS.get(round(m), INK) for m in row["masses"]]
            left.set_title(f"{row['row']}, by mass")
            right.set_title(f"{row['row']}, by class")
            for axes, colours in ((left, np.take(masses, mass)), (right, np.take([c for _, c in CLASSES], label))):
                axes.scatter(row["x"], row["y"], c=colours, s=5, lw=0, alpha=0.7, rasterized=True)
                axes.set_xticks([])
                axes.set_yticks([])
                axes.set_aspect("equal", adjustable="datalim")
                for side in ("left", "bottom"):
                    axes.spines[side].set_visible(False)
        names = [(f"{m:g} GeV", colour) for m, colour in zip(row["masses"], masses, strict=True)]
        for axes, entries in ((grid[-1, 0], names), (grid[-1, 1], CLASSES)):
            handles = [Line2D([], [], color=colour, marker="o", ls="", ms=5, label=name) for name, colour in entries]
            axes.legend(
                handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=3, handletextpad=0.2, fontsize=9
            )
    return figure


def _accuracies(rows: Sequence[Mapping]) -> Comparison:
    lines = [
        (name, tuple(_accuracy(rows, name, field) for field in COLUMNS.values()))
        for name in dict.fromkeys(row["row"] for row in rows)
    ]
    return Comparison("guessed", tuple(COLUMNS), tuple(lines), (1,) * len(COLUMNS))


def _accuracy(rows: Sequence[Mapping], name: str, field: str) -> Cell:
    return cell([100 * row[field] for row in rows if row["row"] == name])


def _findings(rows: Sequence[Mapping]) -> Iterator[Finding]:
    names = {row["row"] for row in rows}
    if {INDIVIDUAL, PARAMETRIC} <= names:
        found = {(row["row"], row["seed"]): 100 * row["mass_accuracy"] for row in rows}
        differences = [
            found[INDIVIDUAL, seed] - found[PARAMETRIC, seed]
            for name, seed in found
            if name == PARAMETRIC and (INDIVIDUAL, seed) in found
        ]
        holds = np.mean(differences) > 0
        yield Finding(
            "Clustered by mass",
            "Masses that neighbours guess in the layers of the individual networks minus in that of the pNN. The paper "
            f"sees the former better clustered by mass: so it is{'' if holds else ' not'} here, but see the control "
            "before it is taken for knowledge of the mass.",
            cell(differences),
        )
    if {INDIVIDUAL, CONTROL} <= names:
        individual, control = (_accuracy(rows, name, "mass_accuracy").ours for name in (INDIVIDUAL, CONTROL))
        yield Finding(
            "What the clusters mean",
            f"Neighbours guess {individual:.1f} % with individual networks and {control:.1f} % in the control, whose "
            "networks differ in nothing that has to do with mass. Points of one network lie together since every "
            "network has axes of its own: as much of the clusters as the control has is no knowledge of the mass.",
        )
    if names:
        classes = {name: _accuracy(rows, name, "class_accuracy").ours for name in dict.fromkeys(r["row"] for r in rows)}
        yield Finding("Class", f"Guessed right: {', '.join(f'{a:.1f} % ({name})' for name, a in classes.items())}.")


def _departures(config: Mapping) -> Iterator[str]:
    if config["sample"] != "hepmass":
        yield "The events are HEPMASS-like: simulated for this project after the description of HEPMASS."
    yield from of_size(config)
    yield from of_recipe(config)
    yield (
        f"The paper does not give its settings of t-SNE: perplexity {config['perplexity']:g}, from the first two "
        "principal components."
    )
    yield "An individual network is trained on the signal of its mass and the background that carries it, a fifth each."
    yield "Every individual network starts from weights of its own, as do those of the control."
