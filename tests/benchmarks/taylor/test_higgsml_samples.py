"""The events of the HiggsML experiment, and the counts of its contours."""

import numpy as np
import pytest

from benchmarks.data.events import Events
from benchmarks.taylor.higgsml_samples import N_BINS, contours, load_samples


def test_hepmass_like_events_are_of_one_mass_and_named_so():
    train, test, data = load_samples("hepmass-like", 3000, 2000)
    assert (data["n_train"], data["n_test"]) == (len(train), len(test)) == (3000, 2000)
    for events in (train, test):
        assert (events.theta == 1000).all()
        # Of 50 000 and more background events a fifth has this mass, at random: a share off by 0.01 is 3 deviations.
        assert events.label.mean() == pytest.approx(0.5, abs=0.01)
    assert data["name"].startswith("HEPMASS-like") and "HiggsML" not in data["name"]
    assert data["contours"]["x"] == ["m_wwbb", "standardised"]
    again = load_samples("hepmass-like", 3000, 2000).data
    assert again == data


def test_contours_count_events_of_each_class_with_the_first_feature_first():
    x = np.arange(1000.0)
    features = np.stack([x, x % 10], axis=1)
    label = (x >= 500).astype(int)
    counts = contours(Events(features, np.zeros(1000), label, names=("a", "b")), ("a", "GeV"), ("b", ""))
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
