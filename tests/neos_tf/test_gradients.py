"""Gradients of every statistic with respect to every number of a likelihood and of the data.

Those that need fits are marked slow: of a short model in all modes, of one with every modifier eagerly. Everything in
every mode takes some minutes: python -m tests.neos_tf.test_gradients
"""

import functools
import itertools

import numpy as np
import pytest
import tensorflow as tf

from neos_tf import TemplateModel, cls, correlated_background, covariance, discovery_significance, pulls, q0
from tests.neos_tf.workspaces import (
    LUMI,
    MU,
    SHAPE,
    histosys,
    luminosity,
    normsys,
    sample,
    shapesys,
    specification,
    staterror,
)

MODES = ["eager", "graph", "xla"]
TOLERANCE = 1e-6  # relative, what is asked of every gradient
STEP = 2e-4  # of a number of order 1, and relative to larger ones: truncation and rounding are both below 1e-7
EVERY_MODIFIER = specification(
    luminosity(0.03),
    region=[
        sample("signal", "signal", MU, LUMI, normsys("scale", "scale_down", "scale_up")),
        sample(
            "simulated",
            "simulated",
            histosys("tilt", "tilt_down", "tilt_up"),
            staterror("region", "simulated_error"),
        ),
        sample("fakes", "fakes", shapesys("fakes", "fakes_error"), normsys("scale", 0.9, 1.05)),
        sample("multijet", "multijet", SHAPE),
    ],
    control=[sample("multijet", "control", SHAPE)],
)


def on_data(likelihood, data):
    """CLs, q_0, covariance and pulls of observed data."""
    test, discovery = cls(likelihood, data), q0(likelihood, data)
    pars = discovery.best.pars
    scalars = [test.observed, test.log_expected, discovery.value]
    matrix = covariance(likelihood, pars, data)
    return [scalars, test.expected, pulls(likelihood, pars), tf.reshape(matrix, [-1])]


def at_the_start(likelihood, data):
    """Density and expectations of the initial parameters, moved off the centre, and how far they are pulled there."""
    pars = likelihood.model.initial * 1.05 + 0.02
    return [[likelihood.logpdf(pars, data)], likelihood.expected_data(pars), pulls(likelihood, pars)]


def on_asimov_data(likelihood, _):
    """What losses are made of."""
    scalars = [cls(likelihood).log_expected, discovery_significance(likelihood).significance]
    return [scalars, tf.reshape(covariance(likelihood), [-1])]


class Case:
    """A model at one point of all its numbers, in one vector, and statistics (n_statistics,) as a function of it."""

    def __init__(self, model, templates, observations):
        self.model = model
        self.shapes = {name: np.shape(values) for name, values in templates.items()}
        data = model.bind(templates).data(observations).numpy()
        self.pieces = [np.ravel(values) for values in templates.values()] + [data]
        self.point = tf.constant(np.concatenate(self.pieces))

    @property
    def names(self):
        """Of the entries of the point."""
        names = zip([*self.shapes, "data"], self.pieces, strict=True)
        return [f"{name}[{place}]" for name, values in names for place in range(len(values))]

    def value(self, statistics, point):
        *templates, data = tf.split(point, [len(piece) for piece in self.pieces])
        shaped = zip(self.shapes.items(), templates, strict=True)
        likelihood = self.model.bind({name: tf.reshape(values, shape) for (name, shape), values in shaped})
        return tf.concat(statistics(likelihood, data), axis=0)

    def pulled_back(self, statistics, point, weights):
        """(n_point,) gradient of the weighted sum of the statistics."""
        with tf.GradientTape() as tape:
            tape.watch(point)
            total = tf.tensordot(weights, self.value(statistics, point), 1)
        return tape.gradient(total, point)

    @functools.cache  # noqa: B019, there are two cases
    def differences(self, statistics):
        """(n_statistics, n_point) central differences to fourth order."""
        graph = tf.function(functools.partial(self.value, statistics), autograph=False)
        columns = []
        for place, number in enumerate(self.point.numpy()):
            unit = STEP * max(1, abs(number)) * (np.arange(len(self.point)) == place)
            one, minus_one, two, minus_two = (graph(self.point + factor * unit).numpy() for factor in (1, -1, 2, -2))
            columns.append((8 * (one - minus_one) - (two - minus_two)) / (12 * unit[place]))
        return np.stack(columns, axis=1)

    def deviation(self, statistics, mode):
        """The largest deviation of the gradient of a random sum of all statistics, relative to its entry, and where.

        Weights are of order one in units of the largest slope of each statistic, or of 1e-6 where that is less: some
        covariances are 0 but for rounding. Entries below 1e-3 of the largest are compared with that, as rounding of
        the differences has the size of the large ones.
        """
        differences = self.differences(statistics)
        scales = np.abs(differences).max(axis=1)
        weights = np.random.default_rng(0).uniform(0.5, 1.5, len(scales)) / np.maximum(scales, 1e-6)
        call = functools.partial(self.pulled_back, statistics)
        if mode != "eager":
            call = tf.function(call, autograph=False, jit_compile=mode == "xla")
        received, expected = call(self.point, tf.constant(weights)).numpy(), weights @ differences
        deviations = np.abs(received - expected) / np.maximum(np.abs(expected), 1e-3 * np.abs(expected).max())
        return deviations.max(), self.names[np.argmax(deviations)]


@functools.cache
def every_modifier():
    templates = {
        "signal": [9.0, 14.0],
        "scale_down": 0.93,
        "scale_up": 1.1,
        "simulated": [60.0, 40.0],
        "tilt_down": [57.0, 42.0],
        "tilt_up": [65.0, 39.0],
        "simulated_error": [4.0, 3.0],
        "fakes": [20.0, 11.0],
        "fakes_error": [3.0, 2.5],
        "region/fakes/scale/hi": 1.05,
        "region/fakes/scale/lo": 0.9,
        "multijet": [15.0, 10.0],
        "control": [120.0, 90.0],
    }
    return Case(TemplateModel.from_spec(EVERY_MODIFIER, n_bins=2), templates, [110.0, 69.0, 110.0, 82.0])


@functools.cache
def correlated():
    templates = {
        "signal": [2.0, 7.0, 11.0],
        "background": [60.0, 30.0, 10.0],
        "background_up": [55.0, 33.0, 13.0],
        "background_down": [64.0, 28.0, 8.0],
    }
    return Case(correlated_background(3), templates, [61.0, 35.0, 17.0])


@pytest.mark.parametrize("statistics", [at_the_start, pytest.param(on_data, marks=pytest.mark.slow)])
def test_with_every_modifier(statistics):
    deviation, place = every_modifier().deviation(statistics, "eager")
    assert deviation < TOLERANCE, place


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_in_every_mode(mode):
    deviation, place = correlated().deviation(on_asimov_data, mode)
    assert deviation < TOLERANCE, place


if __name__ == "__main__":
    for make, statistics, mode in itertools.product([correlated, every_modifier], [on_asimov_data, on_data], MODES):
        print(make.__name__, statistics.__name__, mode, *make().deviation(statistics, mode), flush=True)
