"""Records: what an experiment measured, and everything needed to know where the numbers come from.

A record is one JSON file for one experiment in one configuration. Rows are added one by one as they are finished, so
that an interrupted run loses at most the row it was in, and the next run of the same configuration goes on from there.

    format         1
    experiment     id, as `python -m benchmarks list` prints it
    scale          "smoke", "embedded", "converged" or "paper"; "file" for events of the user's own
    configuration  every setting that can change a number, without the seeds; see the experiment's `Config`
    data           what the events are: at least a `name` and a `fingerprint`
    rows           list of objects; each has at least `row` (its name in the table), `seed` and `wall_s` (seconds)
    runs           one object for each run that added rows: `date` (UTC, when it started), `wall_s`, `versions` (python,
                   keras-hep and the libraries), `device` (processor and cores, or GPU), and in a git checkout `commit`
                   and `dirty`

The file's name ends in a hash of experiment, configuration and data: rows of another configuration go to another file.
"""

import hashlib
import json
import os
import platform
import subprocess
from configparser import ConfigParser
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.data.storage import write_whole

FORMAT = 1
ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = ("tensorflow", "keras", "numpy")


def new_record(experiment: str, scale: str, configuration: dict, data: dict) -> dict:
    """An empty record; `configuration` and `data` hold plain JSON values."""
    return {
        "format": FORMAT,
        "experiment": experiment,
        "scale": scale,
        "configuration": configuration,
        "data": data,
        "rows": [],
        "runs": [],
    }


def record_path(directory, record: dict) -> Path:
    """Where the record of this experiment, configuration and data belongs."""
    identity = [record["experiment"], record["configuration"], record["data"]]
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return Path(directory) / f"{record['experiment']}-{record['scale']}-{digest[:8]}.json"


def open_record(directory, experiment: str, scale: str, configuration: dict, data: dict) -> tuple[Path, dict]:
    """The record begun by an earlier run of the same configuration in `directory`, else an empty one."""
    record = new_record(experiment, scale, configuration, data)
    path = record_path(directory, record)
    return path, (read_record(path) if path.exists() else record)


def plain(values: dict) -> dict:
    """The values as JSON has them: tuples become lists."""
    return json.loads(json.dumps(values))


def fingerprint(*arrays) -> str:
    """SHA-256 of the contents of numpy arrays, in order, with their types and shapes."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def finished(record: dict) -> set[tuple[str, int]]:
    """(row, seed) of every row that the record holds."""
    return {(row["row"], row["seed"]) for row in record["rows"]}


def read_record(path) -> dict:
    """Reads a record.

    Raises:
        ValueError: not a record, or one of another format.
    """
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"Expected a JSON record. Received: {path}, which cannot be read: {error}.") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ValueError(
            f"Expected a record of format {FORMAT}. Received: {path}. Move it away and run the experiment again."
        )
    return record


def write_record(path, record: dict) -> None:
    """Writes a record in one step: a reader, or a run killed half-way, sees the old file or the new one."""
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    with write_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def provenance() -> dict:
    """Date, versions, device and commit of the present run; names neither the host nor the user."""
    run = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "wall_s": 0.0,
        "versions": {
            "python": platform.python_version(),
            "keras-hep": _own_version(),
            **{name: version(name) for name in LIBRARIES},
        },
        "device": _device(),
    }
    if _git("rev-parse", "--show-toplevel") == str(ROOT):
        run |= {"commit": _git("rev-parse", "HEAD"), "dirty": bool(_git("status", "--porcelain"))}
    return run


def _own_version() -> str:
    setup = ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg")
    return setup["metadata"]["version"]


def _device() -> str:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        return f"{len(gpus)} x {details.get('device_name', 'GPU')}"
    return f"{_processor()}, {os.cpu_count()} cores"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _git(*arguments: str) -> str | None:
    try:
        run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return run.stdout.strip()
