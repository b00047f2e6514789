import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from pnn_tf import HypothesisResult, Significance, auc_error, background_sculpting, too_few_events


def test_a_score_of_the_mass_sculpts_and_one_without_does_not():
    rng = np.random.default_rng(0)
    mass = rng.uniform(0, 1, 20000)
    label = np.zeros(20000)
    near = background_sculpting(-np.abs(mass - 0.5), mass, label, efficiency=0.1, bins=np.linspace(0, 1, 21))
    assert near.efficiency == pytest.approx(0.1, abs=1e-4)
    # What passes is uniform between 0.45 and 0.55: two bins of 20.
    assert near.after[9:11].sum() == pytest.approx(1, abs=0.02)
    assert near.divergence == pytest.approx(jensenshannon(near.before, near.after, base=2) ** 2)
    apart = background_sculpting(rng.uniform(size=20000), mass, label, efficiency=0.1, bins=20)
    # n JSD 8 ln 2 n1 n2 / n^2 of two samples of one shape is about chi2 of 19: here of 2000 events within 20000.
    assert apart.divergence < 0.01 < 0.5 < near.divergence


def test_weights_and_signal():
    score, mass = np.array([0.9, 0.8, 0.7, 0.6]), np.array([1.0, 2.0, 3.0, 4.0])
    sculpting = background_sculpting(
        score, mass, [1, 0, 0, 0], efficiency=0.25, bins=[0.5, 1.5, 2.5, 3.5, 4.5], weight=[9, 1, 1, 2]
    )
    assert sculpting.before.tolist() == [0, 0.25, 0.25, 0.5]
    assert sculpting.after.tolist() == [0, 1, 0, 0] and sculpting.efficiency == 0.25


def test_bins_have_equal_content_in_weights():
    rng = np.random.default_rng(0)
    mass = rng.uniform(size=4000)
    weight = np.exp(5 * mass)
    bins = background_sculpting(mass, mass, np.zeros(4000), bins=4, weight=weight)
    np.testing.assert_allclose(bins.before, 0.25, atol=weight.max() / weight.sum())  # an event lies on one side
    unweighted = background_sculpting(mass, mass, np.zeros(4000), bins=7)
    np.testing.assert_allclose(unweighted.edges, np.quantile(mass, np.linspace(0, 1, 8)), rtol=1e-12)


def result(theta, n, auc=0.9, weighted_error=None):
    return HypothesisResult((theta,), auc, Significance(1.0, 0.5, 0.9), n, 5 * n, weighted_error)


def test_the_error_of_weighted_events_counts_and_may_be_infinite():
    few, unknown = too_few_events(
        [result(0.1, 50_000, 1.01, 0.02), result(0.2, 50_000, 1.3, np.inf), result(0.3, 50_000, 0.9, 0.0019)]
    )
    assert few == ((0.1,), 0.02, 50_000, 100 * 50_000)  # ten times the error, a hundred times the events
    assert unknown.n_needed == np.inf


def test_a_few_events_which_separate_perfectly_are_too_few():
    few, as_few = too_few_events([result(500.0, 50_000, auc=1.0), result(1500.0, 3, auc=1.0), result(1.0, 3, auc=0.0)])
    assert few.theta == (1500.0,) and few.n_signal == 3 and few.n_needed > 3
    assert few.error == auc_error(1 - 1 / 90, 3, 15)  # half of one of 45 pairs
    assert as_few.error > 0.002


def test_too_few_events_are_named_with_how_many_it_takes():
    (few,) = too_few_events([result(500.0, 50_000), result(1500.0, 57)], error=0.002)
    assert few.theta == (1500.0,) and few.n_signal == 57 and few.error == auc_error(0.9, 57, 285)
    # The error falls with the root of the number, up to terms of 1 / n.
    assert auc_error(0.9, few.n_needed, 5 * few.n_needed) == pytest.approx(0.002, rel=0.01)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: background_sculpting([1, 2], [1, 2], [1, 1]), "background .*none"),
        (lambda: background_sculpting([1, 2], [1, np.nan], [0, 1]), "observable .*NaN .*1 of 2"),
        (lambda: background_sculpting([1, 2], [1, 2], [0, 0], efficiency=0), "efficiency=0"),
        (lambda: background_sculpting([1, 2], [1, 2], [0, 0], bins=0), "bins >= 1"),
        (lambda: background_sculpting([1, 2], [1, 2], [0, 0], bins=[0, np.nan]), r"bins .*\[0, nan\]"),
        (lambda: background_sculpting([1, 2], [1, 2], [0, 0], bins=[2, 1]), r"bins .*\[2, 1\]"),
        (lambda: background_sculpting([1, 2], [1, 2], [0, 0], bins=[1]), r"bins .*\[1\]"),
        (
            lambda: background_sculpting([1, 2], [500, 900], [0, 0], bins=[0.5, 1, 1.5]),
            "bins, from 0.5 to 1.5.* observable .*from 500 to 900",
        ),
        (
            lambda: background_sculpting([1, 2], [500, 900], [0, 0], bins=[0, 600], efficiency=0.5),
            "bins, from 0 to 600.* observable .*from 900 to 900",
        ),
        (lambda: too_few_events([], error=0), "error > 0"),
        (lambda: too_few_events([result(500.0, 0)]), "n_signal=0"),
        (lambda: too_few_events([result(500.0, 10, auc=np.nan)]), "auc=nan"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
