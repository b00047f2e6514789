"""A small sample in the shape of HiggsML, and made-up rows of the experiment."""

import numpy as np
import pytest

from benchmarks.data.events import Events
from benchmarks.data.higgsml import HIGGSML_FEATURES, UNDEFINED
from benchmarks.samples import Samples
from benchmarks.taylor.higgsml import ROW_NAMES
from benchmarks.taylor.higgsml_samples import PAIRS, contours
from taylor import FeatureSet

PEAK, RATIO = "DER_mass_vis", "DER_pt_ratio_lep_tau"


def higgs_like(n_events: int, seed: int) -> Events:
    """A third signal. Only PEAK separates, 100 from 150 GeV, both 25 GeV wide; a fifth of one azimuth is missing."""
    generator = np.random.default_rng(seed)
    label = (np.arange(n_events) % 3 == 0).astype(int)
    features = generator.normal(size=(n_events, 30))
    features[:, HIGGSML_FEATURES.index(PEAK)] *= 25
    features[:, HIGGSML_FEATURES.index(PEAK)] += np.where(label, 100, 150)
    features[generator.random(n_events) < 0.2, HIGGSML_FEATURES.index("PRI_jet_leading_phi")] = UNDEFINED
    weight = np.where(label, 0.002, generator.uniform(0.5, 1.5, n_events))
    return Events(features, np.empty((n_events, 0)), label, weight, names=HIGGSML_FEATURES, parameter_names=())


@pytest.fixture(scope="session")
def samples() -> Samples:
    train, test = higgs_like(3000, 1), higgs_like(1500, 2)
    counts = contours(test, *PAIRS["higgsml"])
    data = {"name": "Gaussians", "n_train": 3000, "n_test": 1500, "fingerprint": "0" * 64, "contours": counts}
    return Samples(train, test, data)


def ranked(*first: str) -> list[float]:
    """Means of the 495 features of HiggsML: those named come first, in this order, the others as they are."""
    labels = FeatureSet.complete(HIGGSML_FEATURES, 2).labels
    order = [*first, *(label for label in labels if label not in first)]
    return [1 / (1 + order.index(label)) for label in labels]


@pytest.fixture
def rows() -> list[dict]:
    """Two treatments with two seeds each; DER_mass_vis is second with one seed and fourth with the other."""
    first = {
        1: (f"{PEAK}, {RATIO}", PEAK, f"{PEAK}, {PEAK}"),
        2: (f"{PEAK}, {RATIO}", f"{PEAK}, {PEAK}", "DER_pt_h", PEAK),
    }
    roc = (np.arange(1, 101) / 100) ** 3
    of_all = {"n_train": 1000, "n_test": 900, "n_signal": 300, "auc": [0.88, 0.87], "ams_unbiased": [2.4, 1.9]}
    of_all |= {"roc": [roc.tolist(), (roc * 1.1).clip(max=1).tolist()], "epochs": [20, 30], "engine": "adjoint"}
    of_all |= {"inputs": list(HIGGSML_FEATURES), "error": [0.001] * 495, "rank_low": [3] * 495, "rank_high": [5] * 495}
    return [
        {
            "row": ROW_NAMES[treatment],
            "seed": seed,
            "kept": [PEAK, RATIO, "DER_pt_h"][: 1 + seed],
            "auc_weighted": [0.91 + 0.01 * seed, 0.90 + 0.005 * seed],
            "ams": [2.5 + seed, 2.0],
            "mean": ranked(*first[seed]),
            **of_all,
        }
        for seed in (1, 2)
        for treatment in ("mean", "keep")
    ]
