"""Events with the 27 features of HEPMASS in about 37 bytes each.

Continuous features are stored as standardised 16-bit floats (relative precision 2^-11), the number of jets as it is,
the four b-tags as bits of one byte. Label and theta are one code of a byte where theta has few values; where it has
many, the label and each parameter are columns of their own. Either way theta is kept exactly.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.data import storage
from benchmarks.data.events import Events
from benchmarks.data.hepmass import FEATURE_NAMES, PROCESS_NAMES

BTAGS = tuple(name for name in FEATURE_NAMES if name.endswith("btag"))
CONTINUOUS = tuple(name for name in FEATURE_NAMES if name != "n_jets" and name not in BTAGS)
MOST_HYPOTHESES = 128  # of which each, as signal and as background, has a code of one byte


def hypotheses(events: Events) -> list[list[float]] | None:
    """The distinct theta of the events, sorted; None where they are too many for a code, as those of a range are."""
    points = np.unique(events.theta, axis=0)
    if len(points) > MOST_HYPOTHESES:
        return None
    return [[float(str(number)) for number in point] for point in points]  # 0.9 instead of 0.8999999761581421


def write(events: Events, description: Mapping, path: Path) -> None:
    """Write events as Parquet, whole or not at all.

    Args:
        events: with physical features (GeV, radians), all of weight 1.
        description: `mean` and `std` of each feature, with which to standardise, `parameters`, the names of those of
            theta, and `hypotheses`, a list of points, or None for theta of any value.
        path: where to.

    Raises:
        ValueError: features, parameters, processes, weights or a theta that the format or the description cannot hold.
        OSError: a full disk; names the file.
    """
    table = _encode(events, description)
    with storage.write_whole(path) as temporary:
        # brotli, since zstd gives both bytes of the split floats one code table: 41 bytes an event instead of 38.
        pq.write_table(
            table,
            temporary,
            compression="brotli",
            compression_level=7,
            use_dictionary=[name for name in table.column_names if name not in CONTINUOUS],
            use_byte_stream_split=list(CONTINUOUS),
        )


def read(path: Path, description: Mapping) -> Events:
    """What `write` wrote with the same description: Events with standardised features."""
    table = pq.read_table(path)
    stored = {name: table[name].to_numpy() for name in table.column_names}
    bits = np.unpackbits(stored["btags"][:, None], axis=1, count=len(BTAGS), bitorder="little")
    physical = dict(zip(BTAGS, bits.T, strict=True)) | {"n_jets": stored["n_jets"]}
    features = np.empty((len(table), len(FEATURE_NAMES)), np.float32)
    for i, name in enumerate(FEATURE_NAMES):
        if name in CONTINUOUS:
            features[:, i] = stored[name]
        else:
            features[:, i] = (physical[name] - description["mean"][i]) / description["std"][i]
    parameters = tuple(description["parameters"])
    if description["hypotheses"] is None:
        label, theta = stored["label"], np.stack([stored[name] for name in parameters], axis=1)
    else:
        hypothesis, label = np.divmod(stored["code"], 2)
        theta = np.asarray(description["hypotheses"], np.float32)[hypothesis]
    return Events(features, theta, label, names=FEATURE_NAMES, process_names=PROCESS_NAMES, parameter_names=parameters)


def _encode(events: Events, description: Mapping) -> pa.Table:
    if events.names != FEATURE_NAMES:
        raise ValueError(f"Expected the features {FEATURE_NAMES}. Received: {events.names}.")
    if list(events.parameter_names) != list(description["parameters"]):
        raise ValueError(f"Expected the parameters {description['parameters']}. Received: {events.parameter_names}.")
    if (events.weight != 1).any() or (events.process != events.label).any():
        raise ValueError("Expected events of weight 1, and process 0 for background and 1 for signal.")
    physical = dict(zip(FEATURE_NAMES, events.features.T, strict=True))
    btags = np.stack([physical[name] for name in BTAGS], axis=1)
    n_jets = physical["n_jets"].astype(np.uint8)
    if not np.isin(btags, (0, 1)).all() or (n_jets != physical["n_jets"]).any():
        raise ValueError("Expected b-tags of 0 and 1 and whole numbers of jets: physical features, not standardised.")
    mean, std = (dict(zip(FEATURE_NAMES, description[key], strict=True)) for key in ("mean", "std"))
    columns = {name: ((physical[name] - mean[name]) / std[name]).astype(np.float16) for name in CONTINUOUS}
    columns["n_jets"] = n_jets
    columns["btags"] = np.packbits(btags.astype(np.uint8), axis=1, bitorder="little")[:, 0]
    return pa.table(columns | _labels(events, description))


def _labels(events: Events, description: Mapping) -> dict[str, np.ndarray]:
    """The columns of label and theta."""
    if description["hypotheses"] is None:
        return {"label": events.label, **dict(zip(events.parameter_names, events.theta.T, strict=True))}
    numbers = {tuple(point): i for i, point in enumerate(np.asarray(description["hypotheses"], np.float32).tolist())}
    points, inverse = np.unique(events.theta, axis=0, return_inverse=True)
    points = [tuple(point) for point in points.tolist()]
    if unknown := [point for point in points if point not in numbers]:
        raise ValueError(f"Expected theta out of {description['hypotheses']}. Received: {list(unknown[0])}.")
    hypothesis = np.array([numbers[point] for point in points], np.uint8)[inverse]
    return {"code": 2 * hypothesis + events.label}
