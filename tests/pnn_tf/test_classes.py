"""Networks of several classes: `evaluate_classes` against the exact answer, and from training to export."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import norm

import pnn_tf
from pnn_tf import classes, discriminant, evaluate_classes, evaluate_hypotheses, predict_classes, roc_auc
from tests.pnn_tf.several_gaussians import BACKGROUNDS, THETA, model, sample


@pytest.fixture(scope="module")
def test_events():
    return sample(4000, seed=1)


def by_pair(results):
    return {(result.signal, result.background, *result.theta): result for result in results}


def test_each_signal_is_held_against_each_and_all_backgrounds_at_each_theta(test_events):
    results = evaluate_classes(model(), *test_events, backgrounds=BACKGROUNDS)
    expected = [(signal, background, theta) for signal in (2, 3) for background in (0, 1, None) for theta in THETA]
    assert list(by_pair(results)) == expected
    assert {(result.n_signal, result.n_background) for result in results if result.background is None} == {(4000, 8000)}
    for (signal, background, theta), result in by_pair(results).items():
        if background is None:
            continue
        # Unit Gaussians a distance apart have an AUC of Phi(distance / sqrt(2)).
        mean = {2: (theta, 0), 3: (-theta, -1)}[signal]
        distance = np.hypot(*np.subtract(mean, {0: (0, 0), 1: (0, 1)}[background]))
        assert abs(result.auc - norm.cdf(distance / np.sqrt(2))) < 4 * result.auc_error


@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_what_evaluate_hypotheses_says_of_each_discriminant(test_events, weighted):
    features, theta, label = (values[::20] for values in test_events)
    keywords = {"background_weight": 0.5} if weighted else {}
    weight = np.random.default_rng(0).uniform(1, 2, len(label)) if weighted else None
    results = by_pair(evaluate_classes(model(), features, theta, label, backgrounds=(0, 1), weight=weight, **keywords))
    for signal, background in ((2, 0), (2, None), (3, 1)):
        group = BACKGROUNDS if background is None else (background,)
        chosen = (label == signal) | np.isin(label, group)
        single = evaluate_hypotheses(
            discriminant(model(), signal, group),
            features[chosen],
            theta[chosen],
            label[chosen] == signal,
            weight=None if weight is None else weight[chosen],
            **keywords,
        )
        for expected in single:
            result = results[signal, background, *expected.theta]
            for field in ("theta", "auc", "auc_error", "significance", "n_signal", "n_background"):
                # float32 scores of other batches, whose ties and cuts may differ by a rounding
                assert np.allclose(getattr(result, field), getattr(expected, field), rtol=1e-5), field


def test_what_preprocessing_has_learnt_by_now_is_used(test_events):
    x, theta = keras.Input((2,), name="features"), keras.Input((1,), name="theta")
    normalization, last = keras.layers.Normalization(), keras.layers.Dense(3, "softmax")
    network = keras.Model({"features": x, "theta": theta}, last(keras.layers.Concatenate()([normalization(x), theta])))
    features = test_events[0][:100]
    before = predict_classes(network, features, 1.0)
    normalization.adapt(5 * features)
    after = predict_classes(network, features, 1.0)
    inputs = {"features": features, "theta": np.ones((100, 1), np.float32)}
    np.testing.assert_allclose(after, network(inputs), atol=1e-6)
    assert np.abs(after - before).max() > 1e-2


def test_the_network_is_evaluated_once_for_each_theta(test_events, monkeypatch):
    calls, predict = [], classes._predict
    monkeypatch.setattr(classes, "_predict", lambda *arguments: calls.append(arguments[2]) or predict(*arguments))
    evaluate_classes(model(), *(values[::50] for values in test_events), backgrounds=BACKGROUNDS)
    assert np.array_equal(np.concatenate(calls)[:, 0], THETA)


def test_signals_may_have_theta_of_their_own_and_backgrounds_nuisances(test_events):
    features, theta, label = (values[::50] for values in test_events)
    mine = (label != 3) | (theta == 2)
    found = by_pair(evaluate_classes(model(), features[mine], theta[mine], label[mine], backgrounds=BACKGROUNDS))
    assert {key[2] for key in found if key[0] == 2} == set(THETA) and {key[2] for key in found if key[0] == 3} == {2}
    chosen = evaluate_classes(model(), features, theta, label, backgrounds=BACKGROUNDS, hypotheses=[1.0, 3.0])
    assert {result.theta for result in chosen} == {(1.0,), (3.0,)}
    theta = np.where(np.isnan(theta), np.resize(THETA, len(theta)), theta)  # the backgrounds have it, too
    shared = evaluate_classes(model(), features, theta, label, backgrounds=BACKGROUNDS, nuisances=[0])
    for result in shared:
        group = BACKGROUNDS if result.background is None else [result.background]
        assert result.n_background == np.count_nonzero(np.isin(label, group) & (theta == result.theta[0]))


def test_probabilities_are_predicted(test_events):
    features = test_events[0][:100]
    p = predict_classes(model(), features, 2.0, batch_size=30)
    assert p.shape == (100, 4) and p.dtype == np.float32
    expected = [norm.pdf(features, mean).prod(axis=1) for mean in ((0, 0), (0, 1), (2, 0), (-2, -1))]
    np.testing.assert_allclose(p, np.transpose(expected / np.sum(expected, axis=0)), rtol=1e-4)  # float32
    with pytest.warns(UserWarning, match="outside the convex hull") as caught:
        network = pnn_tf.parametric_network(2, n_classes=3, units=(2,), theta_points=[500, 1500])
        predict_classes(network, features, 2000.0)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"backgrounds": ()}, r"some of the 4 classes as backgrounds.*\(\)"),
        ({"backgrounds": (0, 1, 2, 3)}, "not all.*0, 1, 2, 3"),
        ({"backgrounds": (0, 4)}, "backgrounds .*out of 4.*4"),
        ({"label": 4}, "labels from 0 to 3.*4"),
        ({"hypotheses": [1.5]}, r"theta = \[1.5\].*no event of a signal"),
        ({"model": pnn_tf.parametric_network(2)}, "at least two classes"),
        ({"model": pnn_tf.parametric_network(3, n_classes=4)}, "'features': 3.* Received.*'features': 2.*trained with"),
        ({"model": pnn_tf.parametric_network(2, 2, n_classes=4)}, "'theta': 2.* Received.*'theta': 1"),
        ({"batch_size": -4}, "batch_size.*-4"),
        ({"background_weight": -1}, "background_weight .*-1"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(test_events, keywords, message):
    features, theta, label = (values[::50] for values in test_events)
    arguments = {"model": model(), "features": features, "theta": theta, "label": label, "backgrounds": BACKGROUNDS}
    if "label" in keywords:
        keywords = {"label": np.where(label == 3, keywords["label"], label)}
    with pytest.raises(ValueError, match=message):
        evaluate_classes(**arguments | keywords)


def test_a_background_without_events_is_named(test_events):
    features, theta, label = (values[test_events[2] != 1][::50] for values in test_events)
    with pytest.raises(ValueError, match=r"backgrounds \(0, 1\).*no event of the classes \[1\]"):
        evaluate_classes(model(), features, theta, label, backgrounds=BACKGROUNDS)


@pytest.mark.slow
def test_from_training_to_export(tmp_path):
    """A network trained on four classes is as good as the exact probabilities, and one of its scores is served."""
    train, test = sample(8000, seed=2), sample(4000, seed=3)
    batches = pnn_tf.balanced_batches(
        *train,
        batch_size=512,
        n_classes=4,
        backgrounds=BACKGROUNDS,
        background_theta=pnn_tf.Identical(THETA),
        seed=1,
    )
    network = pnn_tf.parametric_network(
        2, n_classes=4, units=(32, 32), dropout=0, theta_scale=1.0, theta_points=THETA, kernel_l2=0, bias_l2=0, seed=1
    )
    network.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    network.fit(batches.dataset, steps_per_epoch=batches.steps_per_epoch, epochs=6, shuffle=False, verbose=0)
    best = by_pair(evaluate_classes(model(), *test, backgrounds=BACKGROUNDS))
    for pair, result in by_pair(evaluate_classes(network, *test, backgrounds=BACKGROUNDS)).items():
        # The same events, so that chance is common to both: the network alone is off by less than one error of it.
        assert best[pair].auc - result.auc < result.auc_error

    score = discriminant(network, 2, BACKGROUNDS)
    features, theta, label = (values[test[2] != 3] for values in test)
    calibration = pnn_tf.calibrate(score, features, theta, label == 2)
    pnn_tf.export_savedmodel(score, tmp_path, theta_grid=THETA, calibration=calibration)
    served, at_two = tf.saved_model.load(tmp_path), np.full((len(features), 1), 2, "float32")
    of_two = (theta == 2) | (label != 2)
    value = served.serve(features, at_two)["score"].numpy()[:, 0]
    np.testing.assert_allclose(value, served.scan(features)["scores"][:, 1], atol=1e-6)  # float32
    assert roc_auc(label[of_two] == 2, value[of_two]) == pytest.approx(best[2, None, 2.0].auc, abs=0.01)
    # The score is the probability of the signal among equal parts of three, so that the exact ratio follows from it.
    p = predict_classes(model(), features, 2.0)
    exact = 2 * p[:, 2] / (p[:, 0] + p[:, 1])
    ratio = served.calibrated(features, at_two)["likelihood_ratio"].numpy()
    assert np.median(np.abs(np.log(ratio / exact))) < 0.3  # of which 0.17 are the network's own, after six epochs
