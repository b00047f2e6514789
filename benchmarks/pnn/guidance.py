"""Where users of parametric networks go wrong, each as a check of `pnn_tf` on networks that do and do not.

Under a uniform background mass any value between the hypotheses means background (Anzalone, Diotallevi and Bonacorsi
2022, sections 4.2 and 5.1): `theta_leak`, and what the network makes of it. A cut at a mass selects background near
that mass: `background_sculpting`. Outside of the hypotheses' hull a network extrapolates: `outside_hull`. Few events
have an uncertain AUC: `too_few_events`.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple, TypedDict

import numpy as np

import pnn_tf
from benchmarks.affine.reconstructed_mass import FEATURE, scale
from benchmarks.data.events import Events
from benchmarks.data.hepmass_imb import imbalanced
from benchmarks.pnn.guidance_section import IDENTICAL, UNIFORM, UNREGULARISED, plot, section
from benchmarks.rows import in_turn
from benchmarks.samples import Samples, load_samples
from benchmarks.training import QUICK, Recipe, show_epochs, train

__all__ = ["SCALES", "Config", "Row", "load", "one_line", "plot", "run", "section"]


@dataclass(frozen=True)
class Config(Recipe):
    """The recipe of training, and what is looked at.

    Args:
        conditioning: of all networks.
        sample: "hepmass-like" or "hepmass".
        n_train: training events, validation included; None for all.
        n_test: test events; None for all.
        grid: masses (GeV) that the network is told: first, last, number.
        efficiency: share of the background that passes the cut.
        n_bins: of the reconstructed mass, from 0 to `mass_end` GeV.
        mass_end: see n_bins.
        error: largest standard error of an AUC to accept.
    """

    conditioning: str = "concat"
    sample: str = "hepmass-like"
    n_train: int | None = None
    n_test: int | None = None
    grid: tuple[float, float, int] = (450.0, 1550.0, 89)
    efficiency: float = 0.1
    n_bins: int = 50
    mass_end: float = 2000.0
    error: float = 0.002


SCALES = {
    "smoke": Config(epochs=2, n_train=20_000, n_test=6000, grid=(500.0, 1500.0, 9), **QUICK),
    "embedded": Config(epochs=10, **QUICK),
    "paper": Config(sample="hepmass"),
}


class Leak(NamedTuple):
    """Shares of background and signal, in a training batch, whose mass the other class never has."""

    background: float
    signal: float


class Response(TypedDict):
    """Mean score of the signal of `mass` (GeV), told each mass of `grid` (GeV)."""

    mass: float
    grid: list[float]
    score: list[float]


class Sculpted(TypedDict):
    """Background before and after a cut at a mass: shares in bins of the reconstructed mass, both sum to 1."""

    mass: float
    edges: list[float]
    before: list[float]
    after: list[float]
    divergence: float
    efficiency: float


class Row(TypedDict):
    """One network with one seed; lists are in the order of `masses` (GeV).

    `auc`, and its standard error `error` from the number of events, are of the last epoch, in [0, 1]. `too_few` names
    the masses at which the validation part of the imbalanced training sample would have a larger error than the one of
    the configuration: mass, error, signal events, signal events needed. `outside` are the masses of the response's
    grid that lie outside of the hypotheses' hull.
    """

    row: str
    seed: int
    masses: list[float]
    auc: list[float]
    error: list[float]
    leak: Leak
    responses: list[Response]
    sculpting: list[Sculpted]
    too_few: list[tuple[float, float, int, int]]
    outside: list[float]
    wall_s: float


def load(config: Config) -> Samples:
    """Reads the events of a configuration."""
    return load_samples(config.sample, config.n_train, config.n_test)


def _make_row(config: Config, samples: Samples, name: str, seed: int, display) -> dict:
    events, test = samples.train, samples.test
    hypotheses = events.hypotheses
    background_theta = pnn_tf.Identical(hypotheses)
    if name != IDENTICAL:
        background_theta = pnn_tf.Uniform(hypotheses.min(axis=0), hypotheses.max(axis=0))
    if name == UNREGULARISED:
        config = replace(config, dropout=0.0, kernel_l2=0.0, bias_l2=0.0)

    model = train(
        config,
        events,
        conditioning=config.conditioning,
        background_theta=background_theta,
        seed=seed,
        on_epoch=show_epochs(display, f"{name}, seed {seed}", 1 / config.epochs),
    ).model  # with the weights of the last epoch, which no validation on identical masses has chosen
    results = pnn_tf.evaluate_hypotheses(model, test.features, test.theta, test.label)
    return {
        "masses": [result.theta[0] for result in results],
        "auc": [result.auc for result in results],
        "error": [result.auc_error for result in results],
        "leak": _leak(config, events, background_theta, seed),
        "responses": [_response(config, model, test, mass) for mass in hypotheses[:, 0]],
        "sculpting": [_sculpting(config, model, test, mass) for mass in hypotheses[:, 0]],
        "too_few": _too_few(config, events, results),
        "outside": _outside(config, hypotheses),
    }


def _leak(config: Config, events: Events, background_theta, seed: int) -> Leak:
    batches = pnn_tf.balanced_batches(
        events.features,
        events.theta,
        events.label,
        batch_size=config.batch_size,
        balance=config.balance,
        background_theta=background_theta,
        seed=seed,
    )
    x, label = next(batches.dataset.as_numpy_iterator())
    return Leak(*pnn_tf.theta_leak(x["theta"], label))


def _response(config: Config, model, test: Events, mass: float) -> Response:
    grid = np.linspace(*config.grid)
    signal = test.features[(test.label == 1) & (test.theta[:, 0] == mass)]
    score = pnn_tf.scan_theta(model, signal, grid).mean(axis=1)
    return {"mass": float(mass), "grid": grid.tolist(), "score": [round(float(s), 5) for s in score]}


def _sculpting(config: Config, model, test: Events, mass: float) -> Sculpted:
    edges = np.linspace(0, config.mass_end, config.n_bins + 1)
    background = test.select(test.label == 0)
    mean, std = scale(config.sample)
    reconstructed = background.features[:, background.names.index(FEATURE)] * std + mean
    score = pnn_tf.predict_scores(model, background.features, float(mass))
    sculpting = pnn_tf.background_sculpting(
        score, reconstructed, background.label, efficiency=config.efficiency, bins=edges
    )
    return {
        "mass": float(mass),
        "edges": edges.tolist(),
        "before": np.round(sculpting.before, 6).tolist(),
        "after": np.round(sculpting.after, 6).tolist(),
        "divergence": sculpting.divergence,
        "efficiency": sculpting.efficiency,
    }


def _too_few(config: Config, events: Events, results: list) -> list[tuple[float, float, int, int]]:
    """What the AUCs of `results` would be worth on the validation part of HEPMASS-IMB."""
    _, validation = imbalanced(events).split(config.validation_fraction)
    n_background = int(np.count_nonzero(validation.label == 0))
    smaller = []
    for result in results:
        n_signal = int(np.count_nonzero((validation.label == 1) & (validation.theta == result.theta).all(axis=1)))
        smaller.append(result._replace(n_signal=n_signal, n_background=n_background))
    found = pnn_tf.too_few_events(smaller, error=config.error)
    return [(one.theta[0], one.error, one.n_signal, one.n_needed) for one in found]


def _outside(config: Config, hypotheses: np.ndarray) -> list[float]:
    grid = np.linspace(*config.grid)
    return grid[pnn_tf.outside_hull(grid, hypotheses)].tolist()


run = in_turn(lambda config: (IDENTICAL, UNIFORM, UNREGULARISED), _make_row)


def one_line(row: Row) -> str:
    """What a log says of a finished row."""
    return (
        f"{row['row']}, seed {row['seed']}: mean AUC {100 * np.mean(row['auc']):.2f} %, "
        f"theta gives {100 * row['leak'][0]:.0f} % of the background away"
    )
