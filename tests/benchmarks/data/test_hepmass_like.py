import json
import os
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.data.events import Events
from benchmarks.data.hepmass import FEATURE_NAMES, HYPOTHESES
from benchmarks.data.hepmass_like import BTAGS, EMBEDDED, load_hepmass_like, read_recipe, write_hepmass_like

SETTINGS = {"seed": 5, "detector": {"radius": 0.5}}


def physical_events(n_events, seed):
    """Features of the kinds that the sample has: lengths in GeV, angles, counts, flags."""
    generator = np.random.default_rng(seed)
    features = generator.lognormal(5, 0.6, (n_events, 27))
    for i, name in enumerate(FEATURE_NAMES):
        if name.endswith(("phi", "eta")):
            features[:, i] = generator.uniform(-np.pi, np.pi, n_events)
        elif name.endswith("btag"):
            features[:, i] = generator.integers(0, 2, n_events)
    features[:, 5] = 4 + generator.poisson(1, n_events)
    return Events(
        features,
        generator.choice(HYPOTHESES, n_events),
        generator.integers(0, 2, n_events),
        names=FEATURE_NAMES,
        process_names=("ttbar", "X"),
    )


@pytest.fixture(scope="module")
def sample():
    return physical_events(3000, seed=1), physical_events(1000, seed=2)


@pytest.fixture
def folder(sample, tmp_path):
    write_hepmass_like(*sample, SETTINGS, tmp_path)
    return tmp_path


@pytest.mark.parametrize("split", ["train", "test"])
def test_what_is_read_is_what_was_written_standardised_by_the_training_set(folder, sample, split):
    given = dict(zip(("train", "test"), sample, strict=True))[split]
    training = sample[0].features.astype(np.float64)
    standardised = (given.features - training.mean(axis=0)) / training.std(axis=0)
    events = load_hepmass_like(split, folder=folder)
    # Half of the spacing of 16-bit floats, relative, and below their normal range absolute.
    np.testing.assert_allclose(events.features, standardised, rtol=2**-11, atol=2**-25)
    for i, name in enumerate(FEATURE_NAMES):
        if name in (*BTAGS, "n_jets"):  # stored exactly, rounded once to float32
            np.testing.assert_allclose(events.features[:, i], standardised[:, i], rtol=2**-24)
    np.testing.assert_array_equal(events.theta, given.theta)
    np.testing.assert_array_equal(events.label, given.label)
    assert events.features.dtype == np.float32
    assert (events.names, events.process_names) == (FEATURE_NAMES, ("ttbar", "X"))


def test_training_set_is_standardised(folder):
    features = load_hepmass_like(folder=folder).features.astype(np.float64)
    # 3000 roundings of relative size up to 2^-11, in both directions.
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(features.std(axis=0), 1, atol=1e-4)


def test_recipe_holds_settings_constants_and_counts(folder, sample):
    recipe = read_recipe(folder)
    training, _ = sample
    assert recipe["settings"] == SETTINGS
    assert "not HEPMASS" in recipe["what"]
    assert tuple(recipe["features"]) == FEATURE_NAMES
    # The sums of float32 features are in float64.
    np.testing.assert_allclose(recipe["mean"], training.features.astype(np.float64).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(recipe["std"], training.features.astype(np.float64).std(axis=0), rtol=1e-12)
    assert recipe["hypotheses"] == HYPOTHESES.tolist()
    counts = recipe["files"]["train"]
    assert counts["n_background"] + sum(counts["n_signal"].values()) == 3000
    assert counts["n_signal"]["750"] == np.count_nonzero((training.label == 1) & (training.theta[:, 0] == 750))
    assert counts["n_bytes"] == os.path.getsize(folder / "hepmass_like_train.parquet")


def test_writing_again_gives_the_same_bytes(folder, sample):
    before = read_recipe(folder)
    assert write_hepmass_like(*sample, SETTINGS, folder) == before


def test_size(sample, tmp_path):
    recipe = write_hepmass_like(physical_events(20_000, 3), sample[1], SETTINGS, tmp_path)
    assert recipe["files"]["train"]["n_bytes"] / 20_000 < 40  # 400 000 events in 16 MB


def test_stratified_draw(folder):
    everything = load_hepmass_like(folder=folder)
    drawn = load_hepmass_like(folder=folder, n_events=300, seed=3)
    assert len(drawn) == 300
    for label in (0, 1):
        for mass in HYPOTHESES:
            n, n_drawn = (
                np.count_nonzero((part.label == label) & (part.theta[:, 0] == mass)) for part in (everything, drawn)
            )
            assert abs(n_drawn - n / 10) < 1


def test_absent_sample_names_the_command(folder, tmp_path):
    (folder / "hepmass_like_test.parquet").unlink()
    with pytest.raises(FileNotFoundError, match=r"hepmass_like_test.parquet.*`python -m benchmarks data embed`"):
        load_hepmass_like("test", folder=folder)
    with pytest.raises(FileNotFoundError, match=r"hepmass_like.json.*`python -m benchmarks data embed`"):
        load_hepmass_like(folder=tmp_path / "nowhere")


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: content[:-9] + b"?" + content[-8:]])
def test_damaged_sample_is_refused(folder, damage):
    path = folder / "hepmass_like_train.parquet"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"train.parquet is damaged.*Restore.*`python -m benchmarks data embed`"):
        load_hepmass_like(folder=folder)


def test_unknown_split(folder):
    with pytest.raises(ValueError, match=r"one of \('train', 'test'\). Received: split='valid'"):
        load_hepmass_like("valid", folder=folder)


def changed(events, name, value):
    features = events.features.copy()
    features[:, FEATURE_NAMES.index(name)] = value
    return replace(events, features=features)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda events: changed(events, "lep_pt", 3.0), "features that vary. Received: lep_pt always 3"),
        (lambda events: changed(events, "jet2_btag", events.theta[:, 0]), "b-tags of 0 and 1"),
        (lambda events: changed(events, "n_jets", events.features[:, 0]), "whole numbers of jets"),
        (lambda events: replace(events, weight=2 * events.weight), "weight 1"),
        (lambda events: replace(events, process=1 - events.label), "process 0 for background"),
        (lambda events: replace(events, names=FEATURE_NAMES[::-1]), "Expected the features"),
    ],
)
def test_events_that_the_format_cannot_hold(sample, tmp_path, change, message):
    training, test = sample
    with pytest.raises(ValueError, match=message):
        write_hepmass_like(change(training), test, SETTINGS, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mass", [600, 2000])
def test_masses_of_the_test_set_are_those_of_the_training_set(sample, tmp_path, mass):
    training, test = sample
    with pytest.raises(ValueError, match="masses out of"):
        write_hepmass_like(training, replace(test, theta=np.full(1000, mass)), SETTINGS, tmp_path)


def test_full_disk_keeps_the_old_sample(folder, sample, full_disk):
    before = load_hepmass_like(folder=folder).features
    with full_disk(5_000), pytest.raises(OSError, match=r"while writing.*hepmass_like_train.parquet"):
        write_hepmass_like(*sample, {"seed": 6}, folder)
    np.testing.assert_array_equal(load_hepmass_like(folder=folder).features, before)
    assert len(os.listdir(folder)) == 3


def test_recipe_is_readable_by_people(folder):
    text = (folder / "hepmass_like.json").read_text()
    assert json.loads(text)["settings"]["seed"] == 5
    assert text.startswith('{\n "what": "HEPMASS-like')


def test_embedded_sample():
    training, test = load_hepmass_like("train"), load_hepmass_like("test")
    assert len(training) + len(test) >= 300_000
    assert len(test) >= (len(training) + len(test)) // 3
    assert sum(path.stat().st_size for path in EMBEDDED.iterdir()) <= 16_000_000
    # The mean of 200 000 roundings of relative size up to 2^-11.
    np.testing.assert_allclose(training.features.mean(axis=0, dtype=np.float64), 0, atol=1e-4)
    np.testing.assert_allclose(training.features.std(axis=0, dtype=np.float64), 1, atol=1e-4)
    np.testing.assert_array_equal(training.hypotheses[:, 0], HYPOTHESES)
    for events in (training, test):
        assert abs(events.label.mean() - 0.5) < 1e-3
        _, n_signal = np.unique(events.theta[events.label == 1], return_counts=True)
        np.testing.assert_allclose(n_signal, len(events) / 10, rtol=1e-3)
