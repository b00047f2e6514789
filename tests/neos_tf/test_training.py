import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from neos_tf import (
    BCELoss,
    CLsLoss,
    DiscoveryLoss,
    EmptyBinPenalty,
    LearnableEdges,
    Loss,
    POIVarianceLoss,
    SoftCut,
    SummaryStatistic,
    TemplateModel,
    WeightedLoss,
    binned_kde,
    cls,
    correlated_background,
    discovery_significance,
    sample_batches,
    uncertainties,
)
from tests.neos_tf.blobs import EDGES, MODEL, YIELDS, blobs, network, shares, statistic
from tests.neos_tf.workspaces import MU, sample, specification, staterror

LOSS = CLsLoss()
FLATNESS = EmptyBinPenalty(60.0)  # needs no fit, so that it is nearly free


def by_hand(model, templates):
    """What `evaluate` should give, from the statistics themselves."""
    likelihood = model.bind(templates)
    at_one = np.where(np.array(model.parameter_names) == "mu", 1.0, model.initial)
    sigmas = uncertainties(likelihood, at_one).numpy()
    return {
        "cls": float(cls(likelihood).expected[2]),
        "significance": float(discovery_significance(likelihood).significance),
        **{f"sigma_{name}": sigma for name, sigma in zip(model.parameter_names, sigmas, strict=True)},
    }


def hard_templates(model, samples, yields=YIELDS, edges=EDGES):
    return {name: yields[name] * shares(model(x).numpy().astype(float), edges) for name, x in samples.items()}


def soft_loss(model, samples, loss=LOSS, **options):
    """Loss () of the histograms that a step should make, from the statistics themselves."""
    templates = {
        name: YIELDS[name] / len(x) * binned_kde(model(x), EDGES, 0.1, **options) for name, x in samples.items()
    }
    return float(loss.of_likelihood(MODEL.bind(templates)).value)


def loss_of_step(model, samples):
    model.reset_metrics()  # before Keras 3.15, train_on_batch gives the mean with the steps before
    return model.train_on_batch(samples, return_dict=True)["loss"]


@pytest.fixture(scope="module")
def samples():
    return blobs()


@pytest.fixture(scope="module")
def trained(samples):
    """A model after ten epochs of two batches, and their history."""
    model = statistic(LOSS, optimizer=keras.optimizers.Adam(0.02))
    history = model.fit(
        sample_batches(samples, 150), epochs=10, validation_data=sample_batches(samples, 300, seed=None), verbose=0
    )
    return model, history.history


def test_fit_lowers_the_loss_in_training_and_in_validation(trained):
    _, history = trained
    names = ["loss", "cls", "significance", "sigma_correlated_bkg_uncertainty", "sigma_mu", "unconverged"]
    assert set(history) == {"loss", "unconverged"} | {f"val_{name}" for name in names}
    assert history["loss"][-1] < history["loss"][0] - 0.2
    assert history["val_cls"][-1] < history["val_cls"][0]
    assert history["val_significance"][-1] > history["val_significance"][0]
    np.testing.assert_allclose(history["val_loss"], np.log(history["val_cls"]), rtol=1e-12)  # float64
    assert not any(history["unconverged"])


@pytest.mark.slow
def test_traced_steps_are_the_eager_ones(samples):
    losses = []
    for run_eagerly in (False, True):
        model = statistic(LOSS, optimizer=keras.optimizers.Adam(0.02), run_eagerly=run_eagerly)
        losses.append(model.fit(sample_batches(samples, 150), epochs=3, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)  # float32 scores


@pytest.mark.slow
def test_steps_under_xla_and_under_a_strategy_are_the_same(samples):
    def losses(**options):
        model = statistic(FLATNESS, optimizer=keras.optimizers.Adam(0.02), run_eagerly=False)
        model.compile(keras.optimizers.Adam(0.02), FLATNESS, **options)
        return model.fit(samples, batch_size=150, epochs=3, shuffle=False, verbose=0).history["loss"]

    expected = losses()
    np.testing.assert_allclose(losses(jit_compile=True), expected, rtol=1e-5)  # float32
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        np.testing.assert_allclose(losses(), expected, rtol=1e-5)


def test_a_step_has_the_loss_of_the_pipeline_and_its_gradient(samples, uncompiled):
    both = WeightedLoss({POIVarianceLoss(): 1.0, BCELoss(): 0.5})
    cut = SoftCut(0, -2.0, 0.5, dtype="float64")
    model = statistic(both, optimizer=keras.optimizers.SGD(1.0), dtype="float64", selection=cut)
    start = model.get_weights()
    scores = {name: model(x) for name, x in samples.items()}
    templates = {name: YIELDS[name] / 300 * binned_kde(scores[name], EDGES, 0.1, cut(x)) for name, x in samples.items()}
    expected = POIVarianceLoss().of_likelihood(MODEL.bind(templates)).value + 0.5 * BCELoss().of_scores(scores)
    np.testing.assert_allclose(loss_of_step(model, samples), expected, rtol=1e-11)  # an inverse of order one
    slopes = [before - after for before, after in zip(start, model.get_weights(), strict=True)]
    rng = np.random.default_rng(0)
    direction = [rng.normal(size=weight.shape) for weight in start]
    step = 1e-5  # truncation of order step**2, and rounding of a loss of order one, 1e-14 / step: both about 1e-9
    sides = []
    for sign in (1, -1):
        model.set_weights([weight + sign * step * d for weight, d in zip(start, direction, strict=True)])
        sides.append(loss_of_step(model, samples))
    expected = sum(np.sum(slope * d) for slope, d in zip(slopes, direction, strict=True))
    assert all(np.any(slope != 0) for slope in slopes)
    np.testing.assert_allclose((sides[0] - sides[1]) / (2 * step), expected, rtol=1e-6, atol=1e-7)


def test_evaluate_is_the_statistics_of_ordinary_histograms_whatever_the_batches(trained, samples):
    model, _ = trained
    expected = by_hand(MODEL, hard_templates(model, samples))
    results = [
        model.evaluate(samples, batch_size=70, verbose=0, return_dict=True),
        model.evaluate(sample_batches(samples, 100), verbose=0, return_dict=True),
        model.evaluate(tf.data.Dataset.from_tensors(samples), verbose=0, return_dict=True),
    ]
    for result in results:
        for name, value in expected.items():
            np.testing.assert_allclose(result[name], value, rtol=1e-9, err_msg=name)  # fits to the last digits
        assert result["unconverged"] == 0
    for name, counts in hard_templates(model, samples).items():
        np.testing.assert_allclose(model.histograms()[name], counts, rtol=1e-13)  # float64


def test_evaluate_gives_a_list_in_the_order_of_metrics_names(trained, samples):
    model, _ = trained
    as_list = model.evaluate(samples, batch_size=300, verbose=0)
    assert dict(zip(model.metrics_names, as_list, strict=True)) == model.evaluate(
        samples, batch_size=300, verbose=0, return_dict=True
    )
    assert model.metrics_names[:2] == ["loss", "cls"]


def test_the_model_is_its_network(trained, samples, capsys):
    model, _ = trained
    x = samples["signal"]
    assert model(x).shape == (300, 1)
    np.testing.assert_allclose(model.predict(x, batch_size=64, verbose=0), model.network(x), rtol=1e-6)  # float32
    model.summary()
    assert model.name in capsys.readouterr().out
    assert model.count_params() == 2 * 8 + 8 + 8 + 1


def test_callbacks_follow_the_measurement(samples, tmp_path):
    model = statistic(LOSS, optimizer=keras.optimizers.Adam(0.02))
    batches, course = tf.data.Dataset.from_tensors(samples), []
    model.fit(
        batches,
        epochs=5,
        validation_data=batches,
        verbose=0,
        callbacks=[
            # No epoch can be better than the first by 10, so the second is the last.
            keras.callbacks.EarlyStopping("val_cls", mode="min", min_delta=10, patience=1),
            keras.callbacks.ModelCheckpoint(tmp_path / "best.keras", "val_cls", mode="min", save_best_only=True),
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: course.append((logs["val_cls"], model.network.get_weights()))
            ),
        ],
    )
    assert len(course) == 2
    _, best = min(course, key=lambda epoch: epoch[0])
    loaded = keras.saving.load_model(tmp_path / "best.keras").network.get_weights()
    assert all(np.array_equal(received, expected) for received, expected in zip(loaded, best, strict=True))


def test_training_goes_on_after_loading_as_if_it_had_not_stopped(samples, tmp_path, uncompiled):
    batches = tf.data.Dataset.from_tensors(samples).repeat(2)
    whole, half = (statistic(FLATNESS, optimizer=keras.optimizers.Adam(0.02)) for _ in range(2))
    whole.fit(batches, epochs=2, verbose=0)
    half.fit(batches, epochs=1, verbose=0)
    half.save(tmp_path / "half.keras")
    loaded = keras.saving.load_model(tmp_path / "half.keras")
    loaded.fit(batches, epochs=1, verbose=0)
    assert not np.array_equal(loaded.network.get_weights()[0], half.network.get_weights()[0])
    for received, expected in zip(loaded.trainable_variables, whole.trainable_variables, strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-5)  # float32 steps of the same numbers
    assert loaded.optimizer.iterations == whole.optimizer.iterations == 4


@pytest.mark.slow
def test_a_loaded_model_measures_the_same(trained, samples, tmp_path):
    model, _ = trained
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    received, expected = (one.evaluate(samples, batch_size=300, verbose=0) for one in (loaded, model))
    np.testing.assert_allclose(received, expected, rtol=1e-12)  # the same numbers


def test_config_survives(tmp_path):
    model = statistic(
        DiscoveryLoss(),
        model=correlated_background(3, floor=1e-3),
        edges=LearnableEdges(EDGES),
        bandwidth=0.3,
        relative=True,
        outside="fold",
        selection=SoftCut([0, 1], -1.0, 0.2),
        compile_statistics=True,
    )
    model.compile("sgd", DiscoveryLoss(2.0), steps_per_execution=3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert json.dumps(loaded.get_config()) == json.dumps(model.get_config())
    assert loaded.objective == DiscoveryLoss(2.0) and loaded.steps_per_execution == 3
    x = blobs(5)["signal"]
    assert np.array_equal(loaded(x), model(x))
    plain = SummaryStatistic(network(), MODEL, EDGES, 0.1, yields=YIELDS)
    plain.save(tmp_path / "plain.keras")
    assert not keras.saving.load_model(tmp_path / "plain.keras").compiled


def test_weights_share_out_the_yields():
    samples = blobs(weighted=True)
    model = statistic(LOSS, optimizer=keras.optimizers.SGD(0.0))
    scores = {name: model(x).numpy().astype(float) for name, (x, _) in samples.items()}
    result = model.evaluate(sample_batches(samples, 100), verbose=0, return_dict=True)
    templates = {name: YIELDS[name] * shares(scores[name], EDGES, w) for name, (_, w) in samples.items()}
    np.testing.assert_allclose(result["cls"], by_hand(MODEL, templates)["cls"], rtol=1e-9)  # fits to the last digits
    loss = loss_of_step(model, samples)
    templates = {
        name: YIELDS[name] / w.sum() * binned_kde(scores[name], EDGES, 0.1, w) for name, (_, w) in samples.items()
    }
    np.testing.assert_allclose(loss, LOSS.of_likelihood(MODEL.bind(templates)).value, rtol=1e-6)  # float32 scores
    rescaled = {name: (x, 7 * w[:, None]) for name, (x, w) in samples.items()}
    np.testing.assert_allclose(loss_of_step(model, rescaled), loss, rtol=1e-6)


def test_cuts_are_sharp_in_evaluation(samples):
    model = statistic(LOSS, selection=SoftCut(0, -1.5, 0.5))
    passed = {name: x[:, 0] > -1.5 for name, x in samples.items()}
    scores = {name: model(x).numpy().astype(float) for name, x in samples.items()}
    hard = {name: YIELDS[name] * np.histogram(scores[name][passed[name]], EDGES)[0] / 300 for name in samples}
    result = model.evaluate(samples, batch_size=300, verbose=0, return_dict=True)
    np.testing.assert_allclose(result["cls"], by_hand(MODEL, hard)["cls"], rtol=1e-9)  # fits to the last digits


def test_edges_are_learned_and_saved(samples, tmp_path):
    model = statistic(LOSS, optimizer=keras.optimizers.Adam(0.1), edges=LearnableEdges(EDGES))
    model.fit(samples, batch_size=300, epochs=2, verbose=0)
    edges = model.edges.numpy().astype(float)
    assert np.abs(edges - EDGES)[1:-1].min() > 1e-3
    result = model.evaluate(samples, batch_size=300, verbose=0, return_dict=True)
    expected = by_hand(MODEL, hard_templates(model, samples, edges=edges))
    np.testing.assert_allclose(result["cls"], expected["cls"], rtol=1e-9)  # fits to the last digits
    model.save(tmp_path / "edges.keras")
    assert np.array_equal(keras.saving.load_model(tmp_path / "edges.keras").edges, model.edges)


def with_a_named_uncertainty():
    """The model, its samples (features, weights) and a statistic of it."""
    channel = [sample("s", "signal", MU), sample("b", "background", staterror("channel", "background_error"))]
    model = TemplateModel.from_spec(specification(channel=channel), n_bins=3)
    samples = {name: events for name, events in blobs(weighted=True).items() if name in ("signal", "background")}
    yields = {name: YIELDS[name] for name in samples}
    optimizer = keras.optimizers.SGD(0.0)
    return model, samples, statistic(POIVarianceLoss(), model=model, yields=yields, optimizer=optimizer)


def test_uncertainties_that_have_only_a_name_are_statistical_in_training(uncompiled):
    model, samples, summary = with_a_named_uncertainty()
    _, w = samples["background"]
    scores = {name: summary(x) for name, (x, _) in samples.items()}
    soft = {n: YIELDS[n] / w.sum() * binned_kde(scores[n], EDGES, 0.1, w) for n, (_, w) in samples.items()}
    soft["background_error"] = 100 / w.sum() * tf.sqrt(binned_kde(scores["background"], EDGES, 0.1, w**2))
    expected = POIVarianceLoss().of_likelihood(model.bind(soft)).value
    np.testing.assert_allclose(loss_of_step(summary, samples), expected, rtol=1e-5)  # float32 scores


@pytest.mark.slow
def test_uncertainties_that_have_only_a_name_are_statistical_in_evaluation():
    model, samples, summary = with_a_named_uncertainty()
    result = summary.evaluate(samples, batch_size=300, verbose=0, return_dict=True)
    x, w = samples["background"]
    squares = np.histogram(summary(x).numpy().astype(float).ravel(), EDGES, weights=w**2)[0]
    error = 100 * np.sqrt(squares) / w.sum()
    np.testing.assert_allclose(summary.histograms()["background_error"], error, rtol=1e-7)  # Keras makes arrays float32
    np.testing.assert_allclose(result["sigma_mu"], by_hand(model, summary.histograms())["sigma_mu"], rtol=1e-11)


def test_bandwidth_in_units_of_bins_and_mass_folded_back(samples):
    options = {"relative": True, "outside": "fold"}
    model = statistic(LOSS, bandwidth=0.3, optimizer=keras.optimizers.SGD(0.0), **options)
    expected = soft_loss(model, samples, outside="fold")  # 0.3 of bins of 1/3 are the 0.1 there
    np.testing.assert_allclose(loss_of_step(model, samples), expected, rtol=1e-5)  # float32 scores
    assert abs(expected - soft_loss(model, samples)) > 0.01
    inner = statistic(LOSS, edges=[0.2, 0.4, 0.6, 0.8], **options)
    inner.evaluate(samples, batch_size=300, verbose=0)
    for name, counts in inner.histograms().items():
        np.testing.assert_allclose(np.sum(counts), YIELDS[name], rtol=1e-13)  # float64


@pytest.mark.parametrize("loss", [FLATNESS, pytest.param(LOSS, marks=pytest.mark.slow)], ids=["no fit", "fits"])
def test_compiled_statistics_are_the_same(samples, loss):
    model = statistic(loss, optimizer=keras.optimizers.SGD(0.1), compile_statistics=True, run_eagerly=False)
    for _ in range(2):
        expected = soft_loss(model, samples, loss)
        np.testing.assert_allclose(loss_of_step(model, samples), expected, rtol=1e-5)  # float32 scores
    assert abs(soft_loss(model, samples, loss) - expected) > 1e-3


def test_penalties_of_the_network_are_part_of_the_loss(samples):
    regularized = network(kernel_regularizer=keras.regularizers.L2(0.1))
    model = SummaryStatistic(regularized, MODEL, EDGES, 0.1, yields=YIELDS)
    model.compile(keras.optimizers.SGD(0.0), LOSS, run_eagerly=True)
    penalty = 0.1 * np.sum(regularized.layers[-1].kernel.numpy() ** 2)
    assert penalty > 0.1
    expected = soft_loss(model, samples) + penalty
    np.testing.assert_allclose(loss_of_step(model, samples), expected, rtol=1e-5)  # float32
    result = model.evaluate(samples, batch_size=200, verbose=0, return_dict=True)
    np.testing.assert_allclose(result["loss"], np.log(result["cls"]) + penalty, rtol=1e-5)


def test_cross_entropy_needs_no_histograms_and_does_not_depend_on_batches(samples):
    model = statistic(BCELoss(), optimizer=keras.optimizers.SGD(0.0))
    expected = float(BCELoss().of_scores({name: model(x) for name, x in samples.items()}))
    np.testing.assert_allclose(loss_of_step(model, samples), expected, rtol=1e-6)  # float32
    by_counts = by_hand(MODEL, hard_templates(model, samples))
    results = [model.evaluate(samples, batch_size=size, verbose=0, return_dict=True) for size in (300, 70)]
    for result in results:
        np.testing.assert_allclose(result["loss"], expected, rtol=1e-6)
        np.testing.assert_allclose(result["cls"], by_counts["cls"], rtol=1e-9)


@pytest.mark.parametrize("floor", [None, 1e-3])
def test_a_batch_that_gives_no_fit_is_counted_and_moves_nothing(samples, floor):
    model = correlated_background(3, floor=floor)
    model = statistic(WeightedLoss({FLATNESS: 1.0, BCELoss(): 0.5}), model=model, optimizer=keras.optimizers.SGD(0.1))
    start = model.get_weights()
    spoilt = samples | {"signal": np.zeros((0, 2), "float32")}

    def fit(*batches):
        signature = {name: tf.TensorSpec((None, 2), tf.float32) for name in samples}
        dataset = tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=signature)
        return model.fit(dataset.apply(tf.data.experimental.assert_cardinality(len(batches))), verbose=0)

    history = fit(spoilt).history
    assert history["loss"] == [np.inf] and history["unconverged"] == [1]
    assert all(np.array_equal(before, after) for before, after in zip(start, model.get_weights(), strict=True))
    mixed = fit(spoilt, samples, spoilt).history
    assert mixed["unconverged"] == [2]
    assert np.isfinite(np.concatenate([weight.ravel() for weight in model.get_weights()])).all()
    model.set_weights(start)
    np.testing.assert_allclose(mixed["loss"], fit(samples).history["loss"], rtol=1e-6)  # float32 scores


def test_a_measurement_that_gives_no_fit_is_the_worst_there_is(samples):
    """A bin with signal alone: without signal, what is expected at mu = 1 is impossible."""
    model = statistic(LOSS)

    def without_high_scores(x):
        return np.resize(x[model(x).numpy().ravel() < EDGES[-2]], x.shape)

    spoilt = {name: x if name == "signal" else without_high_scores(x) for name, x in samples.items()}
    result = model.evaluate(spoilt, batch_size=300, verbose=0, return_dict=True)
    assert result["unconverged"] == 1 and result["significance"] == -np.inf and 0 < result["cls"] < 1


def test_an_empty_bin_has_no_information(samples):
    model = statistic(LOSS, edges=[0.0, 1e-9, 0.5, 1.0])
    result = model.evaluate(samples, batch_size=300, verbose=0, return_dict=True)
    assert {value for name, value in result.items() if name.startswith("sigma")} == {np.inf}
    assert result["unconverged"] == 0 and 0 < result["cls"] < 1


def with_a_bin_at_the_floor():
    floored = correlated_background(3, floor=0.5)
    return statistic(EmptyBinPenalty(), model=floored, edges=[0.0, 1e-9, 0.5, 1.0], bandwidth=1e-10)


def test_bins_at_the_floor_are_reported_in_training(samples):
    logs = with_a_bin_at_the_floor().train_on_batch(samples, return_dict=True)
    assert logs["floored"] == 1 and logs["unconverged"] == 0


@pytest.mark.slow
def test_bins_at_the_floor_are_reported_in_evaluation(samples):
    model = with_a_bin_at_the_floor()
    result = model.evaluate(samples, batch_size=300, verbose=0, return_dict=True)
    assert result["floored"] == 1 and result["unconverged"] == 0 and 0 < result["cls"] < 1


def test_last_batches_may_be_smaller(samples):
    """In a graph of batches of any size."""
    model = statistic(FLATNESS, optimizer=keras.optimizers.SGD(0.0), run_eagerly=False)
    loss = model.fit(tf.data.Dataset.from_tensor_slices(samples).batch(170), verbose=0).history["loss"]
    parts = [{name: x[rows] for name, x in samples.items()} for rows in (slice(170), slice(170, None))]
    expected = np.mean([soft_loss(model, part, FLATNESS) for part in parts])
    np.testing.assert_allclose(loss, expected, rtol=1e-5)  # float32 scores


def unbuilt():
    return keras.Sequential([keras.layers.Dense(1)])


def of_network(network=None, model=MODEL, edges=EDGES, bandwidth=0.1, outside="drop", **yields):
    return SummaryStatistic(network, model, edges, bandwidth, yields=yields, outside=outside)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: of_network(unbuilt(), **YIELDS), "network.*keras.Input"),
        (
            lambda: of_network(network(), **YIELDS, ttbar=1.0),
            "yields of templates .*background_down. Received: .*ttbar",
        ),
        (lambda: of_network(network()), "Received: none"),
        (
            lambda: of_network(network(), signal=1.0, background=2.0),
            "background_up, background_down.*signal, background",
        ),
        (
            lambda: of_network(network(), edges=[0, 0.5, 1], **YIELDS),
            r"'signal' of single_channel .*\(3,\).*2 bins",
        ),
        (lambda: of_network(network(), edges=[0, 0.5, 0.5, 1], **YIELDS), r"edges .*\[0.0, 0.5, 0.5, 1.0\]"),
        (lambda: of_network(network(), bandwidth=0.0, **YIELDS), "bandwidth > 0"),
        (lambda: of_network(network(), outside="keep", **YIELDS), "outside='keep'"),
        (lambda: of_network(network(), **YIELDS).compile("sgd"), "loss=None"),
        (lambda: of_network(network(), **YIELDS).compile("sgd", "mse"), "loss='mse'"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda samples: {"signal": samples["signal"]}, "events of signal, background, .* Received: signal"),
        (lambda samples: samples | {"ttbar": samples["signal"]}, "Received: .*, ttbar"),
        (lambda samples: samples["signal"], "dict .*signal, background"),
        (lambda samples: (samples, np.ones(300)), "Received: labels"),
    ],
)
def test_bad_batches_are_named(samples, change, message):
    model = statistic(LOSS)
    data = tf.data.Dataset.from_tensors(change(samples))
    for use in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=message):
            use(data, verbose=0)


def test_weights_of_another_length_fail(samples):
    model = statistic(LOSS)
    weighted = {name: (x, np.ones(len(x) - (name == "signal"))) for name, x in samples.items()}
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        model.fit(tf.data.Dataset.from_tensors(weighted), verbose=0)


def test_a_loss_of_ones_own(samples, uncompiled):
    class Share(Loss):
        """Minus the signal expected in the last bin."""

        def of_likelihood(self, likelihood):
            signal = likelihood.rates(likelihood.model.initial)[1, -1]
            return -signal, tf.constant(True)

    model = statistic(Share(), optimizer=keras.optimizers.Adam(0.05))
    history = model.fit(samples, batch_size=300, epochs=5, verbose=0).history
    np.testing.assert_array_less(history["loss"][1:], history["loss"][:-1])
