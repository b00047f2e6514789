"""Long frames of rows, and the tables and series that are made from them."""

import math

import pandas as pd
import pytest

from benchmarks.claims import Missing
from benchmarks.tables import AVERAGE, Cell, Quantity, by_seed, long, percent, pick, table, with_average

ROWS = [
    {"row": "pNN", "seed": 1, "masses": [500.0, 1500.0], "auc": [0.7, 0.9], "wall_s": 3.0},
    {"row": "pNN", "seed": 2, "masses": [500.0, 1500.0], "auc": [0.8, 0.9], "wall_s": 5.0},
    {"row": "single", "seed": 1, "masses": [500.0, 1500.0], "auc": [0.6, 0.8], "wall_s": 2.0},
]
PAPER = pd.DataFrame([("pNN", 500.0, 78.0)], columns=["row", "at", "paper"])


def test_a_cell_is_mean_spread_and_the_paper():
    made = table("c", "AUC", with_average(long(ROWS, {"auc": percent("auc")}, "masses", PAPER)), heading="{} GeV")
    assert made.columns == ("500 GeV", "1500 GeV", AVERAGE)
    (name, (first, second, average)), (other, cells) = made.lines
    assert (name, other) == ("pNN", "single")
    assert first == Cell(pytest.approx(75.0), pytest.approx(50**0.5), 78.0)
    assert first.difference == pytest.approx(-3.0)
    assert second == Cell(pytest.approx(90.0), pytest.approx(0.0), None)
    assert average == Cell(pytest.approx(82.5), pytest.approx(12.5**0.5), None)  # of the means of the seeds
    assert [c.spread for c in cells] == [None] * 3  # one seed


def test_columns_can_be_quantities_and_lines_places():
    quantities = {"time": Quantity("wall_s", decimals=0, spread=False), "AUC": percent(lambda row: row["auc"])}
    of_rows = table("c", "", long(ROWS, quantities), columns="quantity")
    assert of_rows.decimals == (0, 2)
    assert of_rows.lines[0][1] == (Cell(4.0), Cell(pytest.approx(82.5), pytest.approx(12.5**0.5)))
    turned = table("c", "mass", long(ROWS, {"auc": percent("auc")}, "masses"), lines="at", columns="row")
    assert [name for name, _ in turned.lines] == ["500", "1500"] and turned.columns == ("pNN", "single")


def test_a_cell_that_no_row_has_is_nan():
    made = table(
        "c", "", long([ROWS[0], ROWS[2] | {"masses": [500.0], "auc": [0.6]}], {"auc": percent("auc")}, "masses")
    )
    assert math.isnan(made.lines[1][1][1].ours)


def test_series_have_the_seeds_with_which_all_rows_are_finished():
    frame = long(ROWS, {"auc": percent("auc")}, "masses")
    assert by_seed(frame, "pNN", at=500).to_dict() == pytest.approx({1: 70.0, 2: 80.0})
    assert by_seed(frame, ["pNN", "single"]).to_dict() == pytest.approx({1: 75.0})
    with pytest.raises(Missing, match="Affine"):
        by_seed(frame, ["pNN", "Affine"])


def test_rows_are_picked_by_their_fields():
    assert pick(ROWS, row="pNN", seed=2) == [ROWS[1]]
    with pytest.raises(Missing, match="Affine"):
        pick(ROWS, row="Affine")
