"""Last hidden layers, what neighbours guess in them, and the figures."""

from dataclasses import asdict, replace

import keras
import numpy as np
import pytest

import pnn_tf
from benchmarks import record as records
from benchmarks.affine import representation
from benchmarks.data.events import Events

TINY = replace(
    representation.SCALES["smoke"],
    epochs=2,
    units=(8, 4),
    batch_size=256,
    learning_rate=0.02,
    n_points=200,
    perplexity=10,
)


class Silent:
    """A display that adds up the work it is told of."""

    def begin(self, n_rows, work):
        self.left = work

    def advance(self, work, status):
        self.left -= work


@pytest.fixture(scope="module")
def display():
    return Silent()


@pytest.fixture(scope="module")
def rows(samples, display):
    return list(representation.run(TINY, samples, seeds=(3,), display=display))


def test_a_layer_is_what_the_score_is_made_of():
    model = pnn_tf.parametric_network(3, conditioning="affine", units=(8, 4), affine_start="glorot_uniform", seed=1)
    events = Events(np.random.default_rng(1).normal(size=(50, 3)), np.full(50, 700.0), np.resize([0, 1], 50))
    layer = representation.last_hidden_layer(model, events)
    assert layer.shape == (50, 4)
    kernel, bias = model.get_layer("score").get_weights()
    score = keras.ops.sigmoid(layer @ kernel + bias)[:, 0]
    # Single precision, and two ways to sum.
    assert np.allclose(score, pnn_tf.predict_scores(model, events.features, events.theta), atol=1e-6)


def test_neighbours_guess_what_is_clustered_and_nothing_else():
    generator = np.random.default_rng(1)
    target = np.resize(range(5), 500)
    clustered = 10 * np.eye(5)[target] + generator.normal(size=(500, 5))
    assert np.array_equal(representation.guess(TINY, clustered, target, seed=1), target)
    noise = generator.normal(size=(500, 5))
    # A fifth by chance, with a standard deviation of 0.018.
    assert np.mean(representation.guess(TINY, noise, target, seed=1) == target) == pytest.approx(0.2, abs=0.08)


def test_networks_are_trained_on_what_they_should(samples):
    events, hypotheses = samples.train, samples.train.hypotheses
    individual = list(representation._parts(events, hypotheses, representation.INDIVIDUAL))
    assert [set(part.theta[:, 0]) for part in individual] == [{mass} for (mass,) in hypotheses.tolist()]
    control = list(representation._parts(events, hypotheses, representation.CONTROL))
    assert [len(part) for part in control] == [800] * 5
    for part in control:
        assert set(part.theta[:, 0]) == set(hypotheses[:, 0])
    together = np.sort(np.concatenate([part.features[:, 0] for part in control]))
    assert np.array_equal(together, np.sort(events.features[:, 0]))


def test_rows_hold_the_map_of_the_same_events(rows, display):
    assert [row["row"] for row in rows] == ["Individual-NNs", "pNN", "Single-NNs (control)"]
    assert display.left == pytest.approx(0)
    for row in rows:
        assert len(row["x"]) == len(row["y"]) == len(row["kind"]) == 200
        assert row["kind"] == rows[0]["kind"] and np.bincount(row["kind"]).tolist() == [20] * 10
        for field in ("class_accuracy", "mass_accuracy", "mass_accuracy_background"):
            assert 0 <= row[field] <= 1
        # The best cut on the mean signal is right in 69 % of the events, on 200 of them to 3 %.
        assert row["class_accuracy"] > 0.5
    individual, parametric, control = rows
    assert individual["n_train"] == control["n_train"] == [600] * 5 and parametric["n_train"] == [3000]


def test_networks_of_one_row_have_axes_of_their_own(rows):
    # What the control is for: its five networks differ in their initial weights and events alone, and the event's
    # mass, which only chooses among them, is guessed far above the 20 % of chance (standard deviation 3 %).
    individual, _, control = rows
    assert individual["mass_accuracy_background"] > 0.35
    assert control["mass_accuracy_background"] > 0.35


def test_the_section_compares_kinds_of_networks(rows, samples):
    record = records.new_record("affine-fig-9", "smoke", asdict(TINY), samples.data)
    made_up = [
        row | {"seed": seed, "mass_accuracy": mass, "class_accuracy": 0.8}
        for seed, shift in ((1, 0.0), (2, 0.02))
        for row, mass in zip(rows, (0.9 + shift, 0.5, 0.85), strict=True)
    ]
    section = representation.section(record | {"rows": made_up})
    findings = {finding.heading: finding for finding in section.findings}
    assert findings["Clustered by mass"].points.ours == pytest.approx(41)
    assert findings["Clustered by mass"].points.spread == pytest.approx(np.sqrt(2))
    assert "so it is here" in findings["Clustered by mass"].text
    assert "91.0 % with individual networks and 85.0 % in the control" in findings["What the clusters mean"].text
    assert [len(figure.axes) for _, figure in section.figures] == [6]

    swapped = [row | {"mass_accuracy": 0.3} if row["row"] == "Individual-NNs" else row for row in made_up]
    text = representation.section(record | {"rows": swapped}).findings[0].text
    assert "so it is not here" in text
    assert len(representation.section(record | {"rows": made_up[:1]}).findings) == 1


def test_points_are_coloured_by_mass_and_by_class(rows):
    left, right = representation.plot(rows[:1]).axes
    for axes, n_colours in ((left, 5), (right, 2)):
        (points,) = axes.collections
        assert np.allclose(points.get_offsets(), np.transpose([rows[0]["x"], rows[0]["y"]]))
        assert len(np.unique(points.get_facecolors(), axis=0)) == n_colours
