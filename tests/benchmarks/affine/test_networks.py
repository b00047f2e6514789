"""What the networks of the tables are trained on and tested with; nothing is trained here."""

from dataclasses import replace

import numpy as np
import pytest

import pnn_tf
from benchmarks.affine import networks
from benchmarks.affine.networks import Config, Setup
from benchmarks.data.events import Events
from benchmarks.data.hepmass_like import read_recipe
from benchmarks.published import MASSES
from benchmarks.training import Trained
from tests.benchmarks.silent import Silent

TINY = Config(epochs=2, units=(8,), batch_size=256, learning_rate=0.02, dropout=0.0)


@pytest.fixture(scope="module")
def model():
    return pnn_tf.parametric_network(3, conditioning="affine", units=(4,), affine_start="glorot_uniform", seed=1)


def test_individual_networks_see_their_own_background_or_all(samples):
    setup = Setup(None, individual=True)
    own = networks.training_parts(TINY, samples, setup, seed=1)
    whole = networks.training_parts(replace(TINY, individual_background="all"), samples, setup, seed=1)
    for (mine, hypotheses), (all_of_it, _) in zip(own, whole, strict=True):
        assert len(mine) == 800 and mine.label.sum() == 400 and (mine.theta == hypotheses).all()
        assert len(all_of_it) == 2400 and (all_of_it.theta[all_of_it.label == 1] == hypotheses).all()


def test_networks_of_two_masses_are_tested_at_all(samples):
    setup = Setup("concat", "identical", "sampled", masses=(500.0, 1500.0))
    ((events, hypotheses),) = networks.training_parts(TINY, samples, setup, seed=1)
    assert hypotheses[:, 0].tolist() == [500, 750, 1000, 1250, 1500]
    assert set(events.theta[:, 0]) == {500, 1500} and len(events) == 2800 and events.label.sum() == 800
    assert networks.background_theta(TINY, samples, setup) == pnn_tf.Identical([500.0, 1500.0], sampled=True)


@pytest.mark.parametrize(
    ("setup", "strategy"),
    [
        (Setup(None), None),
        (Setup("concat", "identical", "fixed"), None),
        (Setup("concat", "identical", "sampled"), pnn_tf.Identical(MASSES, sampled=True)),
        (Setup("concat", "uniform", "fixed"), pnn_tf.Uniform(500.0, 1500.0, sampled=False)),
        (Setup("concat", "uniform", "sampled"), pnn_tf.Uniform(500.0, 1500.0, sampled=True)),
    ],
)
def test_background_masses_are_those_of_the_setup(samples, setup, strategy):
    assert networks.background_theta(TINY, samples, setup) == strategy


def test_imbalance_is_of_the_training_events_alone(samples):
    made = networks.make_imbalanced(samples)
    # 4000 of 7 000 000 events: a 1750th of 350 000, 140 000, ...
    assert made.data["n_signal"] == {"500": 200, "750": 80, "1000": 20, "1250": 4, "1500": 1}
    assert made.data["n_train"] == len(made.train) == 2000 + 305 and made.test is samples.test
    assert made.data["n_test"] == samples.data["n_test"] and made.data["fingerprint"] != samples.data["fingerprint"]


def test_tests_are_those_of_evaluate_hypotheses(samples, model):
    test = samples.test
    hypotheses = test.hypotheses[[0, 3]]
    measured = networks.auc_and_significance(model, test, hypotheses)
    weighed = pnn_tf.evaluate_hypotheses(model, test.features, test.theta, test.label, hypotheses=hypotheses)
    # Scores come in other batches, and may differ in the last digit of float32: of 200 x 1000 pairs, a few may turn.
    assert measured["auc"] == pytest.approx([result.auc for result in weighed], abs=1e-4)
    # 200 signal events against 1000 x 1/5: the balanced weight of the evaluation.
    assert measured["significance"] == pytest.approx([result.significance.ratio for result in weighed], abs=1e-3)


def test_a_row_measures_both_epochs_of_every_network(samples, model, monkeypatch):
    trained, seen, display = [], [], Silent()
    last = model.get_weights()
    best = [weights + 1 for weights in last]

    def train(recipe, events, *, conditioning, background_theta, seed, on_epoch):
        trained.append((recipe, len(events), conditioning, background_theta, seed))
        model.set_weights(last)
        for epoch in range(1, recipe.epochs + 1):
            on_epoch(epoch, 0.5)
        return Trained(model, best, 1, 600, [0.5])

    def measure(model, test, hypotheses):
        seen.append(np.array_equal(model.get_weights()[0], best[0]))
        return {"auc": [0.1 * len(seen)] * len(hypotheses)}

    monkeypatch.setattr(networks, "train", train)
    setup = Setup(None, individual=True, balance="full")
    row = networks.make_row(TINY, samples, setup, "Individual-NNs", 7, display, measure)
    model.set_weights(last)
    assert trained == [(replace(TINY, balance="full"), 800, None, None, 7)] * 5 and seen == [False, True] * 5
    assert display.work == pytest.approx(1)
    assert row["auc_last"] == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9]) and row["mean_auc_last"] == pytest.approx(0.5)
    assert row["auc"] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0]) and row["mean_auc"] == pytest.approx(0.6)
    assert row["balance"] == "full" and row["n_signal"] == [200] * 5 and row["n_background"] == 1000
    assert row["n_train"] == [600] * 5 and row["best_epoch"] == [1] * 5 and row["masses"][0] == 500


def test_binned_background_gets_the_nearest_hypothesis():
    recipe = read_recipe()
    mean, std = (recipe[of_all][recipe["features"].index("m_wwbb")] for of_all in ("mean", "std"))
    mass = np.array([100.0, 624.0, 626.0, 1000.0, 1374.0, 1376.0, 5000.0])  # GeV
    features = np.stack([np.zeros(7), (mass - mean) / std], axis=1)
    hypotheses = [500, 750, 1000, 1250, 1500, 500, 750]
    events = Events(features, hypotheses, np.ones(7), names=("other", "m_wwbb"))
    strategy = networks.nearest_hypothesis("hepmass-like", events)
    drawn = strategy.draw(7, seed=None, features=features).numpy()[:, 0]
    assert drawn.tolist() == [500, 500, 750, 1000, 1250, 1500, 1500] and not strategy.sampled
    assert networks.nearest_hypothesis("hepmass", events).edges != strategy.edges


def test_events_without_the_reconstructed_mass_are_refused():
    with pytest.raises(ValueError, match="m_wwbb"):
        networks.nearest_hypothesis("hepmass-like", Events(np.zeros((2, 1)), [500, 750], [1, 1]))
