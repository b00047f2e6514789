"""TAYLOR Fig. 1: what a network has learnt of four tasks of two Gaussians, beside the best classifier there is.

Wunsch, Friese, Wolf and Quast, arXiv:1803.08782, section 2. A network is trained on each task of Table 1, and the mean
absolute Taylor coefficients of its output are taken over independent test events. The paper has them as a figure
without numbers, and statements on their order. The exact posterior of the two Gaussians is the output that a perfect
network would have: its coefficients, over the same events, stand beside the network's.
"""

from dataclasses import dataclass
from typing import TypedDict

import keras
import numpy as np

import pnn_tf
from benchmarks.data.gaussians import TASKS, bayes_coefficients, bayes_posterior
from benchmarks.rows import in_turn
from benchmarks.taylor.figure_1_section import plot, section
from benchmarks.taylor.gaussian_samples import Samples, load_samples, standardised
from benchmarks.taylor.training import Recipe, train
from benchmarks.terminal import Display
from taylor import mean_abs_coefficients

__all__ = ["SCALES", "Config", "Row", "load", "one_line", "plot", "run", "section"]


@dataclass(frozen=True)
class Config(Recipe):
    """The recipe of training, and the number of events.

    Args:
        n_train: training events of each task, validation included.
        n_test: test events of each task.
    """

    n_train: int = 100_000
    n_test: int = 100_000


# The events are drawn, not read: nothing keeps the embedded scale from the paper's size.
SCALES = {
    "smoke": Config(n_train=4000, n_test=4000, epochs=5, learning_rate=0.01),
    "embedded": Config(),
    "paper": Config(),
}


class Row(TypedDict):
    """One task with one seed.

    `mean`, its standard error `error`, and the same of the best classifier on the same events, are those of x1, x2,
    (x1, x1), (x1, x2) and (x2, x2). AUCs lie in [0, 1]; `validation_loss` is that of the last epoch.
    """

    row: str
    seed: int
    task: str
    mean: list[float]
    error: list[float]
    auc: float
    bayes_mean: list[float]
    bayes_error: list[float]
    bayes_auc: float
    epochs: int
    validation_loss: float
    n_train: int
    n_test: int
    wall_s: float


def load(config: Config) -> Samples:
    """Draws the events of a configuration."""
    return load_samples(tuple(TASKS), config.n_train, config.n_test)


def _make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    task, title = name.removeprefix("task "), f"{name}, seed {seed}"

    def show(epoch, logs):
        display.advance(0, f"{title}, epoch {epoch + 1}, validation loss {logs['val_loss']:.4f}")

    train_events, test = samples.train[task], samples.test[task]
    x, test_x = standardised(task, train_events), standardised(task, test)
    listener = keras.callbacks.LambdaCallback(on_epoch_end=show)
    trained = train(config, x, train_events.label, seed=seed, callbacks=[listener])
    importance = mean_abs_coefficients(trained.model, test_x, names=test.names)
    bayes = np.abs(bayes_coefficients(task, test.features))
    display.advance(1, title)
    return dict(
        task=task,
        mean=_rounded(importance.mean),
        error=_rounded(importance.error),
        auc=float(pnn_tf.roc_auc(test.label, pnn_tf.predict_scores(trained.model, test_x, theta=0.0))),
        bayes_mean=_rounded(bayes.mean(axis=0)),
        bayes_error=_rounded(bayes.std(axis=0) / np.sqrt(len(test))),
        bayes_auc=float(pnn_tf.roc_auc(test.label, bayes_posterior(task, test.features))),
        epochs=len(trained.validation_loss),
        validation_loss=trained.validation_loss[-1],
        n_train=trained.n_train,
        n_test=len(test),
    )


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]


run = in_turn(lambda config: [f"task {task}" for task in TASKS], _make_row)


def one_line(row: Row) -> str:
    """What a log says of a finished row."""
    return (
        f"{row['row']}, seed {row['seed']}: AUC {100 * row['auc']:.2f} %, that of the best classifier "
        f"{100 * row['bayes_auc']:.2f} %, {row['epochs']} epochs"
    )
