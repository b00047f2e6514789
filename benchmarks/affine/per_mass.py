"""AUC at each mass, ours beside the paper's, as a table and as a figure: the shape of Tables 3, 4 and 5 of AFFINE.

Rows are those of an experiment: `row` names the network, `masses` are in GeV, `auc` is the AUC at each in [0, 1].
"""

from collections.abc import Mapping, Sequence

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


def comparison(rows: Sequence[Mapping], published: Mapping[str, PerMass]) -> Comparison:
    """AUC in per cent at each mass and on average, with the paper's."""
    auc = over_seeds(rows, "auc")
    table = []
    for name, values in auc.items():
        paper = published[name]
        cells = [cell(list(of_mass), number) for of_mass, number in zip(values.T, paper.auc, strict=True)]
        table.append((name, (*cells, cell(list(values.mean(axis=1)), paper.mean_auc))))
    columns = tuple(f"{mass:.0f} GeV" for mass in rows[0]["masses"])
    return Comparison("AUC in %", (*columns, "average"), tuple(table), (2,) * (len(columns) + 1))


def contrast(
    rows: Sequence[Mapping],
    published: Mapping[str, PerMass],
    networks: Sequence[str],
    reference: Sequence[str],
    mass: int | None = None,
    field: str = "auc",
) -> Cell:
    """AUC of some networks minus AUC of others, in points (hundredths), each group averaged.

    Args:
        rows: of one experiment, the same seeds for every network.
        published: the paper's rows.
        networks: names of the first group.
        reference: names of the group that is subtracted.
        mass: one of MASSES, GeV; None for the average over all.
        field: of the rows, ours; the paper's is always `auc`.
    """
    columns = slice(None) if mass is None else [MASSES.index(mass)]
    measured = over_seeds(rows, field)
    ours, paper = (
        [np.mean([auc[name][:, columns].mean(axis=1) for name in group], axis=0) for group in (networks, reference)]
        for auc in (measured, {name: np.array([row.auc]) for name, row in published.items()})
    )
    return cell(list(ours[0] - ours[1]), float((paper[0] - paper[1])[0]))


def dot_plot(table: Comparison) -> Figure:
    """One panel a column: ours as a dot with its spread over seeds, the paper's as an open diamond."""
    with style():
        figure = Figure(figsize=(1.72 * len(table.columns) + 1.2, 0.27 * len(table.rows) + 1.25))
        panels = figure.subplots(1, len(table.columns), sharey=True)
        for i, (axes, column) in enumerate(zip(panels, table.columns, strict=True)):
            for y, (name, cells) in enumerate(table.rows):
                _draw(axes, y, cells[i], KIND_COLOURS[name.split()[0]])
            axes.set_title(column)
            axes.set_xlabel("AUC (%)")
            axes.grid(axis="x")
            axes.margins(x=0.12)
            axes.locator_params(axis="x", nbins=3)
            axes.tick_params(left=False)
            axes.spines["left"].set_visible(False)
        panels[0].set_yticks(range(len(table.rows)), [name for name, _ in table.rows])
        panels[0].invert_yaxis()
        handles = [
            Line2D([], [], color=INK, marker="o", ls="", label="this run"),
            Line2D([], [], color=INK, marker="D", mfc="none", ls="", ms=5, label="paper"),
        ]
        if any(c.spread is not None for _, cells in table.rows for c in cells):
            handles.insert(1, Line2D([], [], color=INK, lw=2.5, alpha=0.5, label="standard deviation over seeds"))
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _draw(axes, y: int, point: Cell, colour: str) -> None:
    if point.paper is not None:
        axes.plot([point.ours, point.paper], [y, y], color=QUIET, lw=0.8, zorder=1)
        axes.plot(point.paper, y, "D", mfc="none", mec=colour, ms=5, zorder=2)
    if point.spread is not None:
        axes.plot([point.ours - point.spread, point.ours + point.spread], [y, y], color=colour, lw=2.5, alpha=0.5)
    axes.plot(point.ours, y, "o", color=colour, ms=5.5, zorder=3)
