import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from benchmarks.simulation.detector import Detector
from benchmarks.simulation.particles import N_JETS, ParticleLevel
from benchmarks.simulation.sample import Recipe, particle_level, simulate

SMALL = Recipe(seed=5, masses=(600.0, 1200.0), chunk_size=120)
N_EVENTS = 83


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small sample by two processes, and its folder."""
    folder = tmp_path_factory.mktemp("two")
    return simulate(SMALL, N_EVENTS, folder, n_processes=2), folder


@pytest.mark.slow
def test_composition_and_the_same_bits_by_one_process_as_by_two(made, tmp_path):
    events, _ = made
    assert len(events) == N_EVENTS
    masses, counts = np.unique(events.theta[events.label == 1, 0], return_counts=True)
    assert (masses.tolist(), counts.tolist()) == ([600, 1200], [21, 20])
    assert set(events.theta[events.label == 0, 0]) == {600, 1200}
    alone = simulate(SMALL, N_EVENTS, tmp_path, n_processes=1)
    np.testing.assert_array_equal(events.features, alone.features)
    np.testing.assert_array_equal(events.theta, alone.theta)


@pytest.mark.slow
def test_finished_chunks_are_not_made_again(made):
    """Removing one chunk remakes that one alone, with the same content; so does damage, which is kept aside."""
    events, folder = made
    chunks = sorted(folder.glob("*/*.npz"))
    times = {path: path.stat().st_mtime_ns for path in chunks}
    chunks[0].unlink()
    again = simulate(SMALL, N_EVENTS, folder, n_processes=2)
    np.testing.assert_array_equal(events.features, again.features)
    assert [path for path in chunks if path.stat().st_mtime_ns != times[path]] == [chunks[0]]
    chunks[0].write_bytes(chunks[0].read_bytes()[:100])
    with pytest.warns(UserWarning, match="damaged"):
        again = simulate(SMALL, N_EVENTS, folder, n_processes=2)
    np.testing.assert_array_equal(events.features, again.features)
    assert chunks[0].with_name(f"{chunks[0].name}.corrupt-1").exists()


@pytest.mark.slow
def test_another_detector_needs_no_new_collisions(made):
    events, folder = made
    n_chunks = len(list(folder.glob("*/*.npz")))
    scaled = simulate(SMALL, 40, folder, detector=Detector(jet_scale=(1.1, 0.0)), n_processes=2)
    assert len(list(folder.glob("*/*.npz"))) == n_chunks
    jet = events.names.index("jet1_pt")
    assert np.median(scaled.features[:, jet]) > np.median(events.features[:40, jet])


def test_folder_of_another_recipe_is_refused(tmp_path):
    (tmp_path / "recipe.json").write_text(json.dumps(asdict(replace(SMALL, seed=6))))
    with pytest.raises(ValueError, match="holds another recipe"):
        simulate(SMALL, 80, tmp_path)


@pytest.mark.slow
def test_continuous_range(tmp_path):
    recipe = Recipe(seed=1, masses=(500.0, 1500.0), continuous=True, chunk_size=160)
    events = simulate(recipe, 20, tmp_path, n_processes=2)
    signal = events.theta[events.label == 1, 0]
    assert len(signal) == 10 and signal.min() >= 500 and signal.max() <= 1500
    assert len(np.unique(signal)) > 2
    assert len(np.unique(events.theta[events.label == 0, 0])) == 10


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"seed": -1}, "seed=-1"),
        ({"masses": ()}, "masses is empty"),
        ({"masses": (500.0,), "continuous": True}, "two masses"),
        ({"chunk_size": 1}, "chunk_size=1"),
    ],
)
def test_impossible_recipes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**arguments)


def test_too_few_events_for_the_strata(tmp_path):
    with pytest.raises(ValueError, match="n_events=3"):
        simulate(SMALL, 3, tmp_path)


@pytest.mark.slow
def test_signal_alone_is_the_signal_of_the_whole_sample(made):
    events, folder = made
    alone = simulate(SMALL, 41, folder, signal_only=True, n_processes=1)
    np.testing.assert_array_equal(alone.features, events.features[events.label == 1])
    np.testing.assert_array_equal(alone.theta, events.theta[events.label == 1])


@pytest.mark.slow
def test_parts_have_no_collision_in_common(made):
    """Two parts of the chunks, measured by the same detector, are the whole."""
    _, folder = made
    halves = [simulate(SMALL, 12, folder, signal_only=True, part=(k, 2), n_processes=1) for k in (0, 1)]
    events = [[tuple(row) for row in half.features.tolist()] for half in halves]
    assert len(set(events[0])) == len(set(events[1])) == 12
    assert not set(events[0]) & set(events[1])
    whole = simulate(SMALL, 12, folder, signal_only=True, n_processes=1)
    assert whole.features[0].tolist() == list(events[0][0])  # both begin with chunk 0


def test_the_particle_level_comes_chunk_by_chunk_from_what_is_there(tmp_path):
    """Chunks that are there are read, in the order of strata and numbers; one beyond those asked for is left."""
    recipe = Recipe(3, masses=(500.0, 750.0))
    for stratum, name in enumerate(recipe.strata):
        for chunk in range(3):
            (tmp_path / name).mkdir(exist_ok=True)
            one_event(10 * stratum + chunk).save(tmp_path / name / f"{chunk:05d}.npz")
    found = list(particle_level(recipe, [2, 1, 3], tmp_path, n_processes=1))
    numbers = [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1), (2, 2)]
    assert [(stratum, chunk) for stratum, chunk, _ in found] == numbers
    assert [float(read.mass[0]) for *_, read in found] == [10 * stratum + chunk for stratum, chunk in numbers]
    with pytest.raises(ValueError, match="another recipe"):
        list(particle_level(Recipe(4, masses=(500.0, 750.0)), [1, 1, 1], tmp_path))


def one_event(mass):
    """One event, told apart by its mass."""
    arrays = {"lepton": (1, 3), "isolation": (1,), "met": (1, 2), "jets": (1, N_JETS, 4), "jet_flavour": (1, N_JETS)}
    zeros = {name: np.zeros(shape, np.float32) for name, shape in arrays.items()}
    return ParticleLevel(mass=np.full(1, mass, np.float32), **zeros)
