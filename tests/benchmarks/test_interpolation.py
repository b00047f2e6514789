"""Trials that hold hypotheses out, their training events, and networks trained on them."""

import numpy as np
import pytest
from scipy.stats import norm

import pnn_tf
from benchmarks import interpolation
from benchmarks.data.events import Events
from benchmarks.training import Recipe

MASSES = (500.0, 750.0, 1000.0, 1250.0, 1500.0)
RECIPE = Recipe(epochs=4, batch_size=256, learning_rate=0.02, units=(8,), dropout=0.0)


def gaussians(n_events: int, seed: int) -> Events:
    """Half signal, all masses equally; unit Gaussians, the first of two features shifted by mass / 500 in signal."""
    generator = np.random.default_rng(seed)
    theta, label = np.resize(np.repeat(MASSES, 2), n_events), np.resize([0, 1], n_events)
    features = generator.normal(size=(n_events, 2))
    features[:, 0] += label * theta / 500
    return Events(features, theta, label)


@pytest.fixture(scope="module")
def events():
    return gaussians(4000, seed=1)


@pytest.fixture(scope="module")
def row(events):
    return interpolation.interpolate(
        RECIPE,
        events,
        gaussians(4000, seed=2),
        (500, 1500),
        conditioning="concat",
        seed=3,
        on_epoch=lambda epoch, auc: None,
    )


def test_schemes_hold_out_what_they_say():
    masses = [[mass] for mass in MASSES]  # as Events.hypotheses has them
    assert interpolation.on_all(masses) == ("on all", ((500,), (750,), (1000,), (1250,), (1500,)))
    one_less = interpolation.leave_one_out(masses)
    assert [trial.name for trial in one_less] == [f"without {mass:g}" for mass in MASSES]
    assert one_less[1].trained_on == ((500,), (1000,), (1250,), (1500,))
    halves = interpolation.leave_half_out(masses)
    assert halves == (
        ("on 750 and 1250", ((750,), (1250,))),
        ("on 500, 1000 and 1500", ((500,), (1000,), (1500,))),
    )
    assert interpolation.ends_only(MASSES) == ("on 500 and 1500", ((500,), (1500,)))
    assert interpolation.one_only(MASSES)[2] == ("on 1000", ((1000,),))
    assert interpolation.one_only([[1, 2], [3, 4]])[1] == ("on (3, 4)", ((3, 4),))
    with pytest.raises(ValueError, match="at least 2 hypotheses"):
        interpolation.leave_one_out([500])


def test_background_stays_with_a_theta_that_is_trained_on(events):
    kept = interpolation.training_events(events, (500, 1500), seed=1)
    signal = kept.label == 1
    assert np.count_nonzero(~signal) == 2000 and np.count_nonzero(signal) == 800
    assert set(kept.theta[signal, 0]) == set(kept.theta[~signal, 0]) == {500, 1500}
    # 2000 draws of two: a standard deviation of 22.
    assert np.count_nonzero(kept.theta[~signal] == 500) == pytest.approx(1000, abs=110)
    background = events.label == 0
    assert np.array_equal(kept.features[~signal], events.features[background])

    again, other = (interpolation.training_events(events, (500, 1500), seed=seed).theta for seed in (1, 2))
    assert np.array_equal(again, kept.theta) and not np.array_equal(other, kept.theta)

    uniform = pnn_tf.Uniform(500, 1500, sampled=False)
    kept = interpolation.training_events(events, (500, 1500), background=uniform)
    theta = kept.theta[kept.label == 0]
    assert len(np.unique(theta)) > 1900 and theta.min() >= 500 and theta.max() <= 1500


def test_hypotheses_of_several_parameters_are_held_out_as_points():
    points = np.array([[1, 0.1], [1, 0.2], [2, 0.1], [2, 0.2]])  # 0.1 and 0.2 are other numbers in float32
    theta, label = np.repeat(points, 4, axis=0), np.tile([0, 1, 1, 1], 4)
    events = Events(np.zeros((16, 1)), theta, label, parameter_names=("mass", "width"))
    kept = interpolation.training_events(events, interpolation.leave_one_out(points)[2].trained_on)
    signal = kept.theta[kept.label == 1]
    assert len(signal) == 9 and not (signal == np.float32([2, 0.1])).all(axis=1).any()
    assert not (kept.theta == np.float32([2, 0.1])).all(axis=1).any()


def test_an_unknown_hypothesis_is_refused(events):
    with pytest.raises(ValueError, match=r"out of the hypotheses of the signal, 500, .*Received: 600"):
        interpolation.training_events(events, (500, 600))


def test_a_network_is_tested_at_all_hypotheses(row):
    assert row["trained_on"] == [[500], [1500]]
    assert row["hypotheses"] == [[mass] for mass in MASSES]
    assert row["n_train"] == 2100  # 2000 background and 800 signal events, less the quarter that validates
    assert 1 <= row["best_epoch"] <= RECIPE.epochs and 0.8 < row["validation_auc"] < 1
    assert row["error"] == pytest.approx([pnn_tf.auc_error(auc, 400, 2000) for auc in row["auc"]])
    # Any output that rises with the first feature has the best AUC at every mass, Phi(d / sqrt 2), so that
    # interpolation is easy. 400 signal and 2000 background events leave an error of 0.012 at 500 GeV, 0.001 at 1500.
    best = norm.cdf(np.array(MASSES) / 500 / np.sqrt(2))
    assert row["auc"] == pytest.approx(best, abs=0.05)
    assert row["auc"][2:] == pytest.approx(best[2:], abs=0.03)


def test_the_table_is_in_per_cent_with_a_spread_over_seeds(row):
    rows = [row | {"row": "a", "seed": 1}, row | {"row": "a", "seed": 2, "auc": [0.9] * 5}]
    table = interpolation.auc_table("caption", [*rows, row | {"row": "b", "seed": 1}])
    assert table.columns == ("500", "750", "1000", "1250", "1500", "average")
    (a, cells), (b, others) = table.lines
    assert (a, b) == ("a", "b")
    assert cells[1].ours == pytest.approx(100 * (row["auc"][1] + 0.9) / 2)
    assert cells[1].spread == pytest.approx(100 * abs(row["auc"][1] - 0.9) / np.sqrt(2))
    assert others[-1].ours == pytest.approx(100 * np.mean(row["auc"])) and others[-1].spread is None


def test_curves_mark_what_was_held_out(row):
    figure = interpolation.curves({"left": {"a": [row]}, "right": {"a": [row], "b": [row]}}, "mass (GeV)")
    left, right = figure.axes
    assert left.get_title("left") == "left" and left.get_xlabel() == "mass (GeV)"
    marked = {line.get_marker(): line.get_xydata() for line in left.get_lines() if line.get_marker() in ("o", "s")}
    assert np.allclose(marked["o"], [[500, 100 * row["auc"][0]], [1500, 100 * row["auc"][4]]])
    assert np.allclose(marked["s"], [[mass, 100 * row["auc"][i]] for i, mass in enumerate(MASSES)][1:4])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "trained on", "held out"]
    assert len({line.get_color() for line in right.get_lines() if line.get_marker() == "o"}) == 2


def test_points_of_several_parameters_stand_side_by_side(row):
    points = [[1.0, 0.1], [1.0, 0.2], [2.0, 0.1]]
    several = row | {"hypotheses": points, "trained_on": points[:2], "auc": [0.7, 0.8, 0.9], "error": [0.01] * 3}
    (axes,) = interpolation.curves({"title": {"a": [several]}}, "(mass, width)").axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["(1, 0.1)", "(1, 0.2)", "(2, 0.1)"]
