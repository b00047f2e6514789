"""Exact AUC and significance together beside scikit-learn's AUC alone."""

from functools import partial
from statistics import median

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.speed import in_turn, show
from pnn_tf import Ranking, roc_auc, significance_ratio


def run(n_events: int = 3_500_000, repetitions: int = 5) -> list[dict]:
    """For scores and weights of each kind: median seconds of each way, ratios to scikit-learn's, and a difference."""
    rng = np.random.default_rng(0)
    label = rng.integers(2, size=n_events)
    score64 = 1 / (1 + np.exp(-rng.normal(2.0 * label, 1.5)))
    weights = {"without weights": None, "with weights": rng.exponential(size=n_events)}
    rows = []
    for dtype in ("float32", "float64"):
        score = score64.astype(dtype)
        for weighted, weight in weights.items():
            jobs = {
                "sklearn": partial(roc_auc_score, label, score, sample_weight=weight),
                "auc": partial(roc_auc, label, score, weight),
                "significance": partial(significance_ratio, label, score, weight),
                "one sort": partial(_one_sort, label, score, weight),
            }
            times = {name: median(times.wall_s) for name, times in in_turn(jobs, repetitions).items()}
            rows.append(
                {
                    "row": f"{dtype} scores {weighted}",
                    **{f"{name} (s)": seconds for name, seconds in times.items()},
                    "auc and significance / sklearn": (times["auc"] + times["significance"]) / times["sklearn"],
                    "one sort / sklearn": times["one sort"] / times["sklearn"],
                    "AUC differs by": abs(float(jobs["auc"]() - jobs["sklearn"]())),
                }
            )
    return rows


def _one_sort(label, score, weight):
    ranking = Ranking(label, score)
    return ranking.auc(weight), ranking.significance(weight)


def main() -> None:
    """Measures and prints."""
    show("Median seconds of 3 500 000 events", run())
