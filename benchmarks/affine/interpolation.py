"""AFFINE Figs. 7, 8 and 12: networks at masses that they were not trained on.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, section 5.1. A parametric network is trained without one mass
(Fig. 7), on one mass alone (Fig. 8), and beside an affine one on two masses (Fig. 12a, b); and on two masses of
HEPMASS-IMB with uniform background masses, with and without regularisation (Fig. 12c). The paper shows all of them as
figures, and in its text bounds on what is lost in Fig. 8.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import pnn_tf
from benchmarks import interpolation
from benchmarks.affine.interpolation_section import plot, section
from benchmarks.data import imbalanced
from benchmarks.interpolation import Trial
from benchmarks.published import MASSES
from benchmarks.rows import in_turn
from benchmarks.samples import Samples, load_samples
from benchmarks.terminal import Display
from benchmarks.training import QUICK, Recipe, show_epochs

__all__ = ["SCALES", "Config", "Row", "load", "one_line", "plot", "run", "section"]

CONDITIONING = {"pNN": "concat", "Affine": "affine"}


@dataclass(frozen=True)
class Config(Recipe):
    """The recipe of training, and the events.

    Args:
        sample: "hepmass-like", simulated and part of the checkout, or "hepmass", the official files by download.
        n_train: training events drawn from the sample, validation included; None for all.
        n_test: test events drawn; None for all.
    """

    sample: str = "hepmass-like"
    n_train: int | None = None
    n_test: int | None = None


SCALES = {
    "smoke": Config(epochs=2, n_train=20_000, n_test=10_000, units=(50, 50), **QUICK),
    "embedded": Config(epochs=10, **QUICK),
    "paper": Config(sample="hepmass"),
}


class Setup(NamedTuple):
    """What a row trains: a kind of network, on which hypotheses, and how."""

    network: str
    trial: Trial
    imbalanced: bool = False  # the signal of HEPMASS-IMB
    uniform: bool = False  # background masses uniform over the range trained on, else out of the masses trained on
    regularised: bool = True  # with dropout and L2 penalties

    @property
    def row(self) -> str:
        """Name of the row."""
        marks = {"IMB": self.imbalanced, "uniform": self.uniform, "unregularised": not self.regularised}
        return ", ".join([f"{self.network} {self.trial.name}", *(mark for mark, there in marks.items() if there)])


def setups() -> Iterator[Setup]:
    """What is trained, networks of one size after another: their training steps are traced once."""
    every, ends = interpolation.on_all(MASSES), interpolation.ends_only(MASSES)
    yield Setup("pNN", every)
    for trial in (*interpolation.leave_one_out(MASSES), *interpolation.one_only(MASSES)):
        yield Setup("pNN", trial)
    two, _ = interpolation.leave_half_out(MASSES)
    for network in CONDITIONING:
        yield Setup(network, ends)
        yield Setup(network, two)
    yield Setup("Affine", every)
    yield Setup("pNN", ends, imbalanced=True)
    for regularised in (True, False):
        yield Setup("pNN", ends, imbalanced=True, uniform=True, regularised=regularised)


class Row(interpolation.Interpolation):
    """One network with one seed; see `interpolation.Interpolation` for what is measured."""

    row: str
    seed: int
    network: str
    imbalanced: bool
    uniform: bool
    regularised: bool
    epochs: int
    wall_s: float


def load(config: Config) -> Samples:
    """Reads the events of a configuration."""
    return load_samples(config.sample, config.n_train, config.n_test)


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """Trains and tests one network."""
    setup = next(setup for setup in setups() if setup.row == name)
    masses = [mass for (mass,) in setup.trial.trained_on]
    display.advance(0, f"{name}, seed {seed}: preparing")

    measured = interpolation.interpolate(
        config if setup.regularised else replace(config, dropout=0.0, kernel_l2=0.0, bias_l2=0.0),
        imbalanced(samples.train) if setup.imbalanced else samples.train,
        samples.test,
        setup.trial.trained_on,
        conditioning=CONDITIONING[setup.network],
        background=pnn_tf.Uniform(min(masses), max(masses), sampled=False) if setup.uniform else None,
        seed=seed,
        on_epoch=show_epochs(display, f"{name}, seed {seed}", 1 / config.epochs),
    )
    return {
        "network": setup.network,
        "imbalanced": setup.imbalanced,
        "uniform": setup.uniform,
        "regularised": setup.regularised,
        "epochs": config.epochs,
        **measured,
    }


run = in_turn(lambda config: [setup.row for setup in setups()], make_row)


def one_line(row: Row) -> str:
    """What a log says of a finished row."""
    return f"{row['row']}, seed {row['seed']}: mean AUC {100 * sum(row['auc']) / len(row['auc']):.2f} %"
