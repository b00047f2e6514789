"""HEPMASS, the official set: X -> t tbar -> lepton + jets at five masses of X, against Standard Model t tbar.

Made for Baldi et al., "Parameterized neural networks for high-energy physics" (2016), and published in the UCI Machine
Learning Repository as data set 347. Features are standardised in the files. The two csv.gz files (2.6 GB) are
downloaded once, and each is converted once to float32 Parquet (about 0.7 GB), in which every page has a checksum.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.data import storage
from benchmarks.data.download import RemoteFile, fetch
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


@dataclass(frozen=True)
class HepmassFile(RemoteFile):
    """A csv.gz in the official format, with the number of its events."""

    n_events: int


URL = "http://archive.ics.uci.edu/ml/machine-learning-databases/00347/"
FILES = {
    "train": HepmassFile(
        f"{URL}all_train.csv.gz",
        n_bytes=1_760_680_846,
        sha256="52061273edbe84cbfff6cc5432a04366d3401c39baf80da99d9baf91e0165498",
        n_events=7_000_000,
    ),
    "test": HepmassFile(
        f"{URL}all_test.csv.gz",
        n_bytes=880_352_641,
        sha256="eccba00f8d82c471c582ab629084103356f8dda637fad6d43f16a056673091b3",
        n_events=3_500_000,
    ),
}


class DamagedCache(Exception):
    """The converted file is not what was written: truncated, corrupted, or made from another download."""


def load_hepmass(
    split: str = "train",
    *,
    n_events: int | None = None,
    data_home: str | Path | None = None,
    files: Mapping[str, HepmassFile] = FILES,
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
    try:
        columns = _read(path, files[split], n_events)
    except DamagedCache as error:
        storage.set_aside(path, str(error))
        prepare_hepmass(split, data_home=data_home, files=files)
        columns = _read(path, files[split], n_events)
    return Events(**columns, names=FEATURE_NAMES, process_names=PROCESS_NAMES)


def prepare_hepmass(
    split: str, *, data_home: str | Path | None = None, files: Mapping[str, HepmassFile] = FILES
) -> Path:
    """Download and convert one split, unless that has been done; returns the path of the Parquet file."""
    if split not in files:
        raise ValueError(f"Expected split to be one of {tuple(files)}. Received: split={split!r}.")
    file = files[split]
    folder = storage.data_home(data_home) / "hepmass"
    path = folder / f"{file.name.removesuffix('.csv.gz')}.parquet"
    if not path.exists():
        _convert(fetch(file, folder), path, file)
    return path


def download_hepmass(*, data_home: str | Path | None = None, files: Mapping[str, HepmassFile] = FILES) -> list[Path]:
    """Download and convert all splits, unless that has been done; returns the paths of the Parquet files."""
    return [prepare_hepmass(split, data_home=data_home, files=files) for split in files]


def _convert(source: Path, path: Path, file: HepmassFile) -> None:
    """csv.gz to Parquet, a few ten thousand events at a time."""
    schema = pa.schema(
        [("label", pa.uint8()), *((name, pa.float32()) for name in (*FEATURE_NAMES, "mass"))],
        metadata={"source_sha256": file.sha256},
    )
    with (
        storage.write_whole(path) as temporary,
        pa.input_stream(source, compression="gzip") as stream,
        csv.open_csv(
            stream,
            csv.ReadOptions(column_names=COLUMNS, skip_rows=1, block_size=BLOCK),
            convert_options=csv.ConvertOptions(column_types={name: pa.float32() for name in COLUMNS}),
        ) as batches,
        pq.ParquetWriter(
            temporary,
            schema,
            compression="zstd",
            use_dictionary=["label", "mass"],
            use_byte_stream_split=list(FEATURE_NAMES),
            write_page_checksum=True,
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


def _read(path: Path, file: HepmassFile, n_events: int) -> dict[str, np.ndarray]:
    """The first events of the cache, a few thousand at a time into one array."""
    features = np.empty((n_events, len(FEATURE_NAMES)), np.float32)
    theta = np.empty(n_events, np.float32)
    label = np.empty(n_events, np.uint8)
    try:
        # pre_buffer would hold the whole compressed file in memory beside the array.
        with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as cache:
            source = (cache.schema_arrow.metadata or {}).get(b"source_sha256", b"").decode()
            if (cache.metadata.num_rows, source) != (file.n_events, file.sha256):
                raise DamagedCache(f"was not made from {file.url}")
            start = 0
            for batch in cache.iter_batches(columns=COLUMNS):
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
    except (ValueError, KeyError, NotImplementedError, OSError) as error:  # what Arrow says of a damaged file
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the system's, not the format's
        raise DamagedCache(f"cannot be read ({error})") from error
    return {"features": features, "theta": theta, "label": label}
