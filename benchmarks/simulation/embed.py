"""The samples that come with the code: the HEPMASS-like one and its variants, made from five simulations."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.data.events import Events
from benchmarks.data.hepmass_like import EMBEDDED, write_hepmass_like

from .detector import Detector
from .sample import Recipe, simulate

MASSES_BETWEEN = (525.0, 600.0, 875.0, 1125.0, 1375.0)  # GeV; the sample is at 500, 750, 1000, 1250 and 1500
MASS_RANGE = (500.0, 1500.0)  # GeV
JET_ENERGY_SCALES = (0.90, 0.95, 1.00, 1.05, 1.10)  # relative to the nominal detector

# Of the sample (None) and of each variant: the simulation that a split is made from, and its share of `n_events`.
SPLITS = {
    None: {"train": ("train", 2 / 3), "test": ("test", 1 / 3)},
    "jes": {"train": ("train", 1 / 3), "test": ("test", 1 / 5)},
    "between": {"train": ("between_train", 1 / 6), "test": ("between_test", 1 / 10)},
    "continuous": {"train": ("continuous", 1 / 6)},
}


def recipes(seed: int) -> dict[str, Recipe]:
    """The five simulations, with seeds from `seed` on."""
    return {
        "train": Recipe(seed),
        "test": Recipe(seed + 1),
        "continuous": Recipe(seed + 2, masses=MASS_RANGE, continuous=True),
        "between_train": Recipe(seed + 3, masses=MASSES_BETWEEN),
        "between_test": Recipe(seed + 4, masses=MASSES_BETWEEN),
    }


def embed(
    n_events: int,
    seed: int,
    directory: Callable[[str, Recipe], Path],
    *,
    folder: Path = EMBEDDED,
    n_processes: int | None = None,
) -> Iterator[dict]:
    """Make the sample, then each of its variants.

    Args:
        n_events: of the sample, training and test together; the variants grow with it.
        seed: of the sample's training events; the other simulations have the seeds after it.
        directory: from the name of a simulation and its recipe, where its particle level is kept.
        folder: where the files go.
        n_processes: how many processes work; one a core if None.

    Yields:
        Each recipe as soon as its files are written.
    """
    for variant, shares in SPLITS.items():
        splits, collisions = {}, {}
        for split, (name, share) in shares.items():
            recipe = recipes(seed)[name]
            make = partial(simulate, recipe, directory=directory(name, recipe), n_processes=n_processes)
            make = partial(at_jet_energy_scales, make) if variant == "jes" else partial(make, signal_only=bool(variant))
            splits[split] = make(round(share * n_events))
            collisions[split] = asdict(recipe)
        settings = {"collisions": collisions, "detector": asdict(Detector())}
        if variant == "jes":
            settings["jet energy scales"] = JET_ENERGY_SCALES
        yield write_hepmass_like(splits, settings | {"pythia": _pythia(variant)}, variant=variant, folder=folder)


def at_jet_energy_scales(make: Callable[..., Events], n_events: int) -> Events:
    """Events measured with the response of jets scaled as a whole, equally many at each scale, from other collisions.

    `make` is `simulate` without `n_events`, `detector` and `part`; theta of the events is (mass, jet energy scale), of
    background too: a mass drawn from the signal's, and the scale that the event was measured at.
    """
    parts = []
    for i, scale in enumerate(JET_ENERGY_SCALES):
        detector = Detector(jet_scale=tuple(scale * number for number in Detector.jet_scale))
        part = make(n_events // len(JET_ENERGY_SCALES), detector=detector, part=(i, len(JET_ENERGY_SCALES)))
        theta = np.column_stack([part.theta, np.full(len(part), scale)])
        parts.append(replace(part, theta=theta, parameter_names=("mass", "jet energy scale")))
    return Events.concatenate(parts)


def _pythia(variant: str | None) -> dict[str, list[str]]:
    """Pythia's settings, for the background where there is some."""
    from .generator import Process  # the `simulation` extra

    signal = {"signal at 1000 GeV": Process("spin2", 1000.0).settings()}
    return signal if variant in ("between", "continuous") else {"background": Process().settings()} | signal
