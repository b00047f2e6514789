from itertools import permutations

import keras
import numpy as np
import pytest
import tensorflow as tf

from pnn_tf import (
    DecorrelatedCrossentropy,
    Identical,
    balanced_batches,
    parametric_network,
    predict_scores,
    roc_auc,
)
from pnn_tf.decorrelation import squared_distance_correlation


def by_definition(x, y, weight=None):
    """Means over all pairs, triples and quadruples of distinct events, one after the other; weighted."""
    weight = np.ones(len(x)) if weight is None else weight

    def dcov2(x, y):
        a, b = np.abs(x[:, None] - x), np.abs(y[:, None] - y)
        mean = 0
        for factor, size, term in (
            (1, 2, lambda i, j: b[i, j]),
            (-2, 3, lambda i, j, k: b[i, k]),
            (1, 4, lambda i, j, k, m: b[k, m]),
        ):
            terms = [
                (np.prod(weight[list(at)]), a[at[0], at[1]] * term(*at)) for at in permutations(range(len(x)), size)
            ]
            mean += factor * np.average([value for _, value in terms], weights=[share for share, _ in terms])
        return mean

    return dcov2(x, y) / np.sqrt(dcov2(x, x) * dcov2(y, y))


def u_centred(x, y):
    """Szekely and Rizzo 2014, Definition 2 and Eq. (2.5), without weights."""
    n = len(x)

    def centred(values):
        distance = np.abs(values[:, None] - values)
        of_event = distance.sum(axis=1) / (n - 2)
        found = distance - of_event[:, None] - of_event + distance.sum() / ((n - 1) * (n - 2))
        return found * (1 - np.eye(n))

    a, b = centred(x), centred(y)
    return (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())


def sample(n, correlation=0.6, seed=0):
    return np.random.default_rng(seed).multivariate_normal([0, 3], [[1, correlation], [correlation, 1]], n).T


def test_it_is_the_definition():
    x, y = sample(8)
    weight = np.random.default_rng(1).exponential(size=8)
    np.testing.assert_allclose(squared_distance_correlation(x, 1000 * y), by_definition(x, y), rtol=1e-10)
    np.testing.assert_allclose(squared_distance_correlation(x, y, weight), by_definition(x, y, weight), rtol=1e-10)
    x, y = sample(50)
    np.testing.assert_allclose(squared_distance_correlation(x, y), u_centred(x, y), rtol=1e-10)
    more = np.r_[np.ones(50), np.zeros(5)]
    found = squared_distance_correlation(np.r_[x, 1:6], np.r_[y, 1:6], more)
    np.testing.assert_allclose(found, u_centred(x, y), rtol=1e-10)


def test_few_independent_events_have_no_bias():
    correlation = tf.function(squared_distance_correlation)
    found = [correlation(*map(tf.constant, sample(30, 0.0, seed))) for seed in range(300)]
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found)) < 3 * error < 0.01  # that over all pairs is 0.09


@pytest.mark.parametrize("rho", [0.0, 0.3, -0.6, 0.9])
def test_of_a_gaussian_pair_it_is_known(rho):
    x, y = sample(3000, rho)
    numerator = rho * np.arcsin(rho) + np.sqrt(1 - rho**2) - rho * np.arcsin(rho / 2) - np.sqrt(4 - rho**2) + 1
    exact = numerator / (1 + np.pi / 3 - np.sqrt(3))  # Theorem 7
    # Over 50 samples the standard deviation is at most 0.018 (at rho = 0.6).
    np.testing.assert_allclose(squared_distance_correlation(x, y), exact, rtol=0, atol=0.05)


def test_it_sees_what_the_linear_correlation_does_not():
    x = np.linspace(-1, 1, 101)
    assert abs(np.corrcoef(x, x**2)[0, 1]) < 1e-12
    assert squared_distance_correlation(x, x**2) > 0.1
    np.testing.assert_allclose(squared_distance_correlation(x, 3 - 2 * x), 1, rtol=1e-12)


def test_groups_are_averaged_by_weight():
    (x, y), weight = sample(24), np.random.default_rng(1).uniform(0.5, 1.5, size=24)
    groups = np.array([[0, 0], [0, 1], [1, 1]] * 8, "float32")
    expected = total = 0
    for group in np.unique(groups, axis=0):
        members = np.all(groups == group, axis=1)
        expected += weight[members].sum() * by_definition(x[members], y[members], weight[members])
        total += weight[members].sum()
    found = squared_distance_correlation(x, y, weight, groups)
    np.testing.assert_allclose(found, expected / total, rtol=1e-10)


def test_opposite_dependences_cancel_but_within_groups():
    (x, y), sign = sample(400, 0.9), np.repeat([1.0, -1.0], 200)
    assert squared_distance_correlation(sign * x, y - 3) < 0.2
    assert squared_distance_correlation(sign * x, y, groups=sign[:, None]) > 0.6


def with_gradient(x, y, *more):
    x = tf.constant(x, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = squared_distance_correlation(x, y, *more)
    return value, tape.gradient(value, x)


def test_the_gradient_is_exact():
    (x, y), weight = sample(12), np.random.default_rng(1).exponential(size=12)
    groups = np.repeat([[1.0], [2.0]], 6, axis=0)
    _, gradient = with_gradient(x, y, weight, groups)
    step = 1e-6
    for i, unit in enumerate(np.eye(12)):
        up, down = (squared_distance_correlation(x + s * step * unit, y, weight, groups) for s in (1, -1))
        # Rounding, 1e-16 / step, and the third derivative times step^2 / 6.
        np.testing.assert_allclose(gradient[i], (up - down) / (2 * step), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("x", "y", "groups"),
    [
        ([], [], None),
        ([0.5], [1.0], None),
        ([0.5] * 5, [1.0, 2.0, 3.0, 4.0, 5.0], None),
        ([1.0, 2.0, 3.0, 4.0, 5.0], [0.1] * 5, None),
        ([0.1, 0.1, 0.3, 0.3], [1.0, 2.0, 3.0, 4.0], [[1.0], [1.0], [2.0], [2.0]]),
        ([0.1, 0.2, 0.3], [1.0, 2.0, 3.0], [[1.0], [2.0], [3.0]]),
        ([0.1, 0.3, 0.2], [1.0, 2.0, 3.0], None),
    ],
    ids=["none", "one", "constant x", "constant y", "constant in groups", "alone", "three"],
)
def test_what_has_no_correlation_counts_as_none(x, y, groups):
    groups = None if groups is None else tf.constant(groups)
    for value in with_gradient(np.array(x), np.array(y), None, groups):
        np.testing.assert_array_equal(value, np.zeros_like(value))
    assert with_gradient(np.array(x), np.array(y), np.zeros(len(x)), groups)[0] == 0


def batch(n=32, seed=0):
    generator = np.random.default_rng(seed)
    label = generator.integers(2, size=(n, 1))
    y = np.concatenate([label, generator.normal(size=(n, 1)), generator.integers(2, size=(n, 1))], axis=1)
    return y.astype("float32"), generator.uniform(0.1, 0.9, size=(n, 1)).astype("float32")


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_is_the_crossentropy_and_the_penalty_of_the_background(weighted):
    y, score = batch()
    weight = np.random.default_rng(1).exponential(size=32).astype("float32") if weighted else None
    background, penalty = y[:, 0] == 0, 0.0
    of_background = np.ones(background.sum()) if weight is None else weight[background]
    for point in (0, 1):
        members = y[background, 2] == point
        found = by_definition(*(v[background][members] for v in (score[:, 0], y[:, 1])), of_background[members])
        penalty += of_background[members].sum() / of_background.sum() * found
    crossentropy = keras.losses.BinaryCrossentropy()(y[:, :1], score, weight)
    loss = DecorrelatedCrossentropy(2.5)(y, score, weight)
    assert loss.dtype == tf.float32
    np.testing.assert_allclose(loss, crossentropy + 2.5 * penalty, rtol=1e-5)  # float32
    np.testing.assert_array_equal(DecorrelatedCrossentropy(0)(y, score, weight), crossentropy)
    # Signal has no part in the penalty.
    y[~background, 1] += 100
    np.testing.assert_array_equal(DecorrelatedCrossentropy(2.5)(y, score, weight), loss)


def test_without_theta_all_background_is_one_group():
    y, score = batch()
    background = y[:, 0] == 0
    crossentropy = keras.losses.BinaryCrossentropy()(y[:, :1], score)
    penalty = by_definition(score[background, 0], y[background, 1])
    np.testing.assert_allclose(DecorrelatedCrossentropy(1)(y[:, :2], score), crossentropy + penalty, rtol=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_it_runs_in_a_graph_and_under_xla(jit_compile):
    y, score = batch()
    loss = DecorrelatedCrossentropy(2)

    @tf.function(jit_compile=jit_compile)
    def value_and_gradient(y, score):
        with tf.GradientTape() as tape:
            tape.watch(score)
            value = loss(y, score)
        return value, tape.gradient(value, score)

    with tf.GradientTape() as tape:
        score = tf.constant(score)
        tape.watch(score)
        value = loss(y, score)
    for found, expected in zip(value_and_gradient(y, score), (value, tape.gradient(value, score)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)  # float32


def test_a_theta_of_its_own_for_each_event_is_refused():
    y, score = batch(100)
    y[:, 2] = np.arange(100)
    with pytest.raises(tf.errors.InvalidArgumentError, match="in bins"):
        DecorrelatedCrossentropy(1)(y, score)
    assert np.isfinite(DecorrelatedCrossentropy(1)(y[:10], score[:10]))  # a last batch may be small


@pytest.mark.parametrize(
    ("columns", "scores", "message"),
    [(1, 1, r"label, observable.*Received: \(32, 1\)"), (3, 4, r"Received: \(32, 4\)")],
)
def test_another_shape_is_refused(columns, scores, message):
    y, score = batch()
    with pytest.raises(ValueError, match=message):
        DecorrelatedCrossentropy(1)(y[:, :columns], np.repeat(score, scores, axis=1))


@pytest.mark.parametrize("strength", [-1, np.inf, np.nan])
def test_a_strength_that_is_none_is_refused(strength):
    with pytest.raises(ValueError, match="strength >= 0"):
        DecorrelatedCrossentropy(strength)


def test_it_is_saved_and_loaded():
    loss = keras.losses.deserialize(keras.losses.serialize(DecorrelatedCrossentropy(2.5, name="mine")))
    assert isinstance(loss, DecorrelatedCrossentropy) and (loss.strength, loss.name) == (2.5, "mine")


@pytest.mark.slow
def test_a_trained_score_is_independent_of_the_observable():
    """Without the penalty the score peaks at a mass; with it the other feature is what is left."""
    generator, n = np.random.default_rng(0), 6000
    label, theta = np.tile([0, 1], n // 2), np.repeat([500.0, 1000.0], n // 2)
    mass = np.where(label == 1, generator.normal(theta, 50), generator.uniform(250, 1250, n))
    other = generator.normal(label, 1.0)
    features = np.stack([other, (mass - 750) / 300], axis=1)
    batches = balanced_batches(features, theta, label, batch_size=200, background_theta=Identical([500, 1000]), seed=1)

    def target(x, label):
        return x, tf.concat([label, x["features"][:, 1:2], x["theta"]], axis=1)

    background, found = label == 0, []
    for strength in (0, 2):
        model = parametric_network(2, units=(20, 20), dropout=0, kernel_l2=0, bias_l2=0, seed=1)
        for epochs, loss in ((2, "binary_crossentropy"), (8, DecorrelatedCrossentropy(strength))):
            model.compile(keras.optimizers.Adam(3e-3), loss, steps_per_execution=30)
            data = batches.dataset.map(target) if epochs == 8 else batches.dataset
            model.fit(data, steps_per_epoch=30, epochs=epochs, verbose=0, shuffle=False)
        score = predict_scores(model, features, 500.0)
        found.append(float(squared_distance_correlation(score[background], mass[background])))
    assert found[0] > 0.2 and found[1] < 0.02
    # The other feature alone has an AUC of Phi(1 / sqrt(2)) = 0.76; 0.01 is its statistical error.
    assert roc_auc(label, score) > 0.74
