"""The phases of a made-up training, the stopping criterion, and what claims read off a row."""

import numpy as np
import pytest

from benchmarks.claims import Missing
from benchmarks.taylor import phases as module
from benchmarks.taylor.phases import CHANGE, X12, X22, phases, stopping_epoch

STEP = np.arange(0, 500, 10)


def means(top: int) -> np.ndarray:
    """(50, 5): x1 and x2 rise to step `top` and fall from there; the pairs rise all the time."""
    first = 0.2 - abs(STEP - top) / 10_000
    return np.column_stack([first, first, *[STEP / 10_000.0] * 3])


def test_phases_are_where_the_curves_turn():
    auc = np.interp(STEP, [0, 30, 200, 400], [0.5, 0.84, 0.84, 0.88])
    found = phases(STEP, means(50), auc, linear_auc=0.84)
    # The AUC comes to 0.835 at step 29.6 and to 0.845 at step 225.
    assert found == {"plateau_auc": 0.84, "plateau": 30, "fall": 50, "second_rise": 230}


def test_a_phase_that_does_not_come_is_none():
    low = phases(STEP, means(480), np.full(len(STEP), 0.84 - 2 * CHANGE), linear_auc=0.84)
    assert (low["plateau"], low["second_rise"], low["fall"]) == (None, None, 480)


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([5, 4, 3, 2, 1], None),
        ([5, 4, 4.5, 4.2, 3, 4, 4], None),  # two worse, twice
        ([5, 4, 4.5, 4.2, 4.1, 3], 5),  # falling again, but not below the best
        ([1, 1, 1, 1], 4),  # equal is no improvement
        ([2, 1, 3], None),
    ],
)
def test_stopping_is_by_patience(losses, expected):
    assert stopping_epoch(losses, patience=3) == expected


def made_up(name: str, seed: int, every: int = 1, batch_size: int = 50_000, **phases) -> dict:
    """A row of 700 steps: all rise linearly, x1 to 0.18, x2 to 0.17, (x1, x2) to 0.2, and the AUC to 0.87."""
    step = np.arange(0, 701, every)
    setting = {"row": name, "seed": seed, "batch_size": batch_size, "learning_rate": 2e-3}
    curves = {
        "step": step.tolist(),
        "mean": [(step * top / 700).tolist() for top in (0.18, 0.17, 0.08, 0.2, 0.09)],
        "auc": (0.5 + step * 0.37 / 700).tolist(),
    }
    found = {"plateau": 30, "fall": 50, "second_rise": 130, "stop": 350, "plateau_auc": 0.838} | phases
    others = {"linear_auc": 0.841, "bayes_auc": 0.878, "step_ms": 40.0, "look_ms": 15.0, "wall_s": 60.0}
    return setting | curves | found | others


def test_claims_read_a_row_at_its_steps():
    row, coarse = made_up("drawn", 1), made_up("scan", 1, every=50, second_rise=None)
    assert module.rise("auc", 100, 200, row) == pytest.approx(100 * 0.37 / 7)
    assert module.rise(X12, 100, np.inf, row) == pytest.approx(0.2 * 6 / 7)
    assert module.rise(X22, 0, 149, coarse) == pytest.approx(0.09 / 7)  # looked at last at step 100
    assert list(module.first_over_second(row).values()) == pytest.approx([0.09 * 3 / 70, -0.03 * 3 / 70, 0.08 * 3 / 70])
    assert module.unlike(row) == pytest.approx(100 * 0.01 / 0.175)
    assert module.reached("second_rise", coarse) == 701
    assert np.isnan(module.distance(coarse))
    assert module.distance(row) == pytest.approx(0)


def test_stops_before_the_second_rise_are_counted_once_the_scan_is_there():
    rows = [made_up("drawn", 1), made_up("drawn", 2, stop=None)]
    with pytest.raises(Missing, match="scan"):
        module.stopped_early(rows)
    assert module.stopped_early([*rows, made_up("scan", 1, every=5, stop=30)]).value == 1
