import keras
import numpy as np
import pytest
import tensorflow as tf

from neos_tf.edges import LearnableEdges
from neos_tf.histogram import binned_kde

EDGES = [-1.0, 0.0, 0.5, 3.0]


def test_starts_at_the_given_edges():
    edges = LearnableEdges(EDGES)()
    assert edges.shape == (4,)
    assert edges.dtype == tf.float32
    np.testing.assert_allclose(edges, EDGES, atol=1e-6)  # float32
    np.testing.assert_allclose(LearnableEdges(EDGES, dtype="float64")(), EDGES, atol=1e-14)


def test_widths_are_the_closed_form():
    layer = LearnableEdges(EDGES, min_width=0.25, dtype="float64")
    logits = np.array([0.3, -2.0, 1.0])
    layer.set_weights([logits])
    shares = (np.diff(EDGES) - 0.25) * np.exp(logits)
    np.testing.assert_allclose(np.diff(layer()), 0.25 + (4 - 3 * 0.25) * shares / shares.sum(), rtol=1e-13)


@pytest.mark.parametrize("logits", [[90.0, -90.0, 0.0], [-90.0, -90.0, 90.0], [0.0, 90.0, 0.0]])
def test_no_logits_spoil_the_edges(logits):
    layer = LearnableEdges(EDGES, min_width=0.01)
    layer.set_weights([np.array(logits)])
    edges = layer().numpy()
    assert (edges[0], edges[-1]) == (-1, 3)
    assert np.diff(edges).min() > 0.01 - 1e-6  # float32 between -1 and 3


def test_gradient_agrees_with_finite_differences():
    layer = LearnableEdges(EDGES, dtype="float64")
    rng = np.random.default_rng(0)
    start, direction, coefficients = rng.normal(size=3), rng.normal(size=3), rng.normal(size=4)

    def value(logits):
        layer.set_weights([logits])
        return tf.tensordot(layer(), coefficients, 1)

    step = 1e-5  # truncation of order step**2 and rounding of order eps / step are both below 1e-9
    numeric = (value(start + step * direction) - value(start - step * direction)) / (2 * step)
    with tf.GradientTape() as tape:
        total = value(start)
    (gradient,) = tape.gradient(total, layer.trainable_variables)
    assert np.abs(gradient).min() > 0.01
    np.testing.assert_allclose(np.sum(gradient * direction), numeric, atol=1e-8)


def test_training_finds_bins_of_equal_content():
    samples = (np.arange(100) + 0.5) / 100
    layer = LearnableEdges([0.0, 0.1, 0.5, 1.0])
    optimizer = keras.optimizers.Adam(0.05)
    optimizer.build(layer.trainable_variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.math.reduce_variance(binned_kde(samples, layer(), 0.02, outside="fold"))
        optimizer.apply(tape.gradient(loss, layer.trainable_variables))

    for _ in range(300):
        step()
    np.testing.assert_allclose(layer(), [0, 1 / 3, 2 / 3, 1], atol=0.002)  # a fifth of the spacing of the samples


def test_config_and_weights_survive(tmp_path):
    layer = LearnableEdges(np.array(EDGES), min_width=0.1)
    assert LearnableEdges.from_config(layer.get_config()).get_config() == layer.get_config()
    x = keras.Input((2,))
    model = keras.Model(x, [keras.layers.Dense(1)(x), layer(x)])
    assert model.output_shape == [(None, 1), (4,)] and layer.compute_output_shape() == (4,)
    layer.set_weights([np.array([0.5, 0.0, -1.0])])
    model.save(tmp_path / "model.keras")
    _, loaded = keras.saving.load_model(tmp_path / "model.keras")(np.ones((5, 2)))
    assert np.array_equal(loaded, layer())
    assert np.abs(loaded - EDGES).max() > 0.1


def test_graphs_agree_with_eager_and_half_precision_does_not_reach_the_edges():
    layer, single = LearnableEdges(EDGES, dtype="mixed_float16"), LearnableEdges(EDGES)
    for one in (layer, single):
        one.set_weights([np.array([0.1, 0.2, 0.3])])  # which half precision rounds
    assert np.array_equal(layer(), single())
    compiled = tf.function(lambda: layer(), jit_compile=True)()
    np.testing.assert_allclose(compiled, layer(), atol=1e-6)  # float32


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.0, 1.0],), r"edges=\[0.0, 1.0\]"),
        (([EDGES],), r"shape \(n_bins \+ 1,\)"),
        (([0.0, 1.0, 1.0],), r"edges=\[0.0, 1.0, 1.0\]"),
        (([0.0, 1.0, np.inf],), r"edges=\[0.0, 1.0, inf\]"),
        ((EDGES, 0.5), "min_width < 0.5.*min_width=0.5"),
        ((EDGES, 0), "0 < min_width"),
        (([0.0, 1e-6, 1.0],), "min_width < 1e-06"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        LearnableEdges(*arguments)
