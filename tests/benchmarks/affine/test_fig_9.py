"""Last hidden layers, what neighbours guess in them, and the figures."""

from dataclasses import replace

import keras
import numpy as np
import pytest

import pnn_tf
from benchmarks.affine import fig_9
from benchmarks.affine.fig_9 import CONTROL, INDIVIDUALS, PARAMETRIC
from benchmarks.claims import Missing
from benchmarks.data.events import Events
from tests.benchmarks.silent import Silent

TINY = replace(
    fig_9.EXPERIMENT.scales["smoke"],
    epochs=2,
    units=(8, 4),
    batch_size=256,
    learning_rate=0.02,
    n_points=200,
    perplexity=10,
)


def test_a_layer_is_what_the_score_is_made_of():
    model = pnn_tf.parametric_network(3, conditioning="affine", units=(8, 4), affine_start="glorot_uniform", seed=1)
    events = Events(np.random.default_rng(1).normal(size=(50, 3)), np.full(50, 700.0), np.resize([0, 1], 50))
    layer = fig_9.last_hidden_layer(model, events)
    assert layer.shape == (50, 4)
    kernel, bias = model.get_layer("score").get_weights()
    score = keras.ops.sigmoid(layer @ kernel + bias)[:, 0]
    # Single precision, and two ways to sum.
    assert np.allclose(score, pnn_tf.predict_scores(model, events.features, events.theta), atol=1e-6)


def test_neighbours_guess_what_is_clustered_and_nothing_else():
    generator = np.random.default_rng(1)
    target, noise = np.resize(range(5), 500), generator.normal(size=(500, 5))
    assert np.array_equal(fig_9.guess(TINY, 10 * np.eye(5)[target] + noise, target, seed=1), target)
    # A fifth by chance, with a standard deviation of 0.018.
    assert np.mean(fig_9.guess(TINY, noise, target, seed=1) == target) == pytest.approx(0.2, abs=0.08)


def test_networks_are_trained_on_what_they_should(samples):
    events, hypotheses = samples.train, samples.train.hypotheses
    individual, (parametric,), control = (
        list(fig_9.training_parts(events, hypotheses, name)) for name in (INDIVIDUALS, PARAMETRIC, CONTROL)
    )
    assert [set(part.theta[:, 0]) for part in individual] == [{mass} for (mass,) in hypotheses.tolist()]
    assert parametric is events
    assert all(len(part) == 800 and set(part.theta[:, 0]) == set(hypotheses[:, 0]) for part in control)
    together = np.sort(np.concatenate([part.features[:, 0] for part in control]))
    assert np.array_equal(together, np.sort(events.features[:, 0]))


@pytest.mark.slow
def test_rows_hold_the_map_of_the_same_events(samples):
    display = Silent()
    rows = [fig_9.make_row(TINY, samples, name, 3, display) for name in fig_9.EXPERIMENT.names(TINY)]
    assert display.work == pytest.approx(3)
    for row in rows:
        assert len(row["x"]) == len(row["y"]) == len(row["kind"]) == 200
        assert row["kind"] == rows[0]["kind"] and np.bincount(row["kind"]).tolist() == [20] * 10
        # The best cut on the mean signal is right in 69 % of the events, on 200 of them to 3 %.
        assert 0.5 < row["class_accuracy"] < 1
    individual, parametric, control = rows
    assert individual["n_train"] == control["n_train"] == [600] * 5 and parametric["n_train"] == [3000]
    # What the control is for: its five networks differ in their initial weights and events alone, and the event's
    # mass, which only chooses among them, is guessed far above the 20 % of chance (standard deviation 3 %).
    assert individual["mass_accuracy_background"] > 0.35 and control["mass_accuracy_background"] > 0.35


@pytest.fixture(scope="module")
def made_up():
    """Three events a row, and what is guessed with two seeds."""
    fields = {"masses": [500.0, 750.0], "x": [0.0, 1.0, 2.0], "y": [1.0, 0.0, 1.0], "kind": [0, 1, 3]}
    fields |= {"mass_accuracy_background": 0.3, "class_accuracy": 0.8}
    return [
        fields | {"row": row, "seed": seed, "mass_accuracy": mass}
        for seed, shift in ((1, 0.0), (2, 0.02))
        for row, mass in ((INDIVIDUALS, 0.9 + shift), (PARAMETRIC, 0.5), (CONTROL, 0.85))
    ]


def test_kinds_of_networks_are_compared_seed_by_seed(made_up):
    more = fig_9.masses_guessed_more(INDIVIDUALS, PARAMETRIC)(made_up)
    assert (more.value, more.spread) == (pytest.approx(41), pytest.approx(np.sqrt(2)))
    assert fig_9.classes_guessed(made_up)[PARAMETRIC].value == pytest.approx(80)
    (table,) = fig_9.tables({"rows": made_up})
    assert [cell.ours for cell in table.lines[0][1]] == pytest.approx([91, 30, 80])
    with pytest.raises(Missing):
        fig_9.classes_guessed(made_up[:1])


def test_points_are_coloured_by_mass_and_by_class(made_up):
    ((_, figure),) = fig_9.figures({"rows": made_up})
    assert len(figure.axes) == 6
    by_mass, by_class = (axes.collections[0].get_facecolors().tolist() for axes in figure.axes[:2])
    assert by_mass[0] == by_mass[1] != by_mass[2] and by_class[0] != by_class[1] == by_class[2]
