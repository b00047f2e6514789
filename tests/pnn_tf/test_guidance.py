import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from pnn_tf import (
    HypothesisResult,
    Identical,
    Significance,
    ThetaLeak,
    Uniform,
    auc_error,
    background_sculpting,
    balanced_batches,
    theta_leak,
    too_few_events,
)

MASSES = [500.0, 750.0, 1000.0]


def batch_theta(background_theta, **arguments):
    rng = np.random.default_rng(0)
    theta = rng.choice(MASSES, 2000)
    batches = balanced_batches(
        rng.normal(size=(2000, 1)), theta, np.arange(2000) % 2, background_theta=background_theta, **arguments
    )
    x, y = next(batches.dataset.as_numpy_iterator())
    return x["theta"], y


def test_uniform_theta_between_hypotheses_gives_the_background_away():
    leak = theta_leak(*batch_theta(Uniform(500, 1000)))
    # A thousandth on each side of three hypotheses is shared, two of which are at an end: 0.004 of the range.
    assert leak.background == pytest.approx(0.996, abs=0.012)  # four deviations of 512 events


def test_identical_theta_gives_nothing_away():
    assert theta_leak(*batch_theta(Identical(MASSES))) == ThetaLeak(0.0, 0.0)


def test_a_hypothesis_without_background_gives_the_signal_away():
    theta, label = batch_theta(Identical(MASSES[:2]))
    leak = theta_leak(theta, label)
    assert leak.background == 0.0
    assert leak.signal == np.mean(theta[label[:, 0] == 1] == 1000.0)


def test_continuous_theta_in_both_classes_gives_nothing_away():
    rng = np.random.default_rng(0)
    theta, label = rng.uniform(500, 1500, 40000), np.arange(40000) % 2
    # The chance that no one of 20000 lies within a thousandth of the range on either side is exp(-40).
    assert theta_leak(theta, label) == ThetaLeak(0.0, 0.0)


@pytest.mark.parametrize(("n_parameters", "n_events"), [(1, 1024), (2, 1024), (2, 40_000)])
@pytest.mark.parametrize("draw", ["uniform", "exponential"])
def test_chance_leaves_few_gaps_in_a_continuous_theta(n_parameters, n_events, draw):
    rng = np.random.default_rng(0)
    theta, label = getattr(rng, draw)(size=(n_events, n_parameters)), np.arange(n_events) % 2
    # No event where eight are expected has the chance exp(-8), half of that number at an edge exp(-4): 0.02 of events.
    assert max(theta_leak(theta, label)) < 0.02


def test_a_range_of_continuous_theta_that_one_class_alone_has_is_found():
    rng = np.random.default_rng(0)
    background, signal = rng.uniform(500, 1500, 512), rng.uniform(500, 1300, 512)
    leak = theta_leak(np.concatenate([background, signal]), np.repeat([0, 1], 512))
    # The gap of eight signal events below 1300 GeV, about 12.5 GeV, is not told apart: up to twice that.
    assert np.mean(background > 1325) < leak.background <= np.mean(background > 1300)


def test_a_hypothesis_in_one_class_is_not_hidden_by_a_continuous_theta_in_the_other():
    rng = np.random.default_rng(0)
    theta, label = rng.uniform(500, 1500, 1000), np.arange(1000) % 2
    theta[label == 1] = rng.choice([800.0, 1200.0], 500)
    leak = theta_leak(theta, label)
    # A thousandth of the range on each side of two hypotheses: 0.004 of the background; four deviations of 500 events.
    assert leak.background == pytest.approx(0.996, abs=0.012)
    assert leak.signal == 0.0


def test_several_parameters_are_looked_at_together_and_nuisances_not():
    theta, label = np.array([[1, 1], [2, 2], [1, 2], [2, 1]] * 10), [1, 1, 0, 0] * 10
    assert theta_leak(theta, label) == ThetaLeak(1.0, 1.0)
    assert theta_leak(theta, label, nuisances=[1]) == ThetaLeak(0.0, 0.0)


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
        (lambda: theta_leak([1, 2], [1, 1]), "2 signal, 0 background"),
        (lambda: theta_leak([1] * 30, [1] * 22 + [0] * 8), "more than 8 .*22 signal, 8 background"),
        (lambda: theta_leak([1, np.inf], [1, 0]), "theta .*NaN .*1 of 2"),
        (lambda: theta_leak([1, 2], [1, 0], tolerance=np.nan), "tolerance=nan"),
        (lambda: theta_leak([1, 2], [1, 0], nuisances=[0]), r"nuisances=\(0,\)"),
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
