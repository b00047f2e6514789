"""How affine layers should start: how far trainings come, and how many end with a constant output, from either start.

AFFINE (Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, section 6.3) gives scale and shift, like all else, the
default initial values of Dense layers. At a scaled mass of 1 a scale is then between -0.14 and 0.14 in the block of 300
units, and between -0.34 and 0.34 in that of 50. Our reading is that so little of the features passes four of them that
the L2 penalties can pull the kernels to zero before there is a gradient to hold them. `pnn_tf.parametric_network`
starts its affine layers as the identity instead.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypedDict

import numpy as np
from matplotlib.figure import Figure

import pnn_tf
from benchmarks.comparison import Cell, Comparison, Finding, Section
from benchmarks.data import load_hepmass_like
from benchmarks.data.events import Events
from benchmarks.rows import by_name, in_turn
from benchmarks.samples import events_fingerprint
from benchmarks.style import BLUE, ORANGE, style
from benchmarks.training import QUICK, Recipe, train

STARTS = {"identity": "From the identity", "glorot_uniform": "from random maps"}
COLOURS = {"identity": BLUE, "glorot_uniform": ORANGE}
CONSTANT = 1e-3  # standard deviation of the scores at one mass below which an output is called constant


@dataclass(frozen=True)
class Config(Recipe):
    """The recipe of training, and how often it is tried.

    Args:
        rates: learning rates, our quick one and the paper's.
        n_signal: signal events, validation included; fewer than background, as in the cases in which this was found.
        n_background: background events, likewise.
        trainings: how many trainings from each start at each rate.
    """

    rates: tuple[float, ...] = (QUICK["learning_rate"], Recipe.learning_rate)
    n_signal: int = 25_000
    n_background: int = 50_000
    trainings: int = 8


SCALES = {
    "smoke": Config(epochs=1, batch_size=512, n_signal=2000, n_background=4000, trainings=1),
    "embedded": Config(epochs=2, batch_size=512, trainings=24),
    "paper": Config(epochs=5, trainings=20),
}


class Samples(NamedTuple):
    """Training events, and what the record says of them."""

    train: Events
    data: dict


class Row(TypedDict):
    """Trainings from one start at one rate.

    Of each, the validation AUC at the last epoch, in [0, 1], and the standard deviation of its scores at the middle
    mass over events of the training sample.
    """

    row: str
    seed: int
    start: str
    rate: float
    auc: list[float]
    spread: list[float]
    wall_s: float


def load(config: Config) -> Samples:
    """Reads the events of a configuration."""
    events = load_hepmass_like("train")
    parts = [events.select(events.label == label) for label in (1, 0)]
    counts = config.n_signal, config.n_background
    train_events = Events.concatenate([part.draw(n) for part, n in zip(parts, counts, strict=True)])
    name = "HEPMASS-like (simulated)"
    fingerprint = events_fingerprint(train_events)
    return Samples(train_events, {"name": name, "n_train": len(train_events), "fingerprint": fingerprint})


def row_names(config: Config) -> dict[str, tuple[str, float]]:
    """The names of the rows, with start and rate of each."""
    return {f"{start}, rate {rate:g}": (start, rate) for rate in config.rates for start in STARTS}


def make_row(config: Config, samples: Samples, name: str, seed: int, display) -> dict:
    """Trains again and again, each time with another seed."""
    start, rate = row_names(config)[name]
    auc, spread = [], []
    middle, some = np.median(samples.train.hypotheses), samples.train.features[:: max(len(samples.train) // 5000, 1)]
    for training in range(config.trainings):
        last = []
        trained = train(
            replace(config, affine_start=start, learning_rate=rate),
            samples.train,
            conditioning="affine",
            background_theta=pnn_tf.Identical(samples.train.hypotheses),
            seed=seed + 1000 * training,
            on_epoch=lambda _, value, last=last: last.append(value),
        )
        auc.append(float(last[-1]))
        spread.append(float(pnn_tf.predict_scores(trained.model, some, middle).std()))
        status = (
            f"{name}, seed {seed}: {training + 1} of {config.trainings} trainings, validation AUC {100 * auc[-1]:.2f} %"
        )
        display.advance(1 / config.trainings, status)
    return {"start": start, "rate": rate, "auc": auc, "spread": spread}


run = in_turn(row_names, make_row)


def one_line(row: Row) -> str:
    """What a log says of a finished row."""
    return f"{row['row']}, seed {row['seed']}: {_n_constant(row)} of {len(row['auc'])} trainings with a constant output"


def _n_constant(row: Mapping) -> int:
    return sum(spread < CONSTANT for spread in row["spread"])


def section(record: dict) -> Section:
    """Everything for the report."""
    rows, data, config = record["rows"], record["data"], record["configuration"]
    return Section(
        title="How affine layers should start",
        introduction=(
            f"Affine networks after {config['epochs']} epochs of {data['n_train']:,} {data['name']} events, a third of "
            "them signal, with the L2 penalties of Anzalone et al., from affine layers that are the identity, and from "
            "those that the paper names, which are Keras' defaults for Dense layers."
        ),
        findings=tuple(_findings(rows)),
        tables=(("Trainings, those that end with a constant output, and the AUC of the others.", _table(rows)),),
        figures=(("Validation AUC of each training.", plot(rows)),),
        departures=("Batches are smaller than the paper's, and one of the two rates is larger.",),
    )


def _table(rows: Sequence[Mapping]) -> Comparison:
    table = []
    for name, of_name in by_name(rows).items():
        n_constant = sum(_n_constant(row) for row in of_name)
        auc, spread = (np.concatenate([row[field] for row in of_name]) for field in ("auc", "spread"))
        learnt = 100 * auc[spread >= CONSTANT]
        cells = Cell(len(auc)), Cell(n_constant), Cell(float(learnt.mean()) if len(learnt) else math.nan)
        table.append((name, cells))
    return Comparison("start", ("trainings", "constant", "AUC of the others (%)"), tuple(table), (0, 0, 2))


def _findings(rows: Sequence[Mapping]) -> Iterator[Finding]:
    said = []
    for start, label in STARTS.items():
        of_start = [row for row in rows if row["start"] == start]
        auc = 100 * np.concatenate([row["auc"] for row in of_start])
        said.append(
            f"{label}, {sum(map(_n_constant, of_start))} of {len(auc)} trainings end with a constant output, and the "
            f"validation AUC of all lies between {auc.min():.1f} and {auc.max():.1f} %"
        )
    yield Finding("Start as the identity", f"{'; '.join(said)}.")


def plot(rows: Sequence[Mapping]) -> Figure:
    """A dot for each training."""
    groups = by_name(rows)
    with style():
        figure = Figure(figsize=(6.4, 0.45 * len(groups) + 1.1))
        axes = figure.subplots()
        for y, (name, of_name) in enumerate(groups.items()):
            auc = np.concatenate([row["auc"] for row in of_name])
            colour = COLOURS[name.partition(",")[0]]
            axes.plot(100 * auc, np.full(len(auc), y), "o", color=colour, ms=6, alpha=0.6)
        axes.set_yticks(range(len(groups)), list(groups))
        axes.set_ylim(len(groups) - 0.5, -0.5)
        axes.grid(axis="x")
        axes.set_xlabel("validation AUC (%)")
    return figure
