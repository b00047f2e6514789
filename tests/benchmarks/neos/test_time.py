"""The time of a step from end to end with a tiny network, and what is said of made-up rows."""

from dataclasses import asdict, replace

import pytest

from benchmarks.neos import step_time
from benchmarks.speed.neos.step import BCE, CLS, TWO_BLOBS
from benchmarks.terminal import Display


class Silent(Display):
    """Shows nothing."""

    def __init__(self):
        pass

    def begin(self, n_rows, work):
        self.n_rows = n_rows

    def advance(self, work, status):
        pass


def jobs_that_do_nothing(config):
    return {name: (lambda n: 0.0, 1.5) for name in (CLS, BCE, TWO_BLOBS)}


def test_every_loss_is_a_row_of_a_repetition_and_what_is_finished_is_left_out(monkeypatch):
    monkeypatch.setattr(step_time, "steppers", jobs_that_do_nothing)
    config = replace(step_time.SCALES["smoke"], repetitions=3)
    rows = list(step_time.run(config, None, seeds=(1, 2), finished=frozenset({(CLS, 1)}), display=Silent()))
    assert [(row["row"], row["seed"]) for row in rows] == [
        (BCE, 1),
        (TWO_BLOBS, 1),
        (CLS, 2),
        (BCE, 2),
        (TWO_BLOBS, 2),
    ]
    assert all(len(row["step_ms"]) == 3 and row["first_s"] == 1.5 for row in rows)


def test_ratios_are_of_turns_side_by_side():
    times = {CLS: [10.0, 22.0, 33.0], BCE: [10.0, 20.0, 30.0], TWO_BLOBS: [5.0, 10.0, 15.0]}
    rows = [{"row": name, "seed": 1, "step_ms": values, "first_s": 2.0} for name, values in times.items()]
    section = step_time.section({"rows": rows, "configuration": asdict(step_time.SCALES["embedded"])})
    four, two = section.findings
    assert four.text.startswith("1.10 times as long (turns from 1.00 to 1.10)")
    assert two.text.startswith("2.20 times as long") and "3 or so" in two.text
    ((name, (step, first)), *_) = section.tables[0][1].rows
    assert (name, step.ours, first.ours) == (CLS, 22.0, 2.0)
    heights = [bar.get_height() for bar in section.figures[0][1].axes[0].patches]
    assert heights == pytest.approx([22.0, 20.0, 10.0])
