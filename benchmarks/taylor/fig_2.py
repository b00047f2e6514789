"""TAYLOR Fig. 2: the mean Taylor coefficients and the AUC of a network at each of its first gradient steps, on task c.

Wunsch, Friese, Wolf and Quast, arXiv:1803.08782, section 3. The network goes on where the stopping criterion is met;
the step of that is noted. The paper gives neither batch size nor learning rate, and both decide how fast everything
happens. That it stops after 339 = 3 x 113 steps suggests one or three steps an epoch: batches of all 50 000 events, or
of about 20 000. A small scan of both is part of the experiment, and the setting that is drawn was chosen from it for
the shape of its curves: batches of 20 000, and a rate of 0.002. All events in a batch give nearly the same curves, but
with so little noise that the criterion is not met; a rate of 0.003 is faster by a third, and overshoots at the start so
that the criterion is met at once. Rates of 0.001 and 0.01 are too slow and too fast, and so is a batch of 100.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypedDict

import keras
import numpy as np

import pnn_tf
from benchmarks.data.gaussians import bayes_coefficients, bayes_posterior
from benchmarks.taylor.figure_2_section import plot, section
from benchmarks.taylor.gaussian_samples import Samples, load_samples, standardised
from benchmarks.taylor.phases import phases, stopping_epoch
from benchmarks.taylor.training import Recipe, train
from benchmarks.terminal import Display
from taylor import TaylorMonitor

__all__ = ["SCALES", "Config", "Row", "load", "one_line", "plot", "run", "section"]

TASK = "c"


@dataclass(frozen=True)
class Config(Recipe):
    """The recipe of training, and what is particular to this figure.

    Args:
        batch_size: of the network that is drawn, at every step.
        learning_rate: the same.
        steps_per_execution: 1, as the network is looked at after each.
        n_train: training events, half of which are for validation.
        n_test: independent events that coefficients and AUC are computed of.
        n_steps: gradient steps.
        scan: further pairs of batch size and learning rate.
        scan_every: steps from one look at a network of the scan to the next.
    """

    batch_size: int = 20_000
    learning_rate: float = 2e-3
    steps_per_execution: int = 1
    n_train: int = 100_000
    n_test: int = 10_000
    n_steps: int = 700
    scan: tuple[tuple[int, float], ...] = (
        (20_000, 3e-3),
        (50_000, 2e-3),
        (50_000, 3e-3),
        (50_000, 1e-3),
        (50_000, 1e-2),
        (1000, 3e-3),
        (1000, 1e-2),
        (100, 1e-3),
    )
    scan_every: int = 5


# The events are drawn, not read: nothing keeps the embedded scale from the paper's size.
SCALES = {
    "smoke": Config(batch_size=1000, learning_rate=0.01, n_train=2000, n_test=2000, n_steps=60, scan=((250, 0.01),)),
    "embedded": Config(),
    "paper": Config(n_test=100_000),
}


class Row(TypedDict):
    """One setting with one seed.

    At each of `step`, from 0: `mean`, a list for each of x1, x2, (x1, x1), (x1, x2) and (x2, x2), and `auc` in [0, 1].
    `plateau_auc`, `plateau`, `fall` and `second_rise` are those of `phases`; `stop` is the step at which the stopping
    criterion is met; None for what does not happen. `linear_auc`, `bayes_auc` and `bayes_mean` are those of the best
    linear and the best classifier on the same events. `step_ms` and `look_ms` are medians: of the time of a gradient
    step, and of that which the monitor takes to look at the network.
    """

    row: str
    seed: int
    batch_size: int
    learning_rate: float
    step: list[int]
    mean: list[list[float]]
    auc: list[float]
    plateau_auc: float
    plateau: int | None
    fall: int
    second_rise: int | None
    stop: int | None
    linear_auc: float
    bayes_auc: float
    bayes_mean: list[float]
    step_ms: float
    look_ms: float
    wall_s: float


def load(config: Config) -> Samples:
    """Draws the events of a configuration."""
    return load_samples((TASK,), config.n_train, config.n_test)


def run(
    config: Config,
    samples: Samples,
    *,
    seeds: tuple[int, ...],
    finished: frozenset[tuple[str, int]] = frozenset(),
    display: Display,
) -> Iterator[Row]:
    """Trains the network that is drawn with each seed, then those of the scan with the first seed.

    Args:
        config: the settings.
        samples: the events.
        seeds: of the initial weights, the split in halves, and the order of the events.
        finished: (row, seed) that are there already.
        display: told the steps to come, and those that are done.

    Yields:
        A row as soon as it is finished.
    """
    drawn = (config.batch_size, config.learning_rate)
    todo = [(*drawn, 1, seed) for seed in seeds] + [(*pair, config.scan_every, seeds[0]) for pair in config.scan]
    todo = [entry for entry in todo if (_name(*entry[:2]), entry[3]) not in finished]
    display.begin(len(todo), len(todo) * config.n_steps)
    for batch_size, learning_rate, every, seed in todo:
        setting = replace(config, batch_size=batch_size, learning_rate=learning_rate)
        yield _make_row(setting, samples, every, seed, display)


def _name(batch_size: int, learning_rate: float) -> str:
    return f"batch {batch_size:,}, rate {learning_rate:g}"


def _make_row(config: Config, samples: Samples, every: int, seed: int, display: Display) -> Row:
    started = time.perf_counter()
    name = _name(config.batch_size, config.learning_rate)
    events, test = samples.train[TASK], samples.test[TASK]
    n_gradients = len(events) - round(config.validation_fraction * len(events))
    steps_per_epoch = math.ceil(n_gradients / config.batch_size)
    epochs = math.ceil(config.n_steps / steps_per_epoch)

    def show(epoch, logs):
        display.advance(config.n_steps / epochs, f"{name}, seed {seed}, step {(epoch + 1) * steps_per_epoch}")

    monitor = TimedMonitor(
        standardised(TASK, test), every=every, label=test.label, metrics={"auc": pnn_tf.roc_auc}, names=test.names
    )
    trained = train(
        replace(config, patience=None, epochs=epochs),
        standardised(TASK, events),
        events.label,
        seed=seed,
        callbacks=[monitor, keras.callbacks.LambdaCallback(on_epoch_end=show)],
    )
    counted = monitor.steps <= config.n_steps  # the last epoch may go beyond
    step, mean, auc = monitor.steps[counted], monitor.mean[counted], monitor.metric("auc")[counted]
    linear_auc = float(pnn_tf.roc_auc(test.label, test.features.sum(axis=1)))  # by the symmetry of the task
    stopped = stopping_epoch(trained.validation_loss, config.patience)
    stop = None if stopped is None else stopped * steps_per_epoch
    return Row(
        row=name,
        seed=seed,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        step=step.tolist(),
        mean=[_rounded(of_feature) for of_feature in mean.T],
        auc=_rounded(auc),
        **phases(step, mean, auc, linear_auc)._asdict(),
        stop=stop if stop is None or stop <= config.n_steps else None,
        linear_auc=linear_auc,
        bayes_auc=float(pnn_tf.roc_auc(test.label, bayes_posterior(TASK, test.features))),
        bayes_mean=_rounded(np.abs(bayes_coefficients(TASK, test.features)).mean(axis=0)),
        step_ms=round(1000 * float(np.median(monitor.step_s)), 1),
        look_ms=round(1000 * float(np.median(monitor.look_s)), 1),
        wall_s=round(time.perf_counter() - started, 1),
    )


class TimedMonitor(TaylorMonitor):
    """A TaylorMonitor that knows how long the steps take, and how long it takes itself to look at the network.

    Attributes:
        step_s: time of each gradient step, seconds.
        look_s: time of each look after a step, seconds.
    """

    def __init__(self, data, **keywords):
        super().__init__(data, **keywords)
        self.step_s: list[float] = []
        self.look_s: list[float] = []

    def on_train_batch_begin(self, batch, logs=None):
        self._begun = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        ended, n_records = time.perf_counter(), len(self.records)
        self.step_s.append(ended - self._begun)
        super().on_train_batch_end(batch, logs)
        if len(self.records) > n_records:
            self.look_s.append(time.perf_counter() - ended)


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in values]


def one_line(row: Row) -> str:
    """What a log says of a finished row."""
    return (
        f"{row['row']}, seed {row['seed']}: AUC {100 * row['auc'][-1]:.2f} % after {row['step'][-1]} steps, x1 and x2 "
        f"fall from step {row['fall']}"
    )
