import gzip
import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.data import DOWNLOADS, SOURCES
from benchmarks.data.higgsml import (
    BACKGROUND_SUM,
    HIGGSML_FEATURES,
    HIGGSML_FILE,
    SIGNAL_SUM,
    UNDEFINED,
    download_higgsml,
    load_higgsml,
    rescale_weights,
)
from benchmarks.data.standardiser import Standardiser

SAMPLE = Path(__file__).parents[3] / ".." / "shared" / "data" / "higgsml_real_sample.csv.gz"
HEADER = ["EventId", *HIGGSML_FEATURES, "Weight", "Label", "KaggleSet", "KaggleWeight"]  # as in the official file
N_EVENTS = {"t": 50, "b": 20, "v": 90, "u": 3}
JETS = [i for i, name in enumerate(HIGGSML_FEATURES) if "jet_jet" in name or "subleading" in name]


@pytest.fixture
def rows():
    """Lists of strings in the official order: all columns, 163 events, half of them without a second jet."""
    generator = np.random.default_rng(8)
    rows = []
    for kaggle_set in "".join(letter * n for letter, n in N_EVENTS.items()):
        features = generator.normal(50, 20, 30).round(3)
        if len(rows) % 2:
            features[JETS] = UNDEFINED
        label = "s" if generator.random() < 0.4 else "b"
        weight = f"{generator.uniform(0.001, 2):.12g}"
        rows.append([str(100_000 + len(rows)), *map(str, features), weight, label, kaggle_set, "1.0"])
    return rows


@pytest.fixture
def write(tmp_path):
    """Writes rows as a csv, compressed if its name says so; returns the path."""

    def write(rows, name="events.csv", header=HEADER):
        content = "\n".join(",".join(row) for row in [header, *rows]).encode()
        path = tmp_path / name
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write


def column(rows, name):
    values = [row[HEADER.index(name)] for row in rows]
    return np.array(values) if name in ("Label", "KaggleSet") else np.array(values, np.float64)


def of_sets(rows, letters):
    return [row for row in rows if row[HEADER.index("KaggleSet")] in letters]


def table(rows):
    return np.column_stack([column(rows, name) for name in HIGGSML_FEATURES]).astype(np.float32)


@pytest.mark.parametrize("name", ["events.csv", "events.csv.gz"])
def test_events_are_those_of_the_file_and_its_columns_are_found_by_name(write, rows, name):
    order = np.random.default_rng(1).permutation(len(HEADER))
    shuffled = write([[row[i] for i in order] for row in rows], name, header=[HEADER[i] for i in order])
    events = load_higgsml("all", path=shuffled, undefined="keep")
    np.testing.assert_array_equal(events.features, table(rows))
    np.testing.assert_array_equal(events.label, column(rows, "Label") == "s")
    np.testing.assert_array_equal(events.weight, column(rows, "Weight").astype(np.float32))
    assert events.names == HIGGSML_FEATURES
    assert (events.theta.shape, events.parameter_names) == ((163, 0), ())


@pytest.mark.parametrize(
    ("split", "sets"),
    [("train", "t"), ("test", "bv"), ("public", "b"), ("private", "v"), ("unused", "u"), ("all", "tbvu")],
)
def test_splits_are_those_of_the_challenge(write, rows, split, sets):
    expected, path = table(of_sets(rows, sets)), write(rows)
    np.testing.assert_array_equal(load_higgsml(split, path=path, undefined="keep").features, expected)
    first = load_higgsml(split, path=path, undefined="keep", n_events=3)
    np.testing.assert_array_equal(first.features, expected[:3])
    for n_events in (0, len(expected) + 1):
        message = rf"between 1 and {len(expected)} for split='{split}'. Received: {n_events}"
        with pytest.raises(ValueError, match=message):
            load_higgsml(split, path=path, n_events=n_events)


@pytest.mark.parametrize("split", ["train", "private"])
def test_undefined_features_become_the_mean_of_the_training_events(write, rows, split):
    path = write(rows)
    kept, filled = (load_higgsml(split, path=path, n_events=10, undefined=u).features for u in ("keep", "mean"))
    training = table(rows)[column(rows, "KaggleSet") == "t"]
    undefined = kept == UNDEFINED
    assert undefined[:, JETS].sum() == undefined.sum() == 5 * len(JETS)
    np.testing.assert_array_equal(filled[~undefined], kept[~undefined])
    for i in JETS:
        mean = training[training[:, i] != UNDEFINED, i].mean(dtype=np.float64)
        np.testing.assert_allclose(filled[undefined[:, i], i], mean, rtol=6e-8)  # rounded once to float32


def test_weights_are_rescaled_to_the_whole_set(write, rows):
    events = load_higgsml("private", path=write(rows))
    rescaled = rescale_weights(events)
    for label, total in ((1, SIGNAL_SUM), (0, BACKGROUND_SUM)):
        weight, before = (e.weight[e.label == label].astype(np.float64) for e in (rescaled, events))
        # In proportion; each weight is rounded to float32, relative 6e-8.
        np.testing.assert_allclose(weight, before * total / before.sum(), rtol=6e-8)
    np.testing.assert_array_equal(rescaled.features, events.features)
    with pytest.raises(ValueError, match=r"signal of positive weight .* Received: 0 events with a sum of 0"):
        rescale_weights(events.select(events.label == 0))


def test_unknown_arguments():
    with pytest.raises(ValueError, match=r"split to be one of \('train', 'test', .* Received: split='valid'"):
        load_higgsml("valid")
    with pytest.raises(ValueError, match=r"'mean' or 'keep'. Received: undefined='nan'"):
        load_higgsml(undefined="nan")


def test_file_without_a_split(write, rows):
    training, others = write(rows[: N_EVENTS["t"]]), write(rows[N_EVENTS["t"] :], "others.csv")
    with pytest.raises(ValueError, match=r"KaggleSet b or v\).*none of 50 events. .*split='all'"):
        load_higgsml("test", path=training)
    assert len(load_higgsml("all", path=training)) == 50
    with pytest.raises(ValueError, match=r"undefined='mean' needs training events.*Received: 0.*undefined='keep'"):
        load_higgsml("test", path=others)
    assert len(load_higgsml("test", path=others, undefined="keep")) == 110


def test_a_missing_column_is_named(write, rows):
    path = write([row[:-2] for row in rows], header=HEADER[:-2])
    with pytest.raises(ValueError, match=r"KaggleSet.*take the file of CERN"):
        load_higgsml(path=path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Label", "x", "Label to be one of s, b in .* Received: 'x'"),
        ("Label", "", "Label to be one of s, b in .* Received: ''"),
        ("KaggleSet", "z", "KaggleSet to be one of t, b, v, u in .* Received: 'z'"),
        ("DER_mass_vis", "heavy", "columns of atlas-higgs.*heavy"),
        ("PRI_met", "", "finite features. Received: nan for 'PRI_met' of event 3"),
        ("Weight", "", "finite weight"),
    ],
)
def test_content_out_of_the_format_is_refused(write, rows, name, value, message):
    rows[3][HEADER.index(name)] = value
    with pytest.raises(ValueError, match=message):
        load_higgsml(path=write(rows))


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08\x00", b"{\n 1: [2, 3]\n}\n", bytes(range(256))])
@pytest.mark.parametrize("name", ["events.csv", "events.csv.gz"])
def test_content_that_is_no_csv_is_refused(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=r"Expected .* of atlas-higgs-challenge-2014-v2.csv.gz"):
        load_higgsml(path=tmp_path / name)


def test_absent_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv"):
        load_higgsml(path=tmp_path / "nowhere.csv")


def test_official_file_is_downloaded_once(publish, write, server, rows, tmp_path):
    content = write(rows, "atlas.csv.gz").read_bytes()
    file = replace(publish(content, "atlas.csv.gz"), checksum=hashlib.sha1(content).hexdigest())
    for split, letters in (("train", "t"), ("test", "bv")):
        events = load_higgsml(split, data_home=tmp_path, file=file, undefined="keep")
        np.testing.assert_array_equal(events.features, table(of_sets(rows, letters)))
    assert download_higgsml(data_home=tmp_path, file=file) == [tmp_path / "higgsml" / "atlas.csv.gz"]
    assert server.ranges == [None]


def test_official_file():
    assert HIGGSML_FILE.name == "atlas-higgs-challenge-2014-v2.csv.gz"
    assert (HIGGSML_FILE.n_bytes, HIGGSML_FILE.n_events, HIGGSML_FILE.algorithm) == (65_630_848, 818_238, "sha1")
    assert (SOURCES["higgsml"], DOWNLOADS["higgsml"]) == (load_higgsml, download_higgsml)
    assert len(set(HIGGSML_FEATURES)) == 30
    assert sum(name.startswith("DER_") for name in HIGGSML_FEATURES) == 13


@pytest.mark.skipif(not SAMPLE.exists(), reason="needs the 15 000 real events of ../shared/data")
def test_real_events():
    events = load_higgsml("all", path=SAMPLE, undefined="keep")
    assert repr(events) == "Events(5124 signal, 9876 background, 30 features)"
    by_name = dict(zip(events.names, events.features.T, strict=True))
    # Which features exist follows from the number of jets, as the set's documentation says.
    for name, values in by_name.items():
        n_needed = 2 if name.endswith("jet_jet") or "subleading" in name or name == "DER_lep_eta_centrality" else 1
        if n_needed == 2 or "leading" in name:
            np.testing.assert_array_equal(values == UNDEFINED, by_name["PRI_jet_num"] < n_needed)
        elif name != "DER_mass_MMC":  # undefined where the fit of the two taus' momenta fails
            assert (values != UNDEFINED).all()
    # DER_mass_vis from the momenta of tau and lepton, taken as massless; inputs have three decimals.
    tau, lep = ([by_name[f"PRI_{particle}_{name}"] for name in ("pt", "eta", "phi")] for particle in ("tau", "lep"))
    mass = np.sqrt(2 * tau[0] * lep[0] * (np.cosh(tau[1] - lep[1]) - np.cos(tau[2] - lep[2])))
    np.testing.assert_allclose(by_name["DER_mass_vis"], mass, rtol=0.01, atol=0.1)
    # Every weight is one event in many of the whole set: its sums in proportion to the number of events, within five
    # standard deviations of a weighted sum.
    for label, total in ((1, SIGNAL_SUM), (0, BACKGROUND_SUM)):
        weight = events.weight[events.label == label].astype(np.float64)
        assert abs(weight.sum() * 818_238 / 15_000 / total - 1) < 5 * np.sqrt((weight**2).sum()) / weight.sum()
    train, _ = events.split(0.5)
    standardised = Standardiser.fit(train.features, undefined=UNDEFINED)(train.features)
    np.testing.assert_allclose(standardised.mean(axis=0, dtype=np.float64), 0, atol=1e-6)
