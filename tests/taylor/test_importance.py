import time
from itertools import islice

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from taylor import FeatureSet, mean_abs_coefficients, taylor_coefficients
from taylor.analysis import analysis_of
from tests.problems import DenseNetwork

NETWORK = DenseNetwork()
FEATURES = FeatureSet.complete(("x1", "x2", "x3"), 2)
N_EVENTS = 500
X = NETWORK.events(N_EVENTS)
LABEL = (X[:, 0] + np.random.default_rng(2).normal(size=N_EVENTS) > 0).astype(int)
WEIGHT = np.random.default_rng(3).exponential(size=N_EVENTS)
NEGATIVE = np.where(np.random.default_rng(4).random(N_EVENTS) < 0.2, -WEIGHT, WEIGHT)
REGIONS = {"signal": LABEL == 1, "left": X[:, 1] < 0}
EXACT = {"rtol": 1e-11}  # sums of 500 terms, and differences of such in the error, in float64


@pytest.fixture(scope="module")
def model():
    return NETWORK.model()


def coefficients(x):
    """(n_events, n_features) |t| by hand."""
    return np.abs(FEATURES.factors * np.stack([NETWORK.of_one_hidden_layer(x, i) for i in FEATURES.indices], axis=1))


def error_of_mean(t, weight):
    """By hand, with the second order of the ratio of sums for weights of both signs."""
    share = (weight / np.sum(weight))[:, None]
    off = share * (t - np.sum(share * t, axis=0))
    variance, of_weights, covariance = np.sum(off**2, axis=0), np.sum(share**2), np.sum(off * share, axis=0)
    cancelled = 1 - 1 / np.sum(np.abs(share)) ** 2
    return np.sqrt(variance + cancelled * (3 * variance * of_weights + 5 * covariance**2))


def check(result, x, weight, close=EXACT):
    """Means and errors are those of numpy on the coefficients of the single events."""
    t = coefficients(x)
    mean = np.average(t, axis=0, weights=weight)
    error = error_of_mean(t, weight)
    assert result.n_events == np.count_nonzero(weight)
    np.testing.assert_allclose(result.mean, mean, **close)
    np.testing.assert_allclose(result.error, error, **close)


def stream(x, batch_size, weight=None):
    parts = (x, LABEL[: len(x)], *([] if weight is None else [weight[: len(x)]]))
    return tf.data.Dataset.from_tensor_slices(parts).batch(batch_size)


def test_without_weights_they_are_the_mean_and_its_standard_error(model, uncompiled):
    result = mean_abs_coefficients(model, X)
    check(result, X, np.ones(N_EVENTS))
    t = coefficients(X)
    np.testing.assert_allclose(result.error, t.std(axis=0) / np.sqrt(N_EVENTS), **EXACT)
    assert (result.engine, result.features, result.regions, result.replicas) == ("adjoint", FEATURES, {}, None)
    assert [line.feature for line in result.ranking()] == [FEATURES.labels[i] for i in np.argsort(-t.mean(axis=0))]


@pytest.mark.parametrize("weight", [WEIGHT, NEGATIVE, WEIGHT * (WEIGHT > 0.5)], ids=["positive", "negative", "zeros"])
def test_weights_and_regions_are_those_of_numpy(weight, model):
    result = mean_abs_coefficients(model, X, weight=weight, regions=REGIONS)
    check(result, X, weight)
    assert list(result.regions) == ["signal", "left"]
    for name, mask in REGIONS.items():
        check(result.regions[name], X, weight * mask)


def test_the_scale_of_the_weights_does_not_matter(model):
    one, other = (mean_abs_coefficients(model, X, weight=w, regions=REGIONS) for w in (WEIGHT, 1000 * WEIGHT))
    np.testing.assert_allclose(other.mean, one.mean, **EXACT)
    np.testing.assert_allclose(other.error, one.error, **EXACT)


def test_a_region_may_have_any_name_even_that_of_everything(model):
    result = mean_abs_coefficients(model, X, weight=WEIGHT, regions={"all": LABEL == 1, "left": X[:, 1] < 0})
    check(result, X, WEIGHT)
    check(result.regions["all"], X, WEIGHT * LABEL)


@pytest.mark.parametrize("batch_size", [7, 128, 500])
def test_a_stream_of_any_batches_is_as_the_array(batch_size, model, small_chunks):
    result = mean_abs_coefficients(
        model,
        stream(X, batch_size, WEIGHT),
        regions=lambda x, label: {"signal": label == 1, "left": x[:, 1] < 0},
    )
    check(result, X, WEIGHT)
    for name, mask in REGIONS.items():
        check(result.regions[name], X, WEIGHT * mask)


def test_streams_may_lack_weights_and_labels(model, small_chunks, uncompiled):
    labelled = tf.data.Dataset.from_tensor_slices((X, LABEL, WEIGHT[:, None])).batch(200)
    check(mean_abs_coefficients(model, labelled), X, WEIGHT)
    for unweighted in (stream(X, 200), tf.data.Dataset.from_tensor_slices(X).batch(200)):
        check(mean_abs_coefficients(model, unweighted), X, np.ones(N_EVENTS))


def test_chunks_are_added_up(model, small_chunks):
    """One event more than a chunk, and an odd number of chunks."""
    size = analysis_of(model, X)[0].chunk_size
    for n_events in (size + 1, 2 * size + 77):
        x, weight = NETWORK.events(n_events, seed=5), np.resize(WEIGHT, n_events)
        regions = {"left": x[:, 0] < 0, "right": x[:, 0] >= 0}
        stream = tf.data.Dataset.from_tensor_slices((x, weight, weight)).batch(n_events // 3)
        of_array = mean_abs_coefficients(model, x, weight=weight, regions=regions)
        of_stream = mean_abs_coefficients(
            model, stream, regions=lambda x, _: {"left": x[:, 0] < 0, "right": x[:, 0] >= 0}
        )
        for result in (of_array, of_stream):
            check(result, x, weight)
            check(result.regions["left"], x, weight * regions["left"])


class Batches(keras.utils.PyDataset):
    def __init__(self, batch_size, n_batches):
        super().__init__()
        self.batch_size, self.n = batch_size, n_batches

    @property
    def num_batches(self):
        return self.n

    def __getitem__(self, i):
        rows = slice(i * self.batch_size, (i + 1) * self.batch_size)
        return X[rows], LABEL[rows], WEIGHT[rows]


@pytest.mark.parametrize("batch_size", [7, 500])
def test_batches_of_a_py_dataset_or_a_generator_are_as_the_array(batch_size, model, small_chunks, uncompiled):
    batches = Batches(batch_size, -(-N_EVENTS // batch_size))
    for data in (batches, (batches[i] for i in range(batches.n)), islice(Batches(batch_size, None), batches.n)):
        result = mean_abs_coefficients(model, data, regions=lambda x, label: {"signal": label == 1})
        check(result, X, WEIGHT)
        check(result.regions["signal"], X, WEIGHT * REGIONS["signal"])
    check(mean_abs_coefficients(model, iter([X[:300], X[300:]])), X, np.ones(N_EVENTS))


def test_a_generator_that_goes_on_for_long_is_said(model, monkeypatch, uncompiled):
    monkeypatch.setattr("taylor.sources.LONG", -1)
    with pytest.warns(UserWarning, match=r"goes on. If it has no end, stop, and use itertools.islice") as caught:
        mean_abs_coefficients(model, iter([X, X]), order=1)
    assert [warning.filename for warning in caught] == [__file__]


def test_nan_of_an_event_of_weight_zero_does_not_matter(model, small_chunks, uncompiled):
    weight = WEIGHT * (np.arange(N_EVENTS) % 3 > 0)
    weight[400:] = 0  # the last chunk has none
    x = np.where(weight[:, None] == 0, np.nan, X)
    for data, given in ((x, weight), (stream(x, 70, weight), None)):
        result = mean_abs_coefficients(model, data, weight=given)
        expected = np.average(coefficients(X), axis=0, weights=weight)
        np.testing.assert_allclose(result.mean, expected, **EXACT)
        assert result.n_events == np.count_nonzero(weight)


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (lambda y: y, ValueError, "region 'signal' as a mask of bool, such as y == 1. Received: int64"),
        (lambda y: tf.cast(y, tf.float64), ValueError, "Received: float64"),
        (lambda y: y[:1] == 1, tf.errors.InvalidArgumentError, "one entry of region signal for each event"),
        (lambda y: y[1:] == 1, tf.errors.InvalidArgumentError, "one entry of region signal for each event"),
    ],
)
def test_regions_of_streams_that_are_no_masks_are_refused(mask, error, message, model, uncompiled):
    for data in (stream(X, 100), iter([(X, tf.constant(LABEL))])):
        with pytest.raises(error, match=message):
            mean_abs_coefficients(model, data, order=1, regions=lambda x, y: {"signal": mask(y)})


def test_one_event_has_a_mean_without_an_error(model, uncompiled):
    check(mean_abs_coefficients(model, X[:1]), X[:1], np.ones(1), {**EXACT, "atol": 1e-8})  # the root of a rounding


def test_float32_is_float64_to_its_precision():
    single = mean_abs_coefficients(NETWORK.model("float32"), X, weight=WEIGHT, regions=REGIONS)
    # Coefficients to 1e-6, and sums of 500 of them; the errors are differences of sums that are some 10 times larger.
    check(single, X, WEIGHT, {"rtol": 1e-4})
    assert single.mean.dtype == np.float64


def test_a_parametric_model_takes_one_row_of_theta_or_a_stream_of_dicts(uncompiled):
    features, theta = keras.Input((3,), name="features"), keras.Input((1,), name="theta")
    hidden = layers.Dense(4, "tanh")(layers.Concatenate()([features, theta]))
    model = keras.Model({"features": features, "theta": theta}, layers.Dense(1, "sigmoid")(hidden))
    full = {"features": X, "theta": np.full((N_EVENTS, 1), 0.3)}
    expected = np.abs(taylor_coefficients(model, full).values).mean(axis=0)
    for data in (
        full,
        {"features": X, "theta": [[0.3]]},
        tf.data.Dataset.from_tensor_slices(full).batch(70),
    ):
        np.testing.assert_allclose(mean_abs_coefficients(model, data).mean, expected, rtol=1e-5)  # float32


def test_arguments_of_the_analysis_are_passed_on(uncompiled, model):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["mass", "pt", "eta"])
    chosen = [("eta", "pt"), "mass"]
    result = mean_abs_coefficients(model, frame, features=chosen, scale=[1.0, 2.0, 3.0], target="logit")
    assert result.features.labels == ("pt, eta", "mass")
    gradient, hessian = NETWORK.logit_derivatives(X)
    expected = [6 * np.abs(hessian[:, 0, 1, 2]).mean(), np.abs(gradient[:, 0, 0]).mean()]
    np.testing.assert_allclose(result.mean, expected, **EXACT)
    assert mean_abs_coefficients(model, frame, order=1, names=["a", "b", "c"]).features.names == ("a", "b", "c")
    assert mean_abs_coefficients(model, X, engine="closed_form", order=3).features.order == 3


def test_the_bootstrap_spreads_as_the_standard_error_says(model):
    result = mean_abs_coefficients(model, X, weight=WEIGHT, regions=REGIONS, bootstrap=400, seed=1)
    check(result, X, WEIGHT)
    assert result.replicas.shape == (400, 9)
    for one in (result, *result.regions.values()):
        # A spread from 400 replicas is good to 1 / sqrt(800) = 3.5 %, 4 sigma of which are 14 %; the ratio of sums and
        # the distribution's tails add some per cent for 250 events. The means agree to 5 errors / sqrt(400).
        np.testing.assert_allclose(one.replicas.std(axis=0), one.error, rtol=0.2)
        assert (np.abs(one.replicas.mean(axis=0) - one.mean) < 0.25 * one.error).all()
        low, high = one.rank_interval
        assert ((low <= one.ranks) & (one.ranks <= high)).mean() > 0.5
    again = mean_abs_coefficients(model, X, weight=WEIGHT, regions=REGIONS, bootstrap=400, seed=1)
    other = mean_abs_coefficients(model, X, weight=WEIGHT, regions=REGIONS, bootstrap=400, seed=2)
    assert np.array_equal(again.replicas, result.replicas)
    assert not np.array_equal(other.replicas, result.replicas)
    assert np.array_equal(other.mean, result.mean)


def test_replicas_differ_from_chunk_to_chunk(uncompiled, small_chunks, model):
    """The same events in two chunks: if both had the same copies, the spread would be sqrt(2) times too large."""
    size = analysis_of(model, X, order=1)[0].chunk_size
    x = np.tile(NETWORK.events(size), (2, 1))
    result = mean_abs_coefficients(model, x, order=1, bootstrap=200)
    np.testing.assert_allclose(result.replicas.std(axis=0), result.error, rtol=0.25)  # 5 sigma for 200 replicas


def test_a_second_order_that_vanishes_is_said_where_it_was_asked_for(uncompiled):
    relu = keras.Sequential([keras.Input((3,)), layers.Dense(5, "relu"), layers.Dense(1, "sigmoid")])
    with pytest.warns(UserWarning, match="piecewise linear") as caught:
        mean_abs_coefficients(relu, X, target="logit")
    assert caught[0].filename == __file__


def with_one(array, value):
    array = array.copy()
    array[-1, ...] = value
    return array


class Reciprocal(layers.Layer):
    def call(self, x):
        return 1 / x


def infinite():
    return keras.Sequential([keras.Input((3,)), Reciprocal(), layers.Dense(1)])


BAD = [
    (X, {"regions": {"none": X[:, 0] > 100}}, "weight other than 0 in region 'none'. Received: none"),
    (X, {"weight": np.zeros(N_EVENTS)}, "weight other than 0 in region 'all'. Received: none"),
    (X, {"weight": np.resize([1.0, -1.0], N_EVENTS)}, "positive sum in region 'all'. Received: 0"),
    (X, {"weight": -WEIGHT}, "positive sum in region 'all'. Received: -"),
    (X, {"weight": WEIGHT[:-1]}, r"500 finite weights. Received: shape \(499,\)"),
    (X, {"weight": with_one(WEIGHT, np.nan)}, "500 finite weights. .* or NaN"),
    (X, {"regions": {"signal": LABEL}}, r"region 'signal' as a mask of 500 bool. Received: int64 \(500,\)"),
    (X, {"regions": {"signal": REGIONS["signal"][:-1]}}, r"Received: bool \(499,\)"),
    (X, {"regions": lambda x, y: {}}, "regions as {name: mask} for events in memory. Received: a function"),
    (X, {"bootstrap": -1}, "to be at least 0. Received: -1"),
    (X, {"bootstrap": 1.5}, "to be at least 0. Received: 1.5"),
    (with_one(X, np.nan), {}, r"Expected finite inputs.* in 1 of 500 events \(the first: 499\)"),
    (with_one(X, np.inf), {"weight": WEIGHT}, r"Expected finite inputs.* in 1 of 500 events \(the first: 499\)"),
    (X[:0], {}, "weight other than 0 in region 'all'. Received: none"),
    (X[:, :2], {}, r"of shape \(n_events, 3\). Received: \(500, 2\)"),
    (X, {"order": 0}, "order=0"),
    (X, {"engine": "fast"}, "engine='fast'"),
    (stream(X, 100), {"weight": WEIGHT}, "weight=None: a dataset brings its weights"),
    (stream(X, 100), {"regions": REGIONS}, r"regions as a function of \(x, y\)"),
    (stream(X, 100).take(0), {}, "weight other than 0 in region 'all'. Received: none"),
    (Batches(100, None), {}, r"finite number of batches. Received: None. Use itertools.islice"),
    (iter([]), {}, "weight other than 0 in region 'all'. Received: none"),
    (stream(X, 100).repeat(), {}, r"an endless one. Use dataset.take\(n_batches\)"),
    (stream(X, 100, with_one(WEIGHT, np.nan)), {}, "positive sum in region 'all'. Received: nan"),
    (stream(with_one(X, np.nan), 100), {}, r"Expected finite inputs.* in 1 of 500 events \(the first: 499\)"),
    (stream(X[:, :2], 100), {}, r"of shape \(n_events, 3\). Received: \(None, 2\)"),
    (stream(X, 100).unbatch(), {}, r"of shape \(n_events, 3\). Received: \(3,\)"),
]


@pytest.mark.parametrize(("data", "arguments", "message"), BAD)
def test_bad_events_and_arguments_are_named(data, arguments, message, model, uncompiled):
    with pytest.raises(ValueError, match=message):
        mean_abs_coefficients(model, data, **{"order": 1, **arguments})


def test_whole_numbers_in_a_stream_are_a_type_error(model):
    with pytest.raises(TypeError, match=r"Expected floating-point numbers .* Received: int64"):
        mean_abs_coefficients(model, stream(X.astype(int), 100))


@pytest.mark.filterwarnings("ignore:The adjoint engine")
@pytest.mark.parametrize("as_data", [lambda x: x, lambda x: stream(x, 100)], ids=["array", "stream"])
def test_coefficients_that_are_not_finite_are_not_blamed_on_the_inputs(as_data, uncompiled, small_chunks):
    x = X.copy()
    x[[70, 300], 1] = 0.0
    with pytest.raises(ValueError, match=r"coefficients of 2 of 500 events \(the first: 70\) .*NaN .*inputs"):
        mean_abs_coefficients(infinite(), as_data(x), order=1)


@pytest.mark.parametrize("first", [0, 250], ids=["the first", "in the middle"])
def test_nothing_is_asked_of_events_of_weight_zero(first, model, small_chunks):
    """NaN in 200 of 500 events: more than a block of 128."""
    x, weight = X.copy(), WEIGHT.copy()
    left_out = slice(first, first + 200)
    x[left_out], weight[left_out] = np.nan, 0
    kept = weight != 0
    regions = {"left": X[:, 1] < 0}
    result = mean_abs_coefficients(model, x, weight=weight, regions=regions, bootstrap=10)
    check(result, x[kept], weight[kept])
    check(result.regions["left"], x[kept], weight[kept] * regions["left"][kept])
    assert np.isfinite(result.replicas).all()
    check(mean_abs_coefficients(model, stream(x, 60, weight)), x[kept], weight[kept])


def test_the_signed_mean_comes_with_the_absolute_one(model):
    result = mean_abs_coefficients(model, X, weight=WEIGHT, regions=REGIONS, signed=True)
    check(result, X, WEIGHT)
    t = FEATURES.factors * np.stack([NETWORK.of_one_hidden_layer(X, i) for i in FEATURES.indices], axis=1)
    for one, weight in ((result, WEIGHT), *((result.regions[name], WEIGHT * mask) for name, mask in REGIONS.items())):
        np.testing.assert_allclose(one.signed, np.average(t, axis=0, weights=weight), rtol=1e-10)  # signs cancel
        np.testing.assert_allclose(one.signed_error, error_of_mean(t, weight), **EXACT)
    without = mean_abs_coefficients(model, X)
    assert without.signed is None
    assert without.signed_error is None


def linear(slope):
    """t = slope in float32."""
    dense = layers.Dense(1, kernel_initializer=keras.initializers.Constant(slope), dtype="float32")
    return keras.Sequential([keras.Input((3,), dtype="float32"), dense])


def test_a_constant_coefficient_has_itself_as_its_mean():
    """Sums of 0.7 in float32 gave 0.69997."""
    weight = np.resize([1e-12, 3e-12, 0.5e-12], 50_000)  # their squares vanish in float32
    for arguments in ({}, {"weight": weight}):
        result = mean_abs_coefficients(linear(-0.7), np.zeros((50_000, 3)), order=1, signed=True, **arguments)
        np.testing.assert_allclose(result.mean, np.float32(0.7), rtol=1e-14)
        np.testing.assert_allclose(result.signed, -np.float32(0.7), rtol=1e-14)
        assert (result.error < 1e-9).all()  # the root of a rounding in float64


def test_sums_of_float32_coefficients_are_as_of_float64():
    network, x = NETWORK.model("float32"), NETWORK.events(20_000, seed=9)
    t = np.abs(np.asarray(taylor_coefficients(network, x).values, float))
    weight = np.resize(NEGATIVE, len(x))
    one, weighted = (mean_abs_coefficients(network, x, weight=w) for w in (None, weight))
    # Two graphs may round the same coefficient to different neighbours, 6e-8, in no preferred direction.
    np.testing.assert_allclose(one.mean, t.mean(axis=0), rtol=1e-7)
    np.testing.assert_allclose(one.error, t.std(axis=0) / np.sqrt(len(x)), rtol=1e-6)
    np.testing.assert_allclose(weighted.mean, np.average(t, axis=0, weights=weight), rtol=3e-7)  # 0.4 of them cancel
    np.testing.assert_allclose(weighted.error, error_of_mean(t, weight), rtol=1e-6)


def test_the_error_of_cancelling_weights_is_that_of_a_bootstrap(model):
    """45 % of the weights are negative: their sum is known to 20 %, and the mean is no longer linear in the sums."""
    generator = np.random.default_rng(12)
    x = NETWORK.events(3000, seed=11)
    weight = np.where(generator.permutation(3000) < 1350, -1.0, 1.0)
    result = mean_abs_coefficients(model, x, weight=weight, bootstrap=1000)
    t, copies = coefficients(x), generator.poisson(1, (1000, 3000))
    by_hand = (copies @ (weight[:, None] * t)) / (copies @ weight)[:, None]
    for replicas in (by_hand, result.replicas):
        np.testing.assert_allclose(result.error, replicas.std(axis=0), rtol=0.2)  # a spread is good to 2 %, tails more


def test_weights_that_all_but_cancel_are_warned_of(model, uncompiled):
    weight = np.resize([1.0, -1.0], N_EVENTS)
    weight[:20] = 1.0
    with pytest.warns(UserWarning, match="cancel so far that their sum is known to 112 % only"):
        mean_abs_coefficients(model, X, weight=weight, order=1)


def test_other_weights_and_regions_are_not_compiled_anew():
    model = keras.Sequential([keras.Input((27,)), keras.layers.Dense(30, "tanh"), keras.layers.Dense(1, "sigmoid")])
    rng = np.random.default_rng(0)
    x, seconds = rng.normal(size=(3000, 27)), []
    for _ in range(4):
        weight, region = rng.uniform(0, 1, 3000), rng.uniform(0, 1, 3000) < 0.5
        started = time.perf_counter()
        mean_abs_coefficients(model, x, weight=weight, regions={"some": region})
        seconds.append(time.perf_counter() - started)
    assert min(seconds[1:]) < 0.3 * seconds[0]  # 0.01 of it; by XLA's reckoning of a constant it was 0.9
