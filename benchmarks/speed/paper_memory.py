"""Peak memory of `--scale paper`: 7 million training and 3.5 million test events, beyond TensorFlow at work.

HEPMASS itself need not be there: random events of its size and format stand in for it, in a cache of their own. A row
of an experiment is then made as `python -m benchmarks run ID --scale paper` makes it, for one epoch, in a fresh
process.
"""

import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.data.cache import Cache, EventFile
from benchmarks.data.hepmass import FEATURE_NAMES, FILES, HYPOTHESES, SCHEMA
from benchmarks.speed import bytes_in_use, in_fresh_process, show

ROWS = {"affine-table-3": "Affine identical (sampled)", "affine-table-5": "Affine (full) identical (sampled)"}
N_SMALL = 20_000  # events of the run that is subtracted
N_TOGETHER = 100_000  # events written together


def write_stand_in(data_home: Path, files: Mapping[str, EventFile] = FILES, n_together: int = N_TOGETHER) -> None:
    """Random events in the place of HEPMASS' cache; their numbers are those of `files`, multiples of `n_together`."""
    import pyarrow as pa

    rng = np.random.default_rng(0)
    for file in files.values():
        with Cache(file, data_home / "hepmass").writing(SCHEMA) as writer:
            for _ in range(file.n_events // n_together):
                features = rng.random((len(FEATURE_NAMES), n_together), dtype=np.float32)
                label, mass = rng.integers(2, size=n_together, dtype=np.uint8), rng.choice(HYPOTHESES, n_together)
                writer.write_batch(pa.record_batch([label, *features, mass], schema=SCHEMA))


def measure(experiment: str, data_home: str) -> tuple[int, int]:
    """Peaks of this process in bytes: after a small run of the experiment, and after one of its paper scale."""
    from benchmarks.experiment import find
    from benchmarks.terminal import Display

    os.environ["KERAS_HEP_DATA"] = data_home
    found = find(experiment)
    config = replace(found.scales["paper"], epochs=1)
    peaks = []
    for one in (replace(config, sample="hepmass-like", n_train=N_SMALL, n_test=N_SMALL), config):
        found.make_row(one, found.load(one), ROWS[experiment], 42, Display(Console(quiet=True), 1))
        peaks.append(bytes_in_use())
    return tuple(peaks)


def main() -> None:
    """Measures and prints, experiment by experiment."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        write_stand_in(Path(folder))
        for experiment, row in ROWS.items():
            baseline, peak = in_fresh_process(measure, experiment, folder)
            sizes = {"a run with 20 000 events (GB)": baseline / 1e9, "above it (GB)": (peak - baseline) / 1e9}
            rows.append({"experiment": experiment, "row": row, **sizes})
    show("Peak memory of the paper's scale", rows)
