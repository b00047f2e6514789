"""AUC and significance ratio at each mass, ours beside the paper's, as table and figure: Tables 3 to 5 of AFFINE.

Rows are those of an experiment: `row` names the network, `masses` are in GeV, `auc` is the AUC at each in [0, 1].
"""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.comparison import Cell, Comparison, cell
from benchmarks.published import MASSES, PerMass
from benchmarks.style import INK, KIND_COLOURS, QUIET, style


def over_seeds(rows: Sequence[Mapping], field: str, unit: float = 0.01) -> dict[str, np.ndarray]:
    """`field` of each network as (n_seeds, n_entries), in `unit`, which is per cent by default."""
    names = dict.fromkeys(row["row"] for row in rows)
    return {name: np.array([np.atleast_1d(row[field]) for row in rows if row["row"] == name]) / unit for name in names}


def comparison(
    rows: Sequence[Mapping], published: Mapping[str, PerMass], field: str = "auc", quantity: str | None = "auc"
) -> Comparison:
    """Per cent at each mass and on average, with the paper's.

    Args:
        rows: of one experiment.
        published: the paper's rows; one that it lacks has no published numbers.
        field: of the rows.
        quantity: of `PerMass`, "auc" or "significance"; None for a field that the paper has not.
    """
    table = []
    for name, values in over_seeds(rows, field).items():
        paper = published.get(name) if quantity else None
        numbers = [None] * (values.shape[1] + 1)
        if paper:
            numbers = [*getattr(paper, quantity), getattr(paper, f"mean_{quantity}")]
        columns = [*values.T, values.mean(axis=1)]
        table.append((name, tuple(cell(list(ours), number) for ours, number in zip(columns, numbers, strict=True))))
    columns = tuple(f"{mass:.0f} GeV" for mass in rows[0]["masses"])
    corner = "AUC in %" if field.startswith("auc") else "significance ratio in %"
    return Comparison(corner, (*columns, "average"), tuple(table), (2,) * (len(columns) + 1))


def contrast(
    rows: Sequence[Mapping],
    published: Mapping[str, PerMass],
    networks: Sequence[str],
    reference: Sequence[str],
    mass: int | None = None,
    field: str = "auc",
    quantity: str = "auc",
) -> Cell:
    """AUC or significance ratio of some networks minus that of others, in points (hundredths), each group averaged.

    Args:
        rows: of one experiment, the same seeds for every network.
        published: the paper's rows; where it lacks one of the networks, there is no published difference.
        networks: names of the first group.
        reference: names of the group that is subtracted.
        mass: one of MASSES, GeV; None for the average over all.
        field: of the rows, ours.
        quantity: the paper's, "auc" or "significance".
    """
    columns = slice(None) if mass is None else [MASSES.index(mass)]
    ours = _difference(over_seeds(rows, field), networks, reference, columns)
    paper = None
    if all(name in published for name in (*networks, *reference)):
        numbers = {name: np.array([getattr(published[name], quantity)]) for name in (*networks, *reference)}
        paper = float(_difference(numbers, networks, reference, columns)[0])
    return cell(list(ours), paper)


def _difference(values: Mapping[str, np.ndarray], networks, reference, columns) -> np.ndarray:
    """(n_seeds,) mean over the first networks minus mean over the second, of (n_seeds, n_masses) each."""
    first, second = (
        np.mean([values[name][:, columns].mean(axis=1) for name in group], axis=0) for group in (networks, reference)
    )
    return first - second


def points(difference: Cell) -> str:
    """A difference and its spread, in words.

    >>> points(Cell(1.234, 0.5)), points(Cell(-1.0))
    ('+1.23 ± 0.50', '-1.00')
    """
    spread = "" if difference.spread is None else f" ± {difference.spread:.2f}"
    return f"{difference.ours:+.2f}{spread}"


class Column(NamedTuple):
    """A column of `averages`: its heading, the field of the rows, the unit it is given in, digits after the point.

    `with_spread` says whether its spread over seeds says something.
    """

    heading: str
    field: str
    unit: float = 0.01
    decimals: int = 2
    with_spread: bool = True


SIGNIFICANCES = {  # field of the rows, and how the ratio is computed
    "significance": "exact",
    "significance_authors": "authors' bins",
    "significance_repaired": "repaired bins",
}
QUALITY = (  # what any table of averages begins with
    Column("AUC, epoch kept", "auc"),
    Column("AUC, last epoch", "auc_last"),
    *(
        Column(f"AMS ratio, {how}, {epoch}", f"{field}{suffix}")
        for field, how in SIGNIFICANCES.items()
        for epoch, suffix in (("epoch kept", ""), ("last epoch", "_last"))
    ),
)
COSTS = (  # what any table of averages ends with
    Column("epoch kept", "best_epoch", 1, 1, False),
    Column("training events", "n_train", 1, 0, False),
    Column("wall time (s)", "wall_s", 1, 0, False),
)


def averages(rows: Sequence[Mapping], columns: Sequence[Column]) -> Comparison:
    """What the main table leaves out, averaged over masses or networks."""
    table = {row["row"]: [] for row in rows}
    for column in columns:
        for name, values in over_seeds(rows, column.field, column.unit).items():
            of_seeds = list(values.mean(axis=1))
            table[name].append(cell(of_seeds) if column.with_spread else Cell(fmean(of_seeds)))
    return Comparison(
        "averages (% where a ratio)",
        tuple(column.heading for column in columns),
        tuple((name, tuple(cells)) for name, cells in table.items()),
        tuple(column.decimals for column in columns),
    )


def dot_plot(table: Comparison) -> Figure:
    """One panel a column: ours as a dot with its spread over seeds, the paper's, if any, as an open diamond."""
    with style():
        figure = Figure(figsize=(1.72 * len(table.columns) + 1.2, 0.27 * len(table.rows) + 1.25))
        panels = figure.subplots(1, len(table.columns), sharey=True)
        for i, (axes, column) in enumerate(zip(panels, table.columns, strict=True)):
            for y, (name, cells) in enumerate(table.rows):
                _draw(axes, y, cells[i], KIND_COLOURS[name.split()[0]])
            axes.set_title(column)
            axes.set_xlabel(table.corner.replace("in %", "(%)"))
            axes.grid(axis="x")
            axes.margins(x=0.12)
            axes.locator_params(axis="x", nbins=3)
            axes.tick_params(left=False)
            axes.spines["left"].set_visible(False)
        panels[0].set_yticks(range(len(table.rows)), [name for name, _ in table.rows])
        panels[0].set_ylim(len(table.rows) - 0.5, -0.5)
        handles = [Line2D([], [], color=INK, marker="o", ls="", label="this run")]
        if any(c.spread is not None for _, cells in table.rows for c in cells):
            handles.append(Line2D([], [], color=INK, lw=2.5, alpha=0.5, label="standard deviation over seeds"))
        if any(c.paper is not None for _, cells in table.rows for c in cells):
            handles.append(Line2D([], [], color=INK, marker="D", mfc="none", ls="", ms=5, label="paper"))
        if len(handles) > 1:
            figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _draw(axes, y: int, point: Cell, colour: str) -> None:
    if point.paper is not None:
        axes.plot([point.ours, point.paper], [y, y], color=QUIET, lw=0.8, zorder=1)
        axes.plot(point.paper, y, "D", mfc="none", mec=colour, ms=5, zorder=2)
    if point.spread is not None:
        axes.plot([point.ours - point.spread, point.ours + point.spread], [y, y], color=colour, lw=2.5, alpha=0.5)
    axes.plot(point.ours, y, "o", color=colour, ms=5.5, zorder=3)
