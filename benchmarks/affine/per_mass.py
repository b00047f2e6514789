"""AUC and significance ratio at each mass beside the paper's, as tables, figure and claims: Tables 3 to 5 of AFFINE.

Rows are those of `benchmarks.affine.networks.make_row`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.claims import Estimate, over_trainings
from benchmarks.published import MASSES, PerMass
from benchmarks.style import INK, KIND_COLOURS, QUIET, style
from benchmarks.tables import AVERAGE, Cell, Quantity, Table, by_seed, long, percent, table, with_average

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


class Contrast(NamedTuple):
    """Mean AUC or significance ratio of some networks minus that of others, in points.

    Args:
        first: names of rows, whose mean is taken.
        second: names of those that are subtracted.
        mass: one of MASSES, GeV; None for the average over all.
    """

    first: Sequence[str]
    second: Sequence[str]
    mass: int | None = None

    def measure(self, field: str = "auc") -> Callable[[Sequence[Mapping]], Estimate]:
        """From rows, the difference of a field over the seeds; the test events are the same for all networks."""

        def of_rows(rows: Sequence[Mapping]) -> Estimate:
            frame = long(rows, {field: percent(field)}, at="masses")
            first, second = (by_seed(frame, names, self.mass) for names in (self.first, self.second))
            return over_trainings((first - second).dropna())

        return of_rows

    def published(self, paper: Mapping[str, PerMass], quantity: str = "auc") -> float | None:
        """The paper's difference; None where its table lacks one of the networks."""
        if not all(name in paper for name in (*self.first, *self.second)):
            return None
        at = slice(None) if self.mass is None else MASSES.index(self.mass)
        means = [
            np.mean([np.array(getattr(paper[n], quantity))[at] for n in some]) for some in (self.first, self.second)
        ]
        return float(means[0] - means[1])


def published_frame(paper: Mapping[str, PerMass], quantity: str) -> pd.DataFrame:
    """A table of the paper, its printed averages at AVERAGE: columns `row`, `at`, `paper`."""
    lines = [
        (name, at, number)
        for name, of in paper.items()
        for at, number in zip(
            (*MASSES, AVERAGE), (*getattr(of, quantity), getattr(of, f"mean_{quantity}")), strict=True
        )
    ]
    return pd.DataFrame(lines, columns=["row", "at", "paper"]).astype({"at": object})


def comparison(
    caption: str, rows: Sequence[Mapping], paper: Mapping[str, PerMass], field: str = "auc", quantity: str = "auc"
) -> Table:
    """Per cent at each mass and on average, with the paper's where it has the row; `quantity` is that of `PerMass`."""
    published = published_frame(paper, quantity)
    frame = with_average(long(rows, {field: percent(field)}, at="masses"))
    frame = frame.drop(columns="paper").merge(published, how="left", on=["row", "at"])
    corner = "AUC in %" if field.startswith("auc") else "significance ratio in %"
    return table(caption, corner, frame, heading="{} GeV")


def averages(caption: str, rows: Sequence[Mapping], quantities: Mapping[str, Quantity]) -> Table:
    """What the main table leaves out, averaged over masses or networks."""
    return table(caption, "averages (% where a ratio)", long(rows, quantities), columns="quantity")


def dot_plot(table: Table) -> Figure:
    """One panel a column: ours as a dot with its spread over seeds, the paper's, if any, as an open diamond."""
    with style():
        figure = Figure(figsize=(1.72 * len(table.columns) + 1.2, 0.27 * len(table.lines) + 1.25))
        panels = figure.subplots(1, len(table.columns), sharey=True)
        for i, (axes, column) in enumerate(zip(panels, table.columns, strict=True)):
            for y, (name, cells) in enumerate(table.lines):
                _draw(axes, y, cells[i], KIND_COLOURS[name.split()[0]])
            axes.set_title(column)
            axes.set_xlabel(table.corner.replace("in %", "(%)"))
            axes.grid(axis="x")
            axes.margins(x=0.12)
            axes.locator_params(axis="x", nbins=3)
            axes.tick_params(left=False)
            axes.spines["left"].set_visible(False)
        panels[0].set_yticks(range(len(table.lines)), [name for name, _ in table.lines])
        panels[0].set_ylim(len(table.lines) - 0.5, -0.5)
        handles = [Line2D([], [], color=INK, marker="o", ls="", label="this run")]
        if any(c.spread is not None for _, cells in table.lines for c in cells):
            handles.append(Line2D([], [], color=INK, lw=2.5, alpha=0.5, label="standard deviation over seeds"))
        if any(c.paper is not None for _, cells in table.lines for c in cells):
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
