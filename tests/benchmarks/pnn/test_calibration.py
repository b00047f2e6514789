"""Hold-out tests of calibrations on a small sample and a small toy, and what is made of agreements."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks.claims import Missing
from benchmarks.data.events import Events
from benchmarks.pnn import calibration
from benchmarks.pnn.hold_outs import WAYS
from benchmarks.pnn.shifted_gaussian import log_ratio, shifted_gaussian
from benchmarks.samples import Samples
from tests.benchmarks.silent import Silent

TINY = replace(
    calibration.EXPERIMENT.scales["smoke"],
    **{"epochs": 2, "units": (8,), "dropout": 0.0, "batch_size": 256, "learning_rate": 0.02, "masses": (750.0,)},
    **{"n_bins": 4, "n_toy": 1500, "toy_thetas": (0.5, 1.5, 2.5), "toy_unseen": (1.0,), "toy_units": (8,)},
    **{"toy_epochs": 3, "toy_bins": 4},
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
    for row, theta in ((toy, 1.5), (with_all, 750), (without, 750)):
        found = [(a["theta"], a["calibration"], a["label"]) for a in row["agreements"]]
        assert found == [(theta, way, label) for way in WAYS for label in ("signal", "background")]
        (bins,) = row["bins"]
        for name in ("signal", "background", "found_signal", "found_background"):
            assert sum(bins[name]) == pytest.approx(1, abs=1e-5)  # as rounded
        distance = np.abs(np.cumsum(np.subtract(bins["found_signal"], bins["signal"]))).max()
        assert row["agreements"][0]["ks"] == pytest.approx(distance, abs=1e-5)
    assert toy["thetas"] == [0.5, 1.0, 1.5, 2.5] and toy["seen"] == [True, False, True, True]
    # Four bins: the probability moves by up to a half within one, uniformly at worst: 0.5 / sqrt(12) = 0.15.
    assert max(toy["errors"]["calibrated"]) < 0.15
    assert np.all(np.array(toy["errors"]["bins"]) <= toy["errors"]["calibrated"])
    np.testing.assert_allclose(toy["ratios"]["exact"][2], log_ratio(np.array(toy["x"]), 1.5), atol=1e-4)


def agreement(way, ks, p_value=0.5, refused=None):
    """Of the signal at 750 GeV; 100 / sqrt(n_effective) is 1."""
    numbers = {"chi2": 8.0, "n_dof": 4, "p_value": p_value, "ks": ks, "n_effective": 10_000.0}
    numbers = dict.fromkeys(numbers) if refused else numbers
    return {"theta": 750.0, "calibration": way, "label": "signal", **numbers, "refused": refused}


def test_tables_and_claims_are_made_of_the_agreements():
    made_up = {
        "all masses": [agreement("horizontal", 0.04, 0.001), agreement("vertical", None, refused="a bin")],
        "without 750 GeV": [agreement("horizontal", 0.01), agreement("vertical", None, refused="a bin")],
    }
    rows = [{"row": name, "seed": 1, "agreements": found} for name, found in made_up.items()]
    tables = calibration.tables({"rows": rows})
    each = next(tables)
    found = dict(zip(each.columns, dict(each.lines)["all masses: signal at 750"], strict=True))
    assert (found["chi2, left out, horizontal"].ours, found["KS, left out, horizontal"].ours) == (2, 4)
    assert found["KS by chance, left out"].ours == pytest.approx(1.36)
    assert np.isnan(found["KS, left out, vertical"].ours)
    ((name, numbers),) = next(tables).lines
    assert name == "HEPMASS: left out, horizontal" and [cell.ours for cell in numbers] == [2, 50, 2, 4]
    assert calibration.passed("HEPMASS", "horizontal")(rows).value == 50
    with pytest.raises(Missing):
        calibration.passed("HEPMASS", "vertical")(rows)
    assert calibration.not_knowing(rows).value == pytest.approx(-3)


def test_the_exact_ratio_is_that_of_the_densities():
    x = np.linspace(-3, 4, 15)
    np.testing.assert_allclose(log_ratio(x, 1.5), norm.logpdf(x, 1.5) - norm.logpdf(x), rtol=1e-12, atol=1e-12)
    toy = shifted_gaussian((1.0, 2.0), 1000, 500, seed=0)
    assert len(toy) == 2500 and set(toy.theta[toy.label == 0].ravel()) == {1.0, 2.0}
    # The mean of 1000 has an error of 0.03.
    assert toy.features[(toy.label == 1) & (toy.theta[:, 0] == 2)].mean() == pytest.approx(2, abs=0.13)
