"""AFFINE Table 3 with other choices: weaker L2 penalties, and another start of affine layers.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, section 6.3, name two strengths of the L2 penalty on kernels and
on biases, and not which table, or which network, has which. Affine layers start at random, which can end a training
(`benchmarks.affine.start`); here they also start as the identity.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import fmean

from matplotlib.figure import Figure

from benchmarks.affine import networks, per_mass, table_3
from benchmarks.affine.departures import circumstances, departures
from benchmarks.affine.networks import Config, Row, load
from benchmarks.comparison import Comparison, Finding, Section, cell
from benchmarks.published import AFFINE_TABLE_3
from benchmarks.rows import by_name, complete, in_turn
from benchmarks.samples import Samples
from benchmarks.style import QUIET
from benchmarks.terminal import Display

__all__ = ["SCALES", "load", "one_line", "plot", "run", "section"]

SCALES = table_3.SCALES
LABELS = {"weak L2": "weak L2 penalties", "identity": "affine layers from the identity"}
AFFINE = ["Affine identical (fixed)", "Affine identical (sampled)"]
PNN = ["pNN identical (fixed)", "pNN identical (sampled)"]
USUAL = "as in Table 3"
CHANGES = {  # of the recipe
    USUAL: {},
    "weak L2": {"kernel_l2": 1e-5, "bias_l2": 1e-6},
    "identity": {"affine_start": "identity"},
}


ROWS = {  # by name, the network of Table 3 and the choice
    f"{network}, {choice}": (network, choice)
    for network, setup in table_3.SETUPS.items()
    for choice in CHANGES
    if choice != "identity" or setup.conditioning == "affine"
}


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """Trains and tests the networks of one row of Table 3 with one choice."""
    network, choice = ROWS[name]
    config = replace(config, **CHANGES[choice])
    row = networks.make_row(config, samples, table_3.SETUPS[network], name, seed, display)
    return {"network": network, "choice": choice, **row}


run = in_turn(lambda config: ROWS, make_row)
one_line = networks.one_line


def section(record: dict) -> Section:
    """The tables, the figures and what follows from them, computed from the record's rows."""
    rows = complete(record["rows"], ROWS)
    tables, figures, findings = [], [], []
    if rows:
        for choice in (choice for choice in CHANGES if choice != USUAL):
            change = f"AUC with {LABELS[choice]} minus that {USUAL}, at the epoch with the best validation AUC"
            tables.append((f"{change}, in points.", differences(rows, choice)))
            figures.append((f"{change}. Panels have own scales.", plot(rows, choice)))
        tables += [
            (
                f"AUC in per cent, {LABELS.get(choice, choice)}, with the paper's.",
                per_mass.comparison(_of(rows, choice), AFFINE_TABLE_3),
            )
            for choice in CHANGES
        ]
        findings = _findings(rows)
    return Section(
        title="AFFINE Table 3, other choices",
        introduction=(
            "The networks of Table 3, also with a tenth of the L2 penalties, which the paper names too, and with "
            f"affine layers that start as the identity, on {circumstances(record)}. Anzalone, Diotallevi and "
            "Bonacorsi, arXiv:2202.00424."
        ),
        findings=tuple(findings),
        tables=tuple(tables),
        figures=tuple(figures),
        departures=departures(record, table_3.SETUPS),
    )


def _of(rows: Sequence[Row], choice: str) -> list[Row]:
    """The rows of one choice, called by their network."""
    return [row | {"row": row["network"]} for row in rows if row["choice"] == choice]


def differences(rows: Sequence[Row], choice: str, field: str = "auc") -> Comparison:
    """A choice minus the usual one in points, at each mass and on average."""
    changed, usual = (by_name(_of(rows, which)) for which in (choice, USUAL))
    lines = []
    for name, group in changed.items():
        of_seeds = [
            [100 * (a - b) for a, b in zip(first[field], second[field], strict=True)]
            for first, second in zip(group, usual[name], strict=True)
        ]
        columns = [*zip(*of_seeds, strict=True), [sum(values) / len(values) for values in of_seeds]]
        lines.append((name, tuple(cell(values) for values in columns)))
    columns = tuple(f"{mass:g} GeV" for mass in rows[0]["masses"])
    return Comparison("change (points)", (*columns, "average"), tuple(lines), (2,) * (len(columns) + 1))


def _findings(rows: Sequence[Row]) -> Iterator[Finding]:
    """What each choice changes, from the seeds with which every row is finished."""
    for choice in (choice for choice in CHANGES if choice != USUAL):
        kept, last = (dict(differences(rows, choice, field).rows) for field in ("auc", "auc_last"))
        kinds = {
            kind: [cells[-1].ours for name, cells in kept.items() if name.startswith(kind)]
            for kind in ("Single", "Individual", "pNN", "Affine")
        }
        at_mass = [c.ours for cells in kept.values() for c in cells[:-1]]
        yield Finding(
            f"With {LABELS[choice]}",
            "Change of the mean AUC in points: "
            + ", ".join(f"{fmean(changes):+.2f} ({kind})" for kind, changes in kinds.items() if changes)
            + f"; of a network at one mass, {min(at_mass):+.2f} to {max(at_mass):+.2f}. At the last epoch, over all "
            f"networks: {fmean(cells[-1].ours for cells in last.values()):+.2f}.",
        )
    of_choice = {choice: _of(rows, choice) for choice in CHANGES}
    of_choice["identity"] += [row for row in of_choice[USUAL] if row["conditioning"] != "affine"]
    for heading, reference in (("pNN", PNN), ("individual", ["Individual-NNs"]), ("single", ["Single-NN"])):
        usual, weak, identity = (
            per_mass.contrast(of_this, AFFINE_TABLE_3, AFFINE, reference) for of_this in of_choice.values()
        )
        yield Finding(
            f"Affine minus {heading}",
            f"Mean AUC on identical background masses, {USUAL}. With {LABELS['weak L2']} for both: "
            f"{per_mass.points(weak)}; with {LABELS['identity']}: {per_mass.points(identity)}.",
            usual,
        )


def plot(rows: Sequence[Row], choice: str = "weak L2") -> Figure:
    """What a choice changes at each mass."""
    figure = per_mass.dot_plot(differences(rows, choice))
    for axes in figure.axes:
        axes.axvline(0, color=QUIET, lw=0.8, zorder=0)
    return figure
