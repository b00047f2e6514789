"""Small samples with the masses of HEPMASS, for tests of experiments."""

import numpy as np
import pytest

from benchmarks.data.events import Events
from benchmarks.published import AFFINE_TABLE_3, AFFINE_TABLE_4, AFFINE_TABLE_5, MASSES
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


def made_up_rows(table: dict) -> list[dict]:
    """Rows of a made-up run of a table with two seeds: the paper's numbers, and 2 points less.

    The last epoch has 0.2 points less. Of the significance ratios, the authors' has the paper's numbers like the AUC,
    the repaired a point more than that, and the exact two points more.
    """
    rows = []
    for seed, shift in ((1, 0.0), (2, -0.02)):
        for name, paper in table.items():
            auc = [number / 100 + shift for number in paper.auc]
            authors = [number / 100 + shift for number in paper.significance or (90, 90, 90, 90, 95)]
            significances = {
                "significance": [number + 0.02 for number in authors],
                "significance_authors": authors,
                "significance_repaired": [number + 0.01 for number in authors],
            }
            rows.append(
                {
                    "row": name,
                    "seed": seed,
                    "masses": [float(mass) for mass in MASSES],
                    "auc": auc,
                    "mean_auc": sum(auc) / 5,
                    "auc_last": [number - 0.002 for number in auc],
                    "mean_auc_last": sum(auc) / 5 - 0.002,
                    **significances,
                    **{f"{field}_last": [x - 0.002 for x in values] for field, values in significances.items()},
                    "n_signal": [200] * 5,
                    "n_background": 1000,
                    "best_epoch": [3, 4] if name == "Individual-NNs" else [2],
                    "epochs": 5,
                    "n_train": [3000],
                    "curves": [],
                    "separations": [],
                    "wall_s": 12.5,
                }
            )
    return rows


@pytest.fixture(scope="session")
def rows() -> list[dict]:
    """Made-up rows of Table 3."""
    return made_up_rows(AFFINE_TABLE_3)


@pytest.fixture(scope="session")
def rows_of_table_4() -> list[dict]:
    """Made-up rows of Table 4."""
    return made_up_rows(AFFINE_TABLE_4)


@pytest.fixture(scope="session")
def rows_of_table_5() -> list[dict]:
    """Made-up rows of Table 5."""
    return made_up_rows(AFFINE_TABLE_5)
