"""The embedded HEPMASS-like samples: simulated collisions in the format of HEPMASS, small enough to come with the code.

They are not HEPMASS. The sample itself has the same 27 features, masses and standardisation, from a simulation of our
own. Its variants are standardised with its constants, so that one network can be shown all of them:

- `between`: signal alone, at 525, 600, 875, 1125 and 1375 GeV, between the masses of the sample.
- `continuous`: signal alone, for training alone, at masses from 500 to 1500 GeV.
- `jes`: signal at the five masses and background, measured at five jet energy scales, 0.90 to 1.10 times the sample's;
  theta = (mass, jet energy scale). No collision serves two scales, but all of them are collisions of the sample's same
  split, so do not count an event of both as two.

A json file beside the events of each holds the recipe, the constants of the standardisation and the checksums.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.data import compact, storage
from benchmarks.data.events import Events
from benchmarks.data.hepmass import FEATURE_NAMES

EMBEDDED = Path(__file__).parent / "embedded"
COMMAND = "python -m benchmarks data embed"
VARIANTS = ("between", "continuous", "jes")


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
        n_events: size of a stratified random draw from it (every class and theta keeps its share); all if None.
        seed: seed of the draw.
        folder: where the files are.

    Returns:
        Events with 27 features and theta = mass in GeV, or (mass, jet energy scale) in the variant "jes".

    Raises:
        FileNotFoundError: the sample is not there; names the command that makes it.
        ValueError: an unknown variant or split, a file that is not the one the recipe describes, or a size it does not
            have.
    """
    recipe = read_recipe(variant, folder)
    if split not in recipe["files"]:
        raise ValueError(f"Expected split to be one of {tuple(recipe['files'])}. Received: split={split!r}.")
    file = recipe["files"][split]
    path = folder / file["name"]
    if not path.exists():
        raise FileNotFoundError(f"The HEPMASS-like sample lacks {path}. Make it with `{COMMAND}`.")
    if storage.checksum(path) != file["sha256"]:
        raise ValueError(
            f"{path} is damaged: its SHA-256 is not the one in {_recipe_path(variant, folder)}. Restore both from the "
            f"repository, or make them with `{COMMAND}`."
        )
    events = compact.read(path, recipe)
    return events if n_events is None else events.draw(n_events, seed)


def read_recipe(variant: str | None = None, folder: Path = EMBEDDED) -> dict:
    """How a sample was made: settings, mean and standard deviation by feature, hypotheses, counts and checksums.

    Physical features are `standardised * std + mean`, with lengths in GeV. `hypotheses` is None for a range.
    """
    path = _recipe_path(variant, folder)
    if not path.exists():
        raise FileNotFoundError(f"The HEPMASS-like sample lacks {path}. Make it with `{COMMAND}`.")
    return json.loads(path.read_text())


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
            events have no other theta than the training events, where those have at most 128.
        settings: what the simulation was told (seed, generator, detector, ...), to be kept in the recipe.
        variant: one of `VARIANTS`, standardised by the constants of the sample that is in `folder`; None for the sample
            itself, standardised by those of its training events.
        folder: where to; files there are replaced.

    Returns:
        The recipe, as `read_recipe` will return it.

    Raises:
        FileNotFoundError: a variant of a sample that is not there.
        ValueError: features, theta, processes or weights that the format cannot hold, or a feature that never varies.
        OSError: a full disk; names the file.
    """
    train = splits["train"]
    constants = _constants(train) if variant is None else read_recipe(folder=folder)
    recipe = {
        "what": f"HEPMASS-like simulated events (not HEPMASS){f', variant {variant}' if variant else ''}",
        "features": FEATURE_NAMES,
        "mean": constants["mean"],
        "std": constants["std"],
        "parameters": train.parameter_names,
        "hypotheses": compact.hypotheses(train),
        "settings": settings,
        "files": {},
    }
    for split, events in splits.items():
        path = folder / f"{_name(variant)}_{split}.parquet"
        compact.write(events, recipe, path)
        recipe["files"][split] = {
            "name": path.name,
            "n_bytes": path.stat().st_size,
            "sha256": storage.checksum(path),
            "n_background": int(np.count_nonzero(events.label == 0)),
            "n_signal": _n_signal(events, recipe["hypotheses"]),
        }
    with storage.write_whole(_recipe_path(variant, folder)) as temporary:
        temporary.write_text(json.dumps(recipe, indent=1) + "\n")
    return read_recipe(variant, folder)


def _constants(train: Events) -> dict[str, list[float]]:
    mean = train.features.mean(axis=0, dtype=np.float64)
    std = train.features.std(axis=0, dtype=np.float64)
    if (constant := std == 0).any():
        name = FEATURE_NAMES[np.argmax(constant)]
        raise ValueError(f"Expected features that vary. Received: {name} always {mean[constant][0]:g}.")
    return {"mean": mean.tolist(), "std": std.tolist()}


def _n_signal(events: Events, hypotheses: list[list[float]] | None) -> dict[str, int] | int:
    """Number of signal events, at each hypothesis if there are some."""
    theta = events.theta[events.label == 1]
    if hypotheses is None:
        return len(theta)
    return {
        ", ".join(f"{number:g}" for number in point): int(np.count_nonzero((theta == np.float32(point)).all(axis=1)))
        for point in hypotheses
    }


def _name(variant: str | None) -> str:
    if variant is None:
        return "hepmass_like"
    if variant not in VARIANTS:
        raise ValueError(f"Expected variant to be None or one of {VARIANTS}. Received: variant={variant!r}.")
    return f"hepmass_like_{variant}"


def _recipe_path(variant: str | None, folder: Path) -> Path:
    return folder / f"{_name(variant)}.json"
