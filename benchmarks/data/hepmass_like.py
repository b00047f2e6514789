"""The embedded HEPMASS-like sample: simulated collisions in the format of HEPMASS, small enough to come with the code.

It is not HEPMASS. It has the same 27 features, masses and standardisation, from a simulation of our own. Continuous
features are stored as standardised 16-bit floats (relative precision 2^-11), the number of jets as it is, the four
b-tags as bits of one byte, label and mass as one code: about 38 bytes an event. `hepmass_like.json` beside the events
holds the recipe, the constants of the standardisation and the checksums.
"""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.data import storage
from benchmarks.data.events import Events
from benchmarks.data.hepmass import FEATURE_NAMES, PROCESS_NAMES

EMBEDDED = Path(__file__).parent / "embedded"
COMMAND = "python -m benchmarks data embed"
BTAGS = tuple(name for name in FEATURE_NAMES if name.endswith("btag"))
CONTINUOUS = tuple(name for name in FEATURE_NAMES if name != "n_jets" and name not in BTAGS)


def load_hepmass_like(
    split: str = "train", *, n_events: int | None = None, seed: int = 0, folder: Path = EMBEDDED
) -> Events:
    """The HEPMASS-like simulated events, standardised to mean 0 and variance 1 over the training events.

    Args:
        split: "train" or "test".
        n_events: size of a stratified random draw from it (every class and mass keeps its share); all if None.
        seed: seed of the draw.
        folder: where the files are.

    Returns:
        Events with 27 features and theta = mass in GeV.

    Raises:
        FileNotFoundError: the sample is not there; names the command that makes it.
        ValueError: an unknown split, a file that is not the one the recipe describes, or a size it does not have.
    """
    recipe = read_recipe(folder)
    if split not in recipe["files"]:
        raise ValueError(f"Expected split to be one of {tuple(recipe['files'])}. Received: split={split!r}.")
    file = recipe["files"][split]
    path = folder / file["name"]
    if not path.exists():
        raise FileNotFoundError(f"The HEPMASS-like sample lacks {path}. Make it with `{COMMAND}`.")
    if storage.sha256(path) != file["sha256"]:
        raise ValueError(
            f"{path} is damaged: its SHA-256 is not the one in {_recipe_path(folder)}. Restore both from the "
            f"repository, or make them with `{COMMAND}`."
        )
    events = _decode(pq.read_table(path), recipe)
    return events if n_events is None else events.draw(n_events, seed)


def read_recipe(folder: Path = EMBEDDED) -> dict:
    """How the sample was made: settings, mean and standard deviation by feature, hypotheses, counts and checksums.

    Physical features are `standardised * std + mean`, with lengths in GeV.
    """
    path = _recipe_path(folder)
    if not path.exists():
        raise FileNotFoundError(f"The HEPMASS-like sample lacks {path}. Make it with `{COMMAND}`.")
    return json.loads(path.read_text())


def write_hepmass_like(train: Events, test: Events, settings: dict, folder: Path = EMBEDDED) -> dict:
    """Write both splits and their recipe.

    Args:
        train: events with physical features (GeV), all of weight 1, with masses out of a few hypotheses.
        test: the same for the test set, standardised by the constants of `train`.
        settings: what the simulation was told (seed, generator, detector, ...), to be kept in the recipe.
        folder: where to; files there are replaced.

    Returns:
        The recipe, as `read_recipe` will return it.

    Raises:
        ValueError: features, processes or weights that the format cannot hold, or a feature that never varies.
        OSError: a full disk; names the file.
    """
    mean = train.features.mean(axis=0, dtype=np.float64)
    std = train.features.std(axis=0, dtype=np.float64)
    if (constant := std == 0).any():
        name = FEATURE_NAMES[np.argmax(constant)]
        raise ValueError(f"Expected features that vary. Received: {name} always {mean[constant][0]:g}.")
    recipe = {
        "what": "HEPMASS-like simulated events (not HEPMASS)",
        "features": FEATURE_NAMES,
        "mean": mean.tolist(),
        "std": std.tolist(),
        "hypotheses": np.unique(train.theta).tolist(),
        "settings": settings,
        "files": {},
    }
    for split, events in (("train", train), ("test", test)):
        path = folder / f"hepmass_like_{split}.parquet"
        table = _encode(events, recipe)
        with storage.write_whole(path) as temporary:
            # brotli, since zstd gives both bytes of the split floats one code table: 41 bytes an event instead of 38.
            pq.write_table(
                table,
                temporary,
                compression="brotli",
                compression_level=7,
                use_dictionary=["n_jets", "btags", "code"],
                use_byte_stream_split=list(CONTINUOUS),
            )
        recipe["files"][split] = {
            "name": path.name,
            "n_bytes": path.stat().st_size,
            "sha256": storage.sha256(path),
            "n_background": int(np.count_nonzero(events.label == 0)),
            "n_signal": {
                f"{mass:g}": int(np.count_nonzero((events.label == 1) & (events.theta[:, 0] == mass)))
                for mass in recipe["hypotheses"]
            },
        }
    with storage.write_whole(_recipe_path(folder)) as temporary:
        temporary.write_text(json.dumps(recipe, indent=1) + "\n")
    return read_recipe(folder)


def _encode(events: Events, recipe: dict) -> pa.Table:
    if events.names != FEATURE_NAMES:
        raise ValueError(f"Expected the features {FEATURE_NAMES}. Received: {events.names}.")
    if (events.weight != 1).any() or (events.process != events.label).any():
        raise ValueError("Expected events of weight 1, and process 0 for background and 1 for signal.")
    physical = dict(zip(FEATURE_NAMES, events.features.T, strict=True))
    btags = np.stack([physical[name] for name in BTAGS], axis=1)
    n_jets = physical["n_jets"].astype(np.uint8)
    if not np.isin(btags, (0, 1)).all() or (n_jets != physical["n_jets"]).any():
        raise ValueError("Expected b-tags of 0 and 1 and whole numbers of jets: physical features, not standardised.")
    hypothesis = np.searchsorted(recipe["hypotheses"], events.theta[:, 0]).clip(max=len(recipe["hypotheses"]) - 1)
    if (np.take(recipe["hypotheses"], hypothesis) != events.theta[:, 0]).any():
        raise ValueError(f"Expected masses out of {recipe['hypotheses']}, those of the training events.")
    mean, std = (dict(zip(FEATURE_NAMES, recipe[key], strict=True)) for key in ("mean", "std"))
    columns = {name: ((physical[name] - mean[name]) / std[name]).astype(np.float16) for name in CONTINUOUS}
    columns["n_jets"] = n_jets
    columns["btags"] = np.packbits(btags.astype(np.uint8), axis=1, bitorder="little")[:, 0]
    columns["code"] = (2 * hypothesis + events.label).astype(np.uint8)
    return pa.table(columns)


def _decode(table: pa.Table, recipe: dict) -> Events:
    stored = {name: table[name].to_numpy() for name in table.column_names}
    bits = np.unpackbits(stored["btags"][:, None], axis=1, count=len(BTAGS), bitorder="little")
    physical = dict(zip(BTAGS, bits.T, strict=True)) | {"n_jets": stored["n_jets"]}
    features = np.empty((len(table), len(FEATURE_NAMES)), np.float32)
    for i, name in enumerate(FEATURE_NAMES):
        if name in CONTINUOUS:
            features[:, i] = stored[name]
        else:
            features[:, i] = (physical[name] - recipe["mean"][i]) / recipe["std"][i]
    hypothesis, label = np.divmod(stored["code"], 2)
    theta = np.take(np.asarray(recipe["hypotheses"], np.float32), hypothesis)
    return Events(features, theta, label, names=FEATURE_NAMES, process_names=PROCESS_NAMES)


def _recipe_path(folder: Path) -> Path:
    return folder / "hepmass_like.json"
