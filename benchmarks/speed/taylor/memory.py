"""Peak memory of the analysis of a stream, and of a memory-mapped array, that are larger than what may be kept.

What counts is anonymous memory: pages of the mapped file are in the kernel's cache, which gives them back when asked.
"""

import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np

from benchmarks.speed import bytes_in_use, in_fresh_process, show

BATCH = 10_000


def run(n_events: Sequence[int] = (100_000, 10_000_000), n_inputs: int = 30, units: int = 100) -> list[dict]:
    """Size of the events and peak memory for each kind and number of events, each in a fresh process."""
    rows = []
    for kind in ("stream", "mapped"):
        for n in n_events:
            peak = in_fresh_process(measure, kind, n, n_inputs, units)
            rows.append({"kind": kind, "events": n, "events (MB)": 4e-6 * n * n_inputs, "peak (MB)": peak / 1e6})
    return rows


def measure(kind: str, n_events: int, n_inputs: int, units: int) -> int:
    """Peak anonymous memory of this process in bytes, while the means over a stream or a mapped array are computed."""
    import tensorflow as tf

    from benchmarks.speed.taylor.ours import tanh_network
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
    peak = bytes_in_use("RssAnon")
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(job)
        while not wait([working], timeout=0.005).done:
            peak = max(peak, bytes_in_use("RssAnon"))
    working.result()
    return peak


def main() -> None:
    """Measures and prints."""
    show("Peak anonymous memory of a process, 30-100-1 tanh", run())


if __name__ == "__main__":
    main()
