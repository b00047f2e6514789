"""Peak memory of `--scale paper`: 7 million training and 3.5 million test events, beyond TensorFlow at work.

HEPMASS itself need not be there: random events of its size and format stand in for it, in a cache of their own. A row
of an experiment is then made as `python -m benchmarks run ID --scale paper` makes it, for one epoch, in a fresh
process.
"""

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

ROWS = {"affine-table-3": "Affine identical (sampled)", "affine-table-5": "Affine (full) identical (sampled)"}
N_SMALL = 20_000  # events of the run that is subtracted
N_TOGETHER = 100_000  # events written together


class Silent:
    """A display that shows nothing."""

    def advance(self, work, status):
        pass


def write_stand_in(folder: Path) -> None:
    """Random events in the place of HEPMASS' cache."""
    import pyarrow as pa

    from benchmarks.data import cache
    from benchmarks.data.hepmass import FEATURE_NAMES, FILES, HYPOTHESES

    rng = np.random.default_rng(0)
    schema = pa.schema([("label", pa.uint8()), *((name, pa.float32()) for name in (*FEATURE_NAMES, "mass"))])
    for file in FILES.values():
        path = folder / "hepmass" / f"{file.name.removesuffix('.csv.gz')}.parquet"
        with cache.writing(path, schema, file) as writer:
            for _ in range(file.n_events // N_TOGETHER):
                features = rng.random((len(FEATURE_NAMES), N_TOGETHER), dtype=np.float32)
                label = rng.integers(2, size=N_TOGETHER, dtype=np.uint8)
                writer.write_batch(
                    pa.record_batch([label, *features, rng.choice(HYPOTHESES, N_TOGETHER)], schema=schema)
                )


def measure(experiment: str) -> tuple[int, int]:
    """Peaks of this process in bytes: after a small run of the experiment, and after one of its paper scale."""
    from benchmarks.experiments import load

    module = load(experiment)
    config = replace(module.SCALES["paper"], epochs=1)
    small = replace(config, sample="hepmass-like", n_train=N_SMALL, n_test=N_SMALL)
    return tuple(_peak_of_a_run(module, one, ROWS[experiment]) for one in (small, config))


def _peak_of_a_run(module, config, wanted: str) -> int:
    samples = module.load(config)
    module.make_row(config, samples, wanted, 42, Silent())
    status = Path("/proc/self/status").read_text()  # ru_maxrss would count the parent that this process split from
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


def main() -> None:
    """Measures and prints, experiment by experiment."""
    with tempfile.TemporaryDirectory() as folder:
        write_stand_in(Path(folder))
        environment = os.environ | {"KERAS_HEP_DATA": folder}
        for experiment, row in ROWS.items():
            command = [sys.executable, "-m", __spec__.name, experiment]
            run = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
            baseline, peak = map(int, run.stdout.split()[-2:])
            print(
                f"{experiment}, {row}: {(peak - baseline) / 1e9:.2f} GB beyond the {baseline / 1e9:.2f} GB of "
                f"TensorFlow and a run with {N_SMALL} events"
            )


if __name__ == "__main__":
    print(*measure(sys.argv[1]))
