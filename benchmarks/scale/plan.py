"""A plan on paper for 1e9 events and 1000 hypotheses, each term from a rate that was measured on one core."""

import pickle
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

import neos_tf
import pnn_tf
from benchmarks.claims import Claim, Estimate, Missing, below
from benchmarks.experiment import Experiment
from benchmarks.scale.shards import FUNCTIONS, HYPOTHESES, N_BINS, SCORES, TAYLOR, TEMPLATES, Shards, shards
from benchmarks.style import BLUE, ORANGE, style
from benchmarks.tables import Cell, Table

N_EVENTS, N_HYPOTHESES = 10**9, 1000
EVENTS_A_TASK = 10**7
TASKS_A_CORE = 4  # so that no core waits long for the last ones
EPOCHS = 10
READING, TRAINING, LIMITS, TASKS, MERGING = "reading", "training", "limits", "tasks", "merging"


@dataclass(frozen=True)
class Config:
    """How long is measured.

    Args:
        n_events: in the files.
        n_files: of them.
        n_points: theta at which the background is scored.
        turns: of each measurement.
        n_tasks: empty ones.
        n_steps: of training.
    """

    n_events: int = 500_000
    n_files: int = 10
    n_points: int = 20
    turns: int = 3
    n_tasks: int = 1000
    n_steps: int = 200


def make_row(config: Config, samples, name: str, seed: int, display) -> dict:
    """Seconds of a unit of work in each turn, on one core but for training, and what else the plan needs."""
    if name == LIMITS:
        row = time_limits(config)
    elif name in (TASKS, MERGING):
        row = {TASKS: time_tasks, MERGING: time_merging}[name](config)
    else:
        with shards(config.n_events, config.n_files, seed) as files:
            row = time_training(config, files) if name == TRAINING else time_sum(config, name, files)
    display.advance(1, name)
    return row


def nothing(events: pnn_tf.Columns) -> int:
    """What reading costs."""
    return len(events.rows)


def count_at_points(events: pnn_tf.Columns, model, n_points: int) -> pnn_tf.ScoreCounts:
    """All events as background, at many theta."""
    points = np.linspace(HYPOTHESES[0], HYPOTHESES[-1], n_points)
    background = np.zeros(len(events.rows), int)
    return pnn_tf.count_scores(model, events, events["mass"], background, points, weight=events["weight"], n_bins=512)


def time_sum(config: Config, name: str, files: Shards) -> dict[str, Any]:
    """Of an event, and for scores of an event at one theta."""
    functions = FUNCTIONS | {READING: nothing, SCORES: partial(count_at_points, n_points=config.n_points)}
    model = {} if name == READING else {"model": files.networks[name]}
    seconds = []
    with pnn_tf.dask_client(1, threads=1) as client:
        for _ in range(config.turns + 1):
            started = time.perf_counter()
            total = pnn_tf.sum_over_shards(functions[name], files.files, columns=files.columns, workers=client, **model)
            seconds.append(time.perf_counter() - started)
    units = total.n_events * (config.n_points if name == SCORES else 1)
    size = sum(file.stat().st_size for file in files.files) / config.n_events
    return {
        "seconds": [value / units for value in seconds[1:]],
        "bytes_an_event": size,
    }


def time_training(config: Config, files: Shards) -> dict[str, Any]:
    """Of an event in a step of an AffinePNN on all cores, from files that are streamed."""
    masses = np.array(HYPOTHESES)
    network = pnn_tf.parametric_network(
        len(files.names), conditioning="affine", units=(300, 150, 100, 50), theta_scale=1000.0, seed=1
    )
    network.compile("adam", "binary_crossentropy", steps_per_execution=20)
    batches = pnn_tf.sharded_batches(
        files.files,
        features=files.names,
        theta="mass",
        label="label",
        background_theta=pnn_tf.Identical(masses),
        buffer_events=max(config.n_events // 4, 20_000),
        batch_size=1024,
    )
    seconds = []
    for _ in range(config.turns + 1):
        started = time.perf_counter()
        network.fit(batches.dataset, steps_per_epoch=config.n_steps, shuffle=False, verbose=0)
        seconds.append((time.perf_counter() - started) / (config.n_steps * 1024))
    return {"seconds": seconds[1:]}


def time_limits(config: Config) -> dict[str, Any]:
    """Of the expected and the observed limit of one hypothesis, of a channel with statistical errors."""
    model = neos_tf.correlated_background(N_BINS)
    rng = np.random.default_rng(0)
    signal = np.exp(-0.5 * ((np.arange(N_BINS) - 15) / 3.0) ** 2)
    background = np.linspace(100, 20, N_BINS)
    varied = {"background_up": 1.05 * background, "background_down": 0.95 * background}
    templates = {"signal": signal, "background": background, **varied}
    tensors, seconds = {name: tf.constant(values) for name, values in templates.items()}, []

    @tf.function(autograph=False)
    def limits(observed):
        likelihood = model.bind(tensors)
        return neos_tf.upper_limit(likelihood, likelihood.data(observed))

    for _ in range(config.turns + 1):
        started = time.perf_counter()
        limits(tf.constant(rng.poisson(background), tf.float64))
        seconds.append(time.perf_counter() - started)
    return {"seconds": seconds[1:]}


def _empty(number: int) -> int:
    return number


def time_tasks(config: Config) -> dict[str, Any]:
    """Of an empty task of a worker."""
    seconds = []
    with pnn_tf.dask_client(1) as client:
        for _ in range(config.turns + 1):
            started = time.perf_counter()
            client.gather(client.map(_empty, range(config.n_tasks), pure=False))
            seconds.append((time.perf_counter() - started) / config.n_tasks)
    return {"seconds": seconds[1:]}


def _counts(number: int, n_points: int) -> pnn_tf.ScoreCounts:
    points = np.arange(1.0, n_points + 1)[:, None]
    return pnn_tf.ScoreCounts(points, *np.ones((2, 2, n_points, 512)), np.ones((2, n_points), np.int64))


def time_merging(config: Config) -> dict[str, Any]:
    """Of a byte of a result that goes from a worker to the client, and is added there."""
    n_points, n = 200, 20
    seconds = []
    with pnn_tf.dask_client(1) as client:
        for _ in range(config.turns + 1):
            started = time.perf_counter()
            futures = client.map(_counts, range(n), n_points=n_points, pure=False)
            first, *others = (future.result() for future in futures)
            first.merge(others)
            seconds.append((time.perf_counter() - started) / (n * len(pickle.dumps(first))))
    return {"seconds": seconds[1:]}


class Term(NamedTuple):
    """A line of the plan.

    Attributes:
        name: of the work.
        units: how many there are of it.
        seconds: of one of them.
        serial: whether the client does it alone.
    """

    name: str
    units: float
    seconds: float
    serial: bool = False

    @property
    def hours(self) -> float:
        """Of a core, in all."""
        return self.units * self.seconds / 3600


def plan(rows) -> list[Term]:
    """For N_EVENTS and N_HYPOTHESES.

    Raises:
        Missing: not all rates are measured.
    """
    found = {row["row"]: row for row in rows}
    if missing := [name for name in NAMES if name not in found]:
        raise Missing(f"the plan needs {', '.join(missing)}")
    seconds = {name: statistics.median(row["seconds"]) for name, row in found.items()}
    n_tasks = N_EVENTS / EVENTS_A_TASK
    result_bytes = 2 * 2 * N_HYPOTHESES * 512 * 8  # weights and squares, of signal and background, in 512 bins
    return [
        Term("reading", N_EVENTS, seconds[READING]),
        Term("scores at all hypotheses", N_EVENTS * N_HYPOTHESES, seconds[SCORES]),
        Term("Taylor importance", N_EVENTS, seconds[TAYLOR]),
        Term("templates", N_EVENTS, seconds[TEMPLATES]),
        Term(f"training, {EPOCHS} epochs (2 cores)", EPOCHS * N_EVENTS, seconds[TRAINING]),
        Term("limits", N_HYPOTHESES, seconds[LIMITS]),
        Term("tasks", n_tasks, seconds[TASKS], serial=True),
        Term("merging counts", n_tasks * result_bytes, seconds[MERGING], serial=True),
    ]


def tables(record: Mapping) -> Iterator[Table]:
    """The plan, and what it is made of."""
    columns = "units of work", "measured (units/s)", "hours of a core"
    lines = [(t.name, tuple(Cell(float(x)) for x in (t.units, 1 / t.seconds, t.hours))) for t in plan(record["rows"])]
    caption = (
        f"{N_EVENTS:.0e} events, {N_HYPOTHESES:,} hypotheses, tasks of {EVENTS_A_TASK:.0e} events. A unit is an event; "
        "for scores an event at one hypothesis, for limits a hypothesis, for tasks a task, for merging a byte."
    )
    yield Table(caption, "work", columns, tuple(lines), (0, 1, 3))


def alone(terms: list[Term]) -> float:
    """Hours of what no second core can help with."""
    return sum(term.hours for term in terms if term.serial)


def hours_on(terms: list[Term], n_cores: float) -> float:
    """Wall time without training, which one machine does: shared by all cores, and what the client does alone.

    It is the more, the more tasks there are: as many as in the plan, and no fewer than TASKS_A_CORE for each core.
    """
    n_tasks = N_EVENTS / EVENTS_A_TASK
    shared = sum(term.hours for term in terms if not term.serial and not term.name.startswith("training"))
    return alone(terms) * max(n_tasks, TASKS_A_CORE * n_cores) / n_tasks + shared / n_cores


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """Wall time against the number of cores."""
    terms = plan(record["rows"])
    cores = np.logspace(0, 6, 100)
    with style():
        figure = Figure(figsize=(5.2, 3.2))
        axes = figure.subplots()
        axes.plot(cores, [hours_on(terms, n) for n in cores], color=BLUE, label="all but the training")
        best = cores[np.argmin([hours_on(terms, n) for n in cores])]
        axes.axvline(best, color=ORANGE, linestyle="--", label=f"the shortest, {best:,.0f} cores")
        axes.set(xscale="log", yscale="log", xlabel="cores", ylabel="hours")
        axes.legend()
        axes.grid()
    yield (
        "Wall time of the plan against the number of cores, from the measured rates: more tasks keep the client busy.",
        figure,
    )


NAMES = READING, SCORES, TAYLOR, TEMPLATES, TRAINING, LIMITS, TASKS, MERGING
EXPERIMENT = Experiment(
    id="scale-plan",
    where="a plan for 1e9 events",
    summary="what 1e9 events and 1000 hypotheses would cost, from measured rates",
    introduction=(
        "What each kind of work takes on one core (training on two) is measured on {n_events:,} events in {n_files} "
        "files, reading included, and multiplied."
    ),
    scales={
        "smoke": Config(n_events=20_000, n_files=2, n_points=3, turns=1, n_tasks=20, n_steps=20),
        "embedded": Config(),
        "paper": Config(),
    },
    load=lambda config: SimpleNamespace(data={"name": "drawn from the embedded sample", "fingerprint": "none"}),
    names=lambda config: NAMES,
    make_row=make_row,
    line=lambda row: f"{statistics.median(row['seconds']):.3g} s a unit",
    tables=tables,
    figures=figures,
    claims=(
        Claim(
            "What the client does alone, tasks and merging, would leave a thousand cores work: hours",
            lambda rows: Estimate(alone(plan(rows))),
            below(1),
            unit="hours",
            ours=True,
            chance=False,
        ),
    ),
    ours=True,
    timed=True,
)
