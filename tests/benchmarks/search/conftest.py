"""A record of the search made by hand: seven trainings with two seeds, the checks and two rows of trials."""

from dataclasses import asdict

import numpy as np
import pytest

from benchmarks.record import new_record, plain
from benchmarks.search.limits import EXPERIMENT
from benchmarks.search.networks import CROSS_ENTROPY, LIMIT_TRAINED
from benchmarks.search.reading import CHECKS, IMPORTANCE, INJECTION

MASSES = (500.0, 625.0, 750.0, 850.0, 1000.0, 1125.0, 1250.0, 1375.0, 1500.0)
BANDS = np.array([0.5, 0.7, 1.0, 1.4, 2.0])  # expected limits over their median
# Median limit over that of the classifier, with the first seed and with the second.
FACTORS = {
    CROSS_ENTROPY: (1.0, 1.0),
    "augmented": (1.05, 1.051),
    "told the scale": (0.97, 0.971),
    "decorrelated": (0.99, 1.02),
    "variance (INFERNO)": (0.95, 0.951),
    LIMIT_TRAINED: (0.9, 0.901),
    "limit from scratch": (0.905, 0.904),
}


def median(name: str, seed: int, mass: float) -> float:
    """pb; the classifier's falls with the mass and is 2 % larger with the second seed."""
    return FACTORS[name][seed - 1] * 3000 / mass * (1 + 0.02 * (seed - 1))


def of_training(name: str, seed: int) -> dict:
    medians = np.array([median(name, seed, mass) for mass in MASSES])
    return {
        "row": name,
        "seed": seed,
        "masses": MASSES,
        "expected": np.outer(medians, BANDS).tolist(),
        "without_statistics": (0.8 * medians).tolist(),
        "without_scale": (0.7 * medians).tolist(),
        "without_systematics": (0.5 * medians).tolist(),
        "sigma_scale": [0.3 + 0.02 * seed] * len(MASSES),
        "auc": [0.9] * len(MASSES),
        **{"n_merged": [0] * len(MASSES), "n_floored": [1] * len(MASSES), "wall_s": 60.0},
    }


def scan(significance: float) -> dict:
    """With a signal at 850 GeV."""
    values = [significance if mass == 850 else 0.5 for mass in MASSES]
    return {
        "p_value": [10.0**-value for value in values],
        "expected_p_value": [1e-3] * len(MASSES),
        "significance": values,
        "expected_significance": [3.1] * len(MASSES),
        "converged": [True] * len(MASSES),
    }


@pytest.fixture
def record() -> dict:
    """One fit did not converge: that of the augmented network with the second seed at 1500 GeV; nor one of a trial."""
    rows = [of_training(name, seed) for seed in (1, 2) for name in FACTORS]
    (augmented,) = (row for row in rows if (row["row"], row["seed"]) == ("augmented", 2))
    for field in ("expected", "without_statistics", "without_scale", "without_systematics"):
        augmented[field][-1] = None
    rows += [
        {"row": CHECKS, "seed": 1, "n_toys": 10_000, "wall_s": 9.0}
        | {"pyhf": {"500": 1e-8, "850": 3e-8, "1500": 2e-7}, "coverage": {"750": 0.051, "1250": 0.046}},
        {"row": INJECTION, "seed": 1, "masses": MASSES, "cross_section": 7.0, "wall_s": 9.0}
        | {CROSS_ENTROPY: scan(4.0), LIMIT_TRAINED: scan(5.0)},
        {"row": IMPORTANCE, "seed": 1, "masses": MASSES, "wall_s": 9.0}
        | {
            "features": {
                CROSS_ENTROPY: [{"m_wwbb": 0.3, "met": 0.1, "m_wwbb met": 0.05}] * len(MASSES),
                LIMIT_TRAINED: [{"m_wwbb": 0.2, "jet1_pt": 0.15}] * len(MASSES),
            },
            "to_scale": {
                CROSS_ENTROPY: {"m_wwbb": 0.2, "met": -0.01},
                LIMIT_TRAINED: {"m_wwbb": 0.05, "jet1_pt": -0.3},
            },
        },
        {"row": f"trials of {CROSS_ENTROPY}", "seed": 1, "setting": "epochs", "wall_s": 9.0}
        | {"values": [20, 40, 60], "mean_log_limit": [1.2, 1.1, 1.15]},
        {"row": f"trials of {LIMIT_TRAINED}", "seed": 1, "setting": "measurement_rate", "wall_s": 9.0}
        | {"values": [1e-4, 2e-4, 4e-4], "mean_log_limit": [1.0, None, 1.05]},
    ]
    data = {"name": "made by hand", "n_train": 0, "n_test": 0, "fingerprint": ""}
    configuration = plain(asdict(EXPERIMENT.scales["embedded"]))
    return new_record(EXPERIMENT.id, "embedded", configuration, data) | {"rows": plain({"rows": rows})["rows"]}
