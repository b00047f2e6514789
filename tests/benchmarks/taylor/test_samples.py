"""Events of TAYLOR's experiments: those of two Gaussians, those of HiggsML or in its place, and their contours."""

import gzip

import numpy as np
import pytest

from benchmarks.data.events import Events
from benchmarks.data.higgsml import COLUMNS
from benchmarks.taylor import fig_1
from benchmarks.taylor.higgsml_samples import N_BINS, contours, load_samples


def test_gaussians_are_independent_draws_of_each_task_known_by_their_fingerprint():
    train, test, data = fig_1.load_samples(("a", "d"), 600, 400)
    assert list(train) == list(test) == ["a", "d"] and (data["n_train"], data["n_test"]) == (600, 400)
    for task in ("a", "d"):
        assert (len(train[task]), len(test[task])) == (600, 400)
        assert not np.isin(train[task].features, test[task].features).any()
    assert fig_1.load_samples(("a", "d"), 600, 400).data == data
    others = ((("b", "d"), 600, 400), (("a", "d"), 602, 400), (("a", "d"), 600, 402))
    prints = [fig_1.load_samples(*changed).data["fingerprint"] for changed in others]
    assert len({data["fingerprint"], *prints}) == 4


def test_hepmass_like_events_are_of_one_mass_and_named_so():
    train, test, data = load_samples("hepmass-like", 3000, 2000)
    assert (data["n_train"], data["n_test"]) == (len(train), len(test)) == (3000, 2000)
    for events in (train, test):
        assert (events.theta == 1000).all()
        # Of 50 000 and more background events a fifth has this mass, at random: a share off by 0.01 is 3 deviations.
        assert events.label.mean() == pytest.approx(0.5, abs=0.01)
    assert data["name"].startswith("HEPMASS-like") and "HiggsML" not in data["name"]
    assert data["contours"]["x"] == ["m_wwbb", "standardised"]
    assert load_samples("hepmass-like", 3000, 2000).data == data


def test_a_file_is_read_and_named_without_its_folder(samples, tmp_path):
    path, events = tmp_path / "mine.csv.gz", samples.train.draw(300)
    with gzip.open(path, "wt") as file:
        file.write(",".join(COLUMNS) + "\n")
        for x, weight, label in zip(events.features, events.weight, events.label, strict=True):
            file.write(",".join([*map(str, x), str(weight), "bs"[label], "t"]) + "\n")
    train, test, data = load_samples("file", None, 90, path)
    assert (len(train), len(test), train.label.sum()) == (200, 90, 67)
    assert data["name"] == "HiggsML (mine.csv.gz)" and str(tmp_path) not in str(data)


def test_contours_count_events_of_each_class_with_the_first_feature_first():
    x = np.arange(1000.0)
    label = (x >= 500).astype(int)
    events = Events(np.stack([x, x % 10], axis=1), np.zeros(1000), label, names=("a", "b"))
    counts = contours(events, ("a", "GeV"), ("b", ""))
    signal, background = np.array(counts["signal"]), np.array(counts["background"])
    assert signal.shape == background.shape == (N_BINS, N_BINS)
    # The last 3 % of the first feature lie outside, none of the second, whose 97 % quantile is its largest value.
    assert (background.sum(), signal.sum()) == (500, 470)
    half = int(500 / 970 * N_BINS)
    assert background[half + 1 :].sum() == signal[:half].sum() == 0
    assert (signal.sum(axis=0) > 0).sum() == 10


@pytest.mark.parametrize(("sample", "path"), [("file", None), ("hepmass", None)])
def test_unknown_samples_are_refused(sample, path):
    with pytest.raises(ValueError, match="'higgsml', 'hepmass-like', or 'file' with a path"):
        load_samples(sample, None, None, path)
