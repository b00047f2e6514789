"""Networks at many masses on the same test events: what is measured, combined over trainings, and drawn."""

import numpy as np
import pytest

from benchmarks import contrasts
from benchmarks.claims import Missing
from benchmarks.data.events import Events
from pnn_tf.compare import difference, placements

MASSES = [500.0, 700.0]


@pytest.fixture(scope="module")
def placed():
    """Two networks at two masses on 30 signal events each and 40 background events."""
    generator = np.random.default_rng(1)
    background = generator.normal(size=40)
    return {
        name: [placements(generator.normal(shift + mass / 1000, 1, 30), background + noise) for mass in MASSES]
        for name, shift, noise in (("a", 1.0, 0), ("b", 0.5, generator.normal(size=40)))
    }


@pytest.fixture(scope="module")
def rows(placed):
    """Two trainings: that of the fixture above, and one in which the difference is 0.01 larger."""
    first = {"row": "training 1", "seed": 1, "masses": MASSES}
    first |= contrasts.measure(placed, [("a", "b")], {"light": [0], "both": [0, 1]})
    (c,) = first["contrasts"]
    larger = c | {
        "difference": [value + 0.01 for value in c["difference"]],
        "groups": {name: [value + 0.01, error] for name, (value, error) in c["groups"].items()},
    }
    auc = first["auc"] | {"a": [value + 0.01 for value in first["auc"]["a"]]}
    return [first, first | {"row": "training 2", "auc": auc, "contrasts": [larger]}]


def test_at_a_mass_its_signal_stands_against_all_background(monkeypatch):
    test = Events([[1.0], [2.0], [1.2], [0.0]], theta=[500, 700, 700, 500], label=[1, 1, 0, 0])
    shown = []

    def predict(model, features, theta):
        shown.append((len(features), float(theta)))
        return features[:, 0]

    monkeypatch.setattr(contrasts.pnn_tf, "predict_scores", predict)
    # 1 is above 0 alone, 2 above 1.2 and 0.
    assert [contrasts.at_mass(None, test, mass).auc for mass in MASSES] == [0.5, 1.0]
    assert shown == [(1, 500), (2, 500), (1, 700), (2, 700)]


def test_what_is_measured(placed, rows):
    assert rows[0]["n_signal"] == [30, 30] and rows[0]["n_background"] == 40
    assert rows[0]["auc"]["a"] == [p.auc for p in placed["a"]]
    (c,) = rows[0]["contrasts"]
    assert (c["network"], c["reference"]) == ("a", "b")
    assert c["groups"]["light"] == [c["difference"][0], c["error"][0]]
    assert c["groups"]["both"] == list(difference(placed["a"], placed["b"])[:2])
    assert c["difference"][1] == pytest.approx(placed["a"][1].auc - placed["b"][1].auc)


def test_a_difference_over_trainings_has_both_errors(rows):
    (first,) = rows[0]["contrasts"]
    for where, value, error in ((1, first["difference"][1], first["error"][1]), ("both", *first["groups"]["both"])):
        assert contrasts.contrast(rows[:1], ("a", "b"), where) == (value, pytest.approx(error), 1)
        # Two values 0.01 apart: their mean is 0.005 higher, with an error of 0.005, of which 12.7 hold 95 %.
        both = pytest.approx(value + 0.005), pytest.approx(np.hypot(error, 0.005 * 12.706 / 2), rel=1e-4)
        assert contrasts.contrast(rows, ("a", "b"), where) == (*both, 2)
        assert contrasts.estimate(("a", "b"), where)(rows).value == pytest.approx(100 * (value + 0.005))
    for pair, some in ((("a", "b"), []), (("b", "a"), rows)):
        with pytest.raises(Missing):
            contrasts.estimate(pair, 0)(some)


def test_the_tables_hold_every_mass_and_the_means(rows):
    auc = dict(contrasts.auc_table("caption", rows).lines)
    differences = dict(contrasts.difference_table("caption", rows, {"a minus b": ("a", "b")}).lines)
    assert list(auc) == ["500", "700", "average"] and list(differences) == ["500", "700", "mean light", "mean both"]
    mean = auc["average"]
    assert mean[0].ours - mean[1].ours == pytest.approx(differences["mean both"][0].ours)
    assert mean[0].spread == pytest.approx(100 * 0.01 / np.sqrt(2)) and mean[1].spread == pytest.approx(0)


def test_the_figure_shows_auc_and_difference_with_errors(rows):
    figure = contrasts.figure(rows, {"title": ("b", "a")}, {"a": "#aa0000", "b": "#0000bb"}, {"a": [500.0]})
    upper, lower = figure.axes
    (empty,) = [line.get_xydata() for line in upper.get_lines() if line.get_marker() == "s" and len(line.get_xdata())]
    np.testing.assert_allclose(empty, [[700, 100 * np.mean([row["auc"]["a"][1] for row in rows])]])
    (bars,) = lower.containers
    ends = np.array([segment[:, 1] for segment in bars[2][0].get_segments()])
    found = [contrasts.contrast(rows, ("a", "b"), i) for i in range(2)]
    np.testing.assert_allclose(ends, [[100 * (e.value - e.error), 100 * (e.value + e.error)] for e in found])
