import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import norm

from neos_tf import (
    BCELoss,
    CLsLoss,
    ConstraintLoss,
    DiscoveryLoss,
    EmptyBinPenalty,
    POIUncertaintyLoss,
    POIVarianceLoss,
    TemplateModel,
    UpperLimitLoss,
    WeightedLoss,
    correlated_background,
)
from tests.neos_tf.workspaces import MU, sample, specification

TEMPLATES = {
    "signal": np.array([2.0, 5.0, 9.0]),
    "background": np.array([50.0, 30.0, 12.0]),
    "background_up": np.array([55.0, 33.0, 11.0]),
    "background_down": np.array([46.0, 26.0, 14.0]),
}
NUISANCE = "correlated_bkg_uncertainty"
COUNTING = TemplateModel.from_spec(
    specification(channel=[sample("signal", "signal", MU), sample("background", "background")]), n_bins=3
)
SHAPE = correlated_background(3)
SCORES = {"signal": [[0.9], [0.6]], "background": [[0.2], [0.7], [0.1]], "background_up": [[0.4]]}
LOSSES = [
    CLsLoss(),
    CLsLoss(poi_test=2.0, log=False),
    DiscoveryLoss(),
    POIVarianceLoss(poi_asimov=0.0, log=True, unconstrained=(NUISANCE,)),
    POIUncertaintyLoss(),
    ConstraintLoss(NUISANCE),
    EmptyBinPenalty(least=20.0),
]
WEIGHTED = WeightedLoss({CLsLoss(log=False): 1.0, POIUncertaintyLoss(): 0.1, ConstraintLoss(NUISANCE): 2.0})


def bound(model, templates=TEMPLATES):
    return model.bind({name: templates[name] for name in model.template_names})


def scores():
    return {name: tf.constant(values) for name, values in SCORES.items()}


def fisher(poi, constrained=True):
    """(2, 2) information on the nuisance parameter and on mu, in the Asimov data of mu = poi."""
    signal, background, up, down = TEMPLATES.values()
    slopes = np.stack([(up - down) / 2, signal])  # code 4p has the slope of a straight line at alpha = 0
    return (slopes / (poi * signal + background)) @ slopes.T + np.diag([constrained, 0])


@pytest.mark.parametrize("poi", [0.5, 2.0])
def test_counting_has_closed_forms(poi):
    signal, background = poi * TEMPLATES["signal"], TEMPLATES["background"]
    limit = 2 * np.sum(signal - background * np.log1p(signal / background))
    discovery = 2 * np.sum((signal + background) * np.log1p(signal / background) - signal)
    expected = {
        CLsLoss(poi): np.log(2) + norm.logsf(np.sqrt(limit)),
        CLsLoss(poi, log=False): 2 * norm.sf(np.sqrt(limit)),
        DiscoveryLoss(poi): -np.sqrt(discovery),
        POIVarianceLoss(poi): poi**2 / np.sum(signal**2 / (signal + background)),
    }
    for loss, value in expected.items():
        received = loss.of_likelihood(bound(COUNTING))
        # Both statistics are of order one, and differences of log-densities of order 100: 1e-14 of these.
        np.testing.assert_allclose(received.value, value, rtol=1e-11, err_msg=str(loss))
        assert received.converged


@pytest.mark.parametrize("poi", [0.0, 1.0])
def test_uncertainties_are_those_of_the_fisher_information(poi):
    (variance_nuisance, _), (_, variance_poi) = np.linalg.inv(fisher(poi))
    (free_nuisance, _), (_, free_poi) = np.linalg.inv(fisher(poi, constrained=False))
    free = {"unconstrained": (NUISANCE,)}
    expected = {
        POIVarianceLoss(poi): variance_poi,
        POIVarianceLoss(poi, log=True): np.log(variance_poi),
        POIVarianceLoss(poi, **free): free_poi,
        POIUncertaintyLoss(poi, **free): np.sqrt(free_poi),
        ConstraintLoss(NUISANCE, poi, **free): (1 - np.sqrt(free_nuisance)) ** 2,
        POIUncertaintyLoss(poi): np.sqrt(variance_poi),
        ConstraintLoss(NUISANCE, poi): (1 - np.sqrt(variance_nuisance)) ** 2,
    }
    for loss, value in expected.items():
        # An inverse of a 2 x 2 matrix in float64, and the square of a difference of 0.05.
        np.testing.assert_allclose(loss.of_likelihood(bound(SHAPE)).value, value, rtol=1e-11, err_msg=str(loss))


def test_penalty_is_on_bins_with_few_events_and_at_the_nominal_signal():
    expected = (1 - 35 / 40) ** 2 + (1 - 21 / 40) ** 2
    np.testing.assert_allclose(EmptyBinPenalty(40.0).of_likelihood(bound(SHAPE)).value, expected, rtol=1e-14)
    assert EmptyBinPenalty(20.0).of_likelihood(bound(SHAPE)).value == 0


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_gradient_agrees_with_finite_differences(loss):
    rng = np.random.default_rng(0)
    direction = {name: rng.normal(size=3) for name in TEMPLATES}

    def value(step):
        moved = {name: values + step * direction[name] for name, values in TEMPLATES.items()}
        return loss.of_likelihood(bound(SHAPE, moved)).value

    step = tf.constant(0.0, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(step)
        total = value(step)
    h = 1e-4  # truncation of order (h / 2)**2 for templates of at least 2, rounding of 1e-14 / h: both below 1e-8
    numeric = (value(h) - value(-h)) / (2 * h)
    np.testing.assert_allclose(tape.gradient(total, step), numeric, rtol=1e-6, atol=1e-8)


def test_cross_entropy_is_that_of_keras():
    for loss, names in [
        (BCELoss(), ("background",)),
        (BCELoss(background=("background", "background_up")), ("background", "background_up")),
    ]:
        background = np.concatenate([SCORES[name] for name in names])
        labels = np.concatenate([np.ones((2, 1)), np.zeros_like(background)])
        predicted = np.concatenate([SCORES["signal"], background])
        expected = keras.losses.BinaryCrossentropy()(labels, predicted)
        np.testing.assert_allclose(loss.of_scores(scores()), expected, rtol=1e-6)  # float32
        by_hand = -np.mean(np.log(np.where(labels == 1, predicted, 1 - predicted)))
        np.testing.assert_allclose(loss.of_scores(scores()), by_hand, rtol=1e-5)  # Keras clips at 1e-7


def test_weighted_loss_is_the_sum():
    terms = {CLsLoss(): 1.0, POIVarianceLoss(): 0.3, BCELoss(): 2.0}
    loss = WeightedLoss(terms)
    assert loss.uses_likelihood and loss.uses_scores
    expected = CLsLoss().of_likelihood(bound(SHAPE)).value + 0.3 * POIVarianceLoss().of_likelihood(bound(SHAPE)).value
    received = loss.of_likelihood(bound(SHAPE))
    np.testing.assert_allclose(received.value, expected, rtol=1e-14)
    assert received.converged
    np.testing.assert_allclose(loss.of_scores(scores()), 2 * BCELoss().of_scores(scores()), rtol=1e-6)  # float32
    nested = WeightedLoss({WeightedLoss({CLsLoss(): 3.0}): 2.0, POIVarianceLoss(): 1.0})
    expected = 6 * CLsLoss().of_likelihood(bound(SHAPE)).value + POIVarianceLoss().of_likelihood(bound(SHAPE)).value
    np.testing.assert_allclose(nested.of_likelihood(bound(SHAPE)).value, expected, rtol=1e-14)
    assert not WeightedLoss({BCELoss(): 1.0}).uses_likelihood
    assert not nested.uses_scores


def test_what_cannot_be_computed_has_not_converged():
    without_numbers = TEMPLATES | {"signal": np.full(3, np.nan)}
    empty = {name: np.array([0.0, *values[1:]]) for name, values in TEMPLATES.items()}
    for loss in (CLsLoss(), DiscoveryLoss(), POIVarianceLoss(), ConstraintLoss(NUISANCE), WEIGHTED):
        assert not loss.of_likelihood(bound(SHAPE, without_numbers)).converged, loss
    for loss in (POIVarianceLoss(), ConstraintLoss(NUISANCE), WEIGHTED):
        assert not loss.of_likelihood(bound(SHAPE, empty)).converged, loss


def test_a_bin_in_which_nothing_is_expected_changes_no_test():
    empty = {name: np.array([0.0, *values[1:]]) for name, values in TEMPLATES.items()}
    without = correlated_background(2).bind({name: values[1:] for name, values in TEMPLATES.items()})
    for loss in (CLsLoss(), DiscoveryLoss()):
        received, expected = loss.of_likelihood(bound(SHAPE, empty)), loss.of_likelihood(without)
        assert received.converged
        np.testing.assert_allclose(received.value, expected.value, rtol=1e-10)  # two fits, each to the last digits


@pytest.mark.parametrize(
    "loss", [*LOSSES, UpperLimitLoss(0.1), WEIGHTED, BCELoss(("s", "t"), ("b",))], ids=lambda loss: type(loss).__name__
)
def test_config_survives_json(loss):
    stored = json.loads(json.dumps(keras.saving.serialize_keras_object(loss)))
    loaded = keras.saving.deserialize_keras_object(stored)
    assert type(loaded) is type(loss)
    assert keras.saving.serialize_keras_object(loaded) == keras.saving.serialize_keras_object(loss)
    if isinstance(loss, WeightedLoss):
        assert loaded.terms == loss.terms
    else:
        assert loaded == loss and hash(loaded) == hash(loss)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WeightedLoss({}), "terms.*none"),
        (lambda: ConstraintLoss("gamma").of_likelihood(bound(SHAPE)), f"one of {NUISANCE}, mu. Received: 'gamma'"),
        (
            lambda: POIVarianceLoss(unconstrained=("gamma",)).of_likelihood(bound(SHAPE)),
            rf"unconstrained to be a list of some of {NUISANCE}, mu. Received: \('gamma',\)",
        ),
        (
            lambda: BCELoss(background=("ttbar",)).of_scores(scores()),
            "events of ttbar in each batch. Received: signal, background, background_up",
        ),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
