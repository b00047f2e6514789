"""What a Keras user does around `fit` works with the network and the batches as they are."""

import keras
import keras_tuner
import numpy as np
import pytest
from scipy.special import logit

from pnn_tf import Identical, StreamingAUC, balanced_batches, parametric_network, predict_scores, roc_auc

MASSES = (500.0, 1000.0)


def make_events(n_events, seed):
    """One feature, shifted by theta / 500 in signal."""
    rng = np.random.default_rng(seed)
    label, theta = np.arange(n_events) % 2, rng.choice(MASSES, n_events)
    return rng.normal(size=(n_events, 1)) + (label * theta / 500)[:, None], theta, label


@pytest.fixture(scope="module")
def batches():
    return balanced_batches(*make_events(2048, 0), batch_size=128, background_theta=Identical(MASSES))


def compiled(learning_rate=0.01, steps_per_execution=4):
    network = parametric_network(1, units=(16,), dropout=0.1, seed=1)
    network.compile(
        keras.optimizers.Adam(learning_rate),
        "binary_crossentropy",
        metrics=[StreamingAUC()],
        steps_per_execution=steps_per_execution,
    )
    return network


def validation(n_events=1000):
    features, theta, label = make_events(n_events, 1)
    return {"features": features, "theta": theta[:, None]}, label


def test_callbacks_stop_restore_and_save(batches, tmp_path):
    network = compiled()
    callbacks = [
        keras.callbacks.EarlyStopping("val_auc", mode="max", patience=2, restore_best_weights=True),
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", "val_auc", mode="max", save_best_only=True),
        keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=1),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.BackupAndRestore(tmp_path / "backup"),
    ]
    history = network.fit(
        batches.dataset,
        steps_per_epoch=batches.steps_per_epoch,
        epochs=8,
        validation_data=validation(),
        callbacks=callbacks,
        verbose=0,
    ).history
    best = max(history["val_auc"])
    features, theta, label = make_events(1000, 1)
    for model in (network, keras.saving.load_model(tmp_path / "best.keras")):
        # The streaming AUC is that of bins in the logit, 0.004 wide.
        assert roc_auc(label, predict_scores(model, features, theta)) == pytest.approx(best, abs=0.002)
    # Unit Gaussians 1 and 2 apart have AUCs of 0.760 and 0.921; four errors of 1000 events are 0.05.
    assert best == pytest.approx(0.84, abs=0.05)
    assert len((tmp_path / "log.csv").read_text().splitlines()) == len(history["loss"]) + 1


@pytest.mark.slow
def test_class_weights_multiply_the_odds(batches):
    """Three times the weight on signal makes the odds of signal three times as large, for every event."""
    logits = []
    for class_weight in (None, {0: 1.0, 1: 3.0}):
        network = compiled()
        network.fit(batches.dataset, steps_per_epoch=16, epochs=6, verbose=0, class_weight=class_weight)
        features, theta, _ = make_events(1000, 1)
        logits.append(logit(predict_scores(network, features, theta)))
    # Two networks after 96 steps of 128 events: the mean logit is known to some 2 / sqrt(128).
    assert np.mean(logits[1] - logits[0]) == pytest.approx(np.log(3), abs=0.2)


def test_steps_in_one_execution_are_the_same_steps(batches):
    losses = []
    for together in (1, 8):
        network = compiled(steps_per_execution=together)
        losses.append(network.fit(batches.dataset, steps_per_epoch=16, verbose=0).history["loss"][0])
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)  # float32


@pytest.mark.slow
def test_keras_tuner_finds_the_better_rate(batches, tmp_path):
    def build(choices):
        return compiled(learning_rate=choices.Choice("rate", [1e-6, 1e-2]))

    tuner = keras_tuner.GridSearch(
        build, keras_tuner.Objective("val_auc", "max"), directory=tmp_path, project_name="p", overwrite=True
    )
    x, y = validation()
    tuner.search(batches.dataset, steps_per_epoch=16, epochs=2, validation_data=(x, y), verbose=0)
    assert len(tuner.oracle.trials) == 2
    assert tuner.get_best_hyperparameters()[0].get("rate") == 1e-2
    (model,) = tuner.get_best_models()
    assert model.predict(x, verbose=0).shape == (1000, 1)
