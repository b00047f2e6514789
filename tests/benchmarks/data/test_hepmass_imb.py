import numpy as np
import pytest

from benchmarks.data.events import Events
from benchmarks.data.hepmass_imb import COUNTS, imbalanced, load_hepmass_imb


@pytest.fixture(scope="module")
def events():
    """70 000 events, a hundredth of HEPMASS, numbered by their weight."""
    label = np.arange(70_000) % 2
    theta = np.array(list(COUNTS))[np.arange(70_000) // 2 % 5]
    return Events(np.zeros((70_000, 1)), theta, label, weight=np.arange(70_000))


def n_signal(events):
    signal = events.theta[events.label == 1, 0]
    return {mass: np.count_nonzero(signal == mass) for mass in COUNTS}


def test_counts_shrink_with_the_set_and_never_grow_nor_vanish(events, monkeypatch):
    assert n_signal(imbalanced(events)) == {500: 3500, 750: 1400, 1000: 350, 1250: 70, 1500: 20}
    assert n_signal(imbalanced(events.draw(700))) == {500: 35, 750: 14, 1000: 4, 1250: 1, 1500: 1}
    monkeypatch.setattr("benchmarks.data.hepmass_imb.N_OFFICIAL", 100)
    counts = {500: 5, 750: 4, 1000: 3, 1250: 2, 1500: 1}
    assert n_signal(imbalanced(events, counts=counts)) == counts


def test_background_is_kept_and_signal_drawn_without_replacement_by_seed(events):
    kept = imbalanced(events)
    np.testing.assert_array_equal(kept.weight[kept.label == 0], events.weight[events.label == 0])  # all background
    assert (np.diff(kept.weight) > 0).all()  # no event twice, order kept
    np.testing.assert_array_equal(kept.theta[:, 0], events.theta[kept.weight.astype(int), 0])
    np.testing.assert_array_equal(imbalanced(events, seed=42).weight, kept.weight)
    assert not np.array_equal(imbalanced(events, seed=43).weight, kept.weight)
    drawn = kept.weight[(kept.label == 1) & (kept.theta[:, 0] == 500)]
    # Half of 7000 evenly spread events: their mean position varies by 70000 sqrt((1 - 1/2) / 12 / 3500) = 242.
    assert abs(drawn.mean() - 35_000) < 5 * 242
    # Masses without a count are dropped.
    assert n_signal(imbalanced(events, counts={500: 1000, 1500: 100})) == {500: 10, 750: 0, 1000: 0, 1250: 0, 1500: 1}


def test_errors(events):
    with pytest.raises(ValueError, match=r"at least 10000 signal events at 1500 GeV.*Received: 7000"):
        imbalanced(events, counts={1500: 1_000_000})
    with pytest.raises(ValueError, match=r"one theory parameter. Received: .*'width'"):
        imbalanced(Events(np.zeros((2, 1)), np.zeros((2, 2)), [0, 1], parameter_names=("mass", "width")))


def test_only_the_training_set_is_imbalanced(files, tmp_path):
    training, test = (load_hepmass_imb(split, data_home=tmp_path, files=files) for split in ("train", "test"))
    assert n_signal(training) == {500: 20, 750: 8, 1000: 2, 1250: 1, 1500: 1}  # 400 events: 1 / 17500 of the counts
    assert np.count_nonzero(training.label == 0) == 200
    assert len(test) == 100
