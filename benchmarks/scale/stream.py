"""Taylor importance of more and more events that are drawn on the fly: the rate stays, and so does the memory."""

import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

import taylor
from benchmarks.claims import Claim, Estimate, Missing, above, below, over_trainings
from benchmarks.data.hepmass_like import load_hepmass_like
from benchmarks.experiment import Experiment
from benchmarks.scale.shards import plain_network
from benchmarks.speed import bytes_in_use, in_fresh_process
from benchmarks.style import BLUE, GREEN, style
from benchmarks.tables import Quantity, Table, long, pick, table
from taylor.chunks import n_workers

SHORT, LONG = 100_000, 100_000_000
MEMORY = "the fewest, in memory"
BATCH = 1 << 16
N_WARM = 1 << 17  # events of the first call, which traces and compiles


@dataclass(frozen=True)
class Config:
    """What is analysed.

    Args:
        n_events: numbers of events, each in a process of its own.
        least: of events for each number, in several calls if it is smaller.
    """

    n_events: tuple[int, ...] = (SHORT, 1_000_000, 10_000_000, LONG)
    least: int = 5_000_000


def make_row(config: Config, samples, name: str, seed: int, display) -> dict:
    """Rates of calls of one number of events, and the memory of the process."""
    in_memory = name == MEMORY
    n_events = config.n_events[0] if in_memory else int(name.replace(",", ""))
    row = in_fresh_process(stream_rates, n_events, max(config.least // n_events, 1), seed, in_memory)
    display.advance(1, f"{name} events")
    return row


def stream_rates(n_events: int, n_calls: int, seed: int, in_memory: bool = False) -> dict:
    """Rates of calls a core, what part of the CPU time drawing takes, and the peak memory of this process."""
    features = load_hepmass_like().features
    network, n_cores = plain_network(features.shape[1]), n_workers()

    def events(n: int, seed: int):
        drawn = drawn_events(features, n, seed)
        return np.concatenate([*drawn.as_numpy_iterator()]) if in_memory else drawn

    taylor.mean_abs_coefficients(network, events(min(n_events, N_WARM), seed))
    rates, cpu_s = [], 0.0
    for call in range(n_calls):
        given = events(n_events, seed + call)
        wall, cpu = time.perf_counter(), time.process_time()
        importance = taylor.mean_abs_coefficients(network, given)
        rates.append(n_events / (time.perf_counter() - wall) / n_cores)
        cpu_s += time.process_time() - cpu
    cpu, n_drawn = time.process_time(), min(n_events * n_calls, 100 * BATCH)
    for _ in drawn_events(features, n_drawn, seed):
        pass
    drawing = 0.0 if in_memory else (time.process_time() - cpu) / n_drawn * n_events * n_calls / cpu_s
    return {
        "n_events": importance.n_events,
        "events_a_core_second": rates,
        "drawing": drawing,
        "peak_bytes": bytes_in_use(),
        "n_cores": n_cores,
    }


def drawn_events(rows: np.ndarray, n_events: int, seed: int) -> tf.data.Dataset:
    """A stream of batches (n, n_features) of rows, drawn at random with replacement; the same for the same seed.

    >>> [batch.shape[0] for batch in drawn_events(np.zeros((5, 3), "float32"), 70_000, seed=1)]
    [65536, 4464]
    """
    table = tf.constant(rows)

    def batch(number: tf.Tensor) -> tf.Tensor:
        n = tf.minimum(n_events - number * BATCH, BATCH)
        chosen = tf.random.stateless_uniform(n[None], (seed, number), maxval=len(rows), dtype=tf.int32)
        return tf.gather(table, chosen)

    return tf.data.Dataset.range(-(-n_events // BATCH)).map(batch)


def rate(row: Mapping) -> float:
    """Thousand events a second of a core, median over the calls."""
    return statistics.median(row["events_a_core_second"]) / 1e3


def tables(record: Mapping) -> Iterator[Table]:
    """Rate and memory."""
    quantities = {
        "rate (1000 events/s/core)": Quantity(rate, decimals=1),
        "of it drawing (%)": Quantity("drawing", 100, decimals=1),
        "peak memory (MB)": Quantity("peak_bytes", 1e-6, decimals=0),
    }
    caption = "Median over calls; drawing in per cent of all CPU time, and not in it where events are in memory."
    yield table(caption, "events", long(record["rows"], quantities), columns="quantity")


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """Both against the number of events."""
    with style():
        figure = Figure(figsize=(6.4, 2.8))
        of_rate, of_memory = figure.subplots(1, 2)
        rows = sorted((r for r in record["rows"] if r["row"] != MEMORY), key=lambda row: row["n_events"])
        numbers = [row["n_events"] for row in rows]
        of_rate.plot(numbers, [rate(row) for row in rows], "o-", color=BLUE)
        of_rate.set(ylabel="1000 events/s/core")
        of_memory.plot(numbers, [row["peak_bytes"] / 1e6 for row in rows], "o-", color=GREEN)
        of_memory.set(ylabel="peak memory (MB)")
        for axes in (of_rate, of_memory):
            axes.set(xscale="log", xlabel="events", ylim=(0, 1.1 * axes.dataLim.ymax))
            axes.grid(axis="y")
    yield "Rate of a core, and memory of the process, against the number of events.", figure


def of_lengths(field: str, rows, shortest: str) -> tuple[list, list]:
    """A field of the rows of the fewest events, by name, and of those with the most."""
    of_short, most = pick(rows, row=shortest), max((row["n_events"] for row in rows), default=0)
    of_long = [row for row in rows if row["n_events"] == most and row["row"] != shortest]
    if not of_short or not of_long:
        raise Missing("not finished with several numbers of events")
    return [row[field] for row in of_short], [row[field] for row in of_long]


def rate_kept(rows) -> Estimate:
    """Rate of the longest stream over that of the fewest events in memory; the error is from the latter's scatter."""
    of_short, of_long = of_lengths("events_a_core_second", rows, MEMORY)
    short = over_trainings([value for values in of_short for value in values])
    long_one = statistics.fmean(value for values in of_long for value in values)
    return Estimate(long_one / short.value, long_one / short.value**2 * short.error)


def memory_kept(rows) -> Estimate:
    """Peak memory of the longest stream over that of the shortest."""
    streams = sorted((row for row in rows if row["row"] != MEMORY), key=lambda row: row["n_events"])
    shortest = streams[0]["row"] if streams else ""
    short, long_one = of_lengths("peak_bytes", rows, shortest)
    return Estimate(statistics.fmean(long_one) / statistics.fmean(short))


ALONE = {"ours": True, "chance": False, "unit": "times"}
EXPERIMENT = Experiment(
    id="scale-stream",
    where="Taylor importance of a stream",
    summary="Taylor importance of up to 1e8 events that are drawn on the fly",
    introduction=(
        "Events are drawn from the embedded sample as they are analysed: all 405 coefficients of 27 features up to the "
        "second order, of a network of 100 tanh units. Each number of events has a process of its own."
    ),
    scales={
        "smoke": Config(n_events=(20_000, 100_000), least=100_000),
        "embedded": Config(),
        "paper": Config(),
    },
    load=lambda config: SimpleNamespace(data={"name": "drawn from the embedded sample", "fingerprint": "none"}),
    names=lambda config: (MEMORY, *(f"{n:,}" for n in config.n_events)),
    make_row=make_row,
    line=lambda row: f"{rate(row):.0f} thousand events/s/core, {row['peak_bytes'] / 1e6:.0f} MB",
    tables=tables,
    figures=figures,
    claims=(
        Claim("1e8 events on the fly at the rate of 1e5 in memory, to 10 %: ratio", rate_kept, above(0.9), **ALONE),
        Claim("In constant memory: peak of 1e8 events over that of 1e5", memory_kept, below(1.1), **ALONE),
    ),
    ours=True,
    timed=True,
)
