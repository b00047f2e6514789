"""Exact AUC and significance together beside scikit-learn's AUC alone."""

import time
from dataclasses import dataclass
from statistics import median

import numpy as np
from sklearn.metrics import roc_auc_score

from pnn_tf import Ranking, roc_auc, significance_ratio


@dataclass(frozen=True)
class Config:
    """Size of the sample and of the measurement."""

    n_events: int = 3_500_000
    repetitions: int = 5


def run(config: Config) -> list[dict]:
    """For scores and weights of each kind, seconds of each way and by how much the areas differ."""
    rng = np.random.default_rng(0)
    label = rng.integers(2, size=config.n_events)
    score64 = 1 / (1 + np.exp(-rng.normal(2.0 * label, 1.5)))
    weights = {"without weights": None, "with weights": rng.exponential(size=config.n_events)}
    rows = []
    for dtype in ("float32", "float64"):
        score = score64.astype(dtype)
        for weighted, weight in weights.items():

            def one_sort(score=score, weight=weight):
                ranking = Ranking(label, score)
                return ranking.auc(weight), ranking.significance(weight)

            jobs = {
                "sklearn_s": lambda score=score, weight=weight: roc_auc_score(label, score, sample_weight=weight),
                "auc_s": lambda score=score, weight=weight: roc_auc(label, score, weight),
                "significance_s": lambda score=score, weight=weight: significance_ratio(label, score, weight),
                "one_sort_s": one_sort,
            }
            times = {name: [] for name in jobs}
            values = {}
            for _ in range(config.repetitions):
                for name, job in jobs.items():
                    start = time.perf_counter()
                    values[name] = job()
                    times[name].append(time.perf_counter() - start)
            rows.append(
                {
                    "row": f"{dtype} scores {weighted}",
                    **{name: median(seconds) for name, seconds in times.items()},
                    "auc_difference": abs(values["auc_s"] - values["sklearn_s"]),
                }
            )
    return rows


def main() -> None:
    """Measures and prints."""
    config = Config()
    print(f"{config.n_events} events, medians of {config.repetitions}; ratio to sklearn.metrics.roc_auc_score")
    for row in run(config):
        both = row["auc_s"] + row["significance_s"]
        print(
            f"{row['row']:<32} sklearn {row['sklearn_s']:.2f} s, roc_auc and significance_ratio {both:.2f} s = "
            f"{both / row['sklearn_s']:.2f}, from one sort {row['one_sort_s'] / row['sklearn_s']:.2f}; "
            f"AUC differs by {row['auc_difference']:.0e}"
        )
