"""Counts, histograms and correlations of events with known distributions."""

from dataclasses import asdict

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks import record as records
from benchmarks.affine import data_set
from benchmarks.data import FEATURE_NAMES
from benchmarks.data.events import Events
from benchmarks.data.hepmass_like import read_recipe
from benchmarks.published import MASSES
from benchmarks.samples import Samples
from tests.benchmarks.silent import Silent

CONFIG = data_set.Config(sample="hepmass", n_bins=40)  # of any other than hepmass-like, the units are unknown
SHIFT = {mass: (mass - 400) / 500 for mass in MASSES}  # of the signal's features, in standard deviations


def events(n_events: int, seed: int) -> Events:
    """Half signal, all masses equally; unit Gaussians, shifted in signal; lep_eta is what lep_phi is, and noise."""
    generator = np.random.default_rng(seed)
    theta, label = np.resize(np.repeat(MASSES, 2), n_events), np.resize([0, 1], n_events)
    features = generator.normal(size=(n_events, len(FEATURE_NAMES)))
    lep_eta, lep_phi = FEATURE_NAMES.index("lep_eta"), FEATURE_NAMES.index("lep_phi")
    features[:, lep_eta] = 0.6 * features[:, lep_phi] + 0.8 * features[:, lep_eta]
    for name in data_set.DRAWN:
        features[:, FEATURE_NAMES.index(name)] += label * np.vectorize(SHIFT.get)(theta)
    return Events(features, theta, label, names=FEATURE_NAMES)


@pytest.fixture(scope="module")
def sample():
    data = {"name": "Gaussians", "n_train": 40_000, "n_test": 1000, "fingerprint": "0" * 64}
    return Samples(events(40_000, 1), events(1000, 2), data)


@pytest.fixture(scope="module")
def row(sample):
    (row,) = data_set.run(CONFIG, sample, seeds=(42,), display=Silent())
    return row


def test_counts_are_those_of_the_events(row):
    assert row["row"] == "hepmass" and row["masses"] == list(MASSES)
    assert row["train"] == {"background": 20_000, "signal": [4000] * 5}
    assert row["test"] == {"background": 500, "signal": [100] * 5}
    # 40 000 of 7 000 000 events: a 175th of 350 000, 140 000, ...
    assert row["imbalanced"] == {"background": 20_000, "signal": [2000, 800, 200, 40, 11]}


def test_histograms_hold_the_events_within_their_edges(row, sample):
    for name, histogram in row["histograms"].items():
        column = sample.train.features[:, FEATURE_NAMES.index(name)]
        assert len(histogram["edges"]) == CONFIG.n_bins + 1
        n_shown = sum(histogram["background"]) + sum(map(sum, histogram["signal"]))
        # Edges are quantiles, which are rounded to four digits: some of 40 000 events may lie in between.
        assert n_shown == pytest.approx(CONFIG.shown * len(column), abs=20)
    of_mass = [sum(counts) for counts in row["imbalanced_signal"]]
    assert all(n <= total for n, total in zip(of_mass, row["imbalanced"]["signal"], strict=True))
    assert sum(of_mass) > 0.97 * sum(row["imbalanced"]["signal"])


def test_overlaps_and_medians_are_those_of_gaussians(row):
    for histogram in row["histograms"].values():
        # The common area of two unit Gaussians a distance d apart is 2 Phi(-d / 2). Bins of 0.15 add up to 0.005, 4000
        # signal events have a standard error of up to 0.008.
        exact = [2 * norm.cdf(-SHIFT[mass] / 2) for mass in MASSES]
        assert histogram["overlap"] == pytest.approx(exact, abs=0.03)
        # The standard error of a median of 4000 events is 1.25 / sqrt 4000 = 0.02.
        assert histogram["signal_median"] == pytest.approx(list(SHIFT.values()), abs=0.08)
        assert histogram["background_median"] == pytest.approx(0, abs=0.04)


def test_correlations_are_pearsons(row):
    matrix = np.array(row["correlations"])
    assert matrix.shape == (27, 27) and np.allclose(matrix, matrix.T) and np.allclose(np.diag(matrix), 1)
    first, second = FEATURE_NAMES.index("lep_eta"), FEATURE_NAMES.index("lep_phi")
    assert matrix[first, second] == pytest.approx(0.6, abs=0.02)  # standard error (1 - 0.36) / 200 = 0.003
    assert matrix[first, FEATURE_NAMES.index("jet1_eta")] == pytest.approx(0, abs=0.03)


def test_the_simulated_sample_is_in_physical_units(sample):
    histogram = data_set.histogram(sample.train, "m_wwbb", data_set.Config(n_bins=40))
    plain = data_set.histogram(sample.train, "m_wwbb", CONFIG)
    mean, std = (read_recipe()[key][FEATURE_NAMES.index("m_wwbb")] for key in ("mean", "std"))
    assert (histogram["unit"], plain["unit"]) == ("GeV", "standard deviations")
    # Edges and medians are rounded to 1e-4 and 1e-3 standard deviations, of 511 GeV.
    assert histogram["edges"] == pytest.approx([edge * std + mean for edge in plain["edges"]], abs=0.06)
    assert histogram["background_median"] == pytest.approx(plain["background_median"] * std + mean, abs=0.3)
    assert histogram["overlap"] == pytest.approx(plain["overlap"], abs=1e-3)  # events on an edge


def test_the_section_says_what_the_row_holds(row, sample):
    record = records.new_record("affine-data", "paper", asdict(CONFIG), sample.data) | {"rows": [row]}
    section = data_set.section(record)
    sets = dict(section.tables[0][1].rows)
    n_kept = 2000 + 800 + 200 + 40 + 11
    assert sets["HEPMASS-IMB"][2].ours == pytest.approx(100 * n_kept / (20_000 + n_kept))
    assert sets["HEPMASS-IMB"][3].ours == pytest.approx(2000 / 11)
    kept = [cells[3] for _, cells in section.tables[1][1].rows]
    assert kept[1].ours == kept[1].paper == 50 and kept[5].paper == pytest.approx(100 / 350)
    findings = {finding.heading: finding.text for finding in section.findings}
    assert "they rise with the mass" in findings["f26 is the reconstructed mass"]
    assert "In 5 of the 5 features" in findings["500 GeV is the hardest"]
    assert "in its text give 175" in findings["Imbalance of the signal"]
    assert "lep_eta and lep_phi" in findings["Correlations"]
    assert len(section.figures) == 4


def test_figures_draw_the_histograms(row):
    left, right = data_set.plot([row]).axes
    drawn = [patch.get_data().values for patch in left.patches]
    assert np.array_equal(drawn[0], row["histograms"]["m_wwbb"]["background"])
    assert np.array_equal(drawn[3], row["histograms"]["m_wwbb"]["signal"][2])
    assert np.allclose(right.patches[0].get_data().values, 0.2 * drawn[0])
