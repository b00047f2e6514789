"""TAYLOR Fig. 2: the mean Taylor coefficients and the AUC of a network at each of its first gradient steps, on task c.

Wunsch, Friese, Wolf and Quast, arXiv:1803.08782, section 3. The network goes on where the stopping criterion is met.
The paper gives neither batch size nor learning rate, and both decide how fast everything happens. Its 339 = 3 x 113
steps suggest one or three an epoch: batches of all 50 000 events, or of about 20 000. What is drawn was chosen from a
small scan for the shape of its curves. All events in a batch give nearly the same, but with so little noise that the
criterion is not met; a rate of 0.003 overshoots at the start, so that it is met at once.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import keras
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import pnn_tf
import taylor.plots
from benchmarks.data.gaussians import bayes_coefficients, bayes_posterior, gaussian_standardiser
from benchmarks.experiment import Experiment
from benchmarks.published import TAYLOR_FIG_2
from benchmarks.samples import Samples
from benchmarks.style import QUIET, VERMILION, style
from benchmarks.tables import Quantity, Table, long, percent, table
from benchmarks.taylor.fig_1 import FEATURES, X12, load_samples
from benchmarks.taylor.phases import CLAIMS, PHASES, distance, drawn, phases, reached, stopping_epoch
from benchmarks.taylor.training import Recipe, epochs_shown, train
from benchmarks.terminal import Display
from taylor import MonitorRecord, TaylorImportance, TaylorMonitor

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
        *((20_000, 3e-3), (50_000, 2e-3), (50_000, 3e-3), (50_000, 1e-3), (50_000, 1e-2)),
        *((1000, 3e-3), (1000, 1e-2), (100, 1e-3)),
    )
    scan_every: int = 5


def settings(config: Config) -> dict[str, tuple[int, float, int]]:
    """Batch size, learning rate and steps between looks by name of the row; the first is drawn, the others scanned."""
    drawn = (config.batch_size, config.learning_rate, 1)
    all_of_them = (drawn, *((*pair, config.scan_every) for pair in config.scan))
    return {f"batch {batch:,}, rate {rate:g}": (batch, rate, every) for batch, rate, every in all_of_them}


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """One setting with one seed.

    At each of `step`, from 0: `mean`, a list for each of FEATURES, and `auc` in [0, 1]. `phases` are added, and `stop`,
    the step at which the stopping criterion is met; None for what does not happen. `linear_auc`, `bayes_auc` and
    `bayes_mean` are those of the best linear and the best classifier on the same events. `step_ms` and `look_ms` are
    medians: of the time of a gradient step, and of that which the monitor takes to look at the network.
    """
    batch_size, learning_rate, every = settings(config)[name]
    events, test = samples.train[TASK], samples.test[TASK]
    x, test_x = (gaussian_standardiser(TASK)(e.features) for e in (events, test))
    steps_per_epoch = math.ceil(config.n_gradients(len(x)) / batch_size)
    epochs = math.ceil(config.n_steps / steps_per_epoch)
    setting = replace(config, batch_size=batch_size, learning_rate=learning_rate, patience=None, epochs=epochs)
    metrics = {"auc": pnn_tf.roc_auc}
    monitor = TaylorMonitor(test_x, every=every, label=test.label, metrics=metrics, names=test.names)
    begun, ended, looked = [], [], []
    callbacks = [
        keras.callbacks.LambdaCallback(on_train_batch_begin=clock(begun), on_train_batch_end=clock(ended)),
        monitor,
        keras.callbacks.LambdaCallback(on_train_batch_end=clock(looked)),
        epochs_shown(display, f"{name}, seed {seed}", work=1 / epochs),
    ]
    _, validation_loss = train(setting, x, events.label, seed=seed, callbacks=callbacks)
    counted = monitor.steps <= config.n_steps  # the last epoch may go beyond
    step, mean, auc = monitor.steps[counted], monitor.mean[counted], monitor.metric("auc")[counted]
    linear_auc = float(pnn_tf.roc_auc(test.label, test.features.sum(axis=1)))  # by the symmetry of the task
    stopped = stopping_epoch(validation_loss, config.patience)
    return {
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "step": step.tolist(),
        "mean": mean.T.round(4).tolist(),
        "auc": auc.round(4).tolist(),
        **phases(step, mean, auc, linear_auc),
        "stop": stopped * steps_per_epoch if stopped and stopped * steps_per_epoch <= config.n_steps else None,
        "linear_auc": linear_auc,
        "bayes_auc": float(pnn_tf.roc_auc(test.label, bayes_posterior(TASK, test.features))),
        "bayes_mean": np.abs(bayes_coefficients(TASK, test.features)).mean(axis=0).round(4).tolist(),
        "step_ms": round(1000 * float(np.median(np.subtract(ended, begun))), 1),
        "look_ms": round(1000 * float(np.median(np.subtract(looked, ended)[monitor.steps[1:] - 1])), 1),
    }


def clock(times: list[float]) -> Callable:
    """For a callback: notes the time when it is called."""
    return lambda batch, logs: times.append(time.perf_counter())


def tables(record: Mapping) -> Iterator[Table]:
    """The phases of each training beside the paper's, and its times."""
    said = {phase: phase.replace("_", " ") for phase in PHASES}
    steps = {name: Quantity(partial(reached, phase), decimals=0) for phase, name in said.items()}
    steps |= {"AUC (%)": percent(lambda row: row["auc"][-1]), "distance": Quantity(distance)}
    paper = pd.DataFrame(
        [(name, getattr(TAYLOR_FIG_2, phase)) for phase, name in said.items()], columns=["quantity", "paper"]
    )
    times = {
        "step (ms)": Quantity("step_ms", decimals=1),
        "look (ms)": Quantity("look_ms", decimals=1),
        "wall time (s)": Quantity("wall_s", decimals=0),
    }
    frame = long(record["rows"], steps | times, published=paper)
    frame["row"] += ", seed " + frame["seed"].astype(str)
    caption = (
        "Gradient steps at which phases begin: the AUC comes to that of a linear classifier less 0.005; x1 and x2 are "
        "largest; the AUC exceeds the linear one by 0.005; the stopping criterion is met. One more than the last step "
        "is later. Then the AUC at the end, and the mean of |ln(step / paper's step)| over the first three phases. "
        "Times of a gradient step and of a look of the monitor are medians."
    )
    yield table(caption, "setting", frame, columns="quantity")


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """The paper's figure for the first seed, and the scan."""
    row = drawn(record["rows"])[0]
    nothing = np.zeros(len(FEATURES))
    records = [
        MonitorRecord(step, 0, TaylorImportance(FEATURES, np.array(mean), nothing, 0, ""), {"AUC": auc})
        for step, mean, auc in zip(row["step"], np.transpose(row["mean"]), row["auc"], strict=True)
    ]
    with style():
        figure = taylor.plots.course(records, features=FEATURES.labels)
        for axes in figure.axes:
            axes.axvline(TAYLOR_FIG_2.stop, color=QUIET, lw=1.2, ls=":")
            if row["stop"] is not None:
                axes.axvline(row["stop"], color=VERMILION, lw=1.4)
        figure.axes[1].set_ylim(0.8, 0.885)
    yield (
        f"<|t|> of each feature and the AUC: {row['row']}, seed {row['seed']}. Vertical lines: where the stopping "
        f"criterion is met, in red, and where it is met in the paper, step {TAYLOR_FIG_2.stop}, in grey.",
        figure,
    )
    of_seed = [other for other in record["rows"] if other["seed"] == row["seed"]]
    rates, batches = (
        sorted({row[field] for row in of_seed}, reverse=True) for field in ("learning_rate", "batch_size")
    )
    with style():
        figure = Figure(figsize=(9.6, 4.4))
        auc, pair = figure.subplots(1, 2)
        for row in of_seed:
            colour = taylor.plots.COLOURS[rates.index(row["learning_rate"])]
            look = {"color": colour, "ls": taylor.plots.DASHES[batches.index(row["batch_size"])], "lw": 1.4}
            auc.plot(row["step"], row["auc"], label=row["row"], **look)
            pair.plot(row["step"], row["mean"][X12], **look)
        auc.set(xlabel="gradient step", ylabel="AUC", ylim=(0.8, 0.885))
        pair.set(xlabel="gradient step", ylabel=r"$\langle |t| \rangle$ of $x_1,x_2$")
        figure.legend(loc="outside lower center", ncols=3)
    yield "The scan: AUC, and <|t|> of (x1, x2); the colour is the learning rate, the line the batch size.", figure


EXPERIMENT = Experiment(
    id="taylor-fig-2",
    where="Fig. 2",
    summary="Taylor coefficients and AUC at each of the first gradient steps",
    introduction=(
        "Mean absolute Taylor coefficients and AUC of a network on task c in its first {n_steps} gradient steps, over "
        "{n_test:,} independent events; {n_train:,} for training and validation, {seeds}. The published numbers are "
        "those in the text of Wunsch, Friese, Wolf and Quast, arXiv:1803.08782, section 3."
    ),
    scales={  # the events are drawn, not read: nothing keeps the embedded scale from the paper's size
        "smoke": Config(
            batch_size=1000, learning_rate=0.01, n_train=2000, n_test=2000, n_steps=60, scan=((250, 0.01),)
        ),
        "embedded": Config(),
        "paper": Config(n_test=100_000),
    },
    load=lambda config: load_samples((TASK,), config.n_train, config.n_test),
    names=lambda config: list(settings(config))[:1],
    once=lambda config: list(settings(config))[1:],
    make_row=make_row,
    timed=True,
    line=lambda row: f"AUC {row['auc'][-1]:.2%} after {row['step'][-1]} steps, x1 and x2 fall from step {row['fall']}",
    tables=tables,
    figures=figures,
    claims=CLAIMS,
    departures=(
        "The paper gives neither batch size nor learning rate: {batch_size:,} and {learning_rate:g} were chosen for "
        "the shape of the curves, from the scan, which has the first seed and a look every {scan_every} steps.",
        "The network goes on where the criterion is met: {patience} epochs in a row without a smaller validation loss.",
        "The phases are called by rule, not by eye. How soon the plateau comes depends on the initial weights.",
    ),
)
