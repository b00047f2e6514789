"""Small samples with the masses of HEPMASS, for tests of experiments."""

import numpy as np
import pytest

from benchmarks.data.events import Events
from benchmarks.published import MASSES
from benchmarks.samples import Samples


def gaussian_events(n_events: int, seed: int) -> Events:
    """Half signal, all masses equally; three unit Gaussians, the first shifted by mass / 1000 GeV in signal."""
    generator = np.random.default_rng(seed)
    theta = np.resize(np.repeat(MASSES, 2), n_events).astype(float)
    label = np.resize([0, 1], n_events)
    features = generator.normal(size=(n_events, 3))
    features[:, 0] += label * theta / 1000
    return Events(features, theta, label)


@pytest.fixture(scope="session")
def samples() -> Samples:
    data = {"name": "Gaussians", "n_train": 4000, "n_test": 2000, "fingerprint": "0" * 64}
    return Samples(gaussian_events(4000, 1), gaussian_events(2000, 2), data)


@pytest.fixture(scope="session")
def rows() -> list[dict]:
    """Rows of a made-up run of Table 3 with two seeds: the paper's numbers, shifted by 1 point up and 3 points down."""
    from benchmarks.published import AFFINE_TABLE_3

    rows = []
    for seed, shift in ((1, 0.01), (2, -0.03)):
        for name, paper in AFFINE_TABLE_3.items():
            auc = [number / 100 + shift for number in paper.auc]
            rows.append(
                {
                    "row": name,
                    "seed": seed,
                    "masses": [float(mass) for mass in MASSES],
                    "auc": auc,
                    "mean_auc": sum(auc) / 5,
                    "auc_last": [number - 0.002 for number in auc],
                    "mean_auc_last": sum(auc) / 5 - 0.002,
                    "significance": [0.9, 0.9, 0.9, 0.9, 0.95],
                    "n_signal": [200] * 5,
                    "n_background": 1000,
                    "best_epoch": [3, 4] if name == "Individual-NNs" else [2],
                    "epochs": 5,
                    "n_train": [3000],
                    "wall_s": 12.5,
                }
            )
    return rows
