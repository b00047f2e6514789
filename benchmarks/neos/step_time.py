"""NEOS section 4: how much longer a training step on the expected CLs takes than one on cross-entropy.

Simpson and Heinrich, arXiv:2203.05570, say "a factor of 3 or so". Steps of the blob experiment take turns: on the
expected CLs with four blobs, on cross-entropy with the same four blobs, and on cross-entropy with signal and background
alone, which have half the events.
"""

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from matplotlib.figure import Figure

from benchmarks.comparison import Comparison, Finding, Section, cell
from benchmarks.neos.training import Recipe, Samples, load_samples
from benchmarks.published import NEOS_TIME_RATIO
from benchmarks.speed.neos.step import BCE, CLS, TWO_BLOBS, steppers
from benchmarks.speed.neos.step import Config as Turns
from benchmarks.speed.neos.step import run as take_turns
from benchmarks.style import BLUE, SKY, VERMILION, style
from benchmarks.terminal import Display

__all__ = ["SCALES", "Config", "Row", "load", "one_line", "plot", "run", "section"]

COLOURS = {CLS: VERMILION, BCE: BLUE, TWO_BLOBS: SKY}


@dataclass(frozen=True)
class Config(Recipe):
    """The recipe, of which a batch is used again and again.

    Args:
        repetitions: turns of each loss.
        n_steps: steps in a turn.
    """

    n_events: int = 2000
    test_fraction: float = 0.0
    repetitions: int = 12
    n_steps: int = 4


SCALES = {
    "smoke": Config(n_events=200, units=(16, 16), batch_size=200, repetitions=2, n_steps=1),
    "embedded": Config(),
    "paper": Config(),
}


class Row(TypedDict):
    """One loss: `step_ms` of each turn, and `first_s`, the seconds of the first step, tracing included."""

    row: str
    seed: int
    step_ms: list[float]
    first_s: float
    wall_s: float


def load(config: Config) -> Samples:
    """Draws the events of a configuration."""
    return load_samples(config, ("code",))


def run(
    config: Config,
    samples: Samples,
    *,
    seeds: tuple[int, ...],
    finished: frozenset[tuple[str, int]] = frozenset(),
    display: Display,
) -> Iterator[Row]:
    """Takes turns.

    Args:
        config: the settings.
        samples: not looked at, as all are drawn alike.
        seeds: the measurement is repeated once for each; they change nothing else.
        finished: (row, seed) that are there already.
        display: told the repetitions.

    Yields:
        The rows of a seed together, as soon as its turns are over.
    """
    todo = [seed for seed in seeds if any((name, seed) not in finished for name in COLOURS)]
    display.begin(len(COLOURS) * len(todo), len(todo))
    for seed in todo:
        started = time.perf_counter()
        jobs = steppers(config)
        times = take_turns(Turns(repetitions=config.repetitions, n_steps=config.n_steps), jobs)
        display.advance(1, f"repetition {seed}")
        for name, values in times.items():
            if (name, seed) not in finished:
                yield Row(
                    row=name,
                    seed=seed,
                    step_ms=[round(1e3 * value, 3) for value in values],
                    first_s=round(jobs[name][1], 3),
                    wall_s=round((time.perf_counter() - started) / len(times), 1),
                )


def one_line(row: Row) -> str:
    """What a log says of a finished row."""
    return f"{row['row']}: {statistics.median(row['step_ms']):.1f} ms a step, the first {row['first_s']:.1f} s"


def section(record: dict) -> Section:
    """Everything for the report."""
    rows, config = record["rows"], record["configuration"]
    return Section(
        title="NEOS section 4, time of a step",
        introduction=(
            f"Training steps of the blob experiment, {config['batch_size']:,} events of each blob through a network of "
            f"{', '.join(map(str, config['units']))} hidden units, {config['n_steps']} of each loss in turn, "
            f"{config['repetitions']} turns."
        ),
        findings=tuple(_findings(rows)),
        tables=(("Median over the turns; mean over the repetitions.", _table(rows)),),
        figures=(("Time of a step; points are turns, bars their median.", plot(rows)),),
        departures=("The paper's factor is against cross-entropy with two blobs, on the authors' machine in float64.",),
    )


def plot(rows: Sequence[Mapping]) -> Figure:
    """A bar a loss."""
    with style():
        figure = Figure(figsize=(5.2, 3.0))
        axes = figure.subplots()
        for place, (name, colour) in enumerate(COLOURS.items()):
            times = [time for row in rows if row["row"] == name for time in row["step_ms"]]
            axes.bar(place, statistics.median(times), 0.6, color=colour, alpha=0.6)
            offsets = [place + 0.4 * (i / max(len(times) - 1, 1) - 0.5) for i in range(len(times))]
            axes.plot(offsets, times, ".", color=colour, ms=4)
        axes.set_xticks(range(len(COLOURS)), list(COLOURS))
        axes.set_ylabel("time of a step (ms)")
        axes.set_ylim(bottom=0)
        axes.grid(axis="y")
    return figure


def _findings(rows: Sequence[Mapping]) -> Iterator[Finding]:
    for other, paper in ((BCE, ""), (TWO_BLOBS, f"; the paper says {NEOS_TIME_RATIO:g} or so")):
        ratios = _ratios(rows, other)
        spread = f" (turns from {min(ratios):.2f} to {max(ratios):.2f})"
        yield Finding(f"{CLS} / {other}", f"{statistics.median(ratios):.2f} times as long{spread}{paper}.")


def _ratios(rows: Sequence[Mapping], other: str) -> list[float]:
    times = {(row["row"], row["seed"]): row["step_ms"] for row in rows}
    return [
        ours / theirs
        for (name, seed), values in times.items()
        if name == CLS
        for ours, theirs in zip(values, times[other, seed], strict=True)
    ]


def _table(rows: Sequence[Mapping]) -> Comparison:
    lines = []
    for name in COLOURS:
        group = [row for row in rows if row["row"] == name]
        median = [statistics.median(row["step_ms"]) for row in group]
        lines.append((name, (cell(median), cell([row["first_s"] for row in group]))))
    return Comparison("loss", ("step (ms)", "first step (s)"), tuple(lines), (1, 1))
