"""The networks of AFFINE's tables: which events each is trained on, and how it is tested at each mass.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, sections 4.2, 4.3 and 6. A network is tested on the signal of one
mass against the whole background, which is shown to it at that mass; its weights are those of the epoch with the best
validation AUC, and those of the last.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypedDict

import numpy as np

import pnn_tf
from benchmarks.affine.binned_significance import binned_significance_ratio
from benchmarks.affine.reconstructed_mass import nearest_hypothesis
from benchmarks.data import imbalanced
from benchmarks.data.events import Events
from benchmarks.interpolation import training_events
from benchmarks.published import MASSES
from benchmarks.samples import Samples, events_fingerprint, load_samples
from benchmarks.terminal import Display
from benchmarks.training import Recipe, show_epochs, train

BACKGROUND_WEIGHT = 1 / len(MASSES)  # in tests: the background then weighs as much as the signal of one mass


class Setup(NamedTuple):
    """What a row of a table trains.

    Args:
        conditioning: of `pnn_tf.parametric_network`; None for a network that is told no mass.
        background: where the background's mass comes from: "identical" to the signal's masses, "uniform" between them,
            or "binned", the hypothesis nearest to the reconstructed mass; None where no mass is told.
        assignment: "fixed" in the sample, or "sampled" anew in each batch; None where it makes no difference.
        individual: one network for each mass.
        balance: of `pnn_tf.balanced_batches`; it takes the place of the recipe's.
        masses: GeV, of the signal to train on; None for all. The background's identical masses are drawn from these.
    """

    conditioning: str | None
    background: str | None = None
    assignment: str | None = None
    individual: bool = False
    balance: str = "none"
    masses: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Config(Recipe):
    """The recipe of training, and what is particular to AFFINE's tables.

    Args:
        sample: "hepmass-like", simulated and part of the checkout, or "hepmass", the official files by download.
        n_train: training events drawn from the sample, validation included; None for all.
        n_test: test events drawn; None for all.
        uniform_range: range of the uniform background masses, GeV.
        individual_background: "own" trains each individual network on the background that carries its mass, "all" on
            the whole background.
        imbalanced: whether the training events are made a HEPMASS-IMB, see `benchmarks.data.hepmass_imb`.
    """

    sample: str = "hepmass-like"
    n_train: int | None = None
    n_test: int | None = None
    uniform_range: tuple[float, float] = (500.0, 1500.0)
    individual_background: str = "own"
    imbalanced: bool = False


class Row(TypedDict):
    """One row of a table with one seed; lists are per mass, in the order of `masses`, GeV.

    AUC and significance ratios are of the epoch with the best validation AUC, those with `_last` of the last one; all
    in [0, 1]. `significance` is the exact ratio, `significance_authors` and `significance_repaired` the binned ones,
    with different ranges and with a common one (`benchmarks.affine.binned_significance`). `n_signal` and `n_background`
    count test events; `best_epoch` and `n_train` (training events without validation) have an entry for each network.
    """

    row: str
    seed: int
    conditioning: str | None
    background: str | None
    assignment: str | None
    balance: str
    masses: list[float]
    auc: list[float]
    mean_auc: float
    auc_last: list[float]
    mean_auc_last: float
    significance: list[float]
    significance_last: list[float]
    significance_authors: list[float]
    significance_authors_last: list[float]
    significance_repaired: list[float]
    significance_repaired_last: list[float]
    n_signal: list[int]
    n_background: int
    best_epoch: list[int]
    epochs: int
    n_train: list[int]
    wall_s: float


def load(config: Config) -> Samples:
    """Reads the events of a configuration."""
    samples = load_samples(config.sample, config.n_train, config.n_test)
    return make_imbalanced(samples) if config.imbalanced else samples


def make_imbalanced(samples: Samples) -> Samples:
    """The samples with the training events of HEPMASS-IMB; its test events are the balanced ones."""
    train, test = imbalanced(samples.train), samples.test
    masses, counts = np.unique(train.theta[train.label == 1], return_counts=True)
    data = samples.data | {
        "name": f"HEPMASS-IMB, made of {samples.data['name']}",
        "n_train": len(train),
        "n_signal": {f"{mass:g}": int(count) for mass, count in zip(masses, counts, strict=True)},
        "fingerprint": events_fingerprint(train, test),
    }
    return Samples(train, test, data)


def make_row(
    config: Config,
    samples: Samples,
    setup: Setup,
    title: str,
    seed: int,
    display: Display,
    measure: Callable[..., Mapping[str, Sequence]] | None = None,
) -> dict:
    """Trains and tests the networks of one row.

    Args:
        config: the settings.
        samples: the events.
        setup: what is trained.
        title: of the row, for the display.
        seed: of the training.
        display: told each epoch.
        measure: from a model, the test events and the hypotheses (n, 1) that it is tested at, lists of what is
            measured; `auc_and_significance` if None. Those of the last epoch are called "..._last" in the row.

    Returns:
        What `Row` describes, without `row`, `seed` and `wall_s`, and whatever else is measured.
    """
    measure = measure or auc_and_significance
    measured, best_epoch, n_train = {}, [], []
    parts = training_parts(config, samples, setup, seed)
    for number, (events, hypotheses) in enumerate(parts, 1):
        which = f" {number}/{len(parts)}" if setup.individual else ""
        network = f"{title}{which}, seed {seed}"
        display.advance(0, f"{network}: preparing")
        trained = train(
            replace(config, balance=setup.balance),
            events,
            conditioning=setup.conditioning,
            background_theta=background_theta(config, samples, setup),
            seed=seed,
            on_epoch=show_epochs(display, network, 1 / len(parts) / config.epochs),
        )
        last = measure(trained.model, samples.test, hypotheses)
        trained.model.set_weights(trained.best_weights)
        kept = measure(trained.model, samples.test, hypotheses)
        for field, values in (kept | {f"{field}_last": values for field, values in last.items()}).items():
            measured.setdefault(field, []).extend(values)
        best_epoch.append(trained.best_epoch)
        n_train.append(trained.n_train)
    masses = samples.test.hypotheses[:, 0]
    signal = samples.test.theta[samples.test.label == 1, 0]
    return {
        "conditioning": setup.conditioning,
        "background": setup.background,
        "assignment": setup.assignment,
        "balance": setup.balance,
        "masses": masses.tolist(),
        "mean_auc": float(np.mean(measured["auc"])),
        "mean_auc_last": float(np.mean(measured["auc_last"])),
        **measured,
        "n_signal": [int(np.count_nonzero(signal == mass)) for mass in masses],
        "n_background": int(np.count_nonzero(samples.test.label == 0)),
        "best_epoch": best_epoch,
        "epochs": config.epochs,
        "n_train": n_train,
    }


def training_parts(config: Config, samples: Samples, setup: Setup, seed: int) -> list[tuple[Events, np.ndarray]]:
    """For each network of a row: its training events, and the hypotheses (n, 1) that it is tested at."""
    events, hypotheses = samples.train, samples.test.hypotheses
    if setup.masses is not None:
        events = training_events(events, setup.masses, seed=seed)
    if not setup.individual:
        return [(events, hypotheses)]
    parts = []
    for hypothesis in hypotheses:
        of_this_mass = (events.theta == hypothesis).all(axis=1)
        if config.individual_background == "all":
            of_this_mass |= events.label == 0
        parts.append((events.select(of_this_mass), hypothesis[None]))
    return parts


def background_theta(config: Config, samples: Samples, setup: Setup):
    """The strategy that replaces the background's theta in training; None where the events' own, identical, stays."""
    sampled = setup.assignment == "sampled"
    if setup.background == "binned":
        return nearest_hypothesis(config.sample, samples.train)
    if setup.background == "uniform":
        return pnn_tf.Uniform(*config.uniform_range, sampled=sampled)
    hypotheses = samples.train.hypotheses if setup.masses is None else setup.masses
    return pnn_tf.Identical(hypotheses, sampled=True) if sampled else None


def scores_at(model, test: Events, hypothesis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores of the signal of one hypothesis (1,) and of the whole background, all shown at it."""
    which = (test.label == 0) | (test.theta == hypothesis).all(axis=1)
    return test.label[which], pnn_tf.predict_scores(model, test.features[which], hypothesis[None])


def event_weight(label: np.ndarray) -> np.ndarray:
    """1 for signal, BACKGROUND_WEIGHT for background."""
    return np.where(label == 1, 1.0, BACKGROUND_WEIGHT)


def auc_and_significance(model, test: Events, hypotheses: np.ndarray) -> dict[str, list[float]]:
    """What `at_one_mass` measures, as a list over the hypotheses."""
    measured = [at_one_mass(*scores_at(model, test, hypothesis)) for hypothesis in hypotheses]
    return {field: [of_mass[field] for of_mass in measured] for field in measured[0]}


def at_one_mass(label: np.ndarray, score: np.ndarray) -> dict[str, float]:
    """AUC and the three significance ratios, from what `scores_at` gives."""
    ranking, weight = pnn_tf.Ranking(label, score), event_weight(label)
    return {
        "auc": ranking.auc(),
        "significance": ranking.significance(weight).ratio,
        "significance_authors": binned_significance_ratio(label, score, weight),
        "significance_repaired": binned_significance_ratio(label, score, weight, common_range=True),
    }


def line(row: Row) -> str:
    """What a log says of a finished row."""
    return f"mean AUC {100 * row['mean_auc']:.2f} %"
