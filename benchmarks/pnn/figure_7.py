"""PNN Figs. 7 and 8: deep networks on 22 low-level or all 27 features, at 1000 GeV and across the masses.

Baldi et al., "Parameterized neural networks for high-energy physics" (2016), section 5. A parametrised network, one
that has not seen the signal of 1000 GeV, one trained at 1000 GeV alone and one on all masses without a label are tested
on the same events: the signal of one mass against the whole background.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypedDict

from benchmarks.data.events import Events
from benchmarks.interpolation import training_events
from benchmarks.pnn.figure_5 import N_LOW
from benchmarks.pnn.figure_7_section import one_line, plot, section
from benchmarks.pnn.recipes import Deep
from benchmarks.pnn.tested import AtTheta, evaluate
from benchmarks.rows import in_turn
from benchmarks.samples import Samples, load_samples
from benchmarks.terminal import Display
from benchmarks.training import show_epochs, train

__all__ = ["SCALES", "Config", "Row", "load", "one_line", "plot", "run", "section"]


class Network(NamedTuple):
    """Which masses a network is trained on, and whether it is told the mass."""

    conditioning: str | None  # of pnn_tf.parametric_network
    at_focus: bool = True  # trained on the mass in focus
    elsewhere: bool = True  # and on the others


NETWORKS = {
    "parametrised": Network("concat"),
    "interpolating": Network("concat", at_focus=False),
    "fixed": Network(None, elsewhere=False),
    "mixture": Network(None),
}
FEATURES = {"low-level": N_LOW, "all": None}  # how many of the features, from the first on


@dataclass(frozen=True)
class Config(Deep):
    """The recipe of training, and what is particular to these figures.

    Args:
        sample: "hepmass-like", simulated and part of the checkout, or "hepmass", the official files by download.
        n_train: training events drawn from the sample, validation included; None for all.
        n_test: test events drawn; None for all.
        focus: mass that one network is trained at and another is not, GeV.
    """

    balance: str = "class"
    sample: str = "hepmass-like"
    n_train: int | None = None
    n_test: int | None = None
    focus: float = 1000.0


# The paper's 200 epochs of 7M events are 14 million steps. Adam comes as far on the small sample in a thousand, after
# which networks of a million weights begin to learn it by heart.
QUICK = {"batch_size": 1024, "learning_rate": 1e-3, "momentum": None, "decay": 0.7, "epochs": 6}
SCALES = {
    "smoke": Config(**QUICK | {"epochs": 2, "units": (50,) * 5}, n_train=20_000, n_test=10_000),
    "embedded": Config(**QUICK),
    "paper": Config(sample="hepmass"),
}


class Row(TypedDict):
    """A network with one seed, tested at each mass with the weights of the epoch with the best validation AUC.

    `network` and `features` are keys of NETWORKS and FEATURES. `n_train` counts training events without validation.
    """

    row: str
    seed: int
    network: str
    features: str
    tested: list[AtTheta]
    n_train: int
    best_epoch: int
    wall_s: float


def load(config: Config) -> Samples:
    """Reads the events of a configuration."""
    return load_samples(config.sample, config.n_train, config.n_test)


def _row_names(config: Config) -> Sequence[str]:
    return [f"{network}, {features}" for features in FEATURES for network in NETWORKS]


def _make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    network, features = name.split(", ")
    setup = NETWORKS[network]
    events, test = (_first(part, FEATURES[features]) for part in (samples.train, samples.test))
    masses = test.hypotheses[:, 0].tolist()
    trained_on = [mass for mass in masses if (setup.at_focus if mass == config.focus else setup.elsewhere)]
    trained = train(
        config,
        training_events(events, trained_on, seed=seed),
        conditioning=setup.conditioning,
        seed=seed,
        on_epoch=show_epochs(display, f"{name}, seed {seed}", 1 / config.epochs),
    )
    trained.model.set_weights(trained.best_weights)
    return {
        "network": network,
        "features": features,
        "tested": [evaluate(trained.model, test, mass) for mass in masses],
        "n_train": trained.n_train,
        "best_epoch": trained.best_epoch,
    }


run = in_turn(_row_names, _make_row)


def _first(events: Events, n_features: int | None) -> Events:
    return replace(events, features=events.features[:, :n_features], names=events.names[:n_features])
