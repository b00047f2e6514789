"""Tables of our numbers beside the paper's, all made from one long frame of rows.

A long frame has a line for each number: `row` and `seed` of the experiment's row, `quantity`, its place `at` (a mass,
say), `value`, how many `decimals` it is given with, whether its `spread` over seeds says something, and the published
number, `paper`, or NaN.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.claims import Missing

AVERAGE = "average"


class Cell(NamedTuple):
    """A mean over seeds, its standard deviation (None for one seed), and the paper's number (None if there is none).

    `ours` is NaN where there is nothing to measure.
    """

    ours: float
    spread: float | None = None
    paper: float | None = None

    @property
    def difference(self) -> float | None:
        """ours - paper."""
        return None if self.paper is None else self.ours - self.paper


class Table(NamedTuple):
    """Named lines of cells, one cell a column.

    Args:
        caption: what the numbers are, and their units.
        corner: heading of the column of names.
        columns: headings of the cells.
        lines: pairs of a name and its cells.
        decimals: digits after the point, one entry a column.
    """

    caption: str
    corner: str
    columns: tuple[str, ...]
    lines: tuple[tuple[str, tuple[Cell, ...]], ...]
    decimals: tuple[int, ...]


class Quantity(NamedTuple):
    """A number of a row, or a list of them.

    Args:
        value: the field of the row, or a function of the row.
        factor: what it is multiplied by; 100 makes per cent.
        decimals: digits after the point.
        spread: whether its standard deviation over seeds says something.
    """

    value: str | Callable[[Mapping], Any]
    factor: float = 1.0
    decimals: int = 2
    spread: bool = True

    def of(self, row: Mapping) -> np.ndarray:
        """(n_places,) float64 numbers of a row."""
        value = self.value(row) if callable(self.value) else row[self.value]
        return self.factor * np.atleast_1d(np.asarray(value, np.float64))


def percent(value, decimals: int = 2, spread: bool = True) -> Quantity:
    """A Quantity in [0, 1], as per cent."""
    return Quantity(value, 100.0, decimals, spread)


def long(
    rows: Iterable[Mapping],
    quantities: Mapping[str, Quantity],
    at: str | Sequence | None = None,
    published: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The long frame of some quantities.

    Args:
        rows: of an experiment.
        quantities: by name. None and NaN become NaN.
        at: the places of a list's entries, or the field of the row that holds them; None to count them.
        published: the paper's numbers: columns `row`, `at` (if places are named) and `paper`, and `quantity` if there
            are several.
    """
    lines = []
    for row in rows:
        for name, quantity in quantities.items():
            values = quantity.of(row)
            places = range(len(values)) if at is None else row[at] if isinstance(at, str) else at
            lines += [
                (row["row"], row["seed"], name, place, value, quantity.decimals, quantity.spread)
                for place, value in zip(places, values, strict=True)
            ]
    columns = ["row", "seed", "quantity", "at", "value", "decimals", "spread"]
    frame = pd.DataFrame(lines, columns=columns)
    if published is None:
        return frame.assign(paper=math.nan)
    return frame.merge(published, how="left", on=[c for c in published.columns if c != "paper"])


def with_average(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame, and the same numbers again at AVERAGE, without the paper's: `table` averages over them, by seed."""
    return pd.concat([frame.astype({"at": object}), frame.assign(at=AVERAGE, paper=math.nan)])


def table(
    caption: str, corner: str, frame: pd.DataFrame, *, lines: str = "row", columns: str = "at", heading: str = "{}"
) -> Table:
    """A table of a long frame: means over all that falls into a cell of one seed, then over the seeds.

    Args:
        caption, corner: as of Table.
        frame: made by `long`, or any with its columns.
        lines: the frame's column whose values name the lines, in the order in which they come.
        columns: the one whose values name the columns.
        heading: a column's heading; numbers are put in as they print shortest.
    """
    of_seed = frame.groupby([lines, columns, "seed"], sort=False).agg(
        {"value": "mean", "paper": "mean", "spread": "first", "decimals": "first"}
    )
    cells = of_seed.groupby([lines, columns], sort=False).agg(
        ours=("value", "mean"), spread=("value", "std"), paper=("paper", "mean"), shown=("spread", "first")
    )
    found = {
        key: Cell(c.ours, *(None if math.isnan(x) else x for x in (c.spread if c.shown else math.nan, c.paper)))
        for key, c in zip(cells.index, cells.itertuples(index=False), strict=True)
    }
    names, headings = (list(dict.fromkeys(frame[column])) for column in (lines, columns))
    decimals = frame.groupby(columns, sort=False)["decimals"].first()
    return Table(
        caption,
        corner,
        tuple(heading.format(shortest(h)) if h != AVERAGE else AVERAGE for h in headings),
        tuple((shortest(n), tuple(found.get((n, h), Cell(math.nan)) for h in headings)) for n in names),
        tuple(int(decimals[h]) for h in headings),
    )


def table_of(
    caption: str, corner: str, lines: Mapping[str, Mapping[str, float | Cell]], decimals: int | Sequence[int] = 2
) -> Table:
    """A table of cells, or of numbers that no mean is taken of.

    Args:
        caption, corner: as of Table.
        lines: by name of the line, cells by heading; all lines have the same headings.
        decimals: digits after the point, one for all or one a column.
    """
    columns = tuple(next(iter(lines.values())))
    cells = {
        name: tuple(cell if isinstance(cell, Cell) else Cell(cell) for cell in of_line.values())
        for name, of_line in lines.items()
    }
    decimals = (decimals,) * len(columns) if isinstance(decimals, int) else tuple(decimals)
    return Table(caption, corner, columns, tuple(cells.items()), decimals)


def shortest(name) -> str:
    """A name, or a number as it prints shortest.

    >>> shortest(500.0), shortest("pNN")
    ('500', 'pNN')
    """
    return f"{name:g}" if isinstance(name, int | float | np.number) else str(name)


def pick(rows: Iterable[Mapping], **where) -> list[Mapping]:
    """The rows whose fields have these values, at least one.

    Raises:
        Missing: none has.
    """
    found = [row for row in rows if all(row.get(field) == value for field, value in where.items())]
    if not found:
        raise Missing(f"not finished: {', '.join(map(str, where.values()))}")
    return found


def by_seed(frame: pd.DataFrame, row: str | Sequence[str], at=None, quantity: str | None = None) -> pd.Series:
    """Mean of a long frame's numbers for each seed with which all the rows are finished; the index is the seed.

    Args:
        frame: made by `long`.
        row: names of rows, whose mean is taken.
        at: place or places to average over; None for all.
        quantity: which; None if there is only one.

    Raises:
        Missing: there is no such seed.
    """
    names = [row] if isinstance(row, str) else list(row)
    kept = frame[frame["row"].isin(names)]
    if at is not None:
        kept = kept[kept["at"].isin([at] if np.ndim(at) == 0 else list(at))]
    if quantity is not None:
        kept = kept[kept["quantity"] == quantity]
    n_rows = kept.groupby("seed")["row"].nunique()
    seeds = n_rows.index[n_rows == len(set(names))]
    if len(seeds) == 0:
        raise Missing(f"not finished with one seed: {', '.join(names)}")
    kept = kept[kept["seed"].isin(seeds)]
    return kept.groupby(["seed", "row"])["value"].mean().groupby("seed").mean()


def paired(frame: pd.DataFrame, first: str | Sequence[str], second: str | Sequence[str], **where) -> pd.Series:
    """`by_seed` of the first rows minus that of the second, for each seed with which both are finished.

    Raises:
        Missing: there is no such seed.
    """
    differences = (by_seed(frame, first, **where) - by_seed(frame, second, **where)).dropna()
    if differences.empty:
        raise Missing(f"not finished with one seed: {first} and {second}")
    return differences
