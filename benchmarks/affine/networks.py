"""The networks of AFFINE's tables: which events each is trained on, and how it is tested at each mass.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, sections 4.2, 4.3 and 6. A network is tested on the signal of one
mass against the whole background, which is shown to it at that mass; its weights are those of the epoch with the best
validation AUC, and those of the last.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

import pnn_tf
from benchmarks.affine.binned_significance import binned_significance_ratio
from benchmarks.data import imbalanced
from benchmarks.data.events import Events
from benchmarks.data.hepmass_like import read_recipe
from benchmarks.interpolation import training_events
from benchmarks.published import MASSES
from benchmarks.samples import Samples, Source, events_fingerprint
from benchmarks.training import QUICK, Recipe, show_epochs, train

BACKGROUND_WEIGHT = 1 / len(MASSES)  # in tests: the background then weighs as much as the signal of one mass
M_WWBB = "m_wwbb"  # the feature that is the reconstructed mass
# Mean and standard deviation of m_WWbb in HEPMASS before its standardisation, GeV. The official files do not have them:
# these are of 140 000 events, printed at github.com/angarmin/hepmass.
HEPMASS_M_WWBB = (1005.874941, 560.295364)


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
class Config(Source, Recipe):
    """The recipe of training, the events, and what is particular to AFFINE's tables.

    Args:
        uniform_range: range of the uniform background masses, GeV.
        individual_background: "own" trains each individual network on the background that carries its mass, "all" on
            the whole background.
        imbalanced: whether the training events are made a HEPMASS-IMB, see `benchmarks.data.hepmass_imb`.
    """

    uniform_range: tuple[float, float] = (500.0, 1500.0)
    individual_background: str = "own"
    imbalanced: bool = False

    def load(self) -> Samples:
        samples = super().load()
        return make_imbalanced(samples) if self.imbalanced else samples


@dataclass(frozen=True)
class Converged(Config):
    """Trains until the validation AUC has not risen for some epochs.

    Args:
        epochs: at most.
        patience: epochs without a rise.
    """

    epochs: int = 60
    patience: int = 5


SCALES = {
    "smoke": Config(epochs=2, n_train=20_000, n_test=10_000, **QUICK),
    "embedded": Config(epochs=10, **QUICK),
    "converged": Converged(**QUICK),
    "paper": Config(sample="hepmass"),
}
IMBALANCED_SCALES = {
    "smoke": Config(epochs=1, n_train=20_000, n_test=5_000, imbalanced=True, **QUICK),
    "embedded": Config(epochs=15, imbalanced=True, **QUICK),
    "converged": Converged(imbalanced=True, **QUICK),
    "paper": Config(sample="hepmass", imbalanced=True),
}


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


def rows_of(setups: Mapping[str, Setup]) -> dict[str, Callable]:
    """Fields of an Experiment: its rows, by name, are what the setups train."""
    return {
        "load": Config.load,
        "names": lambda config: setups,
        "make_row": lambda config, samples, name, *rest: make_row(config, samples, setups[name], name, *rest),
        "line": lambda row: f"mean AUC {100 * row['mean_auc']:.2f} %",
    }


def make_row(
    config: Config,
    samples: Samples,
    setup: Setup,
    title: str,
    seed: int,
    display,
    measure: Callable[..., Mapping[str, Sequence]] | None = None,
) -> dict:
    """Trains and tests the networks of one row, whose title is for the display.

    Args:
        measure: from a model, the test events and the hypotheses (n, 1) that it is tested at, lists of what is
            measured; `auc_and_significance` if None.

    Returns:
        The setup, lists per mass, in the order of `masses` (GeV), of what is measured at the epoch with the best
        validation AUC, and at the last epoch with `_last` in their names; `mean_auc` and `mean_auc_last` over the
        masses; `n_signal` and `n_background` of the test; and with an entry for each network `best_epoch`, `n_epochs`
        and `n_train` (training events without validation).
    """
    measure = measure or auc_and_significance
    measured, best_epoch, n_epochs, n_train = {}, [], [], []
    parts = training_parts(config, samples, setup, seed)
    for number, (events, hypotheses) in enumerate(parts, 1):
        network = f"{title}{f' {number}/{len(parts)}' if setup.individual else ''}, seed {seed}"
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
        for field, values in kept.items():
            measured.setdefault(field, []).extend(values)
            measured.setdefault(f"{field}_last", []).extend(last[field])
        best_epoch.append(trained.best_epoch)
        n_epochs.append(len(trained.auc))
        n_train.append(trained.n_train)
    masses = samples.test.hypotheses[:, 0]
    signal = samples.test.theta[samples.test.label == 1, 0]
    return {
        **{field: getattr(setup, field) for field in ("conditioning", "background", "assignment", "balance")},
        "masses": masses.tolist(),
        "mean_auc": float(np.mean(measured["auc"])),
        "mean_auc_last": float(np.mean(measured["auc_last"])),
        **measured,
        "n_signal": [int(np.count_nonzero(signal == mass)) for mass in masses],
        "n_background": int(np.count_nonzero(samples.test.label == 0)),
        "best_epoch": best_epoch,
        "n_epochs": n_epochs,
        "n_train": n_train,
    }


def training_parts(config: Config, samples: Samples, setup: Setup, seed: int) -> list[tuple[Events, np.ndarray]]:
    """For each network of a row: its training events, and the hypotheses (n, 1) that it is tested at."""
    events, hypotheses = samples.train, samples.test.hypotheses
    if setup.masses is not None:
        events = training_events(events, setup.masses, seed=seed)
    if not setup.individual:
        return [(events, hypotheses)]
    shared = (events.label == 0) & (config.individual_background == "all")
    return [
        (events.select((events.theta[:, 0] == mass) | shared), hypotheses[[i]]) for i, (mass,) in enumerate(hypotheses)
    ]


def background_theta(config: Config, samples: Samples, setup: Setup):
    """The strategy that replaces the background's theta in training; None where the events' own, identical, stays."""
    sampled = setup.assignment == "sampled"
    if setup.background == "binned":
        return nearest_hypothesis(config.sample, samples.train)
    if setup.background == "uniform":
        return pnn_tf.Uniform(*config.uniform_range, sampled=sampled)
    hypotheses = samples.train.hypotheses if setup.masses is None else setup.masses
    return pnn_tf.Identical(hypotheses, sampled=True) if sampled else None


def nearest_hypothesis(sample: str, events: Events) -> pnn_tf.Binned:
    """Each background event gets the hypothesis that is nearest to its m_WWbb: edges half-way between hypotheses.

    This is the third strategy of section 4.2, which the paper describes and leaves out of its experiments.

    Args:
        sample: "hepmass-like" or "hepmass", by whose constants m_WWbb is standardised.
        events: of the sample, with at least two hypotheses (GeV).

    Raises:
        ValueError: events without the feature "m_wwbb".
    """
    if M_WWBB not in events.names:
        raise ValueError(f"Expected events with {M_WWBB!r}, the reconstructed mass. They have: {events.names}.")
    mean, std = m_wwbb_scale(sample)
    masses = events.hypotheses[:, 0].astype(float)
    edges = np.array([-np.inf, *(masses[1:] + masses[:-1]) / 2, np.inf])
    return pnn_tf.Binned((edges - mean) / std, masses, events.names.index(M_WWBB))


def m_wwbb_scale(sample: str) -> tuple[float, float]:
    """Mean and standard deviation of m_WWbb before standardisation, GeV."""
    if sample == "hepmass":
        return HEPMASS_M_WWBB
    recipe = read_recipe()
    at = recipe["features"].index(M_WWBB)
    return recipe["mean"][at], recipe["std"][at]


def scores_at(model, test: Events, hypothesis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels and scores of the signal of one hypothesis (1,) and of the whole background, all shown at it."""
    which = (test.label == 0) | (test.theta == hypothesis).all(axis=1)
    return test.label[which], pnn_tf.predict_scores(model, test.features[which], hypothesis[None])


def auc_and_significance(model, test: Events, hypotheses: np.ndarray) -> dict[str, list[float]]:
    """What `at_one_mass` measures, as a list over the hypotheses."""
    measured = [at_one_mass(*scores_at(model, test, hypothesis)) for hypothesis in hypotheses]
    return {field: [of_mass[field] for of_mass in measured] for field in measured[0]}


def at_one_mass(label: np.ndarray, score: np.ndarray) -> dict[str, float]:
    """AUC and three significance ratios, all in [0, 1], from what `scores_at` gives.

    `significance` is exact, with every score a cut; `significance_authors` and `significance_repaired` are from bins of
    different ranges and of a common one, see `benchmarks.affine.binned_significance`.
    """
    ranking, weight = pnn_tf.Ranking(label, score), np.where(label == 1, 1.0, BACKGROUND_WEIGHT)
    return {
        "auc": ranking.auc(),
        "significance": ranking.significance(weight).ratio,
        "significance_authors": binned_significance_ratio(label, score, weight),
        "significance_repaired": binned_significance_ratio(label, score, weight, common_range=True),
    }
