"""NEOS section 4: how much longer a training step on the expected CLs takes than one on cross-entropy.

Simpson and Heinrich, arXiv:2203.05570, say "a factor of 3 or so". Steps of the blob experiment take turns: on the
expected CLs with four blobs, on cross-entropy with the same four blobs, and on cross-entropy with signal and background
alone, which have half the events.
"""

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial

from matplotlib.figure import Figure

from benchmarks.claims import Claim, Estimate, below, over_trainings, within
from benchmarks.experiment import Experiment
from benchmarks.neos.training import Recipe, load_samples
from benchmarks.published import NEOS_TIME_RATIO
from benchmarks.speed.neos.step import BCE, CLS, TWO_BLOBS, run, steppers
from benchmarks.style import BLUE, INK, style
from benchmarks.tables import Quantity, Table, long, pick, table

LOSSES = CLS, BCE, TWO_BLOBS


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


@cache
def measured(config: Config, seed: int) -> dict[str, dict]:
    """Of each loss, `step_ms` of each turn and `first_s`, the seconds of the first step, tracing included.

    They take turns, so that what else the machine does meets all alike. The seed only counts repetitions.
    """
    jobs = steppers(config)
    times = run(config, jobs)
    return {
        name: {"step_ms": [round(1e3 * value, 3) for value in values], "first_s": round(jobs[name][1], 3)}
        for name, values in times.items()
    }


def make_row(config: Config, samples, name: str, seed: int, display) -> dict:
    """The part of one loss; the first row of a seed has the time of all."""
    row = measured(config, seed)[name]
    display.advance(1, f"repetition {seed}")
    return row


def tables(record: Mapping) -> Iterator[Table]:
    """Times of a step."""
    median = Quantity(lambda row: statistics.median(row["step_ms"]), decimals=1)
    frame = long(record["rows"], {"step (ms)": median, "first step (s)": Quantity("first_s", decimals=1)})
    yield table("Median over the turns; mean over the repetitions.", "loss", frame, columns="quantity")


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """A bar a loss."""
    with style():
        figure = Figure(figsize=(5.2, 3.0))
        axes = figure.subplots()
        for name in LOSSES:
            times = [time for row in pick(record["rows"], row=name) for time in row["step_ms"]]
            axes.bar(name, statistics.median(times), 0.6, color=BLUE, alpha=0.6)
            axes.plot([name] * len(times), times, "_", color=INK)
        axes.set_ylabel("time of a step (ms)")
        axes.grid(axis="y")
    yield "Time of a step; marks are turns, bars their median.", figure


def ratio(other: str, rows) -> Estimate:
    """Median over the turns of the time on the expected CLs, over that on another loss in the same turn."""
    there = {row["seed"]: row["step_ms"] for row in pick(rows, row=other)}
    pairs = [zip(row["step_ms"], there.get(row["seed"], ()), strict=False) for row in pick(rows, row=CLS)]
    ratios = [ours / theirs for turns in pairs for ours, theirs in turns]
    return over_trainings(ratios)._replace(value=statistics.median(ratios))


OF_TURNS = {"unit": "times", "chance": False}  # errors are of the turns
AS_LONG = "A training step on CLs takes 3 times or so as long as one on cross-entropy of signal and background"
LITTLE = "The measurement itself costs less than half a step: CLs against cross-entropy, both with four blobs"
EXPERIMENT = Experiment(
    id="neos-time",
    where="section 4: time of a step",
    summary="time of a training step on the expected CLs and on cross-entropy",
    introduction=(
        "Training steps of the blob experiment, {batch_size:,} events of each blob through {units[0]:,} and "
        "{units[1]:,} hidden units, {n_steps} of each loss in turn, {repetitions} turns."
    ),
    scales={
        "smoke": Config(n_events=200, units=(16, 16), batch_size=200, repetitions=2, n_steps=1),
        "embedded": Config(),
        "paper": Config(),
    },
    load=lambda config: load_samples(config, ("code",)),
    names=lambda config: LOSSES,
    make_row=make_row,
    timed=True,
    line=lambda row: f"{statistics.median(row['step_ms']):.1f} ms a step, the first {row['first_s']:.1f} s",
    tables=tables,
    figures=figures,
    claims=(
        Claim(AS_LONG, partial(ratio, TWO_BLOBS), within(0.5, of=NEOS_TIME_RATIO), NEOS_TIME_RATIO, **OF_TURNS),
        Claim(LITTLE, partial(ratio, BCE), below(1.5), ours=True, **OF_TURNS),
    ),
    departures=("The paper's factor is against cross-entropy with two blobs, on the authors' machine in float64.",),
)
