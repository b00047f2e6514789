import json

import numpy as np
import pandas as pd
import pytest

from benchmarks.data.events import Events
from benchmarks.data.hepmass import FEATURE_NAMES
from benchmarks.simulation import compare
from benchmarks.simulation.compare import MIXTURE_FILE, PER_MASS_FILE, compare_aucs, compare_btags, compare_quartiles

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

    def quartiles(values):
        return np.quantile(values, [0.25, 0.5, 0.75]).tolist()

    mixture = {
        "composition": {"background" if m == 0 else f"{m:g}": int((mass == m).sum()) for m in np.unique(mass)},
        "columns": ["q25", "q50", "q75"],
        "features": {"lep_pt": quartiles(pt), "lep_eta": quartiles(eta)},
        "btag_pattern_counts_j1j2j3j4": {"1100": 75, "1010": 25},
    }
    per_mass = {
        "columns": ["q25", "q50", "q75"],
        "upper_ends_GeV": {"lep_pt": 400},
        "features": {"lep_pt": {f"{m:g}": quartiles(pt[(pt < 400) & (mass == m)]) for m in (0, 500)}},
        "eta": {},
    }
    (tmp_path / MIXTURE_FILE).write_text(json.dumps(mixture))
    (tmp_path / PER_MASS_FILE).write_text(json.dumps(per_mass))
    return tmp_path


@pytest.mark.parametrize("scale", [1.0, 1.2])
def test_a_scaled_sample_deviates_by_its_scale(reference, scale):
    """Less where the tail above an upper end is cut on both sides."""
    entries = compare_quartiles(events(scale=scale), reference).set_index("population")
    ratio = entries["simulated"] / entries["real"]
    assert ratio["mixture"].tolist() == pytest.approx([scale] * 4, abs=1e-6)  # three quartiles, and one width
    assert len(ratio["background"]) == len(ratio["500"]) == 3
    low = 1.05 if scale > 1 else 1 - 1e-6
    assert ratio.drop("mixture").between(low, scale + 1e-6).all()


def test_btag_patterns(reference):
    patterns = compare_btags(events(), reference)
    assert patterns.loc["1100"].tolist() == [1.0, 0.75]
    assert patterns.loc["1010"].tolist() == [0.0, 0.25]


def test_the_command_prints_what_agrees(reference, monkeypatch, capsys):
    from benchmarks.__main__ import main

    aucs = pd.DataFrame({"simulated": [0.77, 0.93], "real": [0.74, 0.925]}, index=["500 GeV", "750 GeV"])
    monkeypatch.setattr(compare, "compare_aucs", lambda train, test: aucs)
    main(["data", "compare", "--reference", str(reference)])
    printed = capsys.readouterr().out
    assert "of 10 within 10 %" in printed and "1 of 2 within 0.02" in printed
    assert "0.7700 0.7400      0.0300" in printed


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
    # 0.006: standard error from 4000 signal events, and what the trees lose with 2000.
    assert compare_aucs(*samples)["simulated"].tolist() == pytest.approx([2 / 3] * 5, abs=3 * 0.006)
