"""One process against two: scores, Taylor importance and templates as sums over files, with one core each."""

import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from matplotlib.figure import Figure

import pnn_tf
from benchmarks.claims import Claim, Estimate, Missing, above, below, over_trainings
from benchmarks.experiment import Experiment
from benchmarks.scale.shards import FUNCTIONS, WORK, numbers_of, shards
from benchmarks.style import BLUE, INK, style
from benchmarks.tables import Quantity, Table, long, pick, table


@dataclass(frozen=True)
class Config:
    """What is summed.

    Args:
        n_events: in all files.
        n_files: of them; each is a task of several row groups.
        turns: of one process and of two.
    """

    n_events: int = 4_000_000
    n_files: int = 16
    turns: int = 6


def make_row(config: Config, samples, name: str, seed: int, display) -> dict:
    """Seconds of each turn, and how far the sum is from that of this process, in other tasks."""
    with (
        shards(config.n_events, config.n_files, seed) as files,
        pnn_tf.dask_client(1, threads=1) as one,
        pnn_tf.dask_client(2, threads=1) as two,
    ):

        def total(**options) -> pnn_tf.Total:
            return pnn_tf.sum_over_shards(
                FUNCTIONS[name], files.files, columns=files.columns, model=files.networks[name], **options
            )

        expected = numbers_of(name, total(workers=0, events_per_task=1).value)  # a row group
        results, seconds = {}, {"one_s": [], "two_s": []}
        for turn in range(config.turns + 1):
            for key, client in (("one_s", one), ("two_s", two)):
                started = time.perf_counter()
                results[key] = total(workers=client)
                if turn:  # the first loads and traces
                    seconds[key].append(round(time.perf_counter() - started, 3))
            display.advance(1 / (config.turns + 1), f"{name}, turn {turn}")
        got = [numbers_of(name, result.value) for result in results.values()]
        return {
            **seconds,
            "n_events": results["two_s"].n_events,
            "deviation": max(deviation(value, expected) for value in got),
        }


def deviation(values: np.ndarray, expected: np.ndarray) -> float:
    """The largest relative one; what is expected to be 0 has to be."""
    return float(np.max(np.abs(values - expected) / np.maximum(np.abs(expected), np.finfo(float).tiny)))


def rate(row: Mapping) -> float:
    """Thousand events a second of one process."""
    return row["n_events"] / statistics.median(row["one_s"]) / 1e3


def ratios(row: Mapping) -> list[float]:
    """Of the times of one process and of two, in each turn."""
    return [one / two for one, two in zip(row["one_s"], row["two_s"], strict=True)]


def tables(record: Mapping) -> Iterator[Table]:
    """Rates and ratios."""
    quantities = {
        "one process (1000 events/s)": Quantity(rate, decimals=1),
        "two over one": Quantity(lambda row: statistics.median(ratios(row)), decimals=2),
        "largest deviation (1e-12)": Quantity("deviation", 1e12, decimals=2),
    }
    frame = long(record["rows"], quantities)
    caption = (
        "Medians over the turns, {n_events:,} events in {n_files} files, reading and merging included; deviation of "
        "the results from those of a process without Dask, in tasks of one row group."
    )
    yield table(caption, "sum", frame, columns="quantity")


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """A bar a sum."""
    with style():
        figure = Figure(figsize=(5.2, 3.0))
        axes = figure.subplots()
        for name in dict.fromkeys(row["row"] for row in record["rows"]):
            values = [ratio for row in pick(record["rows"], row=name) for ratio in ratios(row)]
            axes.bar(name, statistics.median(values), 0.5, color=BLUE, alpha=0.6)
            axes.plot([name] * len(values), values, "_", color=INK)
        axes.axhline(2, color=INK, linewidth=0.8, linestyle="--")
        axes.set_ylabel("two processes over one")
        axes.grid(axis="y")
    yield "How much faster two processes are than one; marks are turns, bars their median, the line is 2.", figure


def speed_up(rows) -> dict[str, Estimate]:
    """Of each sum the median over the turns; its error is from their scatter."""
    found = {}
    for name in WORK:
        values = [ratio for row in pick(rows, row=name) for ratio in ratios(row)]
        found[name] = over_trainings(values)._replace(value=statistics.median(values or [0]))
    return found


def largest_deviation(rows) -> Estimate:
    """Of all sums, in units of 1e-10."""
    if not rows:
        raise Missing("no sum is finished")
    return Estimate(1e10 * max(row["deviation"] for row in rows))


ALONE = {"ours": True, "chance": False}
EXPERIMENT = Experiment(
    id="scale-processes",
    where="one process and two",
    summary="scores, Taylor importance and templates over files by one process and by two",
    introduction=(
        "{n_events:,} events drawn from the embedded sample, in {n_files} Parquet files, are summed by "
        "`pnn_tf.sum_over_shards` with one process and with two of one core each, in turn: scores of an AffinePNN at "
        "five masses (a SavedModel), 405 Taylor coefficients of 100 tanh units, and templates of the same network."
    ),
    scales={"smoke": Config(n_events=20_000, n_files=4, turns=1), "embedded": Config(), "paper": Config()},
    load=lambda config: SimpleNamespace(data={"name": "drawn from the embedded sample", "fingerprint": "none"}),
    names=lambda config: WORK,
    make_row=make_row,
    line=lambda row: f"{rate(row):.0f} thousand events/s, two processes {statistics.median(ratios(row)):.2f} times",
    tables=tables,
    figures=figures,
    claims=(
        Claim("Two processes are at least 1.7 times as fast as one", speed_up, above(1.7), unit="times", **ALONE),
        Claim(
            "Merged results are those of one process to 1e-10: largest relative deviation",
            largest_deviation,
            below(1),
            unit="1e-10",
            **ALONE,
        ),
    ),
    ours=True,
    timed=True,
)
