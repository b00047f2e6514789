"""The embedded HEPMASS-like samples: simulated collisions in the format of HEPMASS, small enough to come with the code.

They are not HEPMASS. The sample itself has the same 27 features, masses and standardisation, from a simulation of our
own. Its variants are standardised with its constants, so that one network can be shown all of them:

- `between`: signal alone, at 525, 600, 875, 1125 and 1375 GeV, between the masses of the sample.
- `continuous`: signal alone, for training alone, at masses from 500 to 1500 GeV.
- `jes`: signal at the five masses and background, measured at five jet energy scales, 0.90 to 1.10 times the sample's;
  theta = (mass, jet energy scale). No collision serves two scales, but all of them are collisions of the sample's same
  split, so do not count an event of both as two.

A json file beside the events of each holds the recipe, the constants of the standardisation and the checksums. An event
takes about 37 bytes: continuous features are standardised 16-bit floats (relative precision 2^-11), the number of jets
is stored as it is, the four b-tags are bits of one byte. Label and theta are one code of a byte where theta has few
values, and columns of their own where it has many. Either way theta is kept exactly.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.data import storage
from benchmarks.data.events import Events
from benchmarks.data.hepmass import FEATURE_NAMES, PROCESS_NAMES

EMBEDDED = Path(__file__).parent / "embedded"
COMMAND = "python -m benchmarks data embed"
VARIANTS = ("between", "continuous", "jes")
BTAGS = tuple(name for name in FEATURE_NAMES if name.endswith("btag"))
CONTINUOUS = tuple(name for name in FEATURE_NAMES if name != "n_jets" and name not in BTAGS)
MOST_HYPOTHESES = 128  # of which each, as signal and as background, has a code of one byte


def load_hepmass_like(
    split: str = "train",
    *,
    variant: str | None = None,
    n_events: int | None = None,
    seed: int = 0,
    folder: Path = EMBEDDED,
) -> Events:
    """HEPMASS-like simulated events, standardised to mean 0 and variance 1 over the training events of the sample.

    Args:
        split: "train" or "test".
        variant: one of `VARIANTS`; None for the sample itself.
        n_events: size of a stratified random draw from it, see `Events.draw`; all if None.
        seed: seed of the draw.
        folder: where the files are.

    Returns:
        Events with 27 features and theta = mass in GeV, or (mass, jet energy scale) in the variant "jes".

    Raises:
        FileNotFoundError: the sample is not there.
        ValueError: an unknown variant or split, a damaged file, or more events than it has.
    """
    recipe = read_recipe(variant, folder)
    if split not in recipe["files"]:
        raise ValueError(f"Expected split to be one of {tuple(recipe['files'])}. Received: split={split!r}.")
    file = recipe["files"][split]
    path = _existing(folder / file["name"])
    if storage.checksum(path) != file["sha256"]:
        raise ValueError(
            f"{path} is damaged: its SHA-256 is not the one in {_path(variant, folder)}. Restore both from the "
            f"repository, or make them with `{COMMAND}`."
        )
    events = _read(path, recipe)
    return events if n_events is None else events.draw(n_events, seed)


def read_recipe(variant: str | None = None, folder: Path = EMBEDDED) -> dict:
    """How a sample was made: settings, mean and standard deviation by feature, hypotheses, counts and checksums.

    Physical features are `standardised * std + mean`, with lengths in GeV. `hypotheses` is None for a range.
    """
    return json.loads(_existing(_path(variant, folder)).read_text())


def physical(events: Events, feature: str) -> np.ndarray:
    """(n_events,) float64 values of one feature of a sample, or of a variant, before its standardisation."""
    recipe = read_recipe()
    place = recipe["features"].index(feature)
    standardised = events.features[:, events.names.index(feature)].astype(np.float64)
    return standardised * recipe["std"][place] + recipe["mean"][place]


def write_hepmass_like(
    splits: Mapping[str, Events], settings: dict, *, variant: str | None = None, folder: Path = EMBEDDED
) -> dict:
    """Write the splits of the sample, or of a variant, and the recipe.

    Args:
        splits: events by "train" and, if there are any, "test", with physical features (GeV), all of weight 1. The test
            events have no other theta than the training events, where those have at most MOST_HYPOTHESES.
        settings: what the simulation was told (seed, generator, detector, ...), to be kept in the recipe.
        variant: one of `VARIANTS`, standardised by the constants of the sample that is in `folder`; None for the sample
            itself, standardised by those of its training events.
        folder: where to; files there are replaced.

    Returns:
        The recipe, as `read_recipe` will return it.

    Raises:
        FileNotFoundError: a variant of a sample that is not there.
        ValueError: features, theta, processes or weights that the format cannot hold, or a feature that never varies.
    """
    train, recipe_path = splits["train"], _path(variant, folder)
    constants = _constants(train) if variant is None else read_recipe(folder=folder)
    recipe = {
        "what": f"HEPMASS-like simulated events (not HEPMASS){f', variant {variant}' if variant else ''}",
        "features": FEATURE_NAMES,
        "mean": constants["mean"],
        "std": constants["std"],
        "parameters": train.parameter_names,
        "hypotheses": _hypotheses(train),
        "settings": settings,
        "files": {},
    }
    for split, events in splits.items():
        table, path = _encode(events, recipe), folder / f"{recipe_path.stem}_{split}.parquet"
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
        recipe["files"][split] = {
            "name": path.name,
            "n_bytes": path.stat().st_size,
            "sha256": storage.checksum(path),
            "n_background": int(np.count_nonzero(events.label == 0)),
            "n_signal": _n_signal(events, recipe["hypotheses"]),
        }
    with storage.write_whole(recipe_path) as temporary:
        temporary.write_text(json.dumps(recipe, indent=1) + "\n")
    return read_recipe(variant, folder)


def _path(variant: str | None, folder: Path) -> Path:
    """Of the recipe."""
    if variant not in (None, *VARIANTS):
        raise ValueError(f"Expected variant to be None or one of {VARIANTS}. Received: variant={variant!r}.")
    return folder / f"hepmass_like{f'_{variant}' if variant else ''}.json"


def _existing(path: Path) -> Path:
    if not path.exists():
        raise FileNotFoundError(f"The HEPMASS-like sample lacks {path}. Make it with `{COMMAND}`.")
    return path


def _constants(train: Events) -> dict[str, list[float]]:
    mean, std = (f(train.features, axis=0, dtype=np.float64) for f in (np.mean, np.std))
    if (constant := std == 0).any():
        name = FEATURE_NAMES[np.argmax(constant)]
        raise ValueError(f"Expected features that vary. Received: {name} always {mean[constant][0]:g}.")
    return {"mean": mean.tolist(), "std": std.tolist()}


def _hypotheses(events: Events) -> list[list[float]] | None:
    """The distinct theta of the events, sorted; None where they are too many for a code, as those of a range are."""
    points = np.unique(events.theta, axis=0)
    if len(points) > MOST_HYPOTHESES:
        return None
    return [[float(str(number)) for number in point] for point in points]  # 0.9 instead of 0.8999999761581421


def _n_signal(events: Events, hypotheses: list[list[float]] | None) -> dict[str, int] | int:
    """Number of signal events, at each hypothesis if there are some."""
    theta = events.theta[events.label == 1]
    if hypotheses is None:
        return len(theta)
    return {
        ", ".join(f"{number:g}" for number in point): int(np.count_nonzero((theta == np.float32(point)).all(axis=1)))
        for point in hypotheses
    }


def _encode(events: Events, recipe: Mapping) -> pa.Table:
    if events.names != FEATURE_NAMES:
        raise ValueError(f"Expected the features {FEATURE_NAMES}. Received: {events.names}.")
    if events.parameter_names != recipe["parameters"]:
        raise ValueError(f"Expected the parameters {recipe['parameters']}. Received: {events.parameter_names}.")
    if (events.weight != 1).any() or (events.process != events.label).any():
        raise ValueError("Expected events of weight 1, and process 0 for background and 1 for signal.")
    physical = dict(zip(FEATURE_NAMES, events.features.T, strict=True))
    btags = np.stack([physical[name] for name in BTAGS], axis=1)
    n_jets = physical["n_jets"].astype(np.uint8)
    if not np.isin(btags, (0, 1)).all() or (n_jets != physical["n_jets"]).any():
        raise ValueError("Expected b-tags of 0 and 1 and whole numbers of jets: physical features, not standardised.")
    constants = zip(FEATURE_NAMES, recipe["mean"], recipe["std"], strict=True)
    columns = {
        name: ((physical[name] - mean) / std).astype(np.float16) for name, mean, std in constants if name in CONTINUOUS
    }
    columns |= {"n_jets": n_jets, "btags": np.packbits(btags.astype(np.uint8), axis=1, bitorder="little")[:, 0]}
    if recipe["hypotheses"] is None:
        columns["label"] = events.label
        return pa.table(columns | dict(zip(events.parameter_names, events.theta.T, strict=True)))
    is_at = (events.theta[:, None] == np.asarray(recipe["hypotheses"], np.float32)).all(axis=2)
    if not (known := is_at.any(axis=1)).all():
        unknown = events.theta[~known][0].tolist()
        raise ValueError(f"Expected theta out of {recipe['hypotheses']}. Received: {unknown}.")
    return pa.table(columns | {"code": (2 * is_at.argmax(axis=1) + events.label).astype(np.uint8)})


def _read(path: Path, recipe: Mapping) -> Events:
    """What `_encode` made, with standardised features."""
    table = pq.read_table(path)
    stored = {name: table[name].to_numpy() for name in table.column_names}
    bits = np.unpackbits(stored["btags"][:, None], axis=1, count=len(BTAGS), bitorder="little")
    physical = dict(zip(BTAGS, bits.T, strict=True)) | {"n_jets": stored["n_jets"]}
    constants = zip(FEATURE_NAMES, recipe["mean"], recipe["std"], strict=True)
    features = [(physical[name] - mean) / std if name in physical else stored[name] for name, mean, std in constants]
    if recipe["hypotheses"] is None:
        label, theta = stored["label"], np.stack([stored[name] for name in recipe["parameters"]], axis=1)
    else:
        hypothesis, label = np.divmod(stored["code"], 2)
        theta = np.asarray(recipe["hypotheses"], np.float32)[hypothesis]
    names = {"names": FEATURE_NAMES, "process_names": PROCESS_NAMES, "parameter_names": recipe["parameters"]}
    return Events(np.stack(features, axis=1, dtype=np.float32), theta, label, **names)
