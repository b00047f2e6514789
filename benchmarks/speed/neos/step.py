"""Wall time of training steps of the blob experiment: expected CLs, and cross-entropy with the same four blobs.

Both go through the same network of the same size; a repetition is a few steps of each in turn, so that what else the
machine does meets both alike. Where NEOS_PYTHON names an interpreter with neos's packages, it runs in between
two turns of ours.
"""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

PEER = Path(__file__).with_name("peer.py")


@dataclass(frozen=True)
class Config:
    """Sizes of the measurement.

    Args:
        repetitions: of `n_steps` steps of each job.
        n_steps: steps in a turn.
        peer_runs: how often the peer is run, ours being measured before and after each.
        peer_steps: steps in a run of the peer.
    """

    repetitions: int = 12
    n_steps: int = 4
    peer_runs: int = 2
    peer_steps: int = 30


def steppers(units=(1024, 1024), n_events: int = 2000) -> dict:
    """A function that makes n training steps, for each loss, and the seconds of its first step."""
    import tensorflow as tf

    import neos_tf
    from benchmarks.neos.training import Recipe, load_samples, measurement, summary_statistic

    recipe = Recipe(units=units, n_events=n_events, test_fraction=0.0, batch_size=n_events)
    blobs = load_samples(recipe, ("code",)).blobs["code"].train
    losses = {
        "CLs": neos_tf.CLsLoss(),
        "BCE": neos_tf.BCELoss(background=("background", "background_up", "background_down")),
    }
    found = {}
    for name, loss in losses.items():
        statistic = summary_statistic(recipe, measurement(recipe), loss, seed=1)
        batch = {key: tf.constant(events) for key, events in blobs.items()}
        batches = iter(tf.data.Dataset.from_tensors(batch).repeat())
        statistic.make_train_function()

        def steps(n, statistic=statistic, iterator=batches):
            for _ in range(n):
                logs = statistic.train_function(iterator)
            return float(logs["loss"])

        started = time.perf_counter()
        steps(1)
        found[name] = steps, time.perf_counter() - started
    return found


def run(config: Config, jobs: dict) -> dict[str, list[float]]:
    """Seconds of a step, by loss, in each repetition."""
    times = {name: [] for name in jobs}
    for steps, _ in jobs.values():
        steps(2)
    for _ in range(config.repetitions):
        for name, (steps, _) in jobs.items():
            started = time.perf_counter()
            steps(config.n_steps)
            times[name].append((time.perf_counter() - started) / config.n_steps)
    return times


def peer(python: str, config: Config) -> dict:
    """What `peer.py` prints."""
    command = [python, str(PEER), "--steps", str(config.peer_steps)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Measures and prints."""
    config = Config()
    jobs = steppers()
    times = run(config, jobs)
    print("\nTraining step, four blobs of 2,000 events, 2-1024-1024-1: ms, median (min)")
    for name, values in times.items():
        print(f"{name:<5} {1e3 * median(values):7.1f} ({1e3 * min(values):.1f}); first step {jobs[name][1]:.1f} s")
    ratios = [cls / bce for cls, bce in zip(times["CLs"], times["BCE"], strict=True)]
    print(f"CLs / BCE, median of ratios of turns: {median(ratios):.3f}")
    python = os.environ.get("NEOS_PYTHON")
    if not python:
        print("neos on JAX: not run; set NEOS_PYTHON to an interpreter with its packages, see peer.py")
        return
    for _ in range(config.peer_runs):
        before = run(config, {"CLs": jobs["CLs"]})["CLs"]
        theirs = peer(python, config)
        ours = [*before, *run(config, {"CLs": jobs["CLs"]})["CLs"]]
        print(
            f"neos on JAX {1e3 * theirs['median_s']:.1f} ({1e3 * theirs['min_s']:.1f}), first step "
            f"{theirs['first_s']:.1f} s; ours around it {1e3 * median(ours):.1f} ({1e3 * min(ours):.1f}); theirs / "
            f"ours {theirs['median_s'] / median(ours):.2f} of medians, {theirs['min_s'] / min(ours):.2f} of minima"
        )


if __name__ == "__main__":
    main()
