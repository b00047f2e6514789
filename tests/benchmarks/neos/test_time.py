"""The time of a step with steps that do nothing, and what is said of made-up rows."""

from dataclasses import replace

import pytest

from benchmarks.neos import time
from benchmarks.neos.time import BCE, CLS, EXPERIMENT, TWO_BLOBS
from tests.benchmarks.silent import Silent

TIMES = {CLS: [10.0, 22.0, 33.0], BCE: [10.0, 20.0, 30.0], TWO_BLOBS: [5.0, 10.0, 15.0]}
ROWS = [{"row": name, "seed": 1, "step_ms": values, "first_s": 2.0} for name, values in TIMES.items()]


def test_the_rows_of_a_seed_are_of_one_measurement(monkeypatch):
    measured, told = [], Silent()

    def jobs_that_do_nothing(config):
        measured.append(config)
        return {name: (lambda n: 0.0, 1.5) for name in TIMES}

    monkeypatch.setattr(time, "steppers", jobs_that_do_nothing)
    config = replace(EXPERIMENT.scales["smoke"], repetitions=3)
    rows = [time.make_row(config, None, name, seed, told) for seed in (1, 2) for name in EXPERIMENT.names(config)]
    assert (len(measured), told.work) == (2, 6)
    assert all(len(row["step_ms"]) == 3 and row["first_s"] == 1.5 for row in rows)


def test_ratios_are_of_turns_side_by_side():
    assert [time.ratio(other, ROWS).value for other in (BCE, TWO_BLOBS)] == pytest.approx([1.1, 2.2])
    # Another seed's turns are not beside these.
    assert time.ratio(BCE, [*ROWS, ROWS[1] | {"seed": 2, "step_ms": [1.0] * 3}]).value == pytest.approx(1.1)


def test_table_and_figure_have_the_medians():
    (table,) = time.tables({"rows": ROWS})
    assert [[c.ours for c in cells] for _, cells in table.lines] == [[22.0, 2.0], [20.0, 2.0], [10.0, 2.0]]
    ((_, figure),) = time.figures({"rows": ROWS})
    assert [bar.get_height() for bar in figure.axes[0].patches] == [22.0, 20.0, 10.0]
