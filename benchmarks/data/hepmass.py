"""HEPMASS, the official set: X -> t tbar -> lepton + jets at five masses of X, against Standard Model t tbar.

Made for Baldi et al., "Parameterized neural networks for high-energy physics" (2016), and published in the UCI Machine
Learning Repository as data set 347. Features are standardised in the files. The two csv.gz files (2.6 GB) are
downloaded once, and each is converted once to float32 Parquet (about 0.7 GB), in which every page has a checksum.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.data import cache, storage
from benchmarks.data.cache import DamagedCache, EventFile
from benchmarks.data.download import fetch
from benchmarks.data.events import Events

FEATURE_NAMES = (
    *("lep_pt", "lep_eta", "lep_phi", "met", "met_phi", "n_jets"),
    *(f"jet{jet}_{name}" for jet in (1, 2, 3, 4) for name in ("pt", "eta", "phi", "btag")),
    *("m_jj", "m_jjj", "m_lv", "m_jlv", "m_wwbb"),
)  # f0 to f26 of the files
PROCESS_NAMES = ("ttbar", "X")
HYPOTHESES = np.array([500, 750, 1000, 1250, 1500], np.float32)  # GeV
COLUMNS = ("label", *FEATURE_NAMES, "mass")
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
        OSError: a full disk.
    """
    path = prepare_hepmass(split, data_home=data_home, files=files)
    n_available = files[split].n_events
    n_events = n_available if n_events is None else n_events
    if not 0 < n_events <= n_available:
        raise ValueError(f"Expected n_events between 1 and {n_available} for split={split!r}. Received: {n_events}.")
    columns = cache.read_or_rebuild(
        path,
        make=partial(prepare_hepmass, split, data_home=data_home, files=files),
        read=partial(_read, file=files[split], n_events=n_events),
    )
    return Events(**columns, names=FEATURE_NAMES, process_names=PROCESS_NAMES)


def prepare_hepmass(split: str, *, data_home: str | Path | None = None, files: Mapping[str, EventFile] = FILES) -> Path:
    """Download and convert one split, unless that has been done; returns the path of the Parquet file."""
    if split not in files:
        raise ValueError(f"Expected split to be one of {tuple(files)}. Received: split={split!r}.")
    file = files[split]
    folder = storage.data_home(data_home) / "hepmass"
    path = folder / f"{file.name.removesuffix('.csv.gz')}.parquet"
    if not path.exists():
        _convert(fetch(file, folder), path, file)
    return path


def download_hepmass(*, data_home: str | Path | None = None, files: Mapping[str, EventFile] = FILES) -> list[Path]:
    """Download and convert all splits, unless that has been done; returns the paths of the Parquet files."""
    return [prepare_hepmass(split, data_home=data_home, files=files) for split in files]


def _convert(source: Path, path: Path, file: EventFile) -> None:
    """csv.gz to Parquet, a few ten thousand events at a time."""
    schema = pa.schema([("label", pa.uint8()), *((name, pa.float32()) for name in (*FEATURE_NAMES, "mass"))])
    with (
        pa.input_stream(source, compression="gzip") as stream,
        csv.open_csv(
            stream,
            csv.ReadOptions(column_names=COLUMNS, skip_rows=1, block_size=BLOCK),
            convert_options=csv.ConvertOptions(column_types={name: pa.float32() for name in COLUMNS}),
        ) as batches,
        cache.writing(
            path, schema, file, use_dictionary=["label", "mass"], use_byte_stream_split=list(FEATURE_NAMES)
        ) as writer,
        Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        ) as progress,
    ):
        task = progress.add_task(f"converting {source.name}", total=file.n_events)
        n_events = 0
        for batch in batches:
            writer.write_batch(_tidy(batch, schema))
            progress.advance(task, len(batch))
            n_events += len(batch)
        if n_events != file.n_events:
            raise ValueError(f"Expected {file.n_events} events in {source}. Received: {n_events}.")


def _tidy(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Label as an integer, mass rounded to the hypothesis that it is within 0.5 GeV of."""
    features = batch.columns[1:-1]
    label = batch.column("label").cast(pa.uint8())  # refuses fractions
    mass = batch.column("mass").to_numpy(zero_copy_only=False)
    nearest = HYPOTHESES[np.abs(mass[:, None] - HYPOTHESES).argmin(axis=1)]
    is_hypothesis = np.abs(mass - nearest) < 0.5
    if (strange := ~is_hypothesis & (label.to_numpy(zero_copy_only=False) == 1)).any():
        raise ValueError(f"Expected signal masses {HYPOTHESES} GeV in the file. Received: {mass[strange][0]}.")
    mass = np.where(is_hypothesis, nearest, mass)
    return pa.record_batch([label, *features, mass], schema=schema)


def _read(path: Path, file: EventFile, n_events: int) -> dict[str, np.ndarray]:
    """The first events of the cache, a few thousand at a time into one array."""
    features = np.empty((n_events, len(FEATURE_NAMES)), np.float32)
    theta = np.empty(n_events, np.float32)
    label = np.empty(n_events, np.uint8)
    with cache.reading(path, file) as parquet:
        start = 0
        for batch in parquet.iter_batches(columns=COLUMNS):
            batch = batch.slice(0, n_events - start)
            rows = slice(start, start + len(batch))
            for i, name in enumerate(FEATURE_NAMES):
                features[rows, i] = batch.column(name)
            theta[rows] = batch.column("mass")
            label[rows] = batch.column("label")
            start = rows.stop
            if start == n_events:
                break
        else:
            raise DamagedCache(f"holds {start} events instead of {file.n_events}")
    return {"features": features, "theta": theta, "label": label}
