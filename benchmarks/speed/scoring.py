"""What scores many events beside what a user would run instead: a scan, an event more than a batch, five hypotheses."""

import tempfile
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.speed import in_turn, ratio_by_turns, show

HYPOTHESES = (500.0, 750.0, 1000.0, 1250.0, 1500.0)
CONDITIONINGS = ("affine", "concat")
BATCH = 16384


def run(
    *,
    n_features: int = 27,
    n_scanned: int = 50_000,
    n_points: int = 21,
    n_evaluated: int = 1_000_000,
    units: tuple[int, ...] = (300, 150, 100, 50),
    repetitions: int = 3,
) -> list[dict]:
    """For each kind of network, the ratios of ours to theirs and the differences of the results.

    `scan_theta` beside the exported scan of the same grid; `predict_scores` of a batch and one event more beside that
    of a batch; `evaluate_hypotheses` beside a loop of `model.predict` and NumPy over the hypotheses. Half of the events
    are signal.
    """
    import tensorflow as tf

    from pnn_tf import evaluate_hypotheses, export_savedmodel, parametric_network, predict_scores, scan_theta

    generator = np.random.default_rng(0)
    features = generator.normal(size=(max(n_scanned, n_evaluated, BATCH + 1), n_features)).astype(np.float32)
    label = np.arange(n_evaluated) % 2
    theta = generator.choice(HYPOTHESES, n_evaluated)
    grid = np.linspace(500, 1500, n_points)
    own_theta = generator.choice(HYPOTHESES, BATCH + 1)
    rows = []
    for conditioning in CONDITIONINGS:
        network = parametric_network(
            n_features, conditioning=conditioning, units=units, affine_start="glorot_uniform", seed=1
        )
        with tempfile.TemporaryDirectory() as folder:
            export_savedmodel(network, Path(folder), theta_grid=grid)
            served = tf.saved_model.load(folder)
        pairs = {
            f"scan_theta / exported scan, {n_scanned} events, {n_points} points": (
                partial(scan_theta, network, features[:n_scanned], grid),
                partial(_served, served, features[:n_scanned]),
            ),
            f"predict_scores, {BATCH + 1} events / {BATCH}": tuple(
                partial(predict_scores, network, features[:n], own_theta[:n], batch_size=BATCH)
                for n in (BATCH + 1, BATCH)
            ),
            f"evaluate_hypotheses / loop, {n_evaluated} events, {len(HYPOTHESES)} hypotheses": (
                partial(_evaluated, evaluate_hypotheses, network, features[:n_evaluated], theta, label),
                partial(by_hand, network, features[:n_evaluated], theta, label),
            ),
        }
        for what, (ours, theirs) in pairs.items():
            times = in_turn({"ours": ours, "theirs": theirs}, repetitions)
            results = [np.asarray(job()).T[: BATCH if "predict" in what else None].T for job in (ours, theirs)]
            rows.append(
                {
                    "row": f"{conditioning}: {what}",
                    "ours (s)": median(times["ours"].wall_s),
                    "theirs (s)": median(times["theirs"].wall_s),
                    "ratio": ratio_by_turns(times["ours"].wall_s, times["theirs"].wall_s),
                    "ratio of CPU times": ratio_by_turns(times["ours"].cpu_s, times["theirs"].cpu_s),
                    "differ by": float(np.abs(results[0] - results[1]).max()),
                }
            )
    return rows


def _served(served, features):
    import tensorflow as tf

    return served.scan(tf.constant(features))["scores"].numpy().T


def _evaluated(evaluate, *events):
    return [(result.auc, result.significance.ratio) for result in evaluate(*events)]


def by_hand(model, features: np.ndarray, theta: np.ndarray, label: np.ndarray) -> list[tuple[float, float]]:
    """AUC and significance ratio at each hypothesis: `predict` in large batches, one sort, sums. No ties or weights."""
    found = []
    for mass in HYPOTHESES:
        chosen = (label == 0) | (theta == mass)
        told = np.full((np.count_nonzero(chosen), 1), mass, np.float32)
        score = model.predict({"features": features[chosen], "theta": told}, batch_size=BATCH, verbose=0)[:, 0]
        signal = label[chosen][np.argsort(score)[::-1]]
        s, b = np.cumsum(signal), np.cumsum(1 - signal)
        auc = np.sum(s[signal == 0]) / (s[-1] * b[-1])
        ratio = np.sqrt(np.max(s / (s + b * s[-1] / b[-1]) * s / s[-1]))
        found.append((auc, ratio))
    return found


def main() -> None:
    """Measures and prints."""
    show("Scoring, medians", run())
