"""AFFINE Table 3 with both L2 penalties of the paper: the one that the other tables have, and a tenth of it.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, section 6.3, name two strengths on kernels and on biases, and not
which table, or which network, has which.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import fmean

from matplotlib.figure import Figure

from benchmarks.affine import networks, per_mass, table_3
from benchmarks.affine.departures import circumstances, departures
from benchmarks.affine.networks import Config, Row, load
from benchmarks.comparison import Cell, Comparison, Finding, Section, cell
from benchmarks.published import AFFINE_TABLE_3
from benchmarks.rows import by_name, complete, in_turn
from benchmarks.samples import Samples
from benchmarks.style import QUIET
from benchmarks.terminal import Display

__all__ = ["SCALES", "load", "one_line", "plot", "run", "section"]

SCALES = table_3.SCALES
AFFINE = ["Affine identical (fixed)", "Affine identical (sampled)"]
PNN = ["pNN identical (fixed)", "pNN identical (sampled)"]
STRENGTHS = {  # on kernels and on biases of the hidden layers
    "strong": (1e-4, 1e-5),
    "weak": (1e-5, 1e-6),
}


def row_names(config: Config) -> dict[str, tuple[str, str]]:
    """The names of the rows, with the network of Table 3 and the strength of each."""
    return {f"{network}, {strength}": (network, strength) for network in table_3.SETUPS for strength in STRENGTHS}


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """Trains and tests the networks of one row of Table 3 with one strength."""
    network, strength = row_names(config)[name]
    kernel_l2, bias_l2 = STRENGTHS[strength]
    config = replace(config, kernel_l2=kernel_l2, bias_l2=bias_l2)
    row = networks.make_row(config, samples, table_3.SETUPS[network], name, seed, display)
    return {"network": network, "strength": strength, **row}


run = in_turn(row_names, make_row)
one_line = networks.one_line


def section(record: dict) -> Section:
    """The tables, the figure and what follows from them, computed from the record's rows."""
    rows = complete(record["rows"], row_names(None))
    tables, figures, findings = (), (), ()
    if rows:
        tables = (
            (
                "AUC in points (hundredths): with the weak penalty minus with the strong one, at the epoch with the "
                "best validation AUC.",
                differences(rows),
            ),
            *(
                (
                    f"AUC in per cent with {kernel:g} on kernels and {bias:g} on biases; beneath it the paper's, which "
                    "may have either, and the difference.",
                    per_mass.comparison(_of(rows, strength), AFFINE_TABLE_3),
                )
                for strength, (kernel, bias) in STRENGTHS.items()
            ),
        )
        figures = (("AUC with the weak penalty minus with the strong one. Panels have own scales.", plot(rows)),)
        findings = tuple(_findings(rows))
    return Section(
        title="AFFINE Table 3 with both L2 penalties",
        introduction=(
            "The networks of Table 3, once with the L2 penalties that the other tables have and once with a tenth of "
            f"them, on {circumstances(record)}. Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, name both."
        ),
        findings=findings,
        tables=tables,
        figures=figures,
        departures=departures(record, table_3.SETUPS)[:-1],  # the last is of the penalty
    )


def _of(rows: Sequence[Row], strength: str) -> list[Row]:
    """The rows of one strength, called by their network."""
    return [row | {"row": row["network"]} for row in rows if row["strength"] == strength]


def differences(rows: Sequence[Row], field: str = "auc") -> Comparison:
    """Weak minus strong in points, at each mass and on average."""
    weak, strong = (by_name(_of(rows, strength)) for strength in ("weak", "strong"))
    lines = []
    for name in weak:
        of_seeds = [
            [100 * (a - b) for a, b in zip(first[field], second[field], strict=True)]
            for first, second in zip(weak[name], strong[name], strict=True)
        ]
        columns = [*zip(*of_seeds, strict=True), [sum(values) / len(values) for values in of_seeds]]
        lines.append((name, tuple(cell(values) for values in columns)))
    columns = tuple(f"{mass:g} GeV" for mass in rows[0]["masses"])
    return Comparison("change (points)", (*columns, "average"), tuple(lines), (2,) * (len(columns) + 1))


def _findings(rows: Sequence[Row]) -> Iterator[Finding]:
    """What the choice of the penalty changes, from the seeds with which every row is finished."""
    change, change_of_last = (dict(differences(rows, field).rows) for field in ("auc", "auc_last"))
    at_mass = [c.ours for cells in change.values() for c in cells[:-1]]
    spread = [c.spread for c in (cells[-1] for cells in change.values()) if c.spread is not None]
    yield Finding(
        "Weak minus strong",
        "Mean AUC over networks and masses. At a single mass it lies between "
        f"{min(at_mass):+.2f} and {max(at_mass):+.2f} points. With the weights of the last epoch: "
        f"{fmean(cells[-1].ours for cells in change_of_last.values()):+.2f}."
        + (f" Over seeds the change of one network's mean AUC scatters by {fmean(spread):.2f}." if spread else ""),
        Cell(fmean(cells[-1].ours for cells in change.values())),
    )
    of_strength = {strength: _of(rows, strength) for strength in STRENGTHS}
    for heading, reference in (("pNN", PNN), ("individual", ["Individual-NNs"]), ("single", ["Single-NN"])):
        contrast = {
            strength: per_mass.contrast(of_this, AFFINE_TABLE_3, AFFINE, reference)
            for strength, of_this in of_strength.items()
        }
        yield Finding(
            f"Affine minus {heading}, weak",
            f"Mean AUC on identical background masses. With the strong penalty: {per_mass.points(contrast['strong'])}.",
            contrast["weak"],
        )


def plot(rows: Sequence[Row]) -> Figure:
    """What a weaker penalty changes at each mass."""
    figure = per_mass.dot_plot(differences(rows))
    for axes in figure.axes:
        axes.axvline(0, color=QUIET, lw=0.8, zorder=0)
    return figure
