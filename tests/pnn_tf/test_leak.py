import warnings

import numpy as np
import pytest

from pnn_tf import Identical, Uniform, auc_error, balanced_batches, theta_leak

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
    assert theta_leak(*batch_theta(Identical(MASSES)))[:2] == (0.0, 0.0)


def test_a_hypothesis_without_background_gives_the_signal_away():
    with pytest.warns(UserWarning, match="of the signal has theta, such as 1000, that no background has"):
        theta, label = batch_theta(Identical(MASSES[:2]))
    leak = theta_leak(theta, label)
    assert leak.background == 0.0
    assert leak.signal == np.mean(theta[label[:, 0] == 1] == 1000.0)


def test_continuous_theta_in_both_classes_gives_nothing_away():
    rng = np.random.default_rng(0)
    theta, label = rng.uniform(500, 1500, 40000), np.arange(40000) % 2
    # The chance that no one of 20000 lies within a thousandth of the range on either side is exp(-40).
    assert theta_leak(theta, label)[:2] == (0.0, 0.0)


@pytest.mark.parametrize(("n_parameters", "n_events"), [(1, 1024), (2, 1024), (2, 40_000)])
@pytest.mark.parametrize("draw", ["uniform", "exponential"])
def test_chance_leaves_few_gaps_in_a_continuous_theta(n_parameters, n_events, draw):
    rng = np.random.default_rng(0)
    theta, label = getattr(rng, draw)(size=(n_events, n_parameters)), np.arange(n_events) % 2
    # No event where eight are expected has the chance exp(-8), half of that number at an edge exp(-4): 0.02 of events.
    assert max(theta_leak(theta, label)[:2]) < 0.02


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
    assert theta_leak(theta, label)[:2] == (1.0, 1.0)
    assert theta_leak(theta, label, nuisances=[1])[:2] == (0.0, 0.0)


def test_other_proportions_in_the_classes_are_found_though_every_theta_is_in_both():
    rng = np.random.default_rng(0)
    # What batches hold of 300 hypotheses when 512 places are divided once and for all: 212 come twice, 88 once.
    signal = np.repeat(np.tile(np.arange(300), 40), np.tile([2] * 212 + [1] * 88, 40))
    background = rng.integers(300, size=len(signal))
    leak = theta_leak(np.concatenate([signal, background]), np.repeat([1, 0], len(signal)))
    assert leak[:2] == (0, 0)
    # Of those that come twice, 424 / 512 of the signal and 212 / 300 of the background: one cut is all there is.
    twice_signal, twice_background = 424 / 512, 212 / 300
    best = (1 + twice_signal - twice_background) / 2
    n = len(signal)
    assert leak.auc == pytest.approx(best, abs=0.02)  # the frequencies are known to 1 / sqrt(40) in each half
    assert leak.auc > 0.5 + 4 * auc_error(0.5, n, n)


def test_same_proportions_give_an_auc_of_one_half():
    rng = np.random.default_rng(0)
    for theta in (rng.choice(30, 20_000), rng.normal(size=(20_000, 2))):
        leak = theta_leak(theta, np.arange(20_000) % 2)
        assert leak.auc == pytest.approx(0.5, abs=4 * auc_error(0.5, 10_000, 10_000))


def test_a_continuous_theta_of_another_shape_is_found():
    rng = np.random.default_rng(0)
    theta = np.concatenate([rng.uniform(0, 1, 20_000), 1 - np.sqrt(rng.uniform(0, 1, 20_000))])
    # p(theta) = 1 and 2 (1 - theta): the probability that a uniform one is larger is 2 / 3.
    assert theta_leak(theta, np.repeat([1, 0], 20_000)).auc == pytest.approx(2 / 3, abs=0.01)


def training(theta, background_theta=None, **arguments):
    label = np.arange(len(theta)) % 2
    return balanced_batches(np.ones((len(theta), 1)), theta, label, background_theta=background_theta, **arguments)


def hypotheses(n=1000, background=None):
    theta = np.tile(np.repeat(MASSES, 2), n)[:n]
    return theta if background is None else np.where(np.arange(n) % 2, theta, background)


@pytest.mark.parametrize(
    ("theta", "strategy", "message"),
    [
        (hypotheses(background=0.0), None, "100 % of the background has theta, such as 0, that no signal has"),
        (hypotheses(background=np.arange(1000) * 100), None, "of the background has theta"),
        (hypotheses(), Identical([0.5, 0.75, 1.0]), "such as 0.5, 0.75, 1, .*Identical.* between 500 and 1000"),
        (hypotheses(), Uniform(0.5, 1.0), "Uniform.* between 500 and 1000"),
        (np.stack([hypotheses()] * 2, axis=1), Identical([(1, 1)]), r"such as \(1, 1\)"),
    ],
)
def test_a_training_in_which_theta_is_the_class_is_refused(theta, strategy, message):
    with pytest.raises(ValueError, match=message):
        training(theta, strategy)


@pytest.mark.parametrize(
    ("theta", "strategy", "message"),
    [
        (hypotheses(), Identical([*MASSES, 1250]), "2[3-7].* % of the background has theta, such as 1250"),
        (hypotheses(), Uniform(500, 1500), "of the background has theta"),
        (hypotheses(), Uniform(500, 800), "33.* % of the signal has theta, such as 1000"),
        (
            np.stack([hypotheses(), np.where(hypotheses() == 500, 1.0, 2.0)], axis=1),
            Uniform((500, 1), (1000, 2)),
            "of the background has theta",  # half of the rectangle is not in the triangle of the hypotheses
        ),
    ],
)
def test_a_training_in_which_theta_is_the_class_in_part_is_warned_of(theta, strategy, message):
    with pytest.warns(UserWarning, match=message) as warned:
        training(theta, strategy)
    assert warned[0].filename == __file__


@pytest.mark.parametrize(
    ("theta", "strategy", "arguments"),
    [
        (hypotheses(), None, {}),
        (hypotheses(background=np.nan), Identical(MASSES), {}),
        (hypotheses(), Identical(MASSES, sampled=False), {}),
        (hypotheses(), Uniform(500, 1000), {}),
        (np.random.default_rng(0).uniform(500, 1000, 4000), None, {"balance": "class"}),
        (np.random.default_rng(0).uniform(500, 1000, 4000), Uniform(500, 1000), {"balance": "class"}),
        (np.stack([hypotheses(), np.arange(1000) % 2], axis=1), Identical(MASSES), {"nuisances": [1]}),
        (np.zeros(1000), None, {}),
    ],
)
def test_a_training_whose_theta_both_classes_share_is_taken(theta, strategy, arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        training(theta, strategy, **arguments)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theta_leak([1, 2], [1, 1]), "2 signal, 0 background"),
        (lambda: theta_leak([1] * 30, [1] * 22 + [0] * 8), "more than 8 .*22 signal, 8 background"),
        (lambda: theta_leak([1, np.inf], [1, 0]), "theta .*NaN .*1 of 2"),
        (lambda: theta_leak([1, 2], [1, 0], tolerance=np.nan), "tolerance=nan"),
        (lambda: theta_leak([1, 2], [1, 0], nuisances=[0]), r"nuisances=\(0,\)"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
