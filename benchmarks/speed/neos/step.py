"""Wall time of training steps of the blob experiment: expected CLs, and cross-entropy with the same blobs or with two.

All go through the same network; a repetition is a few steps of each in turn, so that what else the
machine does meets all alike. Where NEOS_PYTHON names an interpreter with neos's packages, it runs in between
two turns of ours.
"""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

CLS, BCE, TWO_BLOBS = "CLs", "BCE, four blobs", "BCE, two blobs"
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


def steppers(recipe=None) -> dict:
    """A function that makes n training steps, and the seconds of its first step, for each loss.

    Args:
        recipe: a `benchmarks.neos.training.Recipe`; the paper's, with all events of a batch, if None.
    """
    import keras
    import tensorflow as tf

    import neos_tf
    from benchmarks.neos.training import Recipe, load_samples, measurement, network, summary_statistic

    recipe = Recipe(n_events=2000, test_fraction=0.0) if recipe is None else recipe
    blobs = load_samples(recipe, ("code",)).blobs["code"].train
    batch = {name: tf.constant(events[: recipe.batch_size]) for name, events in blobs.items()}
    model = measurement(recipe)
    four = neos_tf.BCELoss(background=("background", "background_up", "background_down"))
    jobs = {
        CLS: (summary_statistic(recipe, model, neos_tf.CLsLoss(), seed=1), batch),
        BCE: (summary_statistic(recipe, model, four, seed=1), batch),
    }
    plain = network(recipe, seed=1)
    plain.compile(keras.optimizers.Adam(recipe.learning_rate), "binary_crossentropy", jit_compile=False)
    events = tf.concat([batch["signal"], batch["background"]], axis=0)
    label = tf.repeat([[1.0], [0.0]], recipe.batch_size, axis=0)
    jobs[TWO_BLOBS] = plain, (events, label)
    return {name: _stepper(*job) for name, job in jobs.items()}


def _stepper(model, batch):
    import tensorflow as tf

    batches = iter(tf.data.Dataset.from_tensors(batch).repeat())
    model.make_train_function()

    def steps(n):
        for _ in range(n):
            logs = model.train_function(batches)
        return float(logs["loss"])

    started = time.perf_counter()
    steps(1)
    return steps, time.perf_counter() - started


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
        print(f"{name:<15} {1e3 * median(values):7.1f} ({1e3 * min(values):.1f}); first step {jobs[name][1]:.1f} s")
    for other in (BCE, TWO_BLOBS):
        ratios = [cls / bce for cls, bce in zip(times[CLS], times[other], strict=True)]
        print(f"{CLS} / {other}, median of ratios of turns: {median(ratios):.3f}")
    python = os.environ.get("NEOS_PYTHON")
    if not python:
        print("neos on JAX: not run; set NEOS_PYTHON to an interpreter with its packages, see peer.py")
        return
    for _ in range(config.peer_runs):
        before = run(config, {CLS: jobs[CLS]})[CLS]
        theirs = peer(python, config)
        ours = [*before, *run(config, {CLS: jobs[CLS]})[CLS]]
        print(
            f"neos on JAX {1e3 * theirs['median_s']:.1f} ({1e3 * theirs['min_s']:.1f}), first step "
            f"{theirs['first_s']:.1f} s; ours around it {1e3 * median(ours):.1f} ({1e3 * min(ours):.1f}); theirs / "
            f"ours {theirs['median_s'] / median(ours):.2f} of medians, {theirs['min_s'] / min(ours):.2f} of minima"
        )


if __name__ == "__main__":
    main()
