"""Training fed from Parquet files beside the same training fed from memory, in time and in memory."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.speed import bytes_in_use, in_fresh_process, in_turn, show
from benchmarks.speed.pipeline import HYPOTHESES, random_batches

LAYOUTS = ("one sample a file", "samples mixed")
N_TOGETHER = 250_000  # events that are made at a time


def write(folder: Path, n_events: int, n_features: int, layout: str, row_group: int) -> None:
    """Random events, half signal at five masses: a file each for the background and every mass, or all mixed in six."""
    import pyarrow
    import pyarrow.parquet

    rng = np.random.default_rng(0)
    samples = [(0, np.nan, n_events // 2), *((1, mass, n_events // 10) for mass in HYPOTHESES)]
    writers: dict = {}
    for start in range(0, n_events // 2, N_TOGETHER):
        for file, (label, mass, n) in enumerate(samples):
            n = min(N_TOGETHER, n - start)
            if n <= 0:
                continue
            columns = {f"f{i}": rng.random(n, dtype=np.float32) for i in range(n_features)}
            labels, masses = np.full(n, label, np.int8), np.full(n, mass, np.float32)
            if layout == "samples mixed":
                labels = (rng.random(n) < 0.5).astype(np.int8)
                masses = np.where(labels == 1, rng.choice(np.float32(HYPOTHESES), n), np.float32(np.nan))
            table = pyarrow.table(columns | {"label": labels, "mass": masses})
            if file not in writers:
                writers[file] = pyarrow.parquet.ParquetWriter(folder / f"{file}.parquet", table.schema)
            writers[file].write_table(table, row_group_size=row_group)
    for writer in writers.values():
        writer.close()


def run(
    n_events: int = 1_000_000,
    n_features: int = 27,
    batch_size: int = 1024,
    steps: int = 512,
    buffer_events: int = 200_000,
    row_group: int = 65_536,
    repetitions: int = 7,
) -> list[dict]:
    """Median rates of training from memory and from files of each layout, and of files alone; `steps` batches.

    The streams go on from one measurement to the next, as from epoch to epoch.
    """
    import keras

    from pnn_tf import parametric_network

    network = parametric_network(n_features, seed=1)
    together = min(32, steps)
    network.compile(keras.optimizers.Adam(3e-4), "binary_crossentropy", steps_per_execution=together)
    network.make_train_function()

    def train(batches):
        network.reset_metrics()
        for _ in range(steps // together):
            logs = network.train_function(batches)
        return float(logs["loss"])

    def read(batches):
        for _ in range(steps):
            next(batches)

    jobs = {"training, memory": partial(train, iter(random_batches(n_events, n_features, batch_size=batch_size)))}
    with tempfile.TemporaryDirectory() as folder:
        for layout in LAYOUTS:
            own = Path(folder) / layout
            own.mkdir()
            write(own, n_events, n_features, layout, row_group)
            batches = batches_of(own, n_features, batch_size=batch_size, buffer_events=buffer_events).dataset
            jobs[f"training, files, {layout}"] = partial(train, iter(batches))
            jobs[f"files alone, {layout}"] = partial(read, iter(batches))
        times = in_turn(jobs, repetitions)
    n, memory = steps * batch_size, times["training, memory"].wall_s
    return [
        {
            "row": name,
            "k events/s": n / 1e3 / median(seconds.wall_s),
            "CPU us/event": median(seconds.cpu_s) / n * 1e6,
            "rate / that of training, memory": median(memory) / median(seconds.wall_s),
        }
        for name, seconds in times.items()
    ]


def run_memory(
    n_events: Sequence[int] = (500_000, 5_000_000),
    n_features: int = 27,
    buffer_events: int = 200_000,
    row_group: int = 65_536,
) -> list[dict]:
    """Peak memory of a fresh process that reads a pass over the files, above that of a stream of 10 000 events."""
    rows = []
    for n in n_events:
        with tempfile.TemporaryDirectory() as folder:
            for name, size in (("few", 10_000), ("all", n)):
                (Path(folder) / name).mkdir()
                write(Path(folder) / name, size, n_features, LAYOUTS[0], row_group)
            few, peak = in_fresh_process(_peaks, folder, n_features, buffer_events)
        event = 4 * (n_features + 2)
        rows.append(
            {
                "row": f"{n} events",
                "events (MB)": n * event / 1e6,
                "buffer (MB)": buffer_events * event / 1e6,
                "above TensorFlow and pyarrow (MB)": (peak - few) / 1e6,
            }
        )
    return rows


def _peaks(folder, n_features, buffer_events):
    """After a stream of 10 000 events, TensorFlow and pyarrow at work, and after a pass over all."""
    peaks = []
    for name in ("few", "all"):
        batches = batches_of(Path(folder) / name, n_features, buffer_events=buffer_events)
        for _ in batches.dataset.take(max(batches.steps_per_epoch, 100)):
            pass
        peaks.append(bytes_in_use())
    return peaks


def batches_of(folder: Path, n_features: int, **options):
    """Balanced batches of the files in a folder."""
    from pnn_tf import Identical, sharded_batches

    return sharded_batches(
        folder,
        features=[f"f{i}" for i in range(n_features)],
        theta="mass",
        label="label",
        background_theta=Identical(HYPOTHESES),
        **options,
    )


def main() -> None:
    """Measures and prints."""
    show("Training from files and from memory, medians", run())
    show("Peak memory of reading files", run_memory())
