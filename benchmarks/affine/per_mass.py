"""AUC and significance ratio at each mass, ours beside the paper's: what Tables 3 to 5 of AFFINE have in common.

Rows are those of `benchmarks.affine.networks.make_row`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.claims import Claim, Criterion, Estimate, over_trainings
from benchmarks.published import MASSES, PerMass
from benchmarks.style import INK, KIND_COLOURS, QUIET, style
from benchmarks.tables import AVERAGE, Quantity, Table, long, paired, percent, table, with_average

PUBLISHED_AS = {"auc": "auc", "significance_authors": "significance"}  # field of the rows: that of `PerMass`
FIELDS = {  # of the rows, in words, before and after the mass
    "auc": ("AUC", ""),
    "auc_last": ("AUC", ", last epoch"),
    "significance": ("exact significance ratio", ""),
    "significance_authors": ("significance ratio", ", in the authors' bins"),
    "significance_repaired": ("significance ratio", ", in repaired bins"),
}
LAST = {"field": "auc_last", "ours": True}  # of `claim`: the same at the last epoch, which the paper does not have
AT_EACH_MASS = "At each mass. Each panel has its own scale; a line joins this run and the paper."  # of `dot_plot`
NOISE = 0.2  # points: differences of this size are what another seed makes
SIGNIFICANCES = {  # field of the rows, and how the ratio is computed
    "significance": "exact",
    "significance_authors": "authors' bins",
    "significance_repaired": "repaired bins",
}
QUALITY = {  # what any table of averages begins with
    "AUC, epoch kept": percent("auc"),
    "AUC, last epoch": percent("auc_last"),
    **{
        f"AMS ratio, {how}, {epoch}": percent(f"{field}{suffix}")
        for field, how in SIGNIFICANCES.items()
        for epoch, suffix in (("epoch kept", ""), ("last epoch", "_last"))
    },
}
COSTS = {  # what any table of averages ends with
    "epoch kept": Quantity("best_epoch", decimals=1, spread=False),
    "training events": Quantity("n_train", decimals=0, spread=False),
    "wall time (s)": Quantity("wall_s", decimals=0, spread=False),
}


def claim(
    statement: str,
    first: Sequence[str],
    second: Sequence[str],
    criterion: Criterion,
    paper: Mapping[str, PerMass],
    *,
    mass: int | None = None,
    field: str = "auc",
    **more,
) -> Claim:
    """A claim about the mean of some networks minus that of others, in points, seed by seed, and the paper's beside it.

    Args:
        statement: without the field and the mass, which are added.
        first, second: names of rows; the mean of the second is subtracted.
        criterion: of the claim, as is `more`.
        paper: its numbers; shown for a field that it has, if it has all the rows.
        mass: one of MASSES, GeV; None for the mean over all.
        field: one of FIELDS.
    """
    published = None
    if field in PUBLISHED_AS and {*first, *second} <= set(paper):
        at = np.isin(MASSES, mass or MASSES)
        numbers = ([np.array(getattr(paper[n], PUBLISHED_AS[field]))[at] for n in some] for some in (first, second))
        published = float(np.subtract(*map(np.mean, numbers)))

    def measure(rows: Sequence[Mapping]) -> Estimate:
        return over_trainings(paired(long(rows, {field: percent(field)}, at="masses"), first, second, at=mass))

    what, how = FIELDS[field]
    what = f"mean {what}" if mass is None else f"{what} at {mass} GeV"
    return Claim(f"{statement}: {what}{how}", measure, criterion, published, **more)


def comparison(caption: str, rows: Sequence[Mapping], paper: Mapping[str, PerMass], field: str = "auc") -> Table:
    """A field in per cent at each mass and on average, with the paper's AUC or ratio where it has the row."""
    quantity = "auc" if field.startswith("auc") else "significance"
    published = [
        (name, *number)
        for name, row in paper.items()
        for number in zip((*MASSES, AVERAGE), (*getattr(row, quantity), getattr(row, f"mean_{quantity}")), strict=True)
    ]
    frame = with_average(long(rows, {field: percent(field)}, at="masses")).drop(columns="paper")
    frame = frame.merge(pd.DataFrame(published, columns=["row", "at", "paper"]).astype({"at": object}), how="left")
    return table(caption, "AUC in %" if quantity == "auc" else "significance ratio in %", frame, heading="{} GeV")


def averages(caption: str, rows: Sequence[Mapping], quantities: Mapping[str, Quantity]) -> Table:
    """What the main table leaves out, averaged over masses or networks."""
    return table(caption, "averages (% where a ratio)", long(rows, quantities), columns="quantity")


def dot_plot(table: Table) -> Figure:
    """One panel a column: ours as a dot with its spread over seeds, the paper's, if any, as an open diamond."""
    columns = zip(*(cells for _, cells in table.lines), strict=True)
    with style():
        figure = Figure(figsize=(1.5 * len(table.columns) + 1.4, 0.27 * len(table.lines) + 1.25))
        panels = figure.subplots(1, len(table.columns), sharey=True)
        for axes, title, cells in zip(panels, table.columns, columns, strict=True):
            for (name, _), cell in zip(table.lines, cells, strict=True):
                look = {"color": KIND_COLOURS[name.split()[0]], "ms": 5}
                axes.errorbar(cell.ours, name, xerr=cell.spread, fmt="o", **look)
                if cell.paper is not None:
                    axes.plot([cell.ours, cell.paper], [name, name], color=QUIET, lw=0.8, zorder=1)
                    axes.plot(cell.paper, name, "D", mfc="none", **look)
            axes.set_title(title)
            axes.set_xlabel(table.corner.replace("in %", "(%)"))
            axes.grid(axis="x")
            axes.margins(x=0.12)
            axes.locator_params(axis="x", nbins=3)
            if min(cell.ours for cell in cells) < 0:
                axes.axvline(0, color=QUIET, lw=0.8, zorder=0)
        panels[0].set_ylim(len(table.lines) - 0.5, -0.5)
        handles = [
            Line2D([], [], color=INK, marker="o", label="this run, standard deviation over seeds"),
            Line2D([], [], color=INK, marker="D", mfc="none", ls="", label="paper"),
        ]
        any_paper = any(cell.paper is not None for _, cells in table.lines for cell in cells)
        figure.legend(handles=handles[: 1 + any_paper], loc="outside lower center", ncols=2)
    return figure
