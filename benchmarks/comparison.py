"""Our numbers beside the paper's: what every experiment hands to the terminal and to the report."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure


class Cell(NamedTuple):
    """One number of ours, and the paper's where it has one.

    Args:
        ours: mean over the seeds; NaN where there is nothing to measure.
        spread: standard deviation over the seeds, with n - 1; None for one seed.
        paper: the published value; None if there is none.
    """

    ours: float
    spread: float | None = None
    paper: float | None = None

    @property
    def difference(self) -> float | None:
        """ours - paper."""
        return None if self.paper is None else self.ours - self.paper


class Comparison(NamedTuple):
    """A table: named rows of cells, one cell a column.

    Args:
        corner: heading of the column of row names.
        columns: headings of the cells.
        rows: pairs of a row's name and its cells.
        decimals: digits after the point, one entry a column.
    """

    corner: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    decimals: tuple[int, ...]


class Finding(NamedTuple):
    """A statement about a table, with the number it rests on.

    Args:
        heading: a few words.
        text: what the number is, and what follows.
        points: the number, here and in the paper, in points (hundredths); None if the text says it all.
    """

    heading: str
    text: str
    points: Cell | None = None


class Section(NamedTuple):
    """What one experiment has to say, for the report.

    Args:
        title: paper and table.
        introduction: what was done, on which events, in one or two sentences.
        findings: computed from the rows.
        tables: pairs of a caption and a comparison; the first is the main one.
        figures: pairs of a caption and a matplotlib Figure.
        departures: where this run is not what the paper did, in words.
    """

    title: str
    introduction: str
    findings: tuple[Finding, ...]
    tables: tuple[tuple[str, Comparison], ...]
    figures: tuple[tuple[str, Figure], ...]
    departures: tuple[str, ...]


def listed(numbers: Sequence[float], form: str = "g") -> str:
    """Numbers in a sentence, each in a form.

    >>> listed([500.0, 750.0, 1000.0]), listed([0.3, 0.25], ".2f")
    ('500, 750 and 1000', '0.30 and 0.25')
    """
    *first, last = (format(number, form) for number in numbers)
    return f"{', '.join(first)} and {last}" if first else last


def cell(values: Sequence[float], paper: float | None = None) -> Cell:
    """The cell of one number measured with one or more seeds.

    >>> cell([77.0, 78.0], paper=77.3)
    Cell(ours=77.5, spread=0.7071067811865476, paper=77.3)
    """
    spread = statistics.stdev(values) if len(values) > 1 else None
    return Cell(statistics.fmean(values), spread, paper)
