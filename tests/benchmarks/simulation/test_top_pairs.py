from pathlib import Path

import numpy as np
import pytest

from benchmarks.data.top_pairs import LEPTON_AND_JETS, load_top_pairs, read_top_pairs_recipe
from benchmarks.simulation import generator, top_pairs
from benchmarks.simulation.particles import N_JETS, ParticleLevel


def alike(n_events, mass):
    """Events that each have two b-jets far above all thresholds."""
    jets = np.zeros((n_events, N_JETS, 4))
    jets[:, :4] = [(400, 0, 0, 30), (300, 0.5, 2, 30), (200, -0.5, 4, 20), (100, 1, 5, 10)]
    return ParticleLevel(
        lepton=np.tile([80.0, 0.3, 1.0], (n_events, 1)),
        isolation=np.zeros(n_events),
        met=np.tile([30.0, -20.0], (n_events, 1)),
        jets=jets,
        jet_flavour=np.tile(np.uint8([5, 5, 0, 0, *[0] * (N_JETS - 4)]), (n_events, 1)),
        mass=np.full(n_events, mass),
    )


def test_collisions_become_expected_events(monkeypatch, tmp_path):
    """Of 4000 collisions that pass a veto of 0.8, 1000 have two b-jets: 0.25 x 0.8 x the chance of two tags."""
    asked = []

    def particle_level(recipe, n_chunks, directory, **options):
        asked.append((recipe.seed, n_chunks, str(directory)))
        for stratum, n in enumerate(n_chunks):
            for chunk in range(n):
                yield stratum, chunk, alike(1000, recipe.masses[stratum - 1] if stratum else 0.0)

    monkeypatch.setattr(top_pairs, "particle_level", particle_level)
    monkeypatch.setattr(generator, "veto_efficiency", lambda process, n_events, seed: 0.8)
    chunks = {"train": (3, 2), "test": (1, 1)}
    top_pairs.embed_top_pairs(4, lambda name, recipe: Path(name), chunks=chunks, folder=tmp_path)
    assert asked == [(4, [3, *[2] * 5], "top_pairs_train"), (5, [1, *[1] * 9], "top_pairs_test")]
    assert read_top_pairs_recipe(tmp_path)["settings"]["test"]["chunks"] == [1] * 10
    events = load_top_pairs("train", masses=(500.0, 1500.0), folder=tmp_path)
    b, light = 0.5, 0.001
    two = b * b + 2 * b * (1 - b) * 2 * light  # on the plateau; or one b-jet and one of the two others
    signal = events.weight[(events.label == 1) & (events.theta[:, 0] == 500)].sum()
    assert signal == pytest.approx(1000 * LEPTON_AND_JETS * 0.25 * 0.8 * two, rel=0.03)  # 9 of 10 are kept: 0.7 %
    assert len(np.unique(events.theta)) == 2


def test_both_splits_have_collisions_of_their_own():
    train, test = top_pairs.recipes(6).values()
    assert train.seed != test.seed
    assert set(train.masses) < set(test.masses) and 850.0 in test.masses
