"""The phases of a made-up training, and the stopping criterion."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from benchmarks.taylor.phases import CHANGE, Phases, phases, stopping_epoch

STEP = np.arange(0, 500, 10)


def means(top: int) -> np.ndarray:
    """(50, 5): x1 and x2 rise to step `top` and fall from there; the pairs rise all the time."""
    first = 0.2 - abs(STEP - top) / 10_000
    return np.column_stack([first, first, *[STEP / 10_000.0] * 3])


def test_phases_are_where_the_curves_turn():
    auc = np.interp(STEP, [0, 30, 200, 400], [0.5, 0.84, 0.84, 0.88])
    # The AUC comes to 0.835 at step 29.6 and to 0.845 at step 225.
    assert phases(STEP, means(50), auc, linear_auc=0.84) == Phases(0.84, plateau=30, fall=50, second_rise=230)


def test_a_phase_that_does_not_come_is_none():
    low = phases(STEP, means(480), np.full(len(STEP), 0.84 - 2 * CHANGE), linear_auc=0.84)
    assert (low.plateau, low.second_rise, low.fall) == (None, None, 480)


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
def test_stopping_is_that_of_keras(losses, expected):
    assert stopping_epoch(losses, patience=3) == expected
    stop = keras.callbacks.EarlyStopping("val_loss", patience=3)
    stop.set_model(SimpleNamespace(stop_training=False))
    stop.on_train_begin()
    for epoch, loss in enumerate(losses, start=1):
        stop.on_epoch_end(epoch - 1, {"val_loss": loss})
        if stop.model.stop_training:
            break
    assert (epoch if stop.model.stop_training else None) == expected
