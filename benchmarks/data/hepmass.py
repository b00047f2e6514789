"""HEPMASS, the official set: X -> t tbar -> lepton + jets at five masses of X, against Standard Model t tbar.

Made for Baldi et al., "Parameterized neural networks for high-energy physics" (2016); UCI data set 347. Features are
standardised in the files. The two csv.gz files (2.6 GB) are downloaded once, and each is converted once to float32
Parquet (about 0.7 GB), in which every page has a checksum.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv
from rich.progress import MofNCompleteColumn

from benchmarks.data import storage
from benchmarks.data.cache import Cache, DamagedCache, EventFile
from benchmarks.data.download import progress_bar
from benchmarks.data.events import Events

FEATURE_NAMES = (
    *("lep_pt", "lep_eta", "lep_phi", "met", "met_phi", "n_jets"),
    *(f"jet{jet}_{name}" for jet in (1, 2, 3, 4) for name in ("pt", "eta", "phi", "btag")),
    *("m_jj", "m_jjj", "m_lv", "m_jlv", "m_wwbb"),
)  # f0 to f26 of the files
PROCESS_NAMES = ("ttbar", "X")
HYPOTHESES = np.array([500, 750, 1000, 1250, 1500], np.float32)  # GeV
SCHEMA = pa.schema([("label", pa.uint8()), *((name, pa.float32()) for name in (*FEATURE_NAMES, "mass"))])
BLOCK = 1 << 24  # bytes of csv converted together: about 20 000 events

URL = "http://archive.ics.uci.edu/ml/machine-learning-databases/00347/"
FILES = {
    "train": EventFile(
        f"{URL}all_train.csv.gz",
        n_bytes=1_760_680_846,
        checksum="52061273edbe84cbfff6cc5432a04366d3401c39baf80da99d9baf91e0165498",
        n_events=7_000_000,
    ),
    "test": EventFile(
        f"{URL}all_test.csv.gz",
        n_bytes=880_352_641,
        checksum="eccba00f8d82c471c582ab629084103356f8dda637fad6d43f16a056673091b3",
        n_events=3_500_000,
    ),
}


def load_hepmass(
    split: str = "train",
    *,
    n_events: int | None = None,
    data_home: str | Path | None = None,
    files: Mapping[str, EventFile] = FILES,
) -> Events:
    """Official HEPMASS events; downloads and converts them at first use.

    Masses are rounded to their hypothesis (the files have values such as 499.999969); those of background events are
    the ones drawn by the authors of the set.

    Args:
        split: "train" (7 000 000 events) or "test" (3 500 000).
        n_events: only the first so many of the file, quickly; all if None. `Events.draw` takes a part at random.
        data_home: folder of downloads and caches; see `storage.data_home`.
        files: where the splits come from.

    Returns:
        Events with 27 standardised features and theta = mass in GeV.

    Raises:
        DownloadError: the download failed.
        ValueError: an unknown split, more events than there are, or a file that is not in the official format.
    """
    if split not in files:
        raise ValueError(f"Expected split to be one of {tuple(files)}. Received: split={split!r}.")
    n_available = files[split].n_events
    n_events = n_available if n_events is None else n_events
    if not 0 < n_events <= n_available:
        raise ValueError(f"Expected n_events between 1 and {n_available} for split={split!r}. Received: {n_events}.")
    columns = _cache(files[split], data_home).load(partial(_read, n_events=n_events))
    return Events(**columns, names=FEATURE_NAMES, process_names=PROCESS_NAMES)


def download_hepmass(*, data_home: str | Path | None = None, files: Mapping[str, EventFile] = FILES) -> list[Path]:
    """Download and convert all splits, unless that has been done; returns the paths of the Parquet files."""
    return [_cache(file, data_home).prepare() for file in files.values()]


def _cache(file: EventFile, data_home: str | Path | None) -> Cache:
    return Cache(file, storage.data_home(data_home) / "hepmass", _convert)


def _convert(source: Path, cache: Cache) -> None:
    """csv.gz to Parquet, a few ten thousand events at a time."""
    n_events, n_expected = 0, cache.file.n_events
    with (
        pa.input_stream(source, compression="gzip") as stream,
        csv.open_csv(
            stream,
            csv.ReadOptions(column_names=SCHEMA.names, skip_rows=1, block_size=BLOCK),
            convert_options=csv.ConvertOptions(column_types=dict.fromkeys(SCHEMA.names, pa.float32())),
        ) as batches,
        cache.writing(SCHEMA, use_dictionary=["label", "mass"], use_byte_stream_split=list(FEATURE_NAMES)) as writer,
        progress_bar(MofNCompleteColumn()) as progress,
    ):
        task = progress.add_task(f"converting {source.name}", total=n_expected)
        for batch in batches:
            writer.write_batch(_tidy(batch))
            progress.advance(task, len(batch))
            n_events += len(batch)
        if n_events != n_expected:
            raise ValueError(f"Expected {n_expected} events in {source}. Received: {n_events}.")


def _tidy(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Label as an integer, mass rounded to the hypothesis that it is within 0.5 GeV of."""
    label = batch.column("label").cast(pa.uint8())  # refuses fractions
    mass = batch.column("mass").to_numpy(zero_copy_only=False)
    nearest = HYPOTHESES[np.abs(mass[:, None] - HYPOTHESES).argmin(axis=1)]
    is_hypothesis = np.abs(mass - nearest) < 0.5
    if (strange := ~is_hypothesis & (label.to_numpy(zero_copy_only=False) == 1)).any():
        raise ValueError(f"Expected signal masses {HYPOTHESES} GeV in the file. Received: {mass[strange][0]}.")
    return pa.record_batch([label, *batch.columns[1:-1], np.where(is_hypothesis, nearest, mass)], schema=SCHEMA)


def _read(parquet: pq.ParquetFile, n_events: int) -> dict[str, np.ndarray]:
    """The first events, a few thousand at a time into one array."""
    features = np.empty((n_events, len(FEATURE_NAMES)), np.float32)
    theta, label = np.empty(n_events, np.float32), np.empty(n_events, np.uint8)
    start = 0
    for batch in parquet.iter_batches():
        batch = batch.slice(0, n_events - start)
        rows = slice(start, start + len(batch))
        for i, name in enumerate(FEATURE_NAMES):
            features[rows, i] = batch.column(name)
        theta[rows], label[rows] = batch.column("mass"), batch.column("label")
        start = rows.stop
        if start == n_events:
            return {"features": features, "theta": theta, "label": label}
    raise DamagedCache(f"holds {start} events instead of {n_events}")
