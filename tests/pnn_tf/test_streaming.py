import keras
import numpy as np
import pytest

from pnn_tf import StreamingAUC, StreamingSignificance, roc_auc, significance_ratio

N = 20_000


@pytest.fixture(scope="module")
def scored():
    rng = np.random.default_rng(0)
    label = rng.integers(2, size=N)
    logit = rng.normal(3 * label, 2.0).astype("float32")  # many scores are within 1e-3 of 0 or 1
    score = 1 / (1 + np.exp(-logit))
    return label, logit, score, rng.exponential(size=N).astype("float32")


def stream(metric, label, score, weight=None, batch=4096):
    for start in range(0, len(label), batch):
        rows = slice(start, start + batch)
        metric.update_state(label[rows, None], score[rows, None], None if weight is None else weight[rows])
    return float(metric.result())


@pytest.mark.parametrize("weighted", [False, True])
def test_auc_is_within_its_resolution_of_the_exact_one(scored, weighted):
    label, logit, score, weight = scored
    weight = weight if weighted else None
    # A signal and a background event share one of 8192 bins with a probability of about 1 / 2000, half of which is the
    # largest error; with random positions within a bin it averages out to far less.
    exact = roc_auc(label, score, weight)
    assert stream(StreamingAUC(), label, score, weight) == pytest.approx(exact, abs=1e-5)
    assert stream(StreamingAUC(from_logits=True), label, logit, weight) == pytest.approx(exact, abs=1e-5)
    assert stream(StreamingAUC(n_bins=64), label, score, weight) == pytest.approx(exact, abs=2e-2)


@pytest.mark.parametrize("weighted", [False, True])
def test_significance_is_just_below_the_exact_one(scored, weighted):
    label, _, score, weight = scored
    weight = weight if weighted else None
    exact = significance_ratio(label, score, weight).ratio
    # Moving the cut by one bin of 0.004 in the logit changes a curve that is flat at its maximum in second order.
    assert exact - 1e-3 < stream(StreamingSignificance(), label, score, weight) <= exact + 1e-7


def test_counts_are_those_of_the_weights_and_reset():
    metric = StreamingAUC(n_bins=4)
    metric.update_state([1, 0, 0, 1], [1.0, 0.0, 0.4, 0.6], [1.0, 2.0, 3.0, 4.0])
    assert metric.counts.numpy().tolist() == [[2, 3, 0, 0], [0, 0, 4, 1]]
    metric.reset_state()
    assert not np.any(metric.counts.numpy())
    assert metric.result() == 0


@pytest.mark.parametrize("column", [False, True])
def test_a_soft_label_counts_as_a_share_of_each_class(scored, column):
    label, _, score, weight = (values[:2000] for values in scored)
    soft = np.where(label == 1, 0.9, 0.1)
    twice = np.tile(score, 2)
    hard = np.repeat([1, 0], 2000)
    shares = np.concatenate([soft, 1 - soft]) * np.tile(weight, 2)
    shape = (-1, 1) if column else (-1,)
    for metric, expected in (
        (StreamingAUC(), roc_auc(hard, twice, shares)),
        (StreamingSignificance(), significance_ratio(hard, twice, shares).ratio),
    ):
        metric.update_state(soft.reshape(shape), score[:, None], weight.reshape(shape))
        assert float(metric.result()) == pytest.approx(expected, abs=1e-3)  # the width of a bin, as above
    # Of the same number of each class, smoothing by a makes a + (1 - 2 a) AUC of it, whatever the scores.
    soft, smooth = StreamingAUC(), StreamingAUC()
    soft.update_state([1, 1, 0, 0], [0.9, 0.5, 0.5, 0.1])
    smooth.update_state([0.9, 0.9, 0.1, 0.1], [0.9, 0.5, 0.5, 0.1])
    assert float(smooth.result()) == pytest.approx(0.1 + 0.8 * float(soft.result()), rel=1e-6)  # of float32


def test_a_label_of_neither_class_is_not_hidden():
    for label in (2, -1, np.nan):
        metric = StreamingAUC()
        metric.update_state([1, 0, label], [0.5, 0.2, 0.3])
        assert np.isnan(metric.result())


def test_several_scores_an_event_are_refused():
    with pytest.raises(ValueError, match=r"one score an event.*\(2, 3\)"):
        StreamingAUC().update_state([0, 1], np.ones((2, 3)))


def test_a_nan_score_is_not_hidden():
    metric = StreamingAUC()
    metric.update_state([1, 0, 1], [0.5, 0.2, np.nan])
    assert np.isnan(metric.result())


def test_metrics_work_in_compile_with_weights_and_survive_saving(scored, tmp_path):
    label, logit, _, weight = scored
    inputs = keras.Input((1,), name="features")
    model = keras.Model(inputs, keras.layers.Dense(1, "sigmoid", kernel_initializer="ones")(inputs))
    metrics = [StreamingAUC(n_bins=4096, name="area"), StreamingSignificance()]
    model.compile("sgd", "binary_crossentropy", weighted_metrics=metrics)
    values = model.evaluate(logit, label[:, None], sample_weight=weight, batch_size=5000, verbose=0, return_dict=True)
    score = model.predict(logit, batch_size=5000, verbose=0)[:, 0]
    assert values["area"] == pytest.approx(roc_auc(label, score, weight), abs=2e-5)
    assert values["significance_ratio"] == pytest.approx(significance_ratio(label, score, weight).ratio, abs=1e-3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    again = loaded.evaluate(logit, label[:, None], sample_weight=weight, batch_size=5000, verbose=0, return_dict=True)
    assert again == values


@pytest.mark.parametrize("metric", [StreamingAUC(n_bins=10, from_logits=True), StreamingSignificance(name="ratio")])
def test_metrics_survive_their_configuration(metric):
    copy = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert type(copy) is type(metric) and copy.get_config() == metric.get_config()


def test_too_few_bins_are_refused():
    with pytest.raises(ValueError, match="n_bins >= 2"):
        StreamingAUC(n_bins=1)
