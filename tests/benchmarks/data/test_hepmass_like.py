import os
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.data import hepmass_like
from benchmarks.data.events import Events
from benchmarks.data.hepmass import FEATURE_NAMES, HYPOTHESES
from benchmarks.data.hepmass_like import EMBEDDED, load_hepmass_like, physical, read_recipe, write_hepmass_like

SETTINGS = {"seed": 5, "detector": {"radius": 0.5}}
M_WWBB = FEATURE_NAMES.index("m_wwbb")  # the reconstructed mass of the resonance


def physical_events(n_events, seed=1, theta=None, parameter_names=("mass",)):
    """Features of the kinds that HEPMASS has: lengths in GeV, angles, counts, flags."""
    generator = np.random.default_rng(seed)
    features = generator.lognormal(5, 0.6, (n_events, 27))
    for i, name in enumerate(FEATURE_NAMES):
        if name.endswith(("phi", "eta")):
            features[:, i] = generator.uniform(-np.pi, np.pi, n_events)
        elif name in hepmass_like.BTAGS:
            features[:, i] = generator.integers(0, 2, n_events)
    features[:, 5] = 4 + generator.poisson(1, n_events)
    theta = generator.choice(HYPOTHESES, n_events) if theta is None else theta
    label = generator.integers(0, 2, n_events)
    names = {"names": FEATURE_NAMES, "process_names": ("ttbar", "X"), "parameter_names": parameter_names}
    return Events(features, theta, label, **names)


def assert_standardised(events, given, training):
    """That features are those of `given`, standardised by `training`, and all else is equal."""
    training = training.features.astype(np.float64)
    standardised = (given.features - training.mean(axis=0)) / training.std(axis=0)
    # Half of the spacing of 16-bit floats, relative, and below their normal range absolute.
    np.testing.assert_allclose(events.features, standardised, rtol=2**-11, atol=2**-25)
    exact = [i for i, name in enumerate(FEATURE_NAMES) if name not in hepmass_like.CONTINUOUS]
    np.testing.assert_allclose(events.features[:, exact], standardised[:, exact], rtol=2**-24)  # rounded to float32
    np.testing.assert_array_equal(events.theta, given.theta)
    np.testing.assert_array_equal(events.label, given.label)
    for name in ("names", "process_names", "parameter_names"):
        assert getattr(events, name) == getattr(given, name)


@pytest.fixture(scope="module")
def sample():
    return {"train": physical_events(3000, seed=1), "test": physical_events(1000, seed=2)}


@pytest.fixture
def folder(sample, tmp_path):
    write_hepmass_like(sample, SETTINGS, folder=tmp_path)
    return tmp_path


def test_what_is_read_is_what_was_written_standardised_by_the_training_set(folder, sample):
    for split, given in sample.items():
        assert_standardised(load_hepmass_like(split, folder=folder), given, sample["train"])
    drawn = load_hepmass_like(folder=folder, n_events=300, seed=3)
    np.testing.assert_array_equal(drawn.features, load_hepmass_like(folder=folder).draw(300, seed=3).features)


def test_recipe_holds_settings_constants_and_counts(folder, sample):
    recipe, training = read_recipe(folder=folder), sample["train"]
    assert recipe["settings"] == SETTINGS and tuple(recipe["features"]) == FEATURE_NAMES
    # The sums of float32 features are in float64.
    np.testing.assert_allclose(recipe["mean"], training.features.astype(np.float64).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(recipe["std"], training.features.astype(np.float64).std(axis=0), rtol=1e-12)
    assert recipe["hypotheses"] == HYPOTHESES[:, None].tolist()
    counts = recipe["files"]["train"]
    assert counts["n_background"] + sum(counts["n_signal"].values()) == 3000
    assert counts["n_signal"]["750"] == np.count_nonzero((training.label == 1) & (training.theta[:, 0] == 750))
    assert counts["n_bytes"] == os.path.getsize(folder / "hepmass_like_train.parquet")
    assert write_hepmass_like(sample, SETTINGS, folder=folder) == recipe  # the checksums too: the same bytes


JES = ("mass", "jet energy scale")


def test_a_variant_is_standardised_by_the_sample(folder, sample):
    theta = np.column_stack([np.resize([500.0, 750.0], 1000), np.resize([0.9, 1.0, 1.1], 1000)])
    given = physical_events(1000, theta=theta, parameter_names=JES)
    recipe = write_hepmass_like({"train": given}, SETTINGS, variant="jes", folder=folder)
    assert_standardised(load_hepmass_like(variant="jes", folder=folder), given, sample["train"])
    assert len(load_hepmass_like(folder=folder)) == 3000  # the sample is as it was
    # Written as people write it, not 0.8999999761581421.
    assert recipe["hypotheses"] == [[mass, scale] for mass in (500, 750) for scale in (0.9, 1, 1.1)]
    n_signal = recipe["files"]["train"]["n_signal"]
    assert len(n_signal) == 6 and n_signal["750, 0.9"] == given.label[(theta == (750, 0.9)).all(axis=1)].sum()
    with pytest.raises(ValueError, match=r"one of \('train',\). Received: split='test'"):
        load_hepmass_like("test", variant="jes", folder=folder)


def test_the_largest_number_of_hypotheses_and_one_more(folder):
    for n_points in (hepmass_like.MOST_HYPOTHESES, hepmass_like.MOST_HYPOTHESES + 1):
        given = physical_events(n_points, theta=np.arange(n_points, dtype=float))
        recipe = write_hepmass_like({"train": given}, SETTINGS, variant="between", folder=folder)
        assert (recipe["hypotheses"] is None) == (n_points > hepmass_like.MOST_HYPOTHESES)
        n_signal = recipe["files"]["train"]["n_signal"]
        assert (n_signal if recipe["hypotheses"] is None else sum(n_signal.values())) == given.label.sum()
        events = load_hepmass_like(variant="between", folder=folder)  # the code of the last signal is 255
        np.testing.assert_array_equal((events.theta, events.label[:, None]), (given.theta, given.label[:, None]))


def with_feature(events, name, value):
    features = events.features.copy()
    features[:, FEATURE_NAMES.index(name)] = value
    return replace(events, features=features)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda events: with_feature(events, "jet2_btag", events.theta[:, 0]), "b-tags of 0 and 1"),
        (lambda events: with_feature(events, "n_jets", events.features[:, 0]), "whole numbers of jets"),
        (lambda events: with_feature(events, "lep_pt", 3.0), "features that vary. Received: lep_pt always 3"),
        (lambda events: replace(events, weight=2 * events.weight), "weight 1"),
        (lambda events: replace(events, process=1 - events.label), "process 0 for background"),
        (lambda events: replace(events, names=FEATURE_NAMES[::-1]), "Expected the features"),
    ],
)
def test_events_that_the_format_cannot_hold(sample, tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        write_hepmass_like({"train": change(sample["train"])}, SETTINGS, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"theta": np.full(1000, 600.0)}, r"theta out of \[\[500.0\], .*Received: \[600.0\]"),
        ({"theta": np.full(1000, 2000.0)}, r"theta out of .*Received: \[2000"),
        ({"parameter_names": ("width",)}, r"parameters \('mass',\). Received: \('width',\)"),
    ],
)
def test_theta_of_the_test_set_is_that_of_the_training_set(sample, tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        write_hepmass_like(sample | {"test": replace(sample["test"], **change)}, SETTINGS, folder=tmp_path)


def test_absent_files_and_unknown_names(folder, sample, tmp_path):
    (folder / "hepmass_like_test.parquet").unlink()
    with pytest.raises(FileNotFoundError, match=r"hepmass_like_test.parquet.*`python -m benchmarks data embed`"):
        load_hepmass_like("test", folder=folder)
    for function in (load_hepmass_like, lambda **where: write_hepmass_like(sample, SETTINGS, variant="jes", **where)):
        with pytest.raises(FileNotFoundError, match=r"hepmass_like.json.*`python -m benchmarks data embed`"):
            function(folder=tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"one of \('train', 'test'\). Received: split='valid'"):
        load_hepmass_like("valid", folder=folder)
    with pytest.raises(ValueError, match=r"None or one of \('between'.*Received: variant='jer'"):
        load_hepmass_like(variant="jer")


def test_damaged_sample_is_refused(folder):
    path = folder / "hepmass_like_train.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:-9] + b"?" + content[-8:])
    with pytest.raises(ValueError, match=r"train.parquet is damaged.*Restore.*`python -m benchmarks data embed`"):
        load_hepmass_like(folder=folder)


def median_mass(events, masses):
    return [np.median(events.features[events.theta[:, 0] == mass, M_WWBB]) for mass in masses]


@pytest.fixture(scope="module")
def known():
    """Median m_WWbb of the embedded sample's signal at its five masses."""
    events = load_hepmass_like("test")
    return median_mass(events.select(events.label == 1), HYPOTHESES)


@pytest.mark.parametrize(("split", "n_events"), [("train", 200_000), ("test", 100_000)])
def test_embedded_sample(split, n_events):
    events = load_hepmass_like(split)
    n_signal = [np.count_nonzero((events.label == 1) & (events.theta[:, 0] == mass)) for mass in HYPOTHESES]
    assert len(events) == n_events and sum(n_signal) == n_events // 2 and np.ptp(n_signal) <= 1
    # Mean and deviation of 200 000 roundings of relative size up to 2^-11; of the test set, five standard errors.
    tolerance = 1e-4 if split == "train" else 5 * np.sqrt(1 / n_events)
    np.testing.assert_allclose(events.features.mean(axis=0, dtype=np.float64), 0, atol=tolerance)
    if split == "train":
        np.testing.assert_allclose(events.features.std(axis=0, dtype=np.float64), 1, atol=tolerance)


def test_embedded_files_are_small_and_share_their_constants():
    assert sum(path.stat().st_size for path in EMBEDDED.iterdir()) <= 32_000_000
    for variant in hepmass_like.VARIANTS:
        assert all(read_recipe(variant)[key] == read_recipe()[key] for key in ("mean", "std", "features"))


@pytest.mark.parametrize(("split", "n_points", "n_background"), [("train", 2000, 10_000), ("test", 1200, 6000)])
def test_embedded_jet_energy_scales(split, n_points, n_background):
    events = load_hepmass_like(split, variant="jes")
    signal = events.select(events.label == 1)
    points, counts = np.unique(signal.theta, axis=0, return_counts=True)
    assert events.parameter_names == JES
    assert len(points) == 25 and (counts == n_points).all()
    assert (np.unique(events.theta[events.label == 0, 1], return_counts=True)[1] == n_background).all()
    pt = physical(signal, "jet1_pt")
    low, high = (np.median(pt[(signal.theta == np.float32((1500, scale))).all(axis=1)]) for scale in (0.9, 1.1))
    # Each median of 1200 has an error of 1.5 %; the selection and the slope of the response move it by less.
    assert high / low == pytest.approx(1.1 / 0.9, abs=0.08)


@pytest.mark.parametrize(("split", "n"), [("train", 10_000), ("test", 6000)])
def test_embedded_masses_between(known, split, n):
    events = load_hepmass_like(split, variant="between")
    masses, counts = np.unique(events.theta, return_counts=True)
    assert events.label.all() and masses.tolist() == [525, 600, 875, 1125, 1375] and (counts == n).all()
    # Medians of 6000, of a width of 20 %, err by 0.3 % of the mass, less than 0.01; the curve is nearly straight.
    np.testing.assert_allclose(median_mass(events, masses), np.interp(masses, HYPOTHESES, known), atol=0.05)


def test_embedded_continuous_masses(known):
    events = load_hepmass_like(variant="continuous")
    mass = events.theta[:, 0]
    assert len(events) == 50_000 and events.label.all()
    assert mass.min() >= 500 and mass.max() <= 1500 and len(np.unique(mass)) > 1000
    for centre in (600, 875, 1125, 1400):
        median = np.median(events.features[abs(mass - centre) < 25, M_WWBB])
        # As above; the median over 50 GeV is that of the centre, but for the density of masses within.
        assert median == pytest.approx(np.interp(centre, HYPOTHESES, known), abs=0.08)
