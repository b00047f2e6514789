"""NEOS Fig. 3: one measurement with a nuisance parameter, and four losses to train its summary statistic on.

Simpson and Heinrich, arXiv:2203.05570, section 3. On the test events, epoch by epoch: the expected CLs of a signal,
the uncertainty sigma_mu of its strength, and that of the nuisance parameter, sigma_gamma, which is 1 before the
measurement. The four losses are the expected CLs (neos; itself as in the paper, and its logarithm), binary
cross-entropy (BCE) against the nominal background, the same against nominal background and its variations (BCE with
augmentation), and the variance of mu (INFERNO); both sets of means of the blobs are run. The paper has curves without
numbers.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypedDict

import keras

import neos_tf
from benchmarks.data.blobs import MEANS
from benchmarks.neos.figure_3_section import plot, section
from benchmarks.neos.training import Recipe, Samples, load_samples, measurement, rounded, summary_statistic, train
from benchmarks.terminal import Display

__all__ = ["LOSSES", "SCALES", "Config", "Row", "load", "one_line", "plot", "run", "section"]

LOSSES = {
    "neos": neos_tf.CLsLoss(),
    "neos, CLs itself": neos_tf.CLsLoss(log=False),
    "BCE": neos_tf.BCELoss(),
    "BCE with augmentation": neos_tf.BCELoss(background=("background", "background_up", "background_down")),
    "INFERNO": neos_tf.POIVarianceLoss(),
}


@dataclass(frozen=True)
class Config(Recipe):
    """The recipe of training, and the blobs.

    Args:
        means: keys of `benchmarks.data.blobs.MEANS`.
    """

    means: tuple[str, ...] = tuple(MEANS)


# The events are drawn, not read: nothing keeps the embedded scale from the paper's size.
SCALES = {
    "smoke": Config(n_events=1000, units=(16, 16), batch_size=400, epochs=2, learning_rate=0.01, means=("code",)),
    "embedded": Config(),
    "paper": Config(),
}


class Row(TypedDict):
    """One loss with one set of means and one seed.

    `cls`, `sigma_mu` and `sigma_gamma` are those of the test events before the first epoch and after each; `loss` and
    `unconverged` those of training, epoch by epoch.
    """

    row: str
    seed: int
    method: str
    means: str
    cls: list[float]
    sigma_mu: list[float]
    sigma_gamma: list[float]
    loss: list[float]
    unconverged: list[float]
    wall_s: float


def load(config: Config) -> Samples:
    """Draws the events of a configuration."""
    return load_samples(config, config.means)


def run(
    config: Config,
    samples: Samples,
    *,
    seeds: tuple[int, ...],
    finished: frozenset[tuple[str, int]] = frozenset(),
    display: Display,
) -> Iterator[Row]:
    """Trains with loss after loss.

    Args:
        config: the settings.
        samples: the events.
        seeds: of the initial weights and of the order of events; each loss is trained once with each.
        finished: (row, seed) that are there already.
        display: told the trainings to come, and each epoch.

    Yields:
        A row as soon as it is finished; all losses with the first seed come first.
    """
    rows = [(seed, means, method) for means in config.means for seed in seeds for method in LOSSES]
    todo = [(seed, means, method) for seed, means, method in rows if (name(method, means), seed) not in finished]
    display.begin(len(todo), len(todo) * config.epochs)
    model = measurement(config)
    for seed, means, method in todo:
        started = time.perf_counter()
        title = f"{name(method, means)}, seed {seed}"

        def show(epoch, logs, title=title):
            display.advance(1, f"{title}, epoch {epoch + 1}, CLs {logs['val_cls']:.2g}")

        statistic = summary_statistic(config, model, LOSSES[method], seed)
        listener = keras.callbacks.LambdaCallback(on_epoch_end=show)
        course = train(statistic, config, samples.blobs[means], seed=seed, callbacks=[listener])
        yield Row(
            row=name(method, means),
            seed=seed,
            method=method,
            means=means,
            **rounded(course),
            wall_s=round(time.perf_counter() - started, 1),
        )


def name(method: str, means: str) -> str:
    """Of a row."""
    return f"{method}, means of the {means}"


def one_line(row: Row) -> str:
    """What a log says of a finished row."""
    return (
        f"{row['row']}, seed {row['seed']}: CLs {row['cls'][-1]:.3g}, sigma_mu {row['sigma_mu'][-1]:.3f}, "
        f"sigma_gamma {row['sigma_gamma'][-1]:.3f}"
    )
