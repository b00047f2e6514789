"""AFFINE Table 3: AUC at each mass on HEPMASS for a single network, five individual ones, and eight parametric ones.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, section 6.3. The parametric networks differ in how theta enters
(concatenated once, or in affine layers), in the distribution of the background's theta (the signal's masses, or
uniform between them) and in its assignment (fixed in the sample, or sampled anew in each batch). Tests are made on the
signal of one mass against the whole background, which is shown to the network at that mass.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import NamedTuple, TypedDict

import numpy as np
from matplotlib.figure import Figure

import pnn_tf
from benchmarks.affine import per_mass
from benchmarks.affine.departures import departures
from benchmarks.comparison import Cell, Comparison, Finding, Section, auc_error, cell
from benchmarks.data.events import Events
from benchmarks.published import AFFINE_TABLE_3
from benchmarks.samples import Samples, load_samples
from benchmarks.terminal import Display
from benchmarks.training import Recipe, train


class Setup(NamedTuple):
    """A row of the table: its name in the paper, and what is trained."""

    row: str
    conditioning: str | None  # of pnn_tf.parametric_network
    background: str | None = None  # distribution of the background's theta: "identical" or "uniform"
    assignment: str | None = None  # "fixed" or "sampled"
    individual: bool = False  # one network for each mass


SETUPS = (
    Setup("Single-NN", None),
    Setup("Individual-NNs", None, individual=True),
    Setup("pNN uniform (fixed)", "concat", "uniform", "fixed"),
    Setup("Affine uniform (fixed)", "affine", "uniform", "fixed"),
    Setup("pNN uniform (sampled)", "concat", "uniform", "sampled"),
    Setup("Affine uniform (sampled)", "affine", "uniform", "sampled"),
    Setup("pNN identical (fixed)", "concat", "identical", "fixed"),
    Setup("Affine identical (fixed)", "affine", "identical", "fixed"),
    Setup("pNN identical (sampled)", "concat", "identical", "sampled"),
    Setup("Affine identical (sampled)", "affine", "identical", "sampled"),
)


@dataclass(frozen=True)
class Config(Recipe):
    """The recipe of training, and what is particular to this table.

    Args:
        sample: "hepmass-like", simulated and part of the checkout, or "hepmass", the official files by download.
        n_train: training events drawn from the sample, validation included; None for all.
        n_test: test events drawn; None for all.
        uniform_range: range of the uniform background masses, GeV.
        individual_background: "own" trains each individual network on the background that carries its mass, "all" on
            the whole background.
    """

    sample: str = "hepmass-like"
    n_train: int | None = None
    n_test: int | None = None
    uniform_range: tuple[float, float] = (500.0, 1500.0)
    individual_background: str = "own"


# The paper's 25 epochs of 5.25M events are 128 000 steps. On the small sample, its batch of 1024 and rate of 3e-4 would
# stop far from convergence: the scales below it take smaller batches and a larger rate.
QUICK = {"batch_size": 512, "learning_rate": 2e-3}
SCALES = {
    "smoke": Config(epochs=2, n_train=20_000, n_test=10_000, **QUICK),
    "embedded": Config(epochs=10, **QUICK),
    "paper": Config(sample="hepmass"),
}


class Row(TypedDict):
    """One row of the table with one seed; lists are per mass, in the order of `masses`.

    `auc` and `significance` are of the epoch with the best validation AUC, `auc_last` of the last one; all in [0, 1].
    `n_signal` and `n_background` count test events; `best_epoch` and `n_train` (training events without validation)
    have an entry for each network.
    """

    row: str
    seed: int
    conditioning: str | None
    background: str | None
    assignment: str | None
    masses: list[float]
    auc: list[float]
    mean_auc: float
    auc_last: list[float]
    mean_auc_last: float
    significance: list[float]
    n_signal: list[int]
    n_background: int
    best_epoch: list[int]
    epochs: int
    n_train: list[int]
    wall_s: float


def load(config: Config) -> Samples:
    """Reads the events of a configuration."""
    return load_samples(config.sample, config.n_train, config.n_test)


def run(
    config: Config,
    samples: Samples,
    *,
    seeds: tuple[int, ...],
    finished: frozenset[tuple[str, int]] = frozenset(),
    display: Display,
) -> Iterator[Row]:
    """Trains and tests network after network.

    Args:
        config: the settings.
        samples: the events.
        seeds: each row is made once with each.
        finished: (row, seed) that are there already.
        display: told the work to come, and each epoch.

    Yields:
        A row as soon as it is finished; all rows with the first seed come first.
    """
    todo = [(setup, seed) for seed in seeds for setup in SETUPS if (setup.row, seed) not in finished]
    display.begin(len(todo), sum(_n_events(config, samples, setup) for setup, _ in todo) * config.epochs)
    for setup, seed in todo:
        yield _make_row(config, samples, setup, seed, display)


def _n_events(config: Config, samples: Samples, setup: Setup) -> int:
    return sum(len(events) for events, _ in _networks(config, samples, setup))


def _networks(config: Config, samples: Samples, setup: Setup) -> list[tuple[Events, np.ndarray]]:
    """For each network of a row: its training events, and the hypotheses (n, 1) that it is tested at."""
    events, hypotheses = samples.train, samples.test.hypotheses
    if not setup.individual:
        return [(events, hypotheses)]
    networks = []
    for hypothesis in hypotheses:
        of_this_mass = (events.theta == hypothesis).all(axis=1)
        if config.individual_background == "all":
            of_this_mass |= events.label == 0
        networks.append((events.select(of_this_mass), hypothesis[None]))
    return networks


def _make_row(config: Config, samples: Samples, setup: Setup, seed: int, display: Display) -> Row:
    started = time.perf_counter()
    best, last, best_epoch, n_train = [], [], [], []
    networks = _networks(config, samples, setup)
    for number, (events, hypotheses) in enumerate(networks, 1):
        which = f" {number}/{len(networks)}" if setup.individual else ""
        network = f"{setup.row}{which}, seed {seed}"
        display.advance(0, f"{network}: preparing")
        trained = train(
            config,
            events,
            conditioning=setup.conditioning,
            background_theta=_background_theta(config, setup, samples.train.hypotheses),
            seed=seed,
            on_epoch=partial(_show, display, network, len(events)),
        )
        last += _evaluate(trained.model, samples.test, hypotheses)
        trained.model.set_weights(trained.best_weights)
        best += _evaluate(trained.model, samples.test, hypotheses)
        best_epoch.append(trained.best_epoch)
        n_train.append(trained.n_train)
    auc, auc_last = [float(r.auc) for r in best], [float(r.auc) for r in last]
    return Row(
        row=setup.row,
        seed=seed,
        conditioning=setup.conditioning,
        background=setup.background,
        assignment=setup.assignment,
        masses=[float(mass) for mass in samples.test.hypotheses[:, 0]],
        auc=auc,
        mean_auc=float(np.mean(auc)),
        auc_last=auc_last,
        mean_auc_last=float(np.mean(auc_last)),
        significance=[float(r.significance.ratio) for r in best],
        n_signal=[int(r.n_signal) for r in best],
        n_background=int(best[0].n_background),
        best_epoch=best_epoch,
        epochs=config.epochs,
        n_train=n_train,
        wall_s=round(time.perf_counter() - started, 1),
    )


def _show(display: Display, network: str, n_events: int, epoch: int, auc: float) -> None:
    display.advance(n_events, f"{network}: epoch {epoch}, validation AUC {100 * auc:.2f} %")


def _background_theta(config: Config, setup: Setup, hypotheses: np.ndarray):
    """The strategy that replaces the background's theta in training; None where the sample's own, identical, stays."""
    sampled = setup.assignment == "sampled"
    if setup.background == "uniform":
        return pnn_tf.Uniform(*config.uniform_range, sampled=sampled)
    return pnn_tf.Identical(hypotheses, sampled=True) if sampled else None


def _evaluate(model, test: Events, hypotheses: np.ndarray) -> list[pnn_tf.HypothesisResult]:
    return pnn_tf.evaluate_hypotheses(model, test.features, test.theta, test.label, hypotheses=hypotheses)


def one_line(row: Row) -> str:
    """What a log says of a finished row."""
    return f"{row['row']}, seed {row['seed']}: mean AUC {100 * row['mean_auc']:.2f} %"


def plot(rows: list[Row]) -> Figure:
    """AUC at each mass, and the paper's."""
    return per_mass.dot_plot(per_mass.comparison(rows, AFFINE_TABLE_3))


def section(record: dict) -> Section:
    """The table, the figure and what follows from them, computed from the record's rows."""
    rows = record["rows"]
    config, data, seeds = record["configuration"], record["data"], sorted({row["seed"] for row in rows})
    return Section(
        title="AFFINE Table 3",
        introduction=(
            f"Area under the ROC curve at each mass of the resonance, on {data['name']} events: {data['n_train']:,} "
            f"for training and validation, {data['n_test']:,} for the test, {config['epochs']} epochs, "
            f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}. The published numbers are those of "
            "Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, on HEPMASS."
        ),
        findings=tuple(_findings(rows)),
        tables=(
            (
                "AUC in per cent at the epoch with the best validation AUC; beneath it the paper's and the difference.",
                per_mass.comparison(rows, AFFINE_TABLE_3),
            ),
            (
                "Averages over the masses: the epoch kept, the last epoch, the significance ratio (AMS), and the cost.",
                _details(rows),
            ),
        ),
        figures=(("AUC at each mass. Each panel has its own scale; a line joins this run and the paper.", plot(rows)),),
        departures=departures(config),
    )


def _findings(rows: list[Row]) -> Iterator[Finding]:
    """What the paper says of this table, from the seeds with which every row is finished."""
    done = {(row["row"], row["seed"]) for row in rows}
    rows = [row for row in rows if all((name, row["seed"]) in done for name in AFFINE_TABLE_3)]
    if not rows:
        return
    affine = ["Affine identical (fixed)", "Affine identical (sampled)"]
    uniform, identical = ([s.row for s in SETUPS if s.background == kind] for kind in ("uniform", "identical"))
    yield Finding(
        "Affine minus single",
        "Mean AUC of the affine networks on identical background masses, against one network that is told no mass.",
        per_mass.contrast(rows, AFFINE_TABLE_3, affine, ["Single-NN"]),
    )
    yield Finding(
        "Affine minus individual",
        "Mean AUC of the same affine networks, against five networks that each know one mass.",
        per_mass.contrast(rows, AFFINE_TABLE_3, affine, ["Individual-NNs"]),
    )
    kept, last = (
        per_mass.contrast(rows, AFFINE_TABLE_3, uniform, identical, mass=500, field=field)
        for field in ("auc", "auc_last")
    )
    yield Finding(
        "Uniform minus identical",
        "AUC at 500 GeV of all parametric networks on uniform background masses, against those on identical ones. With "
        f"the weights of the last epoch, which no validation on identical masses has chosen: {last.ours:+.2f}.",
        kept,
    )
    errors = [100 * auc_error(row["auc"][0], row["n_signal"][0], row["n_background"]) for row in rows]
    gains = [100 * (row["mean_auc"] - row["mean_auc_last"]) for row in rows]
    yield Finding(
        "How sure",
        f"The finite test sample alone leaves a standard error of {max(errors):.2f} points at "
        f"{rows[0]['masses'][0]:.0f} GeV, much of it common to all rows. Keeping the epoch with the best validation "
        f"AUC instead of the last one moves the mean AUC of a row by {min(gains):+.2f} to {max(gains):+.2f} points.",
    )


def _details(rows: list[Row]) -> Comparison:
    """What the main table leaves out: the last epoch, the significance ratio, the epoch kept, events and time."""
    columns = (  # heading, field, unit, decimals, whether the seeds' spread says something
        ("AUC, epoch kept", "auc", 0.01, 2, True),
        ("AUC, last epoch", "auc_last", 0.01, 2, True),
        ("AMS ratio", "significance", 0.01, 2, True),
        ("epoch kept", "best_epoch", 1, 1, False),
        ("training events", "n_train", 1, 0, False),
        ("wall time (s)", "wall_s", 1, 0, False),
    )
    table = {name: [] for name in per_mass.over_seeds(rows, "auc")}
    for _, field, unit, _, with_spread in columns:
        for name, values in per_mass.over_seeds(rows, field, unit).items():
            of_seeds = list(values.mean(axis=1))
            table[name].append(cell(of_seeds) if with_spread else Cell(fmean(of_seeds)))
    return Comparison(
        "averages (% where a ratio)",
        tuple(heading for heading, *_ in columns),
        tuple((name, tuple(cells)) for name, cells in table.items()),
        tuple(decimals for *_, decimals, _ in columns),
    )
