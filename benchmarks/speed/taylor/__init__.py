"""Taylor coefficients side by side with tayloranalysis, torch.func and JAX: time, memory, and the cost of a call.

Each part runs in a process of its own, and by itself as `python -m benchmarks.speed.taylor.PART`.
"""

from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np

from benchmarks.speed import in_turn, run_parts

PARTS = ("comparison", "calls", "memory")

# Events (n, d) float32 to sums of absolute coefficients (d + d (d + 1) / 2,): all i, then the pairs i <= j in
# lexicographic order.
Sums = Callable[[np.ndarray], np.ndarray]


class Job(NamedTuple):
    """Something to measure: `sums` of the events x (n, d) float32, all in one call."""

    sums: Sums
    x: np.ndarray


def cpu_us_in_turn(jobs: Mapping[Hashable, Job], repetitions: int, seconds: float) -> dict[Hashable, list[float]]:
    """CPU time of an event in microseconds, `repetitions` times, each of at least so many CPU seconds."""
    calls = {key: partial(*job) for key, job in jobs.items()}
    times = in_turn(calls, repetitions, at_least_s=seconds)
    return {key: [1e6 * used / len(job.x) for used in times[key].cpu_s] for key, job in jobs.items()}


def main() -> None:
    """Measures and prints, part after part."""
    run_parts(__name__, PARTS)
