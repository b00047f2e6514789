import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from pnn_tf import Binned, Identical, Uniform

N = 20_000
SEED = [3, 4]


def test_identical_takes_every_hypothesis_equally_often():
    drawn = Identical([500, 750, 1000]).draw(N, SEED).numpy()
    assert drawn.shape == (N, 1) and drawn.dtype == np.float32
    values, counts = np.unique(drawn, return_counts=True)
    assert values.tolist() == [500, 750, 1000]
    assert stats.chisquare(counts).pvalue > 1e-3


def test_identical_draws_all_parameters_together():
    points = [(500, 1), (750, 2), (750, 3)]
    drawn = Identical(points).draw(N, SEED).numpy()
    assert {tuple(row) for row in drawn} == set(points)


def test_uniform_has_the_moments_of_a_box_and_no_correlation():
    low, high = np.array([500, -1.0]), np.array([1500, 1.0])
    drawn = Uniform(low, high).draw(N, SEED).numpy()
    assert drawn.shape == (N, 2) and drawn.dtype == np.float32
    assert np.all((drawn >= low) & (drawn < high))
    unit = (drawn - low) / (high - low)
    assert min(stats.kstest(column, "uniform").pvalue for column in unit.T) > 1e-3
    assert abs(np.corrcoef(unit.T)[0, 1]) < 4 / np.sqrt(N)  # four standard deviations


def test_binned_takes_the_hypothesis_of_the_bin():
    strategy = Binned(edges=[350, 625, 875, 1125], hypotheses=[500, 750, 1000], feature=1)
    features = np.array([[0, x] for x in (100, 350, 624.9, 625, 1000, 5000)], dtype="float32")
    assert strategy.draw(6, SEED, features)[:, 0].numpy().tolist() == [500, 500, 500, 750, 1000, 1000]
    assert not strategy.sampled


def test_binned_may_set_several_parameters():
    strategy = Binned(edges=[0, 1, 2], hypotheses=[(500, 1), (750, 2)], feature=0)
    assert strategy.draw(2, SEED, np.array([[0.5], [1.5]])).numpy().tolist() == [[500, 1], [750, 2]]


@pytest.mark.parametrize("strategy", [Identical([1, 2, 3]), Uniform(0, 1), Binned([0, 1, 2], [5, 6], 0)])
def test_draws_are_decided_by_the_seed_in_eager_mode_and_in_graphs(strategy):
    features = tf.random.stateless_uniform([50, 1], [1, 2], 0, 2)
    drawn = strategy.draw(50, SEED, features)
    assert np.array_equal(drawn, tf.function(strategy.draw)(50, tf.constant(SEED), features))
    assert np.array_equal(drawn, strategy.draw(50, [3, 5], features)) == isinstance(strategy, Binned)


def test_strategies_compare_and_print_by_value():
    assert Identical([500, 750]) == Identical(np.array([[500.0], [750.0]]))
    assert repr(Uniform(0, 1, sampled=False)) == "Uniform(low=(0.0,), high=(1.0,), sampled=False)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Identical([]), "hypotheses of shape"),
        (lambda: Identical([500, np.nan]), "hypotheses .*nan"),
        (lambda: Identical([[[1]]]), "hypotheses of shape"),
        (lambda: Uniform(2, 1), "low <= high"),
        (lambda: Uniform((1, 2), 3), r"low=\(1, 2\), high=3"),
        (lambda: Uniform(0, np.inf), "high .*inf"),
        (lambda: Binned([0, 1], [1, 2], 0), r"edges=\(0.0, 1.0\) .*2 hypotheses"),
        (lambda: Binned([0, 2, 1], [1, 2], 0), r"edges=\(0.0, 2.0, 1.0\)"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
