"""CPU time of an event, of several jobs in turn; other processes disturb it less than wall time."""

import time
from collections.abc import Callable, Hashable, Mapping
from itertools import cycle
from typing import NamedTuple

import numpy as np

# Events (n, d) float32 to sums of absolute coefficients (d + d (d + 1) / 2,): all i, then the pairs i <= j in
# lexicographic order.
Sums = Callable[[np.ndarray], np.ndarray]


class Job(NamedTuple):
    """Something to measure: `sums` of `chunk` events in each call, taken from x (n, d) float32."""

    sums: Sums
    x: np.ndarray
    chunk: int


def cpu_us_in_turn(
    jobs: Mapping[Hashable, Job], *, repetitions: int, seconds: float = 0.2
) -> dict[Hashable, list[float]]:
    """CPU time of an event in microseconds, `repetitions` times: all jobs in turn, so that all meet the same noise.

    Args:
        jobs: what to measure. Each is called once before, to compile.
        repetitions: number of measurements of each job.
        seconds: CPU time of one measurement; at least one call.

    Raises:
        ValueError: fewer events than a chunk.
    """
    for key, job in jobs.items():
        if len(job.x) < job.chunk:
            raise ValueError(
                f"Expected at least one chunk of {job.chunk} events for {key}. Received: x of {len(job.x)} events."
            )
        job.sums(job.x[: job.chunk])
    times = {key: [] for key in jobs}
    for _ in range(repetitions):
        for key, job in jobs.items():
            times[key].append(_cpu_us(job, seconds))
    return times


def _cpu_us(job: Job, seconds: float) -> float:
    """Goes round x chunk by chunk; what is left over at the end of x would compile again, and is skipped."""
    starts = cycle(range(0, len(job.x) - job.chunk + 1, job.chunk))
    n_events, used, begin = 0, 0.0, time.process_time()
    while n_events == 0 or used < seconds:
        start = next(starts)
        job.sums(job.x[start : start + job.chunk])
        n_events += job.chunk
        used = time.process_time() - begin
    return used / n_events * 1e6
