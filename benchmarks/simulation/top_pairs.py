"""The embedded top pairs: collisions of a search, thinned out and written as `benchmarks.data.top_pairs` reads them."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.data.hepmass_like import EMBEDDED
from benchmarks.data.top_pairs import Collisions, write_top_pairs

from .particles import ParticleLevel
from .sample import Recipe, particle_level
from .thinning import thin

TEST_MASSES = (500.0, 625.0, 750.0, 850.0, 1000.0, 1125.0, 1250.0, 1375.0, 1500.0)  # GeV; training has those of HEPMASS
# Chunks of background and of each mass.
CHUNKS = {"train": (78, 6), "test": (64, 4)}
VETO_EVENTS = 100_000  # with which the efficiency of the generator's veto is known to 0.1 %


def recipes(seed: int) -> dict[str, Recipe]:
    """Collisions by split, with seeds from `seed` on."""
    return {"train": Recipe(seed), "test": Recipe(seed + 1, masses=TEST_MASSES)}


def embed_top_pairs(
    seed: int,
    directory: Callable[[str, Recipe], Path],
    *,
    chunks: dict[str, tuple[int, int]] = CHUNKS,
    folder: Path = EMBEDDED,
    n_processes: int | None = None,
) -> dict:
    """Make the collisions, and write what is left of them after thinning.

    Args:
        seed: of the training collisions; the test collisions have the next.
        directory: from the name of a simulation and its recipe, where its particle level is kept.
        chunks: number of chunks of the background, and of each mass, by split.
        folder: where the files go.
        n_processes: how many processes work; one a core if None.

    Returns:
        The recipe that stands beside the files.
    """
    from .generator import Process, veto_efficiency  # the `simulation` extra

    made, settings = {}, {}
    for split, recipe in recipes(seed).items():
        n_background, n_signal = chunks[split]
        n_chunks = [n_background, *(n_signal for _ in recipe.masses)]
        parts, numbers, per_pb = [], [], []
        for stratum, chunk, events in particle_level(
            recipe, n_chunks, directory(f"top_pairs_{split}", recipe), n_processes=n_processes
        ):
            if chunk == 0:
                process = Process(recipe.kind, recipe.masses[stratum - 1]) if stratum else Process()
                share = veto_efficiency(process, VETO_EVENTS, recipe.seed + 1) / recipe.chunk_size / n_chunks[stratum]
            kept, n_collisions = thin(events, np.random.default_rng([recipe.seed, stratum, chunk, 2]))
            parts.append(kept)
            numbers.append(n_collisions)
            per_pb.append(np.full(len(kept), share))
        made[split] = Collisions(ParticleLevel.concatenate(parts), np.concatenate(numbers), np.concatenate(per_pb))
        settings[split] = asdict(recipe) | {"chunks": n_chunks}
    return write_top_pairs(made, settings, folder)
