"""AFFINE sections 4.2 and 4.3: where the background's mass comes from, and how batches are balanced; on HEPMASS-IMB.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424. Five ways to give the background a mass, one of which the paper
describes and leaves out: the hypothesis nearest to the reconstructed mass. And three balances: with one background
process "signal" is "full" (the paper's footnote 9), and "background" is "class" (meaningless, says footnote 8).

A network can learn the way itself: where the background's mass comes by another rule than the signal's, the rule tells
the classes apart, in training alone. So each network is also tested on all masses together, with the background's
masses by each rule. How much of a rule leaks is what a network trained by it gains, on background by the same rule,
over a network trained on identical masses.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np

import pnn_tf
from benchmarks.affine import networks
from benchmarks.affine.networks import Config, Setup, load, one_line
from benchmarks.affine.section_4_section import RULES, SETUPS, plot, section
from benchmarks.data.events import Events
from benchmarks.rows import in_turn
from benchmarks.samples import Samples
from benchmarks.terminal import Display
from benchmarks.training import QUICK

__all__ = ["SCALES", "load", "one_line", "plot", "run", "section"]

SCALES = {
    "smoke": Config(epochs=1, n_train=20_000, n_test=5_000, imbalanced=True, **QUICK),
    "embedded": Config(epochs=15, imbalanced=True, **QUICK),
    "paper": Config(sample="hepmass", imbalanced=True),
}


class Row(networks.Row):
    """One row with one seed.

    `joint_auc_...` is the AUC of all test events together, each signal event at its own mass and the background at
    masses by one of RULES. One entry each, in [0, 1]; of the last epoch with `_last`.
    """

    joint_auc_identical: list[float]
    joint_auc_uniform: list[float]
    joint_auc_binned: list[float]
    joint_auc_identical_last: list[float]
    joint_auc_uniform_last: list[float]
    joint_auc_binned_last: list[float]


def row_names(config: Config) -> tuple[str, ...]:
    """The rows of the table."""
    return tuple(SETUPS)


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """Trains and tests the network of one row."""
    rules = {rule: networks.background_theta(config, samples, Setup("concat", rule, "fixed")) for rule in RULES}
    theta = {rule: theta_by(strategy, samples.test, seed) for rule, strategy in rules.items()}
    return networks.make_row(config, samples, SETUPS[name], name, seed, display, partial(_measure, theta))


run = in_turn(row_names, make_row)


def theta_by(strategy, test: Events, seed: int) -> np.ndarray:
    """(n_events, 1) masses of the test events, GeV: the background's by a strategy, its own if that is None."""
    if strategy is None:
        return test.theta
    drawn = strategy.draw(len(test), [seed, 0], test.features).numpy()
    return np.where(test.label[:, None] == 1, test.theta, drawn)


def _measure(theta: Mapping[str, np.ndarray], model, test: Events, hypotheses: np.ndarray) -> dict[str, list[float]]:
    joint = {
        f"joint_auc_{rule}": [pnn_tf.roc_auc(test.label, pnn_tf.predict_scores(model, test.features, of_rule))]
        for rule, of_rule in theta.items()
    }
    return networks.auc_and_significance(model, test, hypotheses) | joint
