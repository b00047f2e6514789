import csv

import keras
import numpy as np
import pytest

from pnn_tf import Identical, PerHypothesis, balanced_batches, evaluate_hypotheses, parametric_network
from tests.problems import GaussianOnUniform

NAMES = [f"val_auc_{which}" for which in ("-2", "-1", "0", "1", "2", "mean", "min")]


def sample(n_events, seed):
    """Features, theta and label; the background's theta is not to be looked at."""
    features, theta, label = GaussianOnUniform().sample(n_events, seed=seed)
    return features, np.where(label == 1, theta, np.nan), label


@pytest.fixture
def network():
    network = parametric_network(1, units=(16, 8), theta_scale=1.0, seed=1)
    network.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    return network


def fit(network, callbacks, epochs=2, **keywords):
    batches = balanced_batches(*sample(1000, 0), batch_size=100, background_theta=Identical(GaussianOnUniform().theta))
    return network.fit(
        batches.dataset, steps_per_epoch=5, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=0, **keywords
    )


def test_the_history_has_the_auc_of_each_hypothesis(network):
    features, theta, label = sample(500, 1)
    inputs = {"features": features, "theta": np.zeros((500, 1))}
    callback = PerHypothesis(features, theta, label)
    history = fit(network, [callback], validation_data=(inputs, label[:, None])).history
    assert set(history) == {"loss", "val_loss", *NAMES}
    results = evaluate_hypotheses(network, features, theta, label)
    assert callback.results == results
    auc = [result.auc for result in results]
    assert [history[name][-1] for name in NAMES] == [*auc, np.mean(auc), min(auc)]
    assert all(len(values) == 2 for values in history.values())


def test_weights_names_and_hypotheses_are_those_given(network):
    features, theta, label = sample(500, 1)
    weight = np.random.default_rng(0).choice([1.0, -0.5], 500, p=[0.8, 0.2])
    callback = PerHypothesis(features, theta, label, weight=weight, hypotheses=[1.0, 0.0], name="test")
    history = fit(network, [callback]).history
    first, second = evaluate_hypotheses(network, features, theta, label, weight=weight, hypotheses=[1.0, 0.0])
    assert [history[name][-1] for name in ("test_1", "test_0")] == [first.auc, second.auc]


def test_callbacks_that_come_after_it_stop_save_and_write(network, tmp_path):
    class Worse(keras.callbacks.Callback):
        """From the second epoch on, the network knows nothing."""

        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                self.model.optimizer.learning_rate = 0.0
                self.model.set_weights([np.zeros_like(w) for w in self.model.get_weights()])

    callbacks = [
        Worse(),
        PerHypothesis(*sample(500, 1)),
        keras.callbacks.EarlyStopping("val_auc_min", mode="max", patience=1),
        keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", "val_auc_mean", mode="max", save_best_only=True),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
    ]
    history = fit(network, callbacks, epochs=5).history
    assert history["val_auc_1"][1] == 0.5 and len(history["loss"]) == 2
    best = keras.saving.load_model(tmp_path / "best.keras")
    results = evaluate_hypotheses(best, *sample(500, 1))
    # Ties of float32 scores may come out otherwise in a model that is compiled anew.
    assert np.mean([result.auc for result in results]) == pytest.approx(history["val_auc_mean"][0], abs=1e-5)
    with open(tmp_path / "log.csv") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val_auc_-2"]) for row in rows] == history["val_auc_-2"]


def test_names_of_several_parameters_are_decimals(network):
    rng = np.random.default_rng(0)
    theta, label = rng.choice([0.1, 500.0], (400, 2)), np.arange(400) % 2
    model = parametric_network(2, 2, units=(3,), theta_scale=[1000.0, 1000.0])
    callback, logs = PerHypothesis(rng.normal(size=(400, 2)), theta, label, nuisances=[1]), {}
    callback.set_model(model)
    callback.on_epoch_end(0, logs)
    assert set(logs) == {f"val_auc_{of}" for of in ("0.1_0.1", "0.1_500", "500_0.1", "500_500", "mean", "min")}


@pytest.mark.parametrize(
    ("events", "options", "message"),
    [
        (([[0.0], [1.0]], [1, 1], [1, 2]), {}, "label 1 for signal"),
        (([[0.0], [1.0]], [np.nan, 1], [1, 0]), {}, "theta holds NaN"),
        (([[0.0], [1.0]], [1, 1], [1, 0]), {"weight": [1.0]}, "weight has 1"),
    ],
)
def test_bad_events_are_named_before_the_training(events, options, message):
    with pytest.raises(ValueError, match=message):
        PerHypothesis(*events, **options)
