"""The recipe of TAYLOR: what it learns, when it stops, and that a seed decides everything."""

import keras
import numpy as np
import pytest

import pnn_tf
from benchmarks.taylor.training import Recipe, ValidationLoss, epochs_shown, network, train
from tests.benchmarks.silent import Silent

QUICK = Recipe(units=10, learning_rate=0.02, epochs=30)


def gaussians(n_events: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two unit Gaussians in two dimensions, sqrt(2) apart: the best AUC is Phi(1) = 0.841."""
    y = np.arange(n_events) % 2
    return np.random.default_rng(seed).normal(size=(n_events, 2)) + y[:, None] - 0.5, y


@pytest.mark.slow
def test_the_network_learns_what_can_be_learnt_and_stops():
    x, y = gaussians(8000, 1)
    model, losses = train(QUICK, x, y, seed=2)
    # Stopped by patience, and as late as it allows: none of the last three losses is below the best one before.
    assert len(losses) == int(np.argmin(losses)) + 1 + QUICK.patience < QUICK.epochs
    test_x, test_y = gaussians(8000, 3)
    # 8000 test events leave an error of 0.004 on the AUC.
    assert pnn_tf.roc_auc(test_y, pnn_tf.predict_scores(model, test_x, 0.0)) == pytest.approx(0.841, abs=0.015)


@pytest.mark.slow
def test_a_seed_decides_everything_whatever_the_global_one():
    x, y = gaussians(400, 4)
    recipe = Recipe(units=3, epochs=2)
    runs = []
    for seed, global_seed in ((5, 1), (5, 2), (6, 1)):
        keras.utils.set_random_seed(global_seed)
        runs.append(train(recipe, x, y, seed=seed))
    (model, first), (same, again), (_, other) = runs
    assert first == again != other
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), same.get_weights(), strict=True))


@pytest.mark.slow
def test_without_patience_all_epochs_are_made_and_shown():
    x, y = gaussians(300, 7)
    recipe = Recipe(units=3, batch_size=50, patience=None, epochs=6, learning_rate=0.5, steps_per_execution=1)
    steps, display = [], Silent()
    listener = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: steps.append(batch))
    _, losses = train(recipe, x, y, seed=8, callbacks=[listener, epochs_shown(display, "", work=0.5)])
    assert len(steps) == 6 * 3  # 150 events in batches of 50
    assert len(losses) == 6 and display.work == 3


@pytest.mark.slow
def test_a_batch_larger_than_the_sample_is_the_whole_sample():
    x, y = gaussians(300, 9)
    (_, whole), (_, larger) = (train(Recipe(units=3, batch_size=n, epochs=2), x, y, seed=1) for n in (150, 10_000))
    assert whole == larger


def test_the_validation_loss_is_the_cross_entropy():
    model = network(2, 3, seed=1)
    x, y = gaussians(50, 10)
    callback, logs = ValidationLoss(x.astype(np.float32), y), {}
    callback.set_model(model)
    callback.on_epoch_end(0, logs)
    p = pnn_tf.predict_scores(model, x, 0.0).astype(np.float64)
    expected = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    assert logs["val_loss"] == pytest.approx(expected, rel=1e-5)  # float32 there


def test_events_too_few_to_split_are_refused():
    with pytest.raises(ValueError, match=r"validation_fraction=0\.5 takes 0"):
        train(Recipe(), np.zeros((1, 2)), np.zeros(1), seed=0)
