"""Peak memory of the analysis of a stream, and of a memory-mapped array, that are larger than what may be kept.

What counts is anonymous memory: pages of the mapped file are in the kernel's cache, which gives them back when asked.
"""

import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BATCH = 10_000


@dataclass(frozen=True)
class Config:
    """Sizes of the data."""

    n_events: tuple[int, ...] = (100_000, 10_000_000)
    n_inputs: int = 30
    units: int = 100


def run(config: Config) -> list[dict]:
    """Peak memory in bytes for each kind and number of events, each in a fresh process."""
    rows = []
    for kind in ("stream", "mapped"):
        for n_events in config.n_events:
            command = [
                sys.executable,
                "-m",
                __spec__.name,
                kind,
                str(n_events),
                str(config.n_inputs),
                str(config.units),
            ]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            rows.append({"kind": kind, "n_events": n_events, "peak_bytes": int(output.split()[-1])})
    return rows


def measure(kind: str, n_events: int, n_inputs: int, units: int) -> int:
    """Peak anonymous memory of this process in bytes, while the events' means are computed.

    Args:
        kind: "stream" for a `tf.data.Dataset` from a generator, "mapped" for an array in a file.
        n_events: number of events.
        n_inputs, units: of a network with one hidden layer.
    """
    import tensorflow as tf

    from benchmarks.speed.taylor.networks import tanh_network
    from taylor import mean_abs_coefficients

    model = tanh_network(n_inputs, units).model

    def batches():
        generator = np.random.default_rng(0)
        for start in range(0, n_events, BATCH):
            yield generator.standard_normal((min(BATCH, n_events - start), n_inputs), np.float32)

    with tempfile.TemporaryDirectory() as folder:
        if kind == "stream":
            data = tf.data.Dataset.from_generator(batches, output_signature=tf.TensorSpec((None, n_inputs)))
        else:
            path = Path(folder) / "events.npy"
            data = np.lib.format.open_memmap(path, "w+", np.float32, (n_events, n_inputs))
            for i, batch in enumerate(batches()):
                data[i * BATCH : i * BATCH + len(batch)] = batch
            data = np.load(path, mmap_mode="r")
        return peak_during(lambda: mean_abs_coefficients(model, data))


def peak_during(job: Callable) -> int:
    """Peak anonymous memory of this process in bytes while a job runs, looked at every 5 ms."""
    done, found = threading.Event(), []

    def look():
        while True:
            found.append(int(re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024)
            if done.wait(0.005):
                return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        job()
    finally:
        done.set()
        thread.join()
    return max(found)


def main() -> None:
    """Measures and prints."""
    config = Config()
    print(f"\nPeak anonymous memory of a process, {config.n_inputs}-{config.units}-1 tanh")
    for row in run(config):
        size = 4 * config.n_inputs * row["n_events"]
        print(
            f"{row['kind']:<8} {row['n_events']:>9} events = {size / 1e6:7.0f} MB of events: "
            f"{row['peak_bytes'] / 1e6:.0f} MB"
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(measure(sys.argv[1], *map(int, sys.argv[2:])))
    else:
        main()
