import json

import numpy as np
import pytest

from benchmarks.data.events import Events
from benchmarks.data.hepmass import FEATURE_NAMES
from benchmarks.simulation.compare import (
    MIXTURE_FILE,
    PER_MASS_FILE,
    compare_aucs,
    compare_btags,
    compare_quartiles,
)

MASSES = (500, 750, 1000, 1250, 1500)


def events(n=6000, seed=0, scale=1.0):
    """Half background; every feature is exponential with a mean of 100 (+ mass / 10 for signal), tags alternate."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 2
    theta = rng.choice(MASSES, n)
    x = rng.exponential((100.0 + theta / 10 * label)[:, None], (n, 27)) * scale
    x[:, FEATURE_NAMES.index("n_jets")] = 5
    for k in (1, 2, 3, 4):
        x[:, FEATURE_NAMES.index(f"jet{k}_btag")] = (k <= 2) + 1e-7  # as after standardising and back
    return Events(x, theta, label, names=FEATURE_NAMES)


@pytest.fixture
def reference(tmp_path):
    """Reference files that hold the statistics of `events()` itself, two features of them."""
    e = events()
    pt, eta = (e.features[:, FEATURE_NAMES.index(name)] for name in ("lep_pt", "lep_eta"))
    mass = np.where(e.label == 1, e.theta[:, 0], 0)
    composition = {"background" if m == 0 else f"{m:g}": int((mass == m).sum()) for m in np.unique(mass)}
    quartiles = [0.25, 0.5, 0.75]
    mixture = {
        "composition": composition,
        "columns": ["q25", "q50", "q75"],
        "features": {"lep_pt": np.quantile(pt, quartiles).tolist(), "lep_eta": np.quantile(eta, quartiles).tolist()},
        "btag_pattern_counts_j1j2j3j4": {"1100": 75, "1010": 25},
    }
    kept = pt < 400
    per_mass = {
        "columns": ["q25", "q50", "q75"],
        "upper_ends_GeV": {"lep_pt": 400},
        "features": {"lep_pt": {f"{m:g}": np.quantile(pt[kept & (mass == m)], quartiles).tolist() for m in (0, 500)}},
        "eta": {},
    }
    (tmp_path / MIXTURE_FILE).write_text(json.dumps(mixture))
    (tmp_path / PER_MASS_FILE).write_text(json.dumps(per_mass))
    return tmp_path


@pytest.mark.parametrize("scale", [1.0, 1.2])
def test_a_scaled_sample_deviates_by_its_scale(reference, scale):
    """Less where the tail above an upper end is cut on both sides."""
    entries = compare_quartiles(events(scale=scale), reference)
    assert len(entries) == 3 + 1 + 2 * 3  # mixture: three quartiles and one width; per mass: three quartiles of two
    assert [entry.ratio for entry in entries if entry.mass is None] == pytest.approx([scale] * 4, abs=1e-6)
    low = 1.05 if scale > 1 else 1 - 1e-6
    assert all(low < entry.ratio < scale + 1e-6 for entry in entries if entry.mass is not None)


def test_btag_patterns(reference):
    by_pattern = {entry.quantity: entry for entry in compare_btags(events(), reference)}
    assert (by_pattern["1100"].simulated, by_pattern["1100"].real) == (1.0, 0.75)
    assert (by_pattern["1010"].simulated, by_pattern["1010"].real) == (0.0, 0.25)


def test_missing_reference_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="--reference"):
        compare_quartiles(events(), tmp_path)


@pytest.mark.slow
def test_auc_of_a_likelihood_ratio_that_is_known():
    """One exponential feature with means 1 and r: AUC = r / (1 + r), by integration."""
    rng = np.random.default_rng(1)
    samples = []
    for n in (20_000, 40_000):
        label = np.arange(n) % 2
        theta = np.repeat(np.array(MASSES), n // 5)
        x = np.zeros((n, 27), np.float32)
        x[:, 0] = rng.exponential(np.where(label == 1, 2.0, 1.0))
        samples.append(Events(x, theta, label, names=FEATURE_NAMES))
    for entry in compare_aucs(*samples):
        # 0.006: standard error from 4000 signal events, and what the trees lose with 2000.
        assert entry.simulated == pytest.approx(2 / 3, abs=3 * 0.006)
