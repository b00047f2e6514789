import warnings

import keras
import numpy as np
import pytest
from scipy.stats import norm

from pnn_tf import (
    Ranking,
    ThetaScale,
    auc_error,
    evaluate_hypotheses,
    evaluation,
    hold_out,
    parametric_network,
    predict_scores,
    roc_auc,
    scan_theta,
    significance_ratio,
)
from tests.problems import GaussianOnUniform


def nearest(theta_points=None):
    """A model whose score is exp(-(x - theta)^2), the best there is for a Gaussian on a uniform background."""
    x, theta = keras.Input((1,), name="features"), keras.Input((1,), name="theta")
    distance = keras.layers.Subtract()([x, ThetaScale(trained_points=theta_points)(theta)])
    score = keras.layers.Lambda(lambda d: keras.ops.exp(-(d**2)), output_shape=(1,))(distance)
    return keras.Model({"features": x, "theta": theta}, score, name="nearest")


def inside(network, n_parameters=1):
    """A model of nothing but another one, of one feature, that has the first of the parameters."""
    x, theta = keras.Input((1,), name="features"), keras.Input((n_parameters,), name="theta")
    score = network({"features": x, "theta": theta[:, :1]})
    return keras.Model({"features": x, "theta": theta}, score, name="outer")


@pytest.fixture(scope="module")
def model():
    return nearest((-2.0, 2.0))


def test_scores_are_the_models_whatever_the_batch(model):
    features, theta, _ = GaussianOnUniform().sample(1001, seed=0)
    expected = np.exp(-((features[:, 0] - theta) ** 2))
    for batch_size in (7, 1000, 1001, 5000):  # a prime, one less than there are, as many, more
        scores = predict_scores(model, features, theta, batch_size=batch_size)
        assert scores.shape == (1001,) and scores.dtype == np.float32
        np.testing.assert_allclose(scores, expected, atol=1e-6)  # float32
    few = slice(5)  # a call an event takes long
    np.testing.assert_allclose(predict_scores(model, features[few], theta[few], batch_size=1), expected[few], atol=1e-6)
    for one_theta in (0.5, [[0.5]]):
        np.testing.assert_allclose(
            predict_scores(model, features, one_theta), np.exp(-((features[:, 0] - 0.5) ** 2)), atol=1e-6
        )


def test_a_last_batch_that_is_not_full_is_not_traced_anew():
    traces = []
    inputs = keras.Input((1,), name="features")

    def count(x):
        traces.append(x.shape)
        return x

    model = keras.Model({"features": inputs}, keras.layers.Lambda(count, output_shape=(1,))(inputs))
    traces.clear()
    predict_scores(model, np.ones((25, 1)), 0.0, batch_size=10)
    predict_scores(model, np.ones((32, 1)), 0.0, batch_size=10)
    assert len(traces) == 1


@pytest.mark.parametrize("conditioning", ["concat", "affine", None])
def test_networks_of_every_kind_are_evaluated_alike(conditioning):
    network = parametric_network(2, conditioning=conditioning, units=(4,), affine_start="glorot_uniform", seed=1)
    features = np.random.default_rng(0).normal(size=(10, 2)).astype("float32")
    at_500, at_1000 = scan_theta(network, features, [500.0, 1000.0])
    np.testing.assert_allclose(at_500, predict_scores(network, features, 500.0), atol=1e-6)  # float32
    np.testing.assert_allclose(at_500, predict_scores(network, features, [500.0] * 10), atol=1e-6)
    assert np.array_equal(at_500, at_1000) == (conditioning is None)


def test_each_hypothesis_is_its_signal_against_the_whole_background_at_its_theta(model):
    problem = GaussianOnUniform()
    features, theta, label = problem.sample(4000, seed=1)
    weight = np.random.default_rng(2).exponential(size=4000)
    results = evaluate_hypotheses(model, features, theta, label, weight=weight, batch_size=300)
    assert [result.theta for result in results] == [(point,) for point in problem.theta]
    for result in results:
        kept = (label == 0) | (theta == result.theta[0])
        score = np.exp(-((features[kept, 0] - np.float32(result.theta[0])) ** 2))
        signal = label[kept] == 1
        assert (result.n_signal, result.n_background) == (np.sum(signal), 2000)
        assert result.auc == pytest.approx(roc_auc(signal, score, weight[kept]), abs=1e-6)  # float32 may tie otherwise
        assert result.auc_error == pytest.approx(Ranking(signal, score).auc_error(weight[kept]), rel=1e-5)
        balanced = weight[kept]
        balanced[~signal] *= np.sum(balanced[signal]) / np.sum(balanced[~signal])
        assert result.significance == pytest.approx(significance_ratio(signal, score, balanced), rel=1e-5)
        # The statistical error of an AUC near 0.96 from 400 signal events is 0.003; four of them.
        assert result.auc == pytest.approx(problem.auc(), abs=0.012)


def test_background_weight_may_be_given(model):
    features, theta, label = GaussianOnUniform().sample(500, seed=1)
    (result,) = evaluate_hypotheses(model, features, theta, label, hypotheses=[1.0], background_weight=0.2)
    kept = (label == 0) | (theta == 1)
    score = predict_scores(model, features[kept], 1.0)
    expected = significance_ratio(label[kept], score, np.where(label[kept] == 1, 1.0, 0.2))
    assert result.significance == pytest.approx(expected, rel=1e-12)


def test_of_background_only_the_nuisances_are_looked_at(model):
    features, theta, label = GaussianOnUniform().sample(500, seed=1)
    unknown = np.where(label == 1, theta, np.nan)
    assert evaluate_hypotheses(model, features, unknown, label) == evaluate_hypotheses(model, features, theta, label)
    assert np.array_equal(hold_out(unknown, label, 1.0), hold_out(theta, label, [1.0]))
    with pytest.raises(ValueError, match=r"theta holds NaN .* in 250 of 500"):
        evaluate_hypotheses(model, features, unknown, label, nuisances=[0])


def test_a_number_is_one_point(model):
    features, theta, label = GaussianOnUniform().sample(500, seed=1)
    assert len(evaluate_hypotheses(model, features, theta, label, hypotheses=1.0)) == 1
    assert scan_theta(model, features, 0.5).shape == (1, 500)


def test_one_theta_is_not_taken_for_several_parameters():
    network = parametric_network(2, 2, units=(3,), theta_scale=(1000.0, 1.0))
    x = np.ones((4, 2), "float32")
    for call in (
        lambda: predict_scores(network, x, 750.0),
        lambda: predict_scores(network, x, [750.0, 0.5, 1.0, 1.0]),
        lambda: scan_theta(network, x, [750.0]),
        lambda: evaluate_hypotheses(network, x, [750.0] * 4, [0, 1, 0, 1]),
    ):
        with pytest.raises(ValueError, match=r"of 2 parameters.* Received: 1"):
            call()
    assert predict_scores(network, x, [[750.0, 0.5]]).shape == (4,)


def test_hypotheses_of_several_parameters():
    network = parametric_network(1, 2, units=(3,), affine_start="glorot_uniform", theta_scale=1.0, seed=0)
    rng = np.random.default_rng(0)
    theta = rng.integers(1, 3, size=(100, 2))
    results = evaluate_hypotheses(network, rng.normal(size=(100, 1)), theta, np.arange(100) % 2)
    assert [result.theta for result in results] == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_a_nuisance_keeps_the_background_of_its_own():
    """One feature, x = nuisance + noise for background and x = nuisance + theta + noise for signal."""
    rng = np.random.default_rng(3)
    n_events = 4000
    theta = np.stack([rng.integers(1, 3, n_events), rng.choice([0.0, 5.0], n_events)], axis=1)
    label = np.arange(n_events) % 2
    x = rng.normal(size=n_events) + theta[:, 1] + label * theta[:, 0]
    inputs = keras.Input((1,), name="features"), keras.Input((2,), name="theta")
    model = keras.Model(
        dict(zip(("features", "theta"), inputs, strict=True)), keras.layers.Activation("sigmoid")(inputs[0])
    )
    results = evaluate_hypotheses(model, x[:, np.newaxis], theta, label, nuisances=[1])
    for result in results:
        # Unit Gaussians a distance d apart have the AUC Phi(d / sqrt 2); four errors of the finite sample.
        assert result.auc == pytest.approx(norm.cdf(result.theta[0] / np.sqrt(2)), abs=4 * result.auc_error)
        assert result.n_background == np.count_nonzero((label == 0) & (theta[:, 1] == result.theta[1]))
    assert len(results) == 4


def test_leaving_the_trained_hull_warns_with_its_ends_also_after_loading(model, tmp_path):
    network = parametric_network(1, units=(2,), theta_scale=1.0, theta_points=(0.1, 0.7))
    network.save(tmp_path / "model.keras")
    x = np.ones((3, 1))
    for one in (network, keras.saving.load_model(tmp_path / "model.keras")):
        with pytest.warns(UserWarning, match=r"from \[0.1\] to \[0.7\], .* in 2 of 3 places, .*\[\[0.0\], \[1.0\]\]"):
            predict_scores(one, x, [0.0, 0.5, 1.0])
        with pytest.warns(UserWarning, match="extrapolation"):
            scan_theta(one, x, [0.5, 0.8])
        with pytest.warns(UserWarning, match="extrapolation"):
            evaluate_hypotheses(one, np.ones((2, 1)), [1.0, 0.5], [1, 0])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            predict_scores(one, x, [0.1, 0.5, 0.7])


def test_what_a_model_inside_a_model_was_trained_on_warns_as_well():
    inner = parametric_network(1, units=(2,), theta_scale=1.0, theta_points=(0.1, 0.7))
    x = np.ones((3, 1))
    with pytest.warns(UserWarning, match=r"from \[0.1\] to \[0.7\], that 'outer' was trained on, in 2 of 3 places"):
        predict_scores(inside(inner), x, [0.0, 0.5, 1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predict_scores(inside(inner), x, [0.1, 0.5, 0.7])
        of_a_part = inside(inner, n_parameters=2)  # what the inner model knows is no hull of two parameters
        np.testing.assert_allclose(predict_scores(of_a_part, x, [[0.5, 9.0]]), predict_scores(inner, x, 0.5), atol=1e-6)


def test_hold_out_removes_the_signal_of_the_hypotheses_alone():
    theta = np.array([[500, 1], [500, 2], [750, 1], [500, 1]])
    assert hold_out(theta, [1, 1, 1, 0], [(500, 1)]).tolist() == [False, True, True, True]


TWO = [[0.0], [1.0]], [1, 1], [1, 0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: predict_scores(m, [[np.nan]], 0.0), "features .*NaN .*1 of 1"),
        (lambda m: predict_scores(m, [[0.0], [1.0], [2.0]], [0.0, 1.0]), "3, .*theta .*2"),
        (lambda m: predict_scores(inside(m, 2), [[0.0]], [[1.0]]), "theta of 2 .*Received: 1"),
        (lambda m: predict_scores(m, np.ones((5, 2)), 0.0), "features of 1 columns, .* Received: 2"),
        (lambda m: scan_theta(parametric_network(3), np.ones((5, 2)), 750.0), "features of 3 columns, .* Received: 2"),
        (lambda m: evaluate_hypotheses(m, [[0.0], [1.0]], [1, 1], [1, 0], hypotheses=[2.0]), r"at theta = \[2.0\]"),
        (lambda m: evaluate_hypotheses(m, [[0.0], [1.0]], [1, 1], [1, 1]), "signal and background.*2 events.* 0 "),
        (lambda m: evaluate_hypotheses(m, [[0.0], [1.0]], [1, 1], [0, 0]), "signal and background.*0 events.* 2 "),
        (lambda m: evaluate_hypotheses(m, [[0.0], [1.0]], [1, 1], [1, 0], background_weight=0), "a number > 0"),
        (lambda m: evaluate_hypotheses(m, *TWO, background_weight="equal"), "a number > 0. Received: 'equal'"),
        (lambda m: evaluate_hypotheses(m, *TWO, background_weight=None), "a number > 0"),
        (lambda m: evaluate_hypotheses(m, *TWO, weight=[1, 0]), r"background at theta = \[1.0\] have the sums 1 and 0"),
        (lambda m: evaluate_hypotheses(m, *TWO, hypotheses=[]), "hypotheses of shape"),
        (lambda m: evaluate_hypotheses(m, *TWO, hypotheses=[[1.0, 2.0]]), r"hypotheses of 1 columns.* Received: 2"),
        (lambda m: scan_theta(m, TWO[0], []), "grid of shape"),
        (lambda m: scan_theta(m, TWO[0], [np.nan]), r"grid of shape .* without NaN"),
        (lambda m: predict_scores(m, TWO[0], 0.0, batch_size=0), "batch_size to be an int >= 1"),
        (lambda m: scan_theta(m, TWO[0], 0.0, batch_size=-4), "batch_size to be an int >= 1"),
        (lambda m: evaluate_hypotheses(m, *TWO, batch_size=128.0), "batch_size to be an int >= 1"),
        (lambda m: hold_out([500], [1], [750]), r"hypotheses.*theta = \[750.0\]"),
        (lambda m: hold_out([[1, 1]], [1], [1]), r"hypotheses of 2 columns.* Received: 1"),
        (lambda m: hold_out([500], [1], []), "hypotheses of shape"),
    ],
)
def test_bad_arguments_are_named(model, call, message):
    with pytest.raises(ValueError, match=message):
        call(model)


def test_models_with_other_inputs_or_outputs_are_refused():
    x = keras.Input((2,), name="x")
    with pytest.raises(ValueError, match="inputs 'features' and 'theta'"):
        predict_scores(keras.Model({"x": x}, keras.layers.Dense(1)(x)), np.ones((3, 2)), 0.0)
    features = keras.Input((2,), name="features")
    with pytest.raises(ValueError, match="one output"):
        predict_scores(keras.Model({"features": features}, keras.layers.Dense(2)(features)), np.ones((3, 2)), 0.0)


def test_models_of_several_classes_are_refused():
    x, theta = keras.Input((2,), name="features"), keras.Input((1,), name="theta")
    z = keras.layers.Concatenate()([x, theta])
    model = keras.Model({"features": x, "theta": theta}, keras.layers.Dense(3, "softmax")(z))
    for call in (lambda: predict_scores(model, np.ones((3, 2)), 0.0), lambda: scan_theta(model, np.ones((3, 2)), 0.0)):
        with pytest.raises(ValueError, match=r"one output, .*\(None, 3\)"):
            call()


def test_the_auc_is_without_weights_where_none_are_given(model):
    features, theta, label = GaussianOnUniform().sample(500, seed=1)
    for result in evaluate_hypotheses(model, features, theta, label):
        assert result.weighted_error is None
        assert result.auc_error == auc_error(result.auc, result.n_signal, result.n_background)


def test_events_of_weight_one_and_of_weight_minus_one_cancel(model):
    """Events of any kind twice, with opposite weights, and the AUC is that of the others, less well known."""
    features, theta, label = GaussianOnUniform().sample(2000, seed=3)
    more = np.concatenate([np.arange(2000), np.arange(300), np.arange(300)])
    weight = np.repeat([1.0, 0.5, -0.5], [2000, 300, 300])
    plain = evaluate_hypotheses(model, features, theta, label, weight=np.ones(2000))
    signed = evaluate_hypotheses(model, features[more], theta[more], label[more], weight=weight)
    for one, other in zip(plain, signed, strict=True):
        assert other.auc == pytest.approx(one.auc, abs=1e-6)  # float32 scores may tie otherwise
        assert other.auc_error > one.auc_error
        assert other.significance.ratio == pytest.approx(one.significance.ratio, rel=0.02)  # fewer cuts count


def test_hypotheses_are_found_by_their_decimals_in_any_precision(model):
    generator = np.random.default_rng(0)
    theta = generator.choice([0.1, 0.3, 0.7], 600)
    features, label = generator.normal(size=(600, 1)), np.arange(600) % 2
    expected = [(0.1,), (0.3,), (0.7,)]
    for dtype in (np.float32, np.float64):
        of_dtype = theta.astype(dtype)
        results = evaluate_hypotheses(model, features, of_dtype, label)
        assert [result.theta for result in results] == expected
        for hypotheses in (np.float32([0.3]), np.float64([0.3]), 0.3, np.float32(0.3)):
            (result,) = evaluate_hypotheses(model, features, of_dtype, label, hypotheses=hypotheses)
            assert result == results[1]
            assert np.array_equal(hold_out(of_dtype, label, hypotheses), (label == 0) | (theta != 0.3))
    with pytest.raises(ValueError, match=r"theta = \[0.2\]"):
        evaluate_hypotheses(model, features, theta, label, hypotheses=[0.2])
    with pytest.raises(ValueError, match=r"theta = \[0.2\]"):
        hold_out(theta, label, [0.2])


def test_a_continuous_theta_is_not_taken_for_hypotheses(model):
    generator = np.random.default_rng(0)
    theta = generator.uniform(-2, 2, 2000)
    features, label = generator.normal(size=(2000, 1)), np.arange(2000) % 2
    with pytest.raises(ValueError, match="1000 signal events has 1000 values, as if it were continuous"):
        evaluate_hypotheses(model, features, theta, label)
    assert len(evaluate_hypotheses(model, features, np.round(theta, 1), label)) == 41
    assert len(evaluate_hypotheses(model, features[:40], theta[:40], label[:40])) == 20  # few events, few hypotheses


def test_many_hypotheses_are_scored_in_groups(model, monkeypatch):
    features, theta, label = GaussianOnUniform().sample(1000, seed=2)
    expected = evaluate_hypotheses(model, features, theta, label)
    for n_scores in (1, 1000):  # one hypothesis at a time, two
        monkeypatch.setattr(evaluation, "MAX_SCORES", n_scores)
        assert evaluate_hypotheses(model, features, theta, label) == expected
