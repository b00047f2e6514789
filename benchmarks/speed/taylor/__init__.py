"""Taylor coefficients side by side with tayloranalysis, torch.func and JAX: time, memory, and the cost of a call.

Each part runs in a process of its own, and by itself as `python -m benchmarks.speed.taylor.PART`.
"""

from collections.abc import Callable, Hashable, Mapping
from itertools import cycle
from typing import NamedTuple

import numpy as np

from benchmarks.speed import in_turn, run_parts

PARTS = ("comparison", "calls", "memory")

# Events (n, d) float32 to sums of absolute coefficients (d + d (d + 1) / 2,): all i, then the pairs i <= j in
# lexicographic order.
Sums = Callable[[np.ndarray], np.ndarray]


class Job(NamedTuple):
    """Something to measure: `sums` of `chunk` events in each call, taken from x (n, d) float32."""

    sums: Sums
    x: np.ndarray
    chunk: int


def cpu_us_in_turn(jobs: Mapping[Hashable, Job], repetitions: int, seconds: float) -> dict[Hashable, list[float]]:
    """CPU time of an event in microseconds, `repetitions` times, each of at least so many CPU seconds.

    Raises:
        ValueError: fewer events than a chunk.
    """
    for key, job in jobs.items():
        if len(job.x) < job.chunk:
            raise ValueError(
                f"Expected at least one chunk of {job.chunk} events for {key}. Received: x of {len(job.x)} events."
            )
    calls = {key: _chunk_by_chunk(job) for key, job in jobs.items()}
    times = in_turn(calls, repetitions, at_least_s=seconds)
    return {key: [1e6 * used / jobs[key].chunk for used in times[key].cpu_s] for key in jobs}


def _chunk_by_chunk(job: Job) -> Callable[[], None]:
    """Goes round x; what is left over at the end of x would compile again, and is skipped."""
    starts = cycle(range(0, len(job.x) - job.chunk + 1, job.chunk))

    def call():
        start = next(starts)
        job.sums(job.x[start : start + job.chunk])

    return call


def main() -> None:
    """Measures and prints, part after part."""
    run_parts(__name__, PARTS)
