import json
import os
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.data.events import Events
from benchmarks.data.hepmass import FEATURE_NAMES, HYPOTHESES
from benchmarks.data.hepmass_like import EMBEDDED, VARIANTS, load_hepmass_like, read_recipe, write_hepmass_like

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
    return {"train": physical_events(3000, seed=1), "test": physical_events(1000, seed=2)}


@pytest.fixture
def folder(sample, tmp_path):
    write_hepmass_like(sample, SETTINGS, folder=tmp_path)
    return tmp_path


@pytest.mark.parametrize("split", ["train", "test"])
def test_what_is_read_is_what_was_written_standardised_by_the_training_set(folder, sample, split):
    training = sample["train"].features.astype(np.float64)
    standardised = (sample[split].features - training.mean(axis=0)) / training.std(axis=0)
    events = load_hepmass_like(split, folder=folder)
    # Half of the spacing of 16-bit floats, relative, and below their normal range absolute.
    np.testing.assert_allclose(events.features, standardised, rtol=2**-11, atol=2**-25)
    np.testing.assert_array_equal(events.theta, sample[split].theta)
    np.testing.assert_array_equal(events.label, sample[split].label)


def test_training_set_is_standardised(folder):
    features = load_hepmass_like(folder=folder).features.astype(np.float64)
    # 3000 roundings of relative size up to 2^-11, in both directions.
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(features.std(axis=0), 1, atol=1e-4)


def test_recipe_holds_settings_constants_and_counts(folder, sample):
    recipe = read_recipe(folder=folder)
    training = sample["train"]
    assert recipe["settings"] == SETTINGS
    assert "not HEPMASS" in recipe["what"]
    assert tuple(recipe["features"]) == FEATURE_NAMES
    # The sums of float32 features are in float64.
    np.testing.assert_allclose(recipe["mean"], training.features.astype(np.float64).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(recipe["std"], training.features.astype(np.float64).std(axis=0), rtol=1e-12)
    assert recipe["hypotheses"] == HYPOTHESES[:, None].tolist()
    counts = recipe["files"]["train"]
    assert counts["n_background"] + sum(counts["n_signal"].values()) == 3000
    assert counts["n_signal"]["750"] == np.count_nonzero((training.label == 1) & (training.theta[:, 0] == 750))
    assert counts["n_bytes"] == os.path.getsize(folder / "hepmass_like_train.parquet")


def test_writing_again_gives_the_same_bytes(folder, sample):
    before = read_recipe(folder=folder)
    assert write_hepmass_like(sample, SETTINGS, folder=folder) == before


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


def test_a_feature_that_never_varies_is_refused(sample, tmp_path):
    features = sample["train"].features.copy()
    features[:, 0] = 3.0
    with pytest.raises(ValueError, match=r"features that vary. Received: lep_pt always 3"):
        write_hepmass_like({"train": replace(sample["train"], features=features)}, SETTINGS, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mass", [600, 2000])
def test_masses_of_the_test_set_are_those_of_the_training_set(sample, tmp_path, mass):
    strange = replace(sample["test"], theta=np.full(1000, mass))
    with pytest.raises(ValueError, match=rf"theta out of .*Received: \[{mass}"):
        write_hepmass_like(sample | {"test": strange}, SETTINGS, folder=tmp_path)


def test_a_variant_is_standardised_by_the_sample(folder, sample):
    other = {"train": physical_events(500, seed=3)}
    write_hepmass_like(other, SETTINGS, variant="between", folder=folder)
    training = sample["train"].features.astype(np.float64)
    standardised = (other["train"].features - training.mean(axis=0)) / training.std(axis=0)
    events = load_hepmass_like(variant="between", folder=folder)
    np.testing.assert_allclose(events.features, standardised, rtol=2**-11, atol=2**-25)  # as above
    assert read_recipe("between", folder)["mean"] == read_recipe(folder=folder)["mean"]
    assert load_hepmass_like(folder=folder).features.shape == (3000, 27)  # the sample is as it was
    with pytest.raises(ValueError, match=r"one of \('train',\). Received: split='test'"):
        load_hepmass_like("test", variant="between", folder=folder)


def test_counts_of_the_signal_at_each_point_of_theta(folder, sample):
    scale = np.where(np.arange(3000) % 3 == 0, 0.9, 1.1)
    theta = np.column_stack([sample["train"].theta, scale])
    events = replace(sample["train"], theta=theta, parameter_names=("mass", "jet energy scale"))
    counts = write_hepmass_like({"train": events}, SETTINGS, variant="jes", folder=folder)["files"]["train"]["n_signal"]
    here = (events.label == 1) & (theta[:, 0] == 750) & (scale == 0.9)
    assert len(counts) == 10 and counts["750, 0.9"] == here.sum()
    continuous = replace(sample["train"], theta=np.random.default_rng(4).uniform(500, 1500, 3000))
    recipe = write_hepmass_like({"train": continuous}, SETTINGS, variant="continuous", folder=folder)
    assert recipe["hypotheses"] is None and recipe["files"]["train"]["n_signal"] == events.label.sum()


def test_a_variant_of_nothing_and_an_unknown_one(sample, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"hepmass_like.json.*`python -m benchmarks data embed`"):
        write_hepmass_like(sample, SETTINGS, variant="jes", folder=tmp_path)
    with pytest.raises(ValueError, match=r"None or one of \('between'.*Received: variant='jer'"):
        load_hepmass_like(variant="jer")


def test_full_disk_keeps_the_old_sample(folder, sample, full_disk):
    before = load_hepmass_like(folder=folder).features
    with full_disk(5_000), pytest.raises(OSError, match=r"while writing.*hepmass_like_train.parquet"):
        write_hepmass_like(sample, {"seed": 6}, folder=folder)
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
    assert sum(path.stat().st_size for path in EMBEDDED.iterdir()) <= 25_000_000
    # The mean of 200 000 roundings of relative size up to 2^-11.
    np.testing.assert_allclose(training.features.mean(axis=0, dtype=np.float64), 0, atol=1e-4)
    np.testing.assert_allclose(training.features.std(axis=0, dtype=np.float64), 1, atol=1e-4)
    np.testing.assert_array_equal(training.hypotheses[:, 0], HYPOTHESES)
    for events in (training, test):
        assert abs(events.label.mean() - 0.5) < 1e-3
        _, n_signal = np.unique(events.theta[events.label == 1], return_counts=True)
        np.testing.assert_allclose(n_signal, len(events) / 10, rtol=1e-3)


def test_embedded_jet_energy_scales():
    recipe = read_recipe("jes")
    for split, n_points, n_background in (("train", 2000, 10_000), ("test", 1200, 6000)):
        events = load_hepmass_like(split, variant="jes")
        signal = events.select(events.label == 1)
        points, counts = np.unique(signal.theta, axis=0, return_counts=True)
        assert events.parameter_names == ("mass", "jet energy scale")
        assert len(points) == 25 and (counts == n_points).all()
        _, counts = np.unique(events.theta[events.label == 0, 1], return_counts=True)
        assert (counts == n_background).all()
    low, high = (
        signal.features[(signal.theta == np.float32((1500, scale))).all(axis=1), FEATURE_NAMES.index("jet1_pt")]
        for scale in (0.9, 1.1)
    )
    jet = [np.median(pt) * recipe["std"][6] + recipe["mean"][6] for pt in (low, high)]
    # Each median of 1200 has an error of 1.5 %; the selection and the slope of the response move it by less.
    assert jet[1] / jet[0] == pytest.approx(1.1 / 0.9, abs=0.08)


@pytest.mark.parametrize("variant", VARIANTS)
def test_embedded_variants_are_standardised_as_the_sample(variant):
    assert all(read_recipe(variant)[key] == read_recipe()[key] for key in ("mean", "std", "features"))


def test_embedded_masses_between():
    for split, n in (("train", 10_000), ("test", 6000)):
        events = load_hepmass_like(split, variant="between")
        masses, counts = np.unique(events.theta, return_counts=True)
        assert events.label.all() and masses.tolist() == [525, 600, 875, 1125, 1375] and (counts == n).all()
        # m_wwbb is the reconstructed mass, whose median at 500 to 1500 GeV is known at the sample's masses.
        own = load_hepmass_like(split)
        medians = [
            [np.median(part.features[part.theta[:, 0] == mass, 26]) for mass in np.unique(part.theta)]
            for part in (events, own.select(own.label == 1))
        ]
        interpolated = np.interp(masses, HYPOTHESES, medians[1])
        # Medians of 6000, of a width of 20 %, err by 0.3 % of the mass, less than 0.01; the curve is nearly straight.
        np.testing.assert_allclose(medians[0], interpolated, atol=0.05)


def test_embedded_continuous_masses():
    events = load_hepmass_like(variant="continuous")
    mass = events.theta[:, 0]
    assert len(events) == 50_000 and events.label.all()
    assert mass.min() >= 500 and mass.max() <= 1500 and len(np.unique(mass)) > 1000
    own = load_hepmass_like()
    signal = own.select(own.label == 1)
    known = [np.median(signal.features[signal.theta[:, 0] == m, 26]) for m in HYPOTHESES]
    for centre in (600, 875, 1125, 1400):
        near = abs(mass - centre) < 25
        # As above; the median over 50 GeV is that of the centre, but for the density of masses within.
        assert np.median(events.features[near, 26]) == pytest.approx(np.interp(centre, HYPOTHESES, known), abs=0.08)
