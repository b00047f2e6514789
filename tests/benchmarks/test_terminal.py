"""The table and the progress in the terminal."""

import io

import pytest
from rich.console import Console

from benchmarks.comparison import Cell, Comparison, Finding
from benchmarks.terminal import Display, comparison_table, finding_line

TABLE = Comparison(
    "AUC in %",
    ("500 GeV", "750 GeV", "1000 GeV", "1250 GeV", "1500 GeV", "average"),
    (("Affine identical (sampled)", (Cell(77.3125, 0.1234, 78.0),) * 6), ("without a paper", (Cell(50.0),) * 6)),
    (2,) * 6,
)


def printed(renderable, width):
    console = Console(width=width, file=io.StringIO())
    console.print(renderable)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_with_every_number(width):
    lines = printed(comparison_table(TABLE, width), width).splitlines()
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    rows = {line[:27].strip(): line[27:].split() for line in lines}
    assert rows["Affine identical (sampled)"] == (["77.31", "±0.12"] if width == 120 else ["77.31"]) * 6
    assert rows["paper"] == ["78.00"] * 6
    assert rows["difference"] == ["-0.69"] * 6
    assert rows["without a paper"] == ["50.00"] * 6


def test_a_finding_is_one_line():
    finding = Finding("Gain", "What it is.", Cell(1.5, 0.25, 2.0))
    assert finding_line(finding).plain == "Gain: +1.50 ± 0.25 points (paper +2.00). What it is."
    assert finding_line(Finding("Doubt", "Some.")).plain == "Doubt: Some."


def test_in_a_log_each_finished_row_is_a_line():
    console = Console(file=io.StringIO(), width=80)
    with Display(console) as display:
        display.begin(2, work=100.0)
        display.advance(50.0, "first")
        display.row_done("first row")
        display.row_done("second row")
    assert [line.strip() for line in console.file.getvalue().splitlines()] == [
        "1/2 rows  first row",
        "2/2 rows  second row",
    ]


def test_in_a_terminal_progress_is_shown():
    console = Console(file=io.StringIO(), width=160, force_terminal=True)
    with Display(console) as display:
        display.begin(2, work=100.0)
        display.advance(50.0, "pNN, seed 1: epoch 3")
    text = console.file.getvalue()
    assert "0/2 rows" in text and "pNN, seed 1: epoch 3" in text
