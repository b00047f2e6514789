"""What a run shows in the terminal: progress while it lasts, and the table ours, paper, difference at its end."""

import math

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from benchmarks.comparison import Cell, Comparison, Finding

NARROW = 100  # columns below which the spread over seeds is left out
SHORT = 10  # longer headings are broken into lines


class Display:
    """Progress of one run: rows done, what is being trained, time left.

    A context manager. In a terminal it is one line that changes; elsewhere (a log file) a line for each finished row.

    Args:
        console: where to print.
    """

    def __init__(self, console: Console):
        self._console, self._n_rows, self._n_done = console, 0, 0
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[rows]}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("[dim]left"),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=None, rows="")

    def __enter__(self) -> "Display":
        self._progress.start()
        return self

    def __exit__(self, *exception) -> None:
        self._progress.stop()

    def begin(self, n_rows: int, work: float) -> None:
        """Tells how many rows are to come, and the total of what `advance` will be told.

        Work is counted in any unit that grows with time, such as training events.
        """
        self._n_rows = n_rows
        self._progress.update(self._task, total=work, rows=self._rows())

    def advance(self, work: float, status: str) -> None:
        """Tells that `work` more is done, and what is running."""
        self._progress.update(self._task, advance=work, description=status)

    def row_done(self, text: str) -> None:
        """Prints one line about a finished row, and counts it."""
        self._n_done += 1
        self._progress.update(self._task, rows=self._rows())
        self._console.print(f"{self._rows():>12}  {text}", highlight=False)

    def _rows(self) -> str:
        return f"{self._n_done}/{self._n_rows} rows"


def comparison_table(comparison: Comparison, width: int, title: str | None = None) -> Table:
    """A rich table: each row's own numbers, and beneath them the paper's and the difference where it has some.

    Args:
        comparison: what to show.
        width: columns of the terminal; below NARROW the spread over seeds is left out.
        title: printed above.
    """
    wide = width >= NARROW
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(comparison.corner, no_wrap=True)
    for column in comparison.columns:
        heading = column if wide and len(column) <= SHORT else column.replace(" ", "\n")
        table.add_column(heading, justify="right", no_wrap=True)
    for name, cells in comparison.rows:
        described = list(zip(cells, comparison.decimals, strict=True))
        table.add_row(Text(name, "bold"), *(_ours(c, n, wide) for c, n in described))
        if any(c.paper is not None for c in cells):
            table.add_row(Text("  paper", "dim"), *(_paper(c, n) for c, n in described))
            table.add_row(Text("  difference", "dim"), *(_difference(c, n) for c, n in described))
    return table


def finding_line(finding: Finding) -> Text:
    """A finding as a paragraph: heading, number here and in the paper, text."""
    points = finding.points
    number = "" if points is None else f"{points.ours:+.2f} points"
    if points is not None and points.spread is not None:
        number = f"{points.ours:+.2f} ± {points.spread:.2f} points"
    if points is not None and points.paper is not None:
        number += f" (paper {points.paper:+.2f})"
    return Text.assemble((f"{finding.heading}: ", "bold"), number, ". " if number else "", finding.text)


def _ours(cell: Cell, decimals: int, with_spread: bool) -> Text:
    text = Text("\N{EN DASH}" if math.isnan(cell.ours) else f"{cell.ours:,.{decimals}f}", "bold")
    if with_spread and cell.spread is not None:
        text.append(f" ±{cell.spread:.{decimals}f}", "not bold dim")
    return text


def _paper(cell: Cell, decimals: int) -> str:
    return "" if cell.paper is None else f"{cell.paper:.{decimals}f}"


def _difference(cell: Cell, decimals: int) -> Text:
    return Text("" if cell.difference is None else f"{cell.difference:+.{decimals}f}", "cyan")
