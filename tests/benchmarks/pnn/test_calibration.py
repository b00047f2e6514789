"""Hold-out tests of calibrations on a small sample and a small toy, and what is made of agreements."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks.claims import Missing
from benchmarks.data.events import Events
from benchmarks.pnn import calibration
from benchmarks.pnn.hold_outs import CLASSES, WAYS
from benchmarks.pnn.shifted_gaussian import log_ratio, shifted_gaussian
from benchmarks.samples import Samples
from tests.benchmarks.silent import Silent

TINY = replace(
    calibration.EXPERIMENT.scales["smoke"],
    **{"epochs": 2, "units": (8,), "dropout": 0.0, "batch_size": 256, "learning_rate": 0.02, "masses": (750.0,)},
    **{"n_toy": 1500, "toy_thetas": (0.5, 1.5, 2.5), "toy_unseen": (1.0,), "toy_units": (8,), "toy_epochs": 3},
)


def events(n_events, seed):
    """Half signal, at three masses; two unit Gaussians, the first shifted by mass / 500 GeV in signal."""
    theta = np.resize([500.0, 500.0, 750.0, 750.0, 1000.0, 1000.0], n_events)
    label = np.resize([0, 1], n_events)
    features = np.random.default_rng(seed).normal(size=(n_events, 2))
    features[:, 0] += label * theta / 500
    return Events(features, theta, label)


@pytest.fixture(scope="module")
def rows():
    samples = Samples(events(3000, 1), events(6000, 2), {})
    display = Silent()
    names = calibration.EXPERIMENT.names(TINY)
    rows = [{"row": n, "seed": 1} | calibration.make_row(TINY, samples, n, 1, display) for n in names]
    assert display.work == pytest.approx(3)
    return rows


@pytest.mark.slow
def test_rows_hold_each_calibration_against_each_class(rows):
    toy, with_all, without = rows
    assert [row["row"] for row in rows] == ["toy", "all masses", "without 750 GeV"]
    assert without["n_train"] < with_all["n_train"]
    for row, theta, ways in ((toy, 1.0, ["left out"]), (with_all, 750, WAYS), (without, 750, WAYS)):
        found = [(a["theta"], a["calibration"], a["label"]) for a in row["agreements"]]
        assert found == [(theta, way, label) for way in ways for label in CLASSES]
        (curves,) = row["curves"]
        for name in CLASSES:
            assert sum(curves[f"found_{name}"]) == pytest.approx(1, abs=1e-4)  # as rounded
            # Knots end at some 1 to 3 % of each class; curves go on as exponentials.
            assert np.trapezoid(curves[name], curves["logit"]) == pytest.approx(0.97, abs=0.035)
        assert 0 < row["grid_errors"]["background"] < 0.05
    assert toy["thetas"] == [0.5, 1.0, 1.5, 2.5] and toy["seen"] == [True, False, True, True]
    # By 1500 events of each class and some eight parameters 2 points; twice that, and the interpolation.
    assert max(toy["errors"]["calibrated"]) < 0.05
    np.testing.assert_allclose(toy["ratios"]["exact"][2], log_ratio(np.array(toy["x"]), 1.5), atol=1e-4)


def agreement(way, label, ks):
    """At 750 GeV; what it stays below by chance is 1.358 points."""
    return {"theta": 750.0, "calibration": way, "label": label, "ks": ks, "n_effective": 10_000.0, "p_value": 0.5}


def test_tables_and_claims_are_made_of_the_agreements():
    made_up = {
        "all masses": [agreement("left out", "signal", 0.02), agreement("left out", "background", 0.01)],
        "without 750 GeV": [agreement("left out", "signal", 0.05), agreement("there", "signal", 0.01)],
    }
    auc = {"all masses": 0.9, "without 750 GeV": 0.88}
    rows = [
        {"row": name, "seed": 1, "agreements": found, "curves": [{"theta": 750.0, "auc": auc[name]}]}
        for name, found in made_up.items()
    ]
    tables = calibration.tables({"rows": rows})
    each = next(tables)
    lines = dict(each.lines)
    found = dict(zip(each.columns, lines["without 750 GeV: signal at 750"], strict=True))
    assert [found[f"KS, {said}"].ours for said in WAYS.values()] == pytest.approx([5, 1])
    assert found["by chance, with it"].ours == pytest.approx(1.358, abs=1e-3)
    parts = next(tables)
    ((name, numbers),) = parts.lines
    assert name == "signal at 750 GeV" and [cell.ours for cell in numbers] == pytest.approx([2, 5, 3, -2])
    measure = calibration.beside_chance("all masses", "left out", "signal")
    assert measure(rows)["at 750"].value == pytest.approx(2 / 1.358, rel=1e-3)
    with pytest.raises(Missing):
        calibration.beside_chance("all masses", "there", "signal")(rows)
    assert calibration.not_knowing(rows).value == pytest.approx(3)
    with pytest.raises(Missing):
        calibration.not_knowing(rows[:1])


def test_the_exact_ratio_is_that_of_the_densities():
    x = np.linspace(-3, 4, 15)
    np.testing.assert_allclose(log_ratio(x, 1.5), norm.logpdf(x, 1.5) - norm.logpdf(x), rtol=1e-12, atol=1e-12)
    toy = shifted_gaussian((1.0, 2.0), 1000, 500, seed=0)
    assert len(toy) == 2500 and set(toy.theta[toy.label == 0].ravel()) == {1.0, 2.0}
    # The mean of 1000 has an error of 0.03.
    assert toy.features[(toy.label == 1) & (toy.theta[:, 0] == 2)].mean() == pytest.approx(2, abs=0.13)
