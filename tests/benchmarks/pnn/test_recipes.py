"""The recipes build the paper's networks and optimisers."""

import keras
import numpy as np
import pytest

from benchmarks.pnn.recipes import Deep, Shallow

DENSE = ("dense", "score")


def test_the_shallow_network_is_three_sigmoid_units():
    recipe = Shallow(theta_offset=(500.0,), theta_scale=(1000.0,))
    network = recipe.network(1, 1, "concat", seed=1)
    (kernel, bias), (out, out_bias) = (layer.get_weights() for layer in network.layers if layer.name[:5] in DENSE)
    assert kernel.shape == (2, 3)
    x = np.array([[0.2], [0.7]], np.float32)
    inputs = np.column_stack([x, np.full(2, 0.25)])  # 750 GeV, between 500 and 1500
    hidden = 1 / (1 + np.exp(-(inputs @ kernel + bias)))
    expected = 1 / (1 + np.exp(-(hidden @ out + out_bias)))
    score = network({"features": x, "theta": np.full((2, 1), 750.0, np.float32)})
    np.testing.assert_allclose(score, expected, rtol=1e-5)  # float32


def test_the_deep_network_has_the_papers_size_and_initial_weights():
    network = Deep().network(27, 1, "concat", seed=1)
    assert network.count_params() == 28 * 500 + 500 + 4 * (500 * 500 + 500) + 501
    kernel = next(layer for layer in network.layers if layer.name == "dense_2").get_weights()[0]
    # Four standard errors of the standard deviation of 250 000 numbers.
    assert kernel.std() == pytest.approx(0.1, abs=4 * 0.1 / np.sqrt(2 * kernel.size))
    assert not network.losses  # no penalty


def test_the_optimisers_are_the_papers():
    deep, shallow = Deep().optimizer(10), Shallow().optimizer(10)
    assert isinstance(deep, keras.optimizers.SGD) and isinstance(shallow, keras.optimizers.SGD)
    assert (deep.momentum, deep.nesterov, shallow.momentum, shallow.nesterov) == (0.5, False, 0.9, True)
    rates = [float(deep._learning_rate(step)) for step in (0, 9, 10, 20)]
    np.testing.assert_allclose(rates, [0.1, 0.1, 0.089, 0.07921], rtol=1e-6)
    assert isinstance(Deep(momentum=None).optimizer(10), keras.optimizers.Adam)
