"""What is refused or left alone: events, networks, yields, batches."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from neos_tf import BCELoss, EmptyBinPenalty, SoftBins, SummaryStatistic, expected_yields
from tests.neos_tf.blobs import EDGES, MODEL, YIELDS, blobs, network, statistic

FLATNESS = EmptyBinPenalty(60.0)  # needs no fit, so that it is nearly free


def of_layers(*layers):
    return keras.Sequential([keras.Input((2,)), *layers])


def normalised(activation="relu"):
    layers = [keras.layers.BatchNormalization(), keras.layers.Dense(4, activation), keras.layers.Dense(1, "sigmoid")]
    return of_layers(*layers)


@pytest.fixture(scope="module")
def samples():
    return blobs(100)


@pytest.fixture
def summary():
    """With moving averages and with units that turn NaN into 0 in a graph."""
    summary = SummaryStatistic(normalised(), MODEL, EDGES, 0.3, yields=YIELDS)
    summary.compile(keras.optimizers.Adam(0.1), FLATNESS, metrics=(), run_eagerly=True)
    return summary


def with_one(samples, value):
    signal = samples["signal"].copy()
    signal[7, 1] = value
    return samples | {"signal": signal}


def state(summary):
    return [variable.numpy() for variable in (*summary.network.variables, *summary.optimizer.variables)]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_events_that_are_not_finite_are_named(samples, summary, value):
    data = tf.data.Dataset.from_tensors(with_one(samples, value))
    for use in (summary.evaluate, summary.fit):
        with pytest.raises(ValueError, match="NaN or infinite values in 1 events of 'signal'"):
            use(data, verbose=0)
    weights = {name: (x, np.ones(100)) for name, x in samples.items()}
    weights["background"][1][:3] = value
    with pytest.raises(ValueError, match="3 events of 'background'"):
        summary.evaluate(tf.data.Dataset.from_tensors(weights), verbose=0)


def test_events_that_are_not_finite_are_named_in_a_graph(samples):
    summary = SummaryStatistic(normalised(), MODEL, EDGES, 0.3, yields=YIELDS)
    summary.compile("sgd", BCELoss(), metrics=())
    with pytest.raises(ValueError, match="1 events of 'signal'"):
        summary.fit(with_one(samples, np.nan), batch_size=50, shuffle=False, verbose=0)


def test_a_step_without_gradient_leaves_everything_as_it_was(samples, summary):
    """Adam's momentum of the step before as well, and moving averages."""
    summary.train_on_batch(samples)
    before = state(summary)
    for spoilt in (with_one(samples, np.nan), samples | {"signal": np.zeros((0, 2), "float32")}):
        summary.reset_metrics()
        assert summary.train_on_batch(spoilt, return_dict=True) == {"loss": np.inf, "unconverged": 1}
        assert all(np.array_equal(x, y) for x, y in zip(state(summary), before, strict=True))
    summary.train_on_batch(samples)
    assert not any(np.array_equal(x, y) for x, y in zip(state(summary)[:4], before, strict=False))


def test_weights_of_a_batch_with_a_negative_sum_give_no_step(samples, summary):
    weighted = {name: (x, np.full(100, -1.0 if name == "signal" else 1.0)) for name, x in samples.items()}
    assert summary.train_on_batch(weighted, return_dict=True) == {"loss": np.inf, "unconverged": 1}


def test_there_is_nothing_to_measure_without_events(samples, summary):
    with pytest.raises(ValueError, match=r"in evaluate\(batches\)"):
        summary.histograms()
    none = samples | {"background": np.zeros((0, 2), "float32")}
    with pytest.raises(ValueError, match=r"whose weights sum .* none of background"):
        summary.evaluate(tf.data.Dataset.from_tensors(none), verbose=0)


def test_a_loaded_statistic_has_no_histograms_of_its_own(samples, summary, tmp_path):
    summary.evaluate(samples, batch_size=100, verbose=0)
    summary.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"in evaluate\(batches\)"):
        loaded.histograms()
    assert loaded.metrics_names == ["loss", "unconverged"]


def test_types_and_lists_in_batches_may_be_mixed(samples):
    summary = statistic(FLATNESS, optimizer=keras.optimizers.SGD(0.0))
    expected = summary.train_on_batch(samples, return_dict=True)
    whole = {name: np.round(x) for name, x in samples.items()}
    as_integers = whole | {"background": whole["background"].astype("int32")}
    mixed = samples | {
        "signal": samples["signal"].astype("float64"),
        "background_up": [samples["background_up"], 3 * np.ones(100)],
    }
    summary.reset_metrics()
    assert summary.train_on_batch(mixed, return_dict=True) == pytest.approx(expected, rel=1e-6)  # float32
    lists = {name: (x.tolist(), [1.0] * len(x)) for name, x in samples.items()}
    history = summary.fit(lists, batch_size=100, validation_data=lists, verbose=0).history
    assert history["loss"] == pytest.approx([expected["loss"]], rel=1e-6)
    assert history["val_loss"] == pytest.approx([summary.evaluate(lists, verbose=0)[0]], rel=1e-6)
    results = []
    for batch in (whole, as_integers):
        summary.reset_metrics()
        results.append(summary.train_on_batch(batch, return_dict=True))
    assert results[0] == results[1]


def of(network, edges=EDGES, bandwidth=0.1, **options):
    return SummaryStatistic(network, MODEL, edges, bandwidth, **{"yields": YIELDS, **options})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: of(of_layers(keras.layers.Dense(2, "sigmoid"))), r"outputs \(n_events, 1\) for edges.*\(None, 2\)"),
        (lambda: of(of_layers(keras.layers.Dense(2)), SoftBins(3), None), r"\(n_events, 3\) for SoftBins"),
        (lambda: of(of_layers(keras.layers.Dense(3, "softmax")), SoftBins(3), None), "logits .*'softmax'"),
        (lambda: of(of_layers(keras.layers.Dense(1))), "between -inf and inf .*'linear'.* outside='fold'"),
        (lambda: of(keras.Sequential([keras.Input((2,)), of_layers(keras.layers.Dense(1, "relu"))])), "'relu'"),
        (lambda: of(network(), yields=YIELDS | {"signal": -1.0}), "not negative.*-1.0"),
        (lambda: of(network(), yields=YIELDS | {"signal": np.nan}), "finite.*nan"),
        (lambda: of(of_layers(keras.layers.Dense(1)), outside="fold").compile("sgd", BCELoss()), "between 0 and 1"),
        (lambda: of(of_layers(keras.layers.Dense(3)), SoftBins(3), None).compile("sgd", BCELoss()), "SoftBins"),
        (lambda: of(network()).compile("sgd", FLATNESS, metrics=["auc"]), "cls, significance, sigma, .*auc"),
        (lambda: expected_yields({"signal": np.ones((3, 2))}), "pair of features and weights.*'signal'"),
        (lambda: expected_yields({"signal": (np.ones((1, 2)), [-1.0])}), "positive sum.*-1.0"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_edges_that_drop_a_part_of_the_output_warn():
    with pytest.warns(UserWarning, match="between -1 and 1 .*'tanh'.*outside='fold'"):
        of(of_layers(keras.layers.Dense(1, "tanh")))
    of(of_layers(keras.layers.Dense(1)), outside="fold")


def test_yields_are_sums_of_weights():
    weighted = blobs(50, weighted=True)
    assert expected_yields(weighted) == {name: pytest.approx(w.sum(), rel=1e-14) for name, (_, w) in weighted.items()}
