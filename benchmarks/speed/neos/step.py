"""Wall time of training steps of the blob experiment: expected CLs, and cross-entropy with the same blobs or with two.

All go through the same network; a repetition is a few steps of each in turn. Where NEOS_PYTHON names an interpreter
with neos's packages, it runs in between two turns of ours. Then the same in a public workspace of 66 parameters, whose
signal and largest background in the signal region are made of events.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import keras
import numpy as np
import tensorflow as tf

import neos_tf
from benchmarks.neos.training import Recipe, load_samples, measurement, network, summary_statistic
from benchmarks.speed import in_turn, ratio_by_turns, show, train_steps
from benchmarks.speed.neos.limit import REAL, real_likelihood

CLS, BCE, TWO_BLOBS = "CLs", "BCE, four blobs", "BCE, two blobs"
PEER = Path(__file__).with_name("peer.py")
PEER_RUNS, PEER_STEPS = 2, 30  # how often the peer is run, ours being measured before and after, and its steps

Steppers = Mapping[str, tuple[Callable[[int], float], float]]  # n steps to the loss, and seconds of the first step


@dataclass(frozen=True)
class Config:
    """Turns of each loss, and steps in a turn."""

    repetitions: int = 12
    n_steps: int = 4


def steppers(recipe: Recipe | None = None) -> Steppers:
    """A function that makes n training steps, and the seconds of its first step, for each loss.

    Args:
        recipe: the paper's, with all events of a batch, if None.
    """
    recipe = Recipe(n_events=2000, test_fraction=0.0) if recipe is None else recipe
    blobs = load_samples(recipe, ("code",)).blobs["code"].train
    batch = {name: tf.constant(events[: recipe.batch_size]) for name, events in blobs.items()}
    model = measurement(recipe)
    four = neos_tf.BCELoss(background=("background", "background_up", "background_down"))
    plain = network(recipe, seed=1)
    plain.compile(keras.optimizers.Adam(recipe.learning_rate), "binary_crossentropy", jit_compile=False)
    events = tf.concat([batch["signal"], batch["background"]], axis=0)
    label = tf.repeat([[1.0], [0.0]], recipe.batch_size, axis=0)
    jobs = {
        CLS: (summary_statistic(recipe, model, neos_tf.CLsLoss(), seed=1), batch),
        BCE: (summary_statistic(recipe, model, four, seed=1), batch),
        TWO_BLOBS: (plain, (events, label)),
    }
    return {name: _with_first_s(train_steps(*job)) for name, job in jobs.items()}


def real_steppers(likelihood: neos_tf.Likelihood, signal: str, background: str, recipe: Recipe) -> Steppers:
    """The same for CLs and cross-entropy in a real measurement, two of whose templates are made of blobs."""
    blobs = load_samples(recipe, ("code",)).blobs["code"].train
    batch = {
        template: tf.constant(blobs[name][: recipe.batch_size])
        for template, name in ((signal, "signal"), (background, "background"))
    }
    templates = likelihood.model.templates
    yields = {name: templates[name].numbers.sum() for name in batch}
    edges = np.linspace(0, 1, templates[signal].n_values + 1)

    def job(loss):
        statistic = neos_tf.SummaryStatistic(
            network(recipe, seed=1), likelihood.model, edges, recipe.bandwidth, yields=yields
        )
        statistic.compile(keras.optimizers.Adam(recipe.learning_rate), loss)
        return _with_first_s(train_steps(statistic, batch))

    return {CLS: job(neos_tf.CLsLoss()), TWO_BLOBS: job(neos_tf.BCELoss((signal,), (background,)))}


def _with_first_s(steps):
    started = time.perf_counter()
    steps(1)
    return steps, time.perf_counter() - started


def run(config: Config, jobs: Steppers) -> dict[str, list[float]]:
    """Seconds of a step, by loss, in each repetition."""
    turns = {name: partial(steps, config.n_steps) for name, (steps, _) in jobs.items()}
    times = in_turn(turns, config.repetitions)
    return {name: [seconds / config.n_steps for seconds in of_turns.wall_s] for name, of_turns in times.items()}


def peer(python: str) -> dict:
    """What `peer.py` prints."""
    command = [python, str(PEER), "--steps", str(PEER_STEPS)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Measures and prints."""
    config, jobs = Config(), steppers()
    rows = _rows(config, jobs)
    if python := os.environ.get("NEOS_PYTHON"):
        cls = {CLS: jobs[CLS]}
        for _ in range(PEER_RUNS):
            before, theirs, after = run(config, cls)[CLS], peer(python), run(config, cls)[CLS]
            rows.append(_row("CLs, around the peer's run", before + after, jobs[CLS][1]))
            ratio = {"CLs / this": median(before + after) / median(theirs["seconds"])}
            rows.append(_row("neos on JAX", theirs["seconds"], theirs["first_s"]) | ratio)
    show("Training step, four blobs of 2000 events, 2-1024-1024-1; ratios of turns, of medians for neos", rows)
    if not python:
        print("neos on JAX: not run; set NEOS_PYTHON to an interpreter with its packages, see peer.py")

    if (likelihood := real_likelihood(REAL[0])) is not None:
        recipe = Recipe(n_events=2000, test_fraction=0.0)
        jobs = real_steppers(likelihood, "SR_meff/mysignal", "SR_meff/ttbar", recipe)
        show(f"Training step in {REAL[0]}, two blobs of 2000 events, 2-1024-1024-1", _rows(config, jobs))


def _rows(config, jobs):
    times = run(config, jobs)
    return [
        {**_row(name, values, jobs[name][1]), "CLs / this": ratio_by_turns(times[CLS], values)}
        for name, values in times.items()
    ]


def _row(name, seconds, first_s):
    return {"loss": name, "step (ms)": [1e3 * value for value in seconds], "first step (s)": first_s}


if __name__ == "__main__":
    main()
