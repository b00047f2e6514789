"""The simulation beside the real data set: quartiles of every feature, b-tag patterns, and the AUC of each mass.

The references are two small files of published statistics of HEPMASS. The AUCs of the paper are those of individual
networks (Anzalone et al. 2022, Table 3); ours are of gradient-boosted trees, one a mass, each against all background.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from benchmarks.data.events import Events
from benchmarks.published import AFFINE_TABLE_3, MASSES
from pnn_tf import roc_auc

MIXTURE_FILE = "hepmass_reference_statistics.json"
PER_MASS_FILE = "hepmass_per_mass_quantiles.json"
MAX_JETS = 7  # the outlier cut of the second reference was three standard deviations of each feature in turn


@dataclass(frozen=True)
class Entry:
    """One comparison: a quantity of a feature in the mixture (mass None), the background (0) or one mass (GeV)."""

    feature: str
    mass: float | None
    quantity: str
    simulated: float
    real: float

    @property
    def ratio(self) -> float:
        return self.simulated / self.real


def compare_quartiles(events: Events, reference: Path) -> list[Entry]:
    """Quartiles of lengths (pt, masses) and quartile ranges of pseudorapidities, simulated and real.

    Args:
        events: in physical units, with the five masses of HEPMASS.
        reference: the folder of the two reference files.

    Raises:
        FileNotFoundError: a reference file is not there.
    """
    mixture, per_mass = _read(reference, MIXTURE_FILE), _read(reference, PER_MASS_FILE)
    column, mass = dict(zip(events.names, events.features.T, strict=True)), _population(events)
    like_real = _composition(mass, mixture["composition"])
    entries = []
    for name, row in mixture["features"].items():
        entries += _entries(name, None, column[name][like_real], dict(zip(mixture["columns"], row, strict=True)))
    inside = column["n_jets"] <= MAX_JETS
    for name, end in per_mass["upper_ends_GeV"].items():
        inside &= column[name] < end
    for name, rows in (per_mass["features"] | per_mass["eta"]).items():
        for key, row in rows.items():
            real = dict(zip(per_mass["columns"], row, strict=True))
            entries += _entries(name, float(key), column[name][inside & (mass == float(key))], real)
    return entries


def compare_btags(events: Events, reference: Path) -> list[Entry]:
    """Shares of the patterns of b-tags of jets 1 to 4 in the mixture; arguments and errors as `compare_quartiles`."""
    mixture = _read(reference, MIXTURE_FILE)
    chosen = _composition(_population(events), mixture["composition"])
    tags = np.stack([events.features[chosen, events.names.index(f"jet{k}_btag")] for k in (1, 2, 3, 4)], axis=1)
    patterns = ["".join("1" if tag > 0.5 else "0" for tag in row) for row in tags]  # standardised and back: not exact
    counts = mixture["btag_pattern_counts_j1j2j3j4"]
    total = sum(counts.values())
    return [
        Entry("b-tags", None, pattern, patterns.count(pattern) / len(patterns), count / total)
        for pattern, count in counts.items()
    ]


def compare_aucs(train: Events, test: Events, seed: int = 0) -> list[Entry]:
    """AUC of each mass against the whole background, on the test events, beside the paper's individual networks."""
    published = dict(zip(MASSES, AFFINE_TABLE_3["Individual-NNs"].auc, strict=True))
    entries = []
    for mass, auc in published.items():
        x, y = _against_background(train, mass)
        trees = HistGradientBoostingClassifier(
            max_iter=500, learning_rate=0.05, early_stopping=True, class_weight="balanced", random_state=seed
        ).fit(x, y)
        x, y = _against_background(test, mass)
        entries.append(Entry("AUC", float(mass), "auc", roc_auc(y, trees.predict_proba(x)[:, 1]), auc / 100))
    return entries


def _entries(name, mass, values, real):
    quartiles = dict(zip(("q25", "q50", "q75"), np.quantile(values, [0.25, 0.5, 0.75]), strict=True))
    if name.endswith("eta"):  # symmetric about 0: only the width says something
        width = quartiles["q75"] - quartiles["q25"]
        return [Entry(name, mass, "q75-q25", float(width), real["q75"] - real["q25"])]
    return [Entry(name, mass, quantity, float(value), real[quantity]) for quantity, value in quartiles.items()]


def _population(events):
    """The mass of each signal event, 0 for background."""
    return np.where(events.label == 1, events.theta[:, 0], 0.0)


def _composition(mass, counts):
    """Indices of the largest part of the events that has the composition of the real mixture."""
    counts = {0.0 if key == "background" else float(key): count for key, count in counts.items()}
    scale = min(np.count_nonzero(mass == key) / count for key, count in counts.items())
    return np.concatenate([np.flatnonzero(mass == key)[: int(scale * count)] for key, count in counts.items()])


def _against_background(events, mass):
    chosen = (events.label == 0) | (events.theta[:, 0] == mass)
    return events.features[chosen], events.label[chosen]


def _read(reference, name):
    path = reference / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there. Name the folder that holds {MIXTURE_FILE} with --reference.")
    return json.loads(path.read_text())
