"""Networks at many masses on the same test events: what is measured, combined over trainings, and drawn."""

import numpy as np
import pytest

from benchmarks import contrasts, paired
from benchmarks.data.events import Events
from pnn_tf import auc_error
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
    measured = contrasts.measure(placed, [("a", "b")], {"both": [0, 1]})
    rows = []
    for number, shift in ((1, 0.0), (2, 0.01)):
        (c,) = measured["contrasts"]
        c = c | {
            "difference": [value + shift for value in c["difference"]],
            "groups": {name: [value + shift, error] for name, (value, error) in c["groups"].items()},
        }
        auc = {"a": [value + shift for value in measured["auc"]["a"]], "b": measured["auc"]["b"]}
        rows.append({"row": f"training {number}", "masses": MASSES, **measured, "auc": auc, "contrasts": [c]})
    return rows


def test_at_a_mass_its_signal_stands_against_all_background():
    test = Events([[1.0], [2.0], [1.2], [0.0]], theta=[500, 700, 700, 500], label=[1, 1, 0, 0])
    shown = []

    def predict(model, features, theta):
        shown.append((len(features), float(theta)))
        return features[:, 0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contrasts.pnn_tf, "predict_scores", predict)
        at = {mass: contrasts.at_mass(None, test, mass) for mass in MASSES}
    assert shown == [(1, 500), (2, 500), (1, 700), (2, 700)]
    assert (at[500].auc, at[700].auc) == (0.5, 1.0)  # 1 is above 0 alone, 2 above 1.2 and 0


def test_what_is_measured(placed):
    measured = contrasts.measure(placed, [("b", "a")], {"light": [0], "both": [0, 1]})
    assert measured["n_signal"] == [30, 30] and measured["n_background"] == 40
    assert measured["auc"]["a"] == [p.auc for p in placed["a"]]
    (c,) = measured["contrasts"]
    assert (c["network"], c["reference"]) == ("b", "a")
    assert c["groups"]["light"] == [c["difference"][0], c["error"][0]]
    assert c["groups"]["both"] == list(difference(placed["b"], placed["a"])[:2])
    assert c["difference"][1] == pytest.approx(placed["b"][1].auc - placed["a"][1].auc)


def test_a_difference_over_trainings_has_both_errors(rows):
    (first,) = rows[0]["contrasts"]
    for where, value, error in (
        (1, first["difference"][1], first["error"][1]),
        ("both", *first["groups"]["both"]),
    ):
        assert contrasts.contrast(rows[:1], ("a", "b"), where) == (value, pytest.approx(error), 1)
        # Two values 0.01 apart: their mean is 0.005 higher, with an error of 0.005, of which 12.7 hold 95 %.
        both = contrasts.contrast(rows, ("a", "b"), where)
        assert both == (pytest.approx(value + 0.005), pytest.approx(np.hypot(error, 0.005 * 12.706 / 2), rel=1e-4), 2)


def test_the_tables_hold_every_mass_and_the_means(rows):
    auc, differences = contrasts.auc_table(rows), contrasts.difference_table(rows, {"a minus b": ("a", "b")})
    assert [name for name, _ in auc.rows] == ["500", "700", "average"] and auc.columns == ("a", "b")
    assert [name for name, _ in differences.rows] == ["500", "700", "mean both"] and differences.columns == (
        "a minus b",
    )
    mean = dict(auc.rows)["average"]
    assert mean[0].ours - mean[1].ours == pytest.approx(dict(differences.rows)["mean both"][0].ours)
    assert mean[0].spread == pytest.approx(100 * 0.01 / np.sqrt(2)) and mean[1].spread == 0


def test_the_figure_shows_auc_and_difference_with_errors(rows):
    figure = contrasts.figure(rows, {"title": ("b", "a")}, {"a": "#aa0000", "b": "#0000bb"}, {"a": [500.0]})
    upper, lower = figure.axes
    assert upper.get_title(loc="left") == "title" and lower.get_title(loc="left") == "minus b"
    full, empty = (
        [line.get_xydata() for line in upper.get_lines() if line.get_marker() == marker and len(line.get_xdata())]
        for marker in ("o", "s")
    )
    auc = {name: 100 * np.mean([row["auc"][name] for row in rows], axis=0) for name in ("a", "b")}
    np.testing.assert_allclose(full[0], np.column_stack([MASSES, auc["b"]]))
    np.testing.assert_allclose(full[1], [[500, auc["a"][0]]])
    np.testing.assert_allclose(empty[0], [[700, auc["a"][1]]])
    (bars,) = (container for container in lower.containers)
    ends = np.array([segment[:, 1] for segment in bars[2][0].get_segments()])
    cells = [paired.cell(contrasts.contrast(rows, ("a", "b"), i)) for i in range(2)]
    np.testing.assert_allclose(ends, [[c.ours - c.spread, c.ours + c.spread] for c in cells])
    ends = np.array([segment[:, 1] for segment in upper.containers[0][2][0].get_segments()])
    errors = [100 * auc_error(a / 100, 30, 40) for a in auc["b"]]
    np.testing.assert_allclose(ends[:, 1] - ends[:, 0], 2 * np.array(errors))
