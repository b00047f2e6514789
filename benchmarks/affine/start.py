"""How affine layers should start: how far trainings come, and how many end with a constant output, from either start.

AFFINE (Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, section 6.3) gives scale and shift, like all else, the
default initial values of Dense layers. At a scaled mass of 1 a scale is then between -0.14 and 0.14 in the block of 300
units, and between -0.34 and 0.34 in that of 50. Our reading is that so little of the features passes four of them that
the L2 penalties can pull the kernels to zero before there is a gradient to hold them. `pnn_tf.parametric_network`
starts its affine layers as the identity instead.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.figure import Figure

import pnn_tf
from benchmarks.affine.texts import PAPER, SIMULATED
from benchmarks.claims import Claim, Estimate, above, over_trainings
from benchmarks.data import load_hepmass_like
from benchmarks.data.events import Events
from benchmarks.experiment import Experiment
from benchmarks.samples import NAMES, Samples, events_fingerprint
from benchmarks.style import BLUE, ORANGE, style
from benchmarks.tables import Table, pick, table_of
from benchmarks.training import QUICK, Recipe, train

COLOURS = {"identity": BLUE, "glorot_uniform": ORANGE}  # of the starts
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


def load(config: Config) -> Samples:
    """Reads the events of a configuration; all are for training."""
    events, counts = load_hepmass_like("train"), ((1, config.n_signal), (0, config.n_background))
    train = Events.concatenate([events.select(events.label == label).draw(n) for label, n in counts])
    data = {"name": NAMES["hepmass-like"], "n_train": len(train), "fingerprint": events_fingerprint(train)}
    return Samples(train, None, data)


def row_names(config: Config) -> dict[str, tuple[str, float]]:
    """The names of the rows, with start and rate of each."""
    return {f"{start}, rate {rate:g}": (start, rate) for rate in config.rates for start in COLOURS}


def make_row(config: Config, samples: Samples, name: str, seed: int, display) -> dict:
    """Trains again and again, each time with another seed.

    Returns:
        Of each training, the validation `auc` at the last epoch, in [0, 1], and the `spread`, the standard deviation of
        its scores at the middle mass over events of the training sample.
    """
    start, rate = row_names(config)[name]
    recipe, events = replace(config, affine_start=start, learning_rate=rate), samples.train
    some, auc, spread = events.features[:: max(len(events) // 5000, 1)], [], []
    for training in range(config.trainings):
        trained = train(
            recipe,
            events,
            conditioning="affine",
            background_theta=pnn_tf.Identical(events.hypotheses),
            seed=seed + 1000 * training,
            on_epoch=lambda epoch, auc: None,
        )
        auc.append(trained.auc[-1])
        spread.append(float(pnn_tf.predict_scores(trained.model, some, np.median(events.hypotheses)).std()))
        status = f"{name}, seed {seed}: {training + 1} of {config.trainings}, validation AUC {100 * auc[-1]:.2f} %"
        display.advance(1 / config.trainings, status)
    return {"start": start, "rate": rate, "auc": auc, "spread": spread}


def joined(rows: Sequence[Mapping], field: str, **where) -> np.ndarray:
    """A field of all trainings of the rows where fields have these values, seed after seed."""
    return np.concatenate([row[field] for row in pick(rows, **where)])


def n_constant(rows: Sequence[Mapping], **where) -> int:
    """How many trainings end with a constant output."""
    return int(np.count_nonzero(joined(rows, "spread", **where) < CONSTANT))


def tables(record: Mapping) -> Iterator[Table]:
    """Trainings and their AUCs."""
    rows, lines = record["rows"], {}
    for name in dict.fromkeys(row["row"] for row in rows):
        auc, spread = (joined(rows, field, row=name) for field in ("auc", "spread"))
        learnt = 100 * auc[spread >= CONSTANT]
        lines[name] = {
            "trainings": len(auc),
            "constant": n_constant(rows, row=name),
            "AUC of the others (%)": learnt.mean() if len(learnt) else math.nan,
            "lowest AUC (%)": 100 * min(auc),
            "highest AUC (%)": 100 * max(auc),
        }
    caption = "Trainings, those that end with a constant output, and the validation AUC."
    yield table_of(caption, "start", lines, (0, 0, 2, 1, 1))


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """A dot for each training."""
    with style():
        figure = Figure(figsize=(6.4, 2.9))
        axes = figure.subplots()
        for row in record["rows"]:
            auc = 100 * np.array(row["auc"])
            axes.plot(auc, [row["row"]] * len(auc), "o", color=COLOURS[row["start"]], alpha=0.6)
        axes.set_xlabel("validation AUC (%)")
        axes.invert_yaxis()
        axes.margins(y=0.2)
        axes.grid(axis="x")
    yield "Validation AUC of each training.", figure


def gain(rate: float) -> Callable[[Sequence[Mapping]], Estimate]:
    """From rows, AUC from the identity minus that from random maps, in points, training by training."""

    def measure(rows: Sequence[Mapping]) -> Estimate:
        identity, random = (joined(rows, "auc", start=start, rate=rate) for start in COLOURS)
        return over_trainings([100 * (a - b) for a, b in zip(identity, random, strict=False)])

    return measure


def more_constant(rows: Sequence[Mapping]) -> Estimate:
    """Trainings with a constant output from random maps minus those from the identity; the error is Poisson's."""
    identity, random = (n_constant(rows, start=start) for start in COLOURS)
    return Estimate(random - identity, math.sqrt(random + identity), len(joined(rows, "auc", start="identity")))


EXPERIMENT = Experiment(
    id="affine-start",
    where="how affine layers should start",
    summary="how far affine networks come in two epochs, by how their layers start",
    introduction="Affine networks after {epochs} epochs of {data[n_train]:,} {data[name]} events, a third of them "
    f"signal, from affine layers that are the identity, and from Keras' default for Dense layers, that of {PAPER}.",
    scales={
        "smoke": Config(epochs=1, batch_size=512, n_signal=2000, n_background=4000, trainings=1),
        "embedded": Config(epochs=2, batch_size=512, trainings=24),
        "paper": Config(epochs=5, trainings=20),
    },
    load=load,
    names=row_names,
    make_row=make_row,
    line=lambda row: f"{n_constant([row])} of {len(row['auc'])} trainings with a constant output",
    tables=tables,
    figures=figures,
    claims=(
        Claim(
            "More networks end with a constant output from random maps than from the identity",
            more_constant,
            above(0),
            unit="trainings",
            ours=True,
        ),
        *(
            Claim(f"Networks from the identity learn faster, at rate {rate:g}", gain(rate), above(0), ours=True)
            for rate in Config.rates
        ),
    ),
    departures=(SIMULATED, "Batches are smaller than the paper's, and one of the two rates is larger."),
    ours=True,
)
