"""PNN, section 6: two parameters, one of which is a nuisance parameter, the jet energy scale.

Baldi, Cranmer, Faucett, Sadowski and Whiteson 2016 suggest networks with several parameters, and with nuisance
parameters among them, without numbers: "typical networks are optimal only for a single specific value used during
training". Here a network is given the mass of the resonance and the jet energy scale, and is held against one trained
at the nominal scale alone, and one trained at all scales without being told. The background depends on the scale too:
it keeps the one that it was measured with, while its mass is assigned.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple, TypedDict

import numpy as np

import pnn_tf
from benchmarks.data import load_hepmass_like
from benchmarks.data.events import Events
from benchmarks.pnn.section_6_section import BOTH, HELD_OUT, NOMINAL, TRAINED, plot, section
from benchmarks.pnn.tested import AtTheta, summary
from benchmarks.rows import in_turn
from benchmarks.samples import events_fingerprint
from benchmarks.training import QUICK, Recipe, show_epochs, train

__all__ = ["SCALES", "Config", "Row", "load", "one_line", "plot", "run", "section"]

SCALE = 1  # the column of theta that holds the jet energy scale


@dataclass(frozen=True)
class Config(Recipe):
    """The recipe of training, and what is particular to two parameters.

    Args:
        conditioning: of all networks.
        n_train: training events of each network, validation included.
        n_test: test events; None for all.
        held_out: jet energy scales that one of the networks never sees.
        truth: mass (GeV) and scale of the events of the map.
        map_masses: masses (GeV) at which the network is shown them: first, last, number.
        map_scales: scales, likewise.
    """

    conditioning: str = "affine"
    affine_start: str = "identity"
    n_train: int = 100_000
    n_test: int | None = None
    held_out: tuple[float, ...] = (0.95, 1.05)
    truth: tuple[float, float] = (750.0, 1.0)
    map_masses: tuple[float, float, int] = (400.0, 1600.0, 49)
    map_scales: tuple[float, float, int] = (0.85, 1.15, 13)
    theta_scale: tuple[float, ...] = (1000.0, 0.1)
    theta_offset: tuple[float, ...] = (0.0, 1.0)


SCALES = {
    "smoke": Config(
        epochs=2, n_train=20_000, n_test=6000, map_masses=(500, 1500, 3), map_scales=(0.9, 1.1, 3), **QUICK
    ),
    "embedded": Config(epochs=15, **QUICK),
    "paper": Config(epochs=30, **QUICK),  # HEPMASS has one scale: the same events for longer
}


class Map(TypedDict):
    """AUC of the signal of one theta against the background of its scale, shown to the network at others.

    `auc` is (n_masses, n_scales), in [0, 1].
    """

    truth: tuple[float, float]
    masses: list[float]
    scales: list[float]
    auc: list[list[float]]


class Row(TypedDict):
    """One network with one seed; lists are in the order of `points`, pairs of mass (GeV) and jet energy scale.

    `tested` has the signal of a point against the background at its scale, with the network told both; `told_nominal`
    with the network told the nominal scale, None for networks that are told no scale. All of the epoch with the best
    validation AUC.
    """

    row: str
    seed: int
    points: list[tuple[float, float]]
    tested: list[AtTheta]
    told_nominal: list[AtTheta] | None
    map: Map | None
    best_epoch: int
    n_train: int
    wall_s: float


class Samples(NamedTuple):
    """Events at the nominal scale, at all scales, test events at all scales, and what the record says of them."""

    nominal: Events
    train: Events
    test: Events
    data: dict


def load(config: Config) -> Samples:
    """Reads the events of a configuration."""
    nominal, train = (load_hepmass_like("train", variant=v, n_events=config.n_train) for v in (None, "jes"))
    test = load_hepmass_like("test", variant="jes", n_events=config.n_test)
    data = {
        "name": "HEPMASS-like (simulated) at five jet energy scales",
        "n_train": len(train),
        "n_test": len(test),
        "fingerprint": events_fingerprint(nominal, train, test),
    }
    return Samples(nominal, train, test, data)


def _make_row(config: Config, samples: Samples, name: str, seed: int, display) -> dict:
    told_scale = name in (BOTH, HELD_OUT)
    events = samples.nominal if name == NOMINAL else samples.train
    if name == HELD_OUT:
        events = events.select(~np.isin(events.theta[:, SCALE], np.float32(config.held_out)))
    if not told_scale:
        events = _told_mass_alone(events)
        config = replace(config, theta_scale=config.theta_scale[:1], theta_offset=config.theta_offset[:1])

    trained = train(
        config,
        events,
        conditioning=config.conditioning,
        background_theta=pnn_tf.Identical(np.unique(events.theta[:, 0])),
        nuisances=(SCALE,) if told_scale else (),
        seed=seed,
        on_epoch=show_epochs(display, f"{name}, seed {seed}", 1 / config.epochs),
    )
    model = trained.model
    model.set_weights(trained.best_weights)
    points, tested = _evaluate(model, samples.test, told_scale)
    return {
        "points": points,
        "tested": tested,
        "told_nominal": _evaluate(model, samples.test, told_scale, shown=1.0)[1] if told_scale else None,
        "map": _map(config, model, samples.test) if name == BOTH else None,
        "best_epoch": trained.best_epoch,
        "n_train": trained.n_train,
    }


def _told_mass_alone(events: Events) -> Events:
    return replace(events, theta=events.theta[:, :SCALE], parameter_names=events.parameter_names[:SCALE])


def _evaluate(model, test: Events, told_scale: bool, shown: float | None = None):
    """The points, and the test at each; a network that is told the scale is told `shown`, or the true one if None."""
    points, tested = [], []
    for scale in np.unique(test.theta[:, SCALE]):
        events = test.select(test.theta[:, SCALE] == scale)
        background = events.features[events.label == 0]
        for mass in np.unique(events.theta[events.label == 1, 0]):
            signal = events.features[(events.label == 1) & (events.theta[:, 0] == mass)]
            told = [mass, scale if shown is None else shown] if told_scale else [mass]
            scores = (pnn_tf.predict_scores(model, features, [told]) for features in (signal, background))
            points.append((float(mass), round(float(scale), 4)))
            tested.append(summary(mass, *scores))
    return points, tested


def _map(config: Config, model, test: Events) -> Map:
    mass, scale = np.float32(config.truth)
    at_scale = test.theta[:, SCALE] == scale
    events = test.select(at_scale & ((test.label == 0) | (test.theta[:, 0] == mass)))
    masses, scales = np.linspace(*config.map_masses), np.linspace(*config.map_scales)
    grid = np.stack(np.meshgrid(masses, scales, indexing="ij"), axis=-1).reshape(-1, 2)
    auc = [pnn_tf.roc_auc(events.label, score) for score in pnn_tf.scan_theta(model, events.features, grid)]
    return {
        "truth": config.truth,
        "masses": masses.tolist(),
        "scales": np.round(scales, 4).tolist(),
        "auc": np.round(auc, 5).reshape(len(masses), len(scales)).tolist(),
    }


run = in_turn(lambda config: TRAINED, _make_row)


def one_line(row: Row) -> str:
    """What a log says of a finished row."""
    auc = np.mean([tested["auc"] for tested in row["tested"]])
    return f"{row['row']}, seed {row['seed']}: mean AUC {100 * auc:.2f} %"
