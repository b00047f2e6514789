"""Small samples with the masses of HEPMASS, and made-up rows of the tables, for tests of AFFINE's experiments."""

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


def made_up_rows(table: dict) -> list[dict]:
    """Rows of a made-up run of a table with two seeds: the paper's numbers, and 2 points less.

    The last epoch has 0.2 points less. The authors' significance ratio has the paper's numbers like the AUC, the
    repaired a point more than that, and the exact two points more.
    """
    rows = []
    for seed, shift in ((1, 0.0), (2, -0.02)):
        for name, paper in table.items():
            authors = np.divide(paper.significance or (90, 90, 90, 90, 95), 100) + shift
            values = {
                "auc": np.divide(paper.auc, 100) + shift,
                "significance": authors + 0.02,
                "significance_authors": authors,
                "significance_repaired": authors + 0.01,
            }
            row = {"row": name, "seed": seed, "masses": [float(mass) for mass in MASSES], "wall_s": 12.5}
            row |= {field: of_field.tolist() for field, of_field in values.items()}
            row |= {f"{field}_last": (of_field - 0.002).tolist() for field, of_field in values.items()}
            rows.append(row | {"best_epoch": [2], "n_train": [3000], "curves": [], "separations": []})
    return rows


def cells(table) -> dict:
    """The cells of a table by the names of lines and columns."""
    return {name: dict(zip(table.columns, line, strict=True)) for name, line in table.lines}
