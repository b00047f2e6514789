"""Hold-out tests of calibrations from end to end, on a small sample and a small toy."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks import record as records
from benchmarks.data.events import Events
from benchmarks.pnn import calibration, calibration_section
from benchmarks.pnn.shifted_gaussian import log_ratio, shifted_gaussian

TINY = replace(
    calibration.SCALES["smoke"],
    epochs=2,
    units=(8,),
    dropout=0.0,
    batch_size=256,
    learning_rate=0.02,
    masses=(750.0,),
    n_bins=4,
    n_toy=1500,
    toy_thetas=(0.5, 1.5, 2.5),
    toy_unseen=(1.0,),
    toy_units=(8,),
    toy_epochs=3,
    toy_bins=4,
)


class Silent:
    """Sums up what it is told of the work done."""

    done = 0.0

    def begin(self, n_rows, work):
        self.work = work

    def advance(self, amount, status):
        self.done += amount


def events(n_events, seed):
    """Half signal, at three masses; two unit Gaussians, the first shifted by mass / 500 GeV in signal."""
    theta = np.resize([500.0, 500.0, 750.0, 750.0, 1000.0, 1000.0], n_events)
    label = np.resize([0, 1], n_events)
    features = np.random.default_rng(seed).normal(size=(n_events, 2))
    features[:, 0] += label * theta / 500
    return Events(features, theta, label)


@pytest.fixture(scope="module")
def record():
    data = {"name": "Gaussians", "n_train": 3000, "n_test": 6000, "fingerprint": "0" * 64}
    samples = calibration.Samples(events(3000, 1), events(3000, 2), events(3000, 3), data)
    display = Silent()
    record = records.new_record("pnn-calibration", "smoke", asdict(TINY), data)
    record["rows"] = list(calibration.run(TINY, samples, seeds=(1,), display=display))
    assert display.done == pytest.approx(display.work)
    return record


def test_rows_hold_each_calibration_against_each_class(record):
    toy, with_all, without = record["rows"]
    assert [row["row"] for row in record["rows"]] == ["toy", "all masses", "without 750 GeV"]
    assert without["n_train"] < with_all["n_train"]
    for row, theta in ((toy, 1.5), (with_all, 750), (without, 750)):
        found = [(a["theta"], a["calibration"], a["label"]) for a in row["agreements"]]
        kinds, labels = ("horizontal", "vertical", "there"), ("signal", "background")
        assert found == [(theta, kind, label) for kind in kinds for label in labels]
        (bins,) = row["bins"]
        for name in ("signal", "background", "found_signal", "found_background"):
            assert sum(bins[name]) == pytest.approx(1, abs=1e-5)  # as rounded
        horizontal = row["agreements"][0]
        distance = np.abs(np.cumsum(np.subtract(bins["found_signal"], bins["signal"]))).max()
        assert horizontal["ks"] == pytest.approx(distance, abs=1e-5)


def test_the_toys_ratio_is_near_the_exact_one_where_it_is_calibrated(record):
    toy = record["rows"][0]
    assert toy["thetas"] == [0.5, 1.0, 1.5, 2.5] and toy["seen"] == [True, False, True, True]
    # Four bins: the probability moves by up to a half within one, uniformly at worst: 0.5 / sqrt(12) = 0.15.
    assert max(toy["errors"]["calibrated"]) < 0.15
    assert all(
        steps <= all_of_it for steps, all_of_it in zip(toy["errors"]["bins"], toy["errors"]["calibrated"], strict=True)
    )
    np.testing.assert_allclose(toy["ratios"]["exact"][2], log_ratio(np.array(toy["x"]), 1.5), atol=1e-4)


def test_the_section_is_made_of_the_rows(record):
    section = calibration_section.section(record)
    assert len(section.figures) == 2
    ((_, table),) = section.tables
    assert [name for name, _ in table.rows][:2] == ["toy: signal at 1.5", "toy: background at 1.5"]
    first = record["rows"][0]["agreements"][0]
    assert table.rows[0][1][0].ours == pytest.approx(first["chi2"] / first["n_dof"])
    assert table.rows[0][1][1].ours == pytest.approx(100 * first["ks"])

    # Refused calibrations are counted, and a record that was interrupted after the toy has its section.
    refused = {**first, "chi2": None, "n_dof": None, "p_value": None, "ks": None, "n_effective": None, "refused": "why"}
    agreements = [refused if a["calibration"] == "vertical" else a for a in record["rows"][0]["agreements"]]
    agreements = [{**a, "calibration": "vertical"} if a["refused"] else a for a in agreements]
    section = calibration_section.section(record | {"rows": [record["rows"][0] | {"agreements": agreements}]})
    said = {finding.heading: finding.text for finding in section.findings}
    assert said["Toy: left out, vertical"] == "All 2 calibrations were refused: a bin without events."
    assert len(section.figures) == 1


def test_the_exact_ratio_is_that_of_the_densities():
    x = np.linspace(-3, 4, 15)
    np.testing.assert_allclose(log_ratio(x, 1.5), norm.logpdf(x, 1.5) - norm.logpdf(x), rtol=1e-12, atol=1e-12)
    toy = shifted_gaussian((1.0, 2.0), 1000, 500, seed=0)
    assert len(toy) == 2500 and set(toy.theta[toy.label == 0].ravel()) == {1.0, 2.0}
    # The mean of 1000 has an error of 0.03.
    assert toy.features[(toy.label == 1) & (toy.theta[:, 0] == 2)].mean() == pytest.approx(2, abs=0.13)
