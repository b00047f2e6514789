"""Counts, histograms and correlations of events with known distributions."""

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks.affine import data
from benchmarks.data import FEATURE_NAMES
from benchmarks.data.events import Events
from benchmarks.data.hepmass_like import read_recipe
from benchmarks.published import MASSES
from benchmarks.samples import Samples
from tests.benchmarks.affine.conftest import cells
from tests.benchmarks.silent import Silent

CONFIG = data.Config(sample="hepmass", n_bins=40)  # of any other than hepmass-like, the units are unknown
SHIFT = {mass: (mass - 400) / 500 for mass in MASSES}  # of the signal's features, in standard deviations


def events(n_events: int, seed: int) -> Events:
    """Half signal, all masses equally; unit Gaussians, shifted in signal; lep_eta is what lep_phi is, and noise."""
    generator = np.random.default_rng(seed)
    theta, label = np.resize(np.repeat(MASSES, 2), n_events), np.resize([0, 1], n_events)
    features = generator.normal(size=(n_events, len(FEATURE_NAMES)))
    lep_eta, lep_phi = FEATURE_NAMES.index("lep_eta"), FEATURE_NAMES.index("lep_phi")
    features[:, lep_eta] = 0.6 * features[:, lep_phi] + 0.8 * features[:, lep_eta]
    for name in data.DRAWN:
        features[:, FEATURE_NAMES.index(name)] += label * np.vectorize(SHIFT.get)(theta)
    return Events(features, theta, label, names=FEATURE_NAMES)


@pytest.fixture(scope="module")
def sample():
    return Samples(events(40_000, 1), events(1000, 2), {})


@pytest.fixture(scope="module")
def row(sample):
    return data.make_row(CONFIG, sample, "hepmass", 42, Silent())


def test_counts_are_those_of_the_events(row):
    assert row["masses"] == list(MASSES)
    assert row["train"] == {"background": 20_000, "signal": [4000] * 5}
    assert row["test"] == {"background": 500, "signal": [100] * 5}
    # 40 000 of 7 000 000 events: a 175th of 350 000, 140 000, ...
    assert row["imbalanced"] == {"background": 20_000, "signal": [2000, 800, 200, 40, 11]}


def test_histograms_hold_the_events_within_their_edges(row, sample):
    for histogram in row["histograms"].values():
        n_shown = sum(histogram["background"]) + sum(map(sum, histogram["signal"]))
        # Edges are quantiles, which are rounded to four digits: some of 40 000 events may lie in between.
        assert n_shown == pytest.approx(CONFIG.shown * len(sample.train), abs=20)
    of_mass, kept = [sum(counts) for counts in row["imbalanced_signal"]], row["imbalanced"]["signal"]
    assert all(n <= total for n, total in zip(of_mass, kept, strict=True)) and sum(of_mass) > 0.97 * sum(kept)


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
    eta, phi, other = map(FEATURE_NAMES.index, ("lep_eta", "lep_phi", "jet1_eta"))
    # The standard error is (1 - 0.36) / 200 = 0.003 and 1 / 200 = 0.005.
    assert matrix[eta, [phi, other]] == pytest.approx([0.6, 0], abs=0.02)


def test_the_simulated_sample_is_in_physical_units(sample):
    histogram = data.histogram(sample.train, "m_wwbb", data.Config(n_bins=40))
    plain = data.histogram(sample.train, "m_wwbb", CONFIG)
    mean, std = (read_recipe()[key][FEATURE_NAMES.index("m_wwbb")] for key in ("mean", "std"))
    assert (histogram["unit"], plain["unit"]) == ("GeV", "standard deviations")
    # Edges and medians are rounded to 1e-4 and 1e-3 standard deviations, of 511 GeV.
    assert histogram["edges"] == pytest.approx([edge * std + mean for edge in plain["edges"]], abs=0.06)
    assert histogram["background_median"] == pytest.approx(plain["background_median"] * std + mean, abs=0.3)
    assert histogram["overlap"] == pytest.approx(plain["overlap"], abs=1e-3)  # events on an edge


def test_the_tables_and_the_claims_say_what_the_row_holds(row):
    sets, kinds, overlaps, _ = map(cells, data.tables({"rows": [row]}))
    n_kept = 2000 + 800 + 200 + 40 + 11
    assert sets["HEPMASS-IMB"]["signal (%)"].ours == pytest.approx(100 * n_kept / (20_000 + n_kept))
    assert sets["HEPMASS-IMB"]["signal imbalance"] == (pytest.approx(2000 / 11), None, 166)
    kept = [line["kept (%)"] for line in kinds.values()]
    assert kept[1].ours == kept[1].paper == 50 and kept[5].paper == pytest.approx(100 / 350)
    assert overlaps["lep_pt"]["500 GeV"].ours == row["histograms"]["lep_pt"]["overlap"][0]
    assert data.IMBALANCE([row]).value == pytest.approx(2000 / 11)
    assert data.RISE([row])["m_wwbb"].value == pytest.approx(0.5, abs=0.1)
    assert all(0.1 < gap.value < 0.3 for gap in data.HARDEST([row]).values())  # 0.92 - 0.73, each to 0.03
    pairs = data.correlated([row])
    assert max(pairs, key=lambda pair: pairs[pair].value) == "lep_eta, lep_phi" and len(pairs) == 351
    assert data.n_strong([row]).value == sum(pair.value > 0.5 for pair in pairs.values()) >= 1


def test_figures_draw_the_histograms(row):
    features, correlations, imbalance = (figure for _, figure in data.figures({"rows": [row]}))
    balanced, imbalanced = ([patch.get_data().values for patch in axes.patches] for axes in features.axes[:4:3])
    histogram = row["histograms"]["m_wwbb"]
    assert np.allclose(balanced[3], np.divide(histogram["signal"][2], 4000))
    assert np.allclose(imbalanced[0], np.multiply(0.2, histogram["background"]))
    assert np.allclose(imbalanced[5], row["imbalanced_signal"][4])
    assert np.array_equal(correlations.axes[0].images[0].get_array(), row["correlations"])
    assert [bar.get_height() for bar in imbalance.axes[0].patches][5:] == row["imbalanced"]["signal"]
