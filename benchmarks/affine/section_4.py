"""AFFINE sections 4.2 and 4.3: where the background's mass comes from, and how batches are balanced; on HEPMASS-IMB.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424. Five ways to give the background a mass, one of which the paper
describes and leaves out: the hypothesis nearest to the reconstructed mass. And three balances: with one background
process, "background" is "class" and "signal" is "full", as the paper's footnotes 8 and 9 say.

A network can learn the way itself: where the background's mass is told by other rules than the signal's, the rule tells
the classes apart, in training alone. How much of this leaks is measured as the AUC over all masses with the test
background at masses by the rule of the training, minus the AUC with it at identical masses.
"""

from functools import partial

import numpy as np

import pnn_tf
from benchmarks.affine import networks
from benchmarks.affine.networks import QUICK, Config, load, one_line
from benchmarks.affine.section_4_section import SETUPS, plot, section
from benchmarks.data.events import Events
from benchmarks.rows import in_turn
from benchmarks.samples import Samples
from benchmarks.terminal import Display

__all__ = ["SCALES", "load", "one_line", "plot", "run", "section"]

SCALES = {
    "smoke": Config(epochs=1, n_train=20_000, n_test=5_000, imbalanced=True, **QUICK),
    "embedded": Config(epochs=15, imbalanced=True, **QUICK),
    "paper": Config(sample="hepmass", imbalanced=True),
}


class Row(networks.Row):
    """One row with one seed.

    `joint_auc` is the AUC of all test events together, each signal event at its own mass and the background at
    identical ones; `joint_auc_as_trained` that with the background at masses by the rule of the training. One entry
    each, in [0, 1]; of the last epoch with `_last`.
    """

    joint_auc: list[float]
    joint_auc_as_trained: list[float]
    joint_auc_last: list[float]
    joint_auc_as_trained_last: list[float]


def row_names(config: Config) -> tuple[str, ...]:
    """The rows of the table."""
    return tuple(SETUPS)


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """Trains and tests the network of one row."""
    theta = theta_as_trained(networks.background_theta(config, samples, SETUPS[name]), samples.test, seed)
    return networks.make_row(config, samples, SETUPS[name], name, seed, display, partial(_measure, theta))


run = in_turn(row_names, make_row)


def theta_as_trained(strategy, test: Events, seed: int) -> np.ndarray:
    """(n_events, 1) masses of the test events, GeV: the background's by a strategy, its own if that is None."""
    if strategy is None:
        return test.theta
    drawn = strategy.draw(len(test), [seed, 0], test.features).numpy()
    return np.where(test.label[:, None] == 1, test.theta, drawn)


def _measure(as_trained: np.ndarray, model, test: Events, hypotheses: np.ndarray) -> dict[str, list[float]]:
    joint, leaking = (
        pnn_tf.roc_auc(test.label, pnn_tf.predict_scores(model, test.features, theta))
        for theta in (test.theta, as_trained)
    )
    measured = networks.auc_and_significance(model, test, hypotheses)
    return measured | {"joint_auc": [joint], "joint_auc_as_trained": [leaking]}
