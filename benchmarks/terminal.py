"""What a run shows in the terminal: its progress, then the tables (ours, paper, difference), then its claims."""

import math

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table as RichTable
from rich.text import Text

from benchmarks.claims import FAILS, HOLDS, Judged
from benchmarks.style import duration, number
from benchmarks.tables import Cell, Table

NARROW = 100  # columns below which the spread over seeds is left out
SHORT = 10  # longer headings are broken into lines
VERDICT_STYLES = {HOLDS: "green", FAILS: "bold red"}


class Display:
    """Progress of one run: rows done, what is being trained, time left.

    A context manager. In a terminal it is one line that changes; elsewhere (a log file) a line for each finished row.

    Args:
        console: where to print.
        n_rows: to come.
    """

    def __init__(self, console: Console, n_rows: int):
        self._console, self._n_rows, self._n_done = console, n_rows, 0
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
        self._task = self._progress.add_task("", total=n_rows, rows=self._rows())

    def __enter__(self) -> "Display":
        self._progress.start()
        return self

    def __exit__(self, *exception) -> None:
        self._progress.stop()

    def advance(self, work: float, status: str) -> None:
        """Tells that `work` more of a row is done, 1 in total, and what is running."""
        self._progress.update(self._task, advance=work, description=status)

    def row_done(self, text: str, seconds: float) -> None:
        """Prints one line about a finished row, and counts it."""
        self._n_done += 1
        self._progress.update(self._task, completed=self._n_done, rows=self._rows())
        self._console.print(f"{self._rows():>12}  {text}, {duration(seconds)}", highlight=False)

    def _rows(self) -> str:
        return f"{self._n_done}/{self._n_rows} rows"


def rich_table(table: Table, width: int, title: str | None = None) -> RichTable:
    """A rich table: each line's own numbers, and beneath them the paper's and the difference where it has some.

    Args:
        table: what to show.
        width: columns of the terminal; below NARROW the spread over seeds is left out.
        title: printed above.
    """
    wide = width >= NARROW
    drawn = RichTable(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    drawn.add_column(table.corner, no_wrap=True)
    for column in table.columns:
        heading = column if wide and len(column) <= SHORT else column.replace(" ", "\n")
        drawn.add_column(heading, justify="right", no_wrap=True)
    for name, cells in table.lines:
        described = list(zip(cells, table.decimals, strict=True))
        drawn.add_row(Text(name, "bold"), *(_ours(c, n, wide) for c, n in described))
        if any(c.paper is not None for c in cells):
            drawn.add_row(
                Text("  paper", "dim"), *("" if c.paper is None else number(c.paper, n) for c, n in described)
            )
            drawn.add_row(Text("  difference", "dim"), *(Text(_difference(c, n), "cyan") for c, n in described))
    return drawn


def claims_table(claims: list[Judged] | tuple[Judged, ...]) -> RichTable:
    """Claims with their verdicts: what an experiment comes to."""
    drawn = RichTable("claim", "ours", "paper", "verdict", box=SIMPLE_HEAD, pad_edge=False)
    drawn.columns[1].no_wrap = drawn.columns[3].no_wrap = True
    for judged in claims:
        claim, estimate = judged.claim, judged.estimate
        ours = (
            ""
            if estimate is None
            else f"{number(estimate.value, claim.decimals)} ± {estimate.error:.{claim.decimals}f}"
        )
        paper = "" if claim.published is None else number(claim.published, claim.decimals)
        verdict = Text(judged.verdict, VERDICT_STYLES.get(judged.verdict, "yellow"))
        if judged.reason:
            verdict.append(f"\n{judged.reason}", "dim")
        says = f"{claim.statement}{f' [{judged.name}]' if judged.name else ''}"
        drawn.add_row(Text(says), Text(f"{ours} {claim.unit}".strip() if ours else ""), paper, verdict)
    return drawn


def _ours(cell: Cell, decimals: int, with_spread: bool) -> Text:
    text = Text("\N{EN DASH}" if math.isnan(cell.ours) else f"{cell.ours:,.{decimals}f}", "bold")
    if with_spread and cell.spread is not None:
        text.append(f" ±{cell.spread:.{decimals}f}", "not bold dim")
    return text


def _difference(cell: Cell, decimals: int) -> str:
    return "" if cell.difference is None else number(cell.difference, decimals, signed=True)
