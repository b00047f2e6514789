"""Simulated samples in chunks: made on all cores, kept on disk, continued after a stop.

A chunk is a fixed number of collisions with a seed of its own, made from the sample's seed and the chunk's place. A
sample takes the chunks of each stratum in order until it has enough selected events, so that how many processes worked,
and in which order they finished, changes nothing.
"""

import itertools
import json
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from rich.progress import MofNCompleteColumn

from benchmarks.data import storage
from benchmarks.data.download import progress_bar
from benchmarks.data.events import Events
from benchmarks.data.hepmass import FEATURE_NAMES, PROCESS_NAMES

from .detector import Detector, measure
from .particles import ParticleLevel
from .reconstruction import features

MASSES_PER_CHUNK = 16  # of a continuous range


@dataclass(frozen=True)
class Recipe:
    """What the collisions of a sample are, down to the seed.

    Args:
        seed: of the whole sample.
        kind: of the resonance, "spin2", "scalar" or "zprime".
        masses: hypotheses in GeV; with `continuous`, the two ends of a range.
        continuous: draw masses uniformly between the two `masses`.
        energy: of the two protons together, GeV.
        chunk_size: collisions a chunk.
    """

    seed: int = 0
    kind: str = "spin2"
    masses: tuple[float, ...] = (500.0, 750.0, 1000.0, 1250.0, 1500.0)
    continuous: bool = False
    energy: float = 13000.0
    chunk_size: int = 4000

    def __post_init__(self):
        if self.seed < 0:
            raise ValueError(f"seed={self.seed}: expected a non-negative integer.")
        if not self.masses:
            raise ValueError("masses is empty: expected at least one mass in GeV.")
        if self.continuous and (len(self.masses) != 2 or self.masses[0] >= self.masses[1]):
            raise ValueError(f"masses={self.masses}: a continuous range needs two masses, the lower one first.")
        if self.chunk_size < MASSES_PER_CHUNK:
            raise ValueError(f"chunk_size={self.chunk_size}: expected at least {MASSES_PER_CHUNK} collisions.")

    @property
    def strata(self) -> tuple[str, ...]:
        """What is filled separately: the background, and each mass or the range of masses."""
        names = [f"{mass:g}" for mass in self.masses]
        return ("background", *(f"{self.kind}-{name}" for name in (["-".join(names)] if self.continuous else names)))


def simulate(
    recipe: Recipe, n_events: int, directory, *, signal_only=False, detector=None, part=(0, 1), n_processes=None
) -> Events:
    """Simulate a sample of selected events: half of it background, the signal equally from each mass.

    Args:
        recipe: what to simulate.
        n_events: selected events wanted.
        directory: where the particle level is kept. Chunks that it holds are not made again: call `simulate` once more
            after a stop, with another detector, or for more events.
        signal_only: no background.
        detector: what measures the events; the nominal `Detector` if None.
        part: (k, n) takes every n-th chunk from the k-th on. The n parts have no collision in common, so that each can
            be measured by a detector of its own.
        n_processes: how many processes work; one a core if None.

    Returns:
        `n_events` events in physical units (GeV, radians), stratum by stratum. Background events carry a mass that is
        drawn from the distribution of the signal's.

    Raises:
        ValueError: too few events for the strata, or a directory that holds another recipe.
    """
    n_signals = len(recipe.strata) - 1
    n_background = 0 if signal_only else n_events - n_events // 2
    share, rest = divmod(n_events - n_background, n_signals)  # a remainder goes to the first signals
    if share == 0:
        raise ValueError(f"n_events={n_events} is too small for signal at each of {n_signals} masses. Use more.")
    quotas = [n_background, *(share + (i < rest) for i in range(n_signals))]
    directory = Path(directory)
    _claim(directory, recipe)
    detector = detector or Detector()
    n_processes = n_processes or os.cpu_count()
    parts = []
    with (
        progress_bar(MofNCompleteColumn()) as progress,
        ProcessPoolExecutor(n_processes, get_context("spawn"), _silence) as pool,
    ):
        tasks = [progress.add_task(name, total=quota) for name, quota in zip(recipe.strata, quotas, strict=True)]
        for stratum, missing in enumerate(quotas):
            make = partial(make_chunk, directory, recipe, stratum)
            chunks = _in_order(pool, n_processes, make, itertools.count(*part))
            while missing:
                chunk, path = next(chunks)
                events = reconstruct(_load(path, directory, recipe, stratum, chunk), recipe, stratum, chunk, detector)
                parts.append(events.select(np.arange(min(missing, len(events)))))
                missing -= len(parts[-1])
                progress.advance(tasks[stratum], len(parts[-1]))
        pool.shutdown(cancel_futures=True)
    return Events.concatenate(parts)


def particle_level(
    recipe: Recipe, n_chunks: Sequence[int], directory, *, n_processes=None
) -> Iterator[tuple[int, int, ParticleLevel]]:
    """The stratum, the number and the events of the first chunks of each stratum, in order.

    Args:
        recipe: what to simulate.
        n_chunks: how many of each of the strata.
        directory: where the chunks are kept; those that it holds are not made again.
        n_processes: how many processes work; one a core if None.

    Raises:
        ValueError: a directory that holds another recipe.
    """
    directory, n_processes = Path(directory), n_processes or os.cpu_count()
    _claim(directory, recipe)
    with (
        progress_bar(MofNCompleteColumn()) as progress,
        ProcessPoolExecutor(n_processes, get_context("spawn"), _silence) as pool,
    ):
        for stratum, (name, n) in enumerate(zip(recipe.strata, n_chunks, strict=True)):
            make = partial(make_chunk, directory, recipe, stratum)
            paths = _in_order(pool, n_processes, make, range(n))
            for chunk, path in progress.track(paths, n, description=name):
                yield stratum, chunk, _load(path, directory, recipe, stratum, chunk)


def make_chunk(directory: Path, recipe: Recipe, stratum: int, chunk: int) -> Path:
    """Make one chunk at particle level, unless it is there."""
    path = directory / recipe.strata[stratum] / f"{chunk:05d}.npz"
    if path.exists():
        return path
    from .generator import Process, generate  # the `simulation` extra: chunks can be read without it

    rng = np.random.default_rng([recipe.seed, stratum, chunk, 0])
    if stratum == 0:
        masses = [None]
    elif recipe.continuous:
        masses = rng.uniform(*recipe.masses, MASSES_PER_CHUNK)
    else:
        masses = [recipe.masses[stratum - 1]]
    processes = [Process(recipe.kind if stratum else "background", mass, recipe.energy) for mass in masses]
    n_collisions = recipe.chunk_size // len(masses)
    parts = [generate(process, n_collisions, int(rng.integers(1, 900_000_000))) for process in processes]
    ParticleLevel.concatenate(parts).save(path)
    return path


def reconstruct(particles: ParticleLevel, recipe: Recipe, stratum: int, chunk: int, detector: Detector) -> Events:
    """Pass one chunk through the detector. Events in physical units."""
    rng = np.random.default_rng([recipe.seed, stratum, chunk, 1])
    measured = measure(particles, detector, rng)
    x = features(measured, rng)
    if stratum:
        theta = particles.mass[measured.index]
    elif recipe.continuous:
        theta = rng.uniform(*recipe.masses, len(x))
    else:
        theta = rng.choice(recipe.masses, len(x))
    return Events(x, theta, np.full(len(x), stratum > 0), names=FEATURE_NAMES, process_names=PROCESS_NAMES)


def _load(path, directory, recipe, stratum, chunk):
    try:
        return ParticleLevel.load(path)
    except ValueError as error:
        storage.set_aside(path, str(error))
        return ParticleLevel.load(make_chunk(directory, recipe, stratum, chunk))


def _claim(directory, recipe):
    path, text = directory / "recipe.json", json.dumps(asdict(recipe), indent=1)
    if path.exists() and json.loads(path.read_text()) != json.loads(text):
        raise ValueError(f"{directory} holds another recipe: {path.read_text()} Use another directory or that recipe.")
    with storage.write_whole(path) as temporary:
        temporary.write_text(text)


def _in_order(pool, n_ahead, function, numbers):
    """Each of the `numbers` with its function(number), in order, with `n_ahead` of them in work."""
    numbers = iter(numbers)
    pending = deque((number, pool.submit(function, number)) for number in itertools.islice(numbers, n_ahead))
    while pending:
        number, result = pending.popleft()
        yield number, result.result()
        pending.extend((number, pool.submit(function, number)) for number in itertools.islice(numbers, 1))


def _silence():
    """Pythia and FastJet greet on standard output, from C++; errors go to the other one."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
