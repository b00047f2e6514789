"""PNN Fig. 4: one feature, m_wwbb; a network that has not seen 750 GeV against one trained at 750 GeV alone.

Baldi et al., "Parameterized neural networks for high-energy physics" (2016), section 4. Two references need no network:
the feature itself, which is what every rising output comes to, and the ratio of the binned densities of the training
events, which is near the best that the feature allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np

import pnn_tf
from benchmarks.data.events import Events
from benchmarks.interpolation import training_events
from benchmarks.pnn.distributions import Distribution, bin_edges, distribution
from benchmarks.pnn.figure_4_section import FEATURE, FIXED, PARAMETRISED, RATIO, RISING, one_line, plot, section
from benchmarks.pnn.figure_5 import physical
from benchmarks.pnn.recipes import Shallow
from benchmarks.pnn.tested import AtTheta, evaluate, summary
from benchmarks.rows import in_turn
from benchmarks.samples import Samples, load_samples
from benchmarks.terminal import Display
from benchmarks.training import show_epochs, train

__all__ = ["SCALES", "Config", "Row", "load", "one_line", "plot", "run", "section"]


@dataclass(frozen=True)
class Config(Shallow):
    """The recipe of training, and what is particular to this figure.

    Args:
        sample: "hepmass-like", simulated and part of the checkout, or "hepmass", the official files by download.
        n_train: training events drawn from the sample, validation included; None for all.
        n_test: test events drawn; None for all.
        focus: mass that one network is trained at and the other is not, GeV.
        n_bins: of the binned densities, with about the same number of events in each.
        theta_offset, theta_scale: masses of 500 to 1500 GeV become 0 to 1, as the feature does.
    """

    theta_offset: tuple[float, ...] = (500.0,)
    theta_scale: tuple[float, ...] = (1000.0,)
    sample: str = "hepmass-like"
    n_train: int | None = None
    n_test: int | None = None
    focus: float = 750.0
    n_bins: int = 40


# One event a step takes an hour for what batches of 32 do in minutes, with a rate 32 times as large.
QUICK = {"batch_size": 32, "learning_rate": 0.32, "balance": "class"}
SCALES = {
    "smoke": Config(**QUICK | {"epochs": 3}, n_train=20_000, n_test=10_000),
    "embedded": Config(**QUICK),
    "paper": Config(sample="hepmass", n_train=1_000_000),
}


class Row(TypedDict):
    """What FIXED, PARAMETRISED, RISING and RATIO of the section name: a network or a reference, at the mass in focus.

    Networks are those of the last epoch: the best AUC says nothing of an output that rises with the feature throughout.

    `distribution` is in GeV if `physical`, else standardised. `response` is the output at the centre of each of its
    bins; RISING has none. `n_train` counts the training events of a network without validation, else None.
    """

    row: str
    seed: int
    tested: AtTheta
    physical: bool
    distribution: Distribution
    response: list[float] | None
    n_train: int | None
    wall_s: float


def load(config: Config) -> Samples:
    """Reads the events of a configuration."""
    return load_samples(config.sample, config.n_train, config.n_test)


def _row_names(config: Config) -> Sequence[str]:
    return RISING, RATIO, FIXED, PARAMETRISED


def _make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    events, test = (_one_feature(physical(part, config.sample)) for part in (samples.train, samples.test))
    edges = bin_edges(events.features[:, 0])
    row = {"physical": config.sample == "hepmass-like", "distribution": distribution(events, FEATURE, edges)}
    at = ((edges[1:] + edges[:-1]) / 2).astype(np.float32)
    if name in (RISING, RATIO):
        display.advance(1, name)
        return row | _reference(config, name, events, test, at)

    low, high = events.features.min(), events.features.max()
    events, test = (replace(part, features=(part.features - low) / (high - low)) for part in (events, test))
    masses = [mass for mass in events.hypotheses[:, 0].tolist() if (mass == config.focus) == (name == FIXED)]
    trained = train(
        config,
        training_events(events, masses, seed=seed),
        conditioning=None if name == FIXED else "concat",
        seed=seed,
        on_epoch=show_epochs(display, f"{name}, seed {seed}", 1 / config.epochs),
    )
    response = pnn_tf.predict_scores(trained.model, (at[:, None] - low) / (high - low), config.focus)
    return row | {
        "tested": evaluate(trained.model, test, config.focus),
        "response": [round(float(value), 5) for value in response],
        "n_train": trained.n_train,
    }


def _reference(config: Config, name: str, events: Events, test: Events, at: np.ndarray) -> dict:
    """`tested` and the rest of a row without a network; the response of RATIO is the posterior at equal frequencies."""
    x, response = test.features[:, 0], None
    if name == RATIO:
        ratio = density_ratio(events, config.focus, config.n_bins)
        x, response = ratio(x), [round(float(value), 5) for value in ratio(at) / (1 + ratio(at))]
    tested = summary(config.focus, x[(test.label == 1) & (test.theta[:, 0] == config.focus)], x[test.label == 0])
    return {"tested": tested, "response": response, "n_train": None}


run = in_turn(_row_names, _make_row)


def _one_feature(events: Events) -> Events:
    column = events.names.index(FEATURE)
    return replace(events, features=events.features[:, [column]], names=(FEATURE,))


def density_ratio(events: Events, mass: float, n_bins: int):
    """Signal density over background density of the only feature, as a function (n,) -> (n,), constant in each bin.

    Args:
        events: signal, of which that of one mass (GeV) is taken, and background.
        mass: one of the hypotheses.
        n_bins: bins with equal numbers of the events taken. One event is added to each bin and class, against zeros.
    """
    values, signal = events.features[:, 0], (events.label == 1) & (events.theta[:, 0] == mass)
    taken = signal | (events.label == 0)
    inner = np.quantile(values[taken], np.linspace(0, 1, n_bins + 1)[1:-1])
    of_signal, of_background = (
        1.0 + np.bincount(np.searchsorted(inner, values[which]), minlength=n_bins)
        for which in (signal, events.label == 0)
    )
    ratio = of_signal / of_signal.sum() / (of_background / of_background.sum())
    return lambda x: ratio[np.searchsorted(inner, x)]
