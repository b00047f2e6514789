"""What is said of made-up rows, and one real measurement with two processes."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.scale import processes
from benchmarks.scale.processes import EXPERIMENT, deviation, largest_deviation, speed_up
from tests.benchmarks.silent import Silent

ROWS = [
    {"row": name, "seed": 1, "n_events": 1000, "one_s": [2.0, 4.0, 3.0], "two_s": twos, "deviation": far}
    for name, twos, far in (
        ("scores", [1.0, 2.0, 2.0], 1e-15),
        ("Taylor", [1.25, 2.5, 1.5], 3e-11),
        ("templates", [1, 2, 1], 0.0),
    )
]


def test_ratios_are_of_turns_side_by_side():
    found = speed_up(ROWS)
    assert {name: estimate.value for name, estimate in found.items()} == {
        "scores": 2.0,
        "Taylor": 1.6,
        "templates": 2.0,
    }
    assert largest_deviation(ROWS).value == pytest.approx(0.3)


def test_a_deviation_is_relative_and_from_zero_infinite():
    assert deviation(np.array([2.0, 0.0]), np.array([1.0, 0.0])) == 1
    assert deviation(np.array([1.0, 1e-300]), np.array([1.0, 0.0])) > 1e7


def test_table_and_figure_have_the_medians():
    (table,) = processes.tables({"rows": ROWS})
    assert [cells[0].ours for _, cells in table.lines] == pytest.approx([1 / 3] * 3)
    ((_, figure),) = processes.figures({"rows": ROWS})
    assert [bar.get_height() for bar in figure.axes[0].patches] == [2.0, 1.6, 2.0]


@pytest.mark.slow
def test_two_processes_give_what_one_does():
    told, config = Silent(), replace(EXPERIMENT.scales["smoke"], n_events=2000)
    row = processes.make_row(config, None, "templates", 1, told)
    assert told.work == pytest.approx(1)
    assert row["n_events"] == 2000
    assert row["deviation"] < 1e-10
    assert len(row["one_s"]) == len(row["two_s"]) == config.turns
