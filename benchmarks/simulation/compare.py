"""The simulation beside the real data set: quartiles of every feature, b-tag patterns, and the AUC of each mass.

The references are two small files of published statistics of HEPMASS. The AUCs of the paper are those of individual
networks (Anzalone et al. 2022, Table 3); ours are of gradient-boosted trees, one a mass, each against all background.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from benchmarks.data.events import Events
from benchmarks.data.hepmass_like import load_hepmass_like, read_recipe
from benchmarks.published import AFFINE_TABLE_3, MASSES
from pnn_tf import roc_auc

MIXTURE_FILE = "hepmass_reference_statistics.json"
PER_MASS_FILE = "hepmass_per_mass_quantiles.json"
MAX_JETS = 7  # the outlier cut of the second reference was three standard deviations of each feature in turn
TOLERANCE, AUC_TOLERANCE = 10, 0.02  # per cent of a quartile; of an AUC
QUARTILES = {"q25": 0.25, "q50": 0.5, "q75": 0.75}


def compare(reference: Path) -> None:
    """Print the embedded sample beside the references in a folder."""
    train, test = (load_hepmass_like(split) for split in ("train", "test"))
    recipe = read_recipe()
    physical = Events(train.features * recipe["std"] + recipe["mean"], train.theta, train.label, names=train.names)
    quartiles = compare_quartiles(physical, reference)
    percent = 100 * (quartiles["simulated"] / quartiles["real"] - 1)
    cells = quartiles.assign(percent=percent.map("{:+.0f}".format)).pivot_table(
        "percent", "feature", "population", aggfunc=" ".join, sort=False, fill_value="-"
    )
    print("Simulated / real - 1 in per cent: lower quartile, median, upper quartile (range for eta)")
    print(f"{cells.to_string()}\n{(abs(percent) <= TOLERANCE).sum()} of {len(percent)} within {TOLERANCE} %")
    print("\nShares of the b-tag patterns of jets 1 to 4")
    print(_with_difference(compare_btags(physical, reference)).to_string(float_format="{:.3f}".format))
    print(f"\nAUC: boosted trees on {len(train)} events; real: individual networks on 7M (AFFINE Table 3)")
    aucs = _with_difference(compare_aucs(train, test))
    print(aucs.to_string(float_format="{:.4f}".format))
    print(f"{(abs(aucs['difference']) <= AUC_TOLERANCE).sum()} of {len(aucs)} within {AUC_TOLERANCE}")


def compare_quartiles(events: Events, reference: Path) -> pd.DataFrame:
    """Quartiles of lengths (pt, masses) and quartile ranges of pseudorapidities, simulated and real.

    Args:
        events: in physical units, with the five masses of HEPMASS.
        reference: the folder of the two reference files.

    Returns:
        Columns feature, population ("mixture", "background" or a mass), quantity, simulated and real.

    Raises:
        FileNotFoundError: a reference file is not there.
    """
    mixture, per_mass = _read(reference, MIXTURE_FILE), _read(reference, PER_MASS_FILE)
    column, mass = dict(zip(events.names, events.features.T, strict=True)), _population(events)
    like_real = _composition(mass, mixture["composition"])
    rows = []
    for name, row in mixture["features"].items():
        rows += _rows(name, "mixture", column[name][like_real], dict(zip(mixture["columns"], row, strict=True)))
    inside = column["n_jets"] <= MAX_JETS
    for name, end in per_mass["upper_ends_GeV"].items():
        inside &= column[name] < end
    for name, of_feature in (per_mass["features"] | per_mass["eta"]).items():
        for key, row in of_feature.items():
            real = dict(zip(per_mass["columns"], row, strict=True))
            population = "background" if float(key) == 0 else key
            rows += _rows(name, population, column[name][inside & (mass == float(key))], real)
    return pd.DataFrame(rows, columns=["feature", "population", "quantity", "simulated", "real"])


def compare_btags(events: Events, reference: Path) -> pd.DataFrame:
    """Shares of the patterns of b-tags of jets 1 to 4 in the mixture; arguments and errors as `compare_quartiles`."""
    mixture = _read(reference, MIXTURE_FILE)
    chosen = _composition(_population(events), mixture["composition"])
    tags = np.stack([events.features[chosen, events.names.index(f"jet{k}_btag")] for k in (1, 2, 3, 4)], axis=1)
    patterns = ["".join("1" if tag > 0.5 else "0" for tag in row) for row in tags]  # standardised and back: not exact
    real = pd.Series(mixture["btag_pattern_counts_j1j2j3j4"])
    simulated = pd.Series(patterns).value_counts(normalize=True).reindex(real.index, fill_value=0.0)
    return pd.DataFrame({"simulated": simulated, "real": real / real.sum()})


def compare_aucs(train: Events, test: Events, seed: int = 0) -> pd.DataFrame:
    """AUC of each mass against the whole background, on the test events, beside the paper's individual networks."""
    simulated = {}
    for mass in MASSES:
        trees = HistGradientBoostingClassifier(
            max_iter=500, learning_rate=0.05, early_stopping=True, class_weight="balanced", random_state=seed
        ).fit(*_against_background(train, mass))
        x, y = _against_background(test, mass)
        simulated[f"{mass:g} GeV"] = roc_auc(y, trees.predict_proba(x)[:, 1])
    real = np.asarray(AFFINE_TABLE_3["Individual-NNs"].auc) / 100
    return pd.DataFrame({"simulated": pd.Series(simulated), "real": real})


def _with_difference(frame):
    return frame.assign(difference=frame["simulated"] - frame["real"])


def _rows(name, population, values, real):
    simulated = {quantity: float(np.quantile(values, level)) for quantity, level in QUARTILES.items()}
    if name.endswith("eta"):  # symmetric about 0: only the width says something
        simulated, real = ({"q75-q25": quartiles["q75"] - quartiles["q25"]} for quartiles in (simulated, real))
    return [(name, population, quantity, value, real[quantity]) for quantity, value in simulated.items()]


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
