"""Our speed and memory side by side with what they must keep up with, measured in turn in one process.

This file is how it is measured; each module beside it is a benchmark with a `main`, for `python -m benchmarks speed`.
"""

import os
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import pandas as pd


class Times(NamedTuple):
    """Seconds of a job: of its first call, which traces and compiles, and of a call in each repetition.

    `cpu_s` is of all threads of the process; other processes disturb it less than the wall time.
    """

    first_s: float
    wall_s: list[float]
    cpu_s: list[float]


def in_turn(
    jobs: Mapping[Hashable, Callable[[], Any]], repetitions: int, *, at_least_s: float = 0.0, rest_s: float = 0.0
) -> dict[Hashable, Times]:
    """Times of all jobs in turn, each time another one first, so that all meet the same noise.

    Args:
        jobs: what to measure, by name.
        repetitions: number of measurements of each job, after a first call.
        at_least_s: CPU seconds of one measurement, which calls the job until then, and at least once.
        rest_s: seconds of sleep before each measurement.
    """
    times = {name: Times(_seconds_of_a_call(job, 0.0)[0], [], []) for name, job in jobs.items()}
    names = deque(jobs)
    for _ in range(repetitions):
        for name in names:
            time.sleep(rest_s)
            wall_s, cpu_s = _seconds_of_a_call(jobs[name], at_least_s)
            times[name].wall_s.append(wall_s)
            times[name].cpu_s.append(cpu_s)
        names.rotate(-1)
    return times


def _seconds_of_a_call(job, at_least_s):
    n_calls, wall, cpu, used = 0, time.perf_counter(), time.process_time(), 0.0
    while n_calls == 0 or used < at_least_s:
        job()
        n_calls += 1
        used = time.process_time() - cpu
    return (time.perf_counter() - wall) / n_calls, used / n_calls


def ratio_by_turns(theirs: Sequence[float], ours: Sequence[float]) -> float:
    """The median over the repetitions of theirs / ours."""
    return median(a / b for a, b in zip(theirs, ours, strict=True))


def train_steps(model, batch) -> Callable[[int], float]:
    """A function that calls the training function of a compiled Keras model n times, as `fit` does, for the mean loss.

    Args:
        model: compiled.
        batch: what its `train_step` takes, again and again.
    """
    import tensorflow as tf

    batches = iter(tf.data.Dataset.from_tensors(batch).repeat())
    model.make_train_function()

    def steps(n):
        model.reset_metrics()
        for _ in range(n):
            logs = model.train_function(batches)
        return float(logs["loss"])

    return steps


def bytes_in_use(field: str = "VmHWM") -> int:
    """Memory of this process by a field of /proc/self/status: VmHWM is the peak, RssAnon what no file backs.

    `ru_maxrss` would count the parent that the process split from.
    """
    return int(re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024


def in_fresh_process(function: Callable, *arguments):
    """What a function of a module returns in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def run_parts(package: str, parts: Sequence[str]) -> None:
    """Runs modules of a package one after another, each in a process of its own."""
    for part in parts:
        subprocess.run([sys.executable, "-m", f"{package}.{part}"], check=True)


def show(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Prints rows as a table: a list as its median (minimum to maximum), what a row lacks as nothing."""
    texts = pd.DataFrame([{name: _text(value) for name, value in row.items()} for row in rows])
    print(f"\n{title}\n{texts.fillna('').to_string(index=False)}", flush=True)


def _text(value) -> str:
    if isinstance(value, list):
        return f"{median(value):.3g} ({min(value):.3g} to {max(value):.3g})"
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def use_one_cpu_thread() -> None:
    """Leaves one core and no GPU to NumPy, TensorFlow, PyTorch and JAX, which size their pools of threads by it.

    Call it before they are imported. Raises what `load_triton` does.
    """
    load_triton()
    os.environ |= {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def load_triton() -> None:
    """Imports Triton, which PyTorch does anyway, while it can be: after TensorFlow it crashes, so RuntimeError then."""
    if "triton" in sys.modules or not find_spec("triton"):
        return
    if "tensorflow" in sys.modules:
        raise RuntimeError(
            "Expected Triton, which torch.func imports, before TensorFlow: the other way round the process crashes. "
            "Call use_one_cpu_thread() before the first import of TensorFlow."
        )
    import triton  # noqa: F401
