"""The tables, the claims and the progress in the terminal."""

import io

import pytest
from rich.console import Console

from benchmarks.claims import HOLDS, OPEN, Claim, Estimate, Judged, above
from benchmarks.tables import Cell, Table
from benchmarks.terminal import Display, claims_table, rich_table

TABLE = Table(
    "The caption.",
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
    lines = printed(rich_table(TABLE, width), width).splitlines()
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    rows = {line[:27].strip(): line[27:].split() for line in lines}
    assert rows["Affine identical (sampled)"] == (["77.31", "±0.12"] if width == 120 else ["77.31"]) * 6
    assert rows["paper"] == ["78.00"] * 6
    assert rows["difference"] == ["\N{MINUS SIGN}0.69"] * 6
    assert rows["without a paper"] == ["50.00"] * 6


@pytest.mark.parametrize("width", [80, 120])
def test_claims_fit_with_number_and_verdict(width):
    claim = Claim("Parametrised networks do as well as those of one mass each", lambda rows: None, above(0), 3.0)
    judged = Judged(claim, HOLDS, Estimate(1.5, 0.25, 3), "at 500 GeV"), Judged(claim, OPEN, reason="one training")
    text = printed(claims_table(judged), width)
    assert all(part in text for part in ("1.50 ± 0.25 points", "3.00", HOLDS, OPEN, "one training"))
    assert max(map(len, text.splitlines())) <= width


def test_in_a_log_each_finished_row_is_a_line():
    console = Console(file=io.StringIO(), width=80)
    with Display(console, 2) as display:
        display.advance(0.5, "first")
        display.row_done("first row", 3)
        display.row_done("second row", 75)
    assert [line.strip() for line in console.file.getvalue().splitlines()] == [
        "1/2 rows  first row, 3 s",
        "2/2 rows  second row, 1 min 15 s",
    ]


def test_in_a_terminal_progress_is_shown():
    console = Console(file=io.StringIO(), width=160, force_terminal=True)
    with Display(console, 2) as display:
        display.advance(0.5, "pNN, seed 1: epoch 3")
    text = console.file.getvalue()
    assert "0/2 rows" in text and "pNN, seed 1: epoch 3" in text
