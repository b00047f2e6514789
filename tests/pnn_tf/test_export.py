import json
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from pnn_tf import (
    Calibration,
    check_feature_names,
    discriminant,
    export_savedmodel,
    parametric_network,
    predict_classes,
    read_description,
    scan_theta,
)

NAMES = ["jet_pt", "jet_eta", "m_jj"]
GRID = [500.0, 750.0, 1000.0]
CALIBRATION = Calibration(
    hypotheses=[500, 1000],
    n_signal=[100, 100],
    n_background=1000,
    grid=[500, 750, 1000],
    knots=[[-1, 0, 1], [-1.5, 0, 1.2], [-2, 0, 2]],
    signal=[[-3, -2, 0], [-4, -2, 0], [-5, -2, 1]],
    background=[[-1, 1, 2], [-1, 2, 3], [-1, 3, 4]],
)


def events(n_events):
    generator = np.random.default_rng(0)
    x, theta = generator.normal(size=(n_events, 3)), generator.uniform(500, 1000, size=(n_events, 1))
    return x.astype("float32"), theta.astype("float32")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A network, and what TensorFlow makes of its SavedModel."""
    path = tmp_path_factory.mktemp("exported")
    model = parametric_network(3, units=(8, 4), affine_start="glorot_uniform", seed=1, theta_points=[500.0, 1500.0])
    export_savedmodel(
        model,
        path,
        theta_grid=GRID,
        calibration=CALIBRATION,
        feature_names=NAMES,
        theta_names=["mass"],
        theta_units=["GeV"],
    )
    return model, tf.saved_model.load(path), path


def test_endpoints_have_names_and_any_number_of_events(exported):
    _, served, _ = exported
    endpoints = {"serve", "serve_named", "serve_grid", "scan", "calibrated", "describe"}
    assert set(served.signatures) == endpoints | {"serving_default"}
    _, inputs = served.signatures["serve"].structured_input_signature
    assert {name: (spec.shape.as_list(), spec.dtype) for name, spec in inputs.items()} == {
        "features": ([None, 3], tf.float32),
        "theta": ([None, 1], tf.float32),
    }
    assert set(served.signatures["serve_named"].structured_input_signature[1]) == {*NAMES, "theta"}
    outputs = {name: set(served.signatures[name].structured_outputs) for name in endpoints}
    assert outputs == {
        "serve": {"score"},
        "serve_named": {"score"},
        "serve_grid": {"scores"},
        "scan": {"scores"},
        "calibrated": {"signal_density", "background_density", "likelihood_ratio"},
        "describe": {"description"},
    }


def test_an_event_of_which_not_all_is_finite_has_no_score(exported):
    _, served, _ = exported
    x, theta = events(6)
    clean = served.serve(x, theta)["score"].numpy()
    x[1], x[2, 0], x[3, 2], theta[4] = np.nan, np.nan, np.inf, np.nan
    bad = np.array([False, True, True, True, True, False])
    score = served.serve(x, theta)["score"].numpy()
    np.testing.assert_array_equal(score, np.where(bad[:, None], np.nan, clean))
    columns = dict(zip(NAMES, x.T, strict=True))
    np.testing.assert_array_equal(served.serve_named(columns, theta)["score"], score)
    scores = served.scan(x)["scores"].numpy()
    np.testing.assert_array_equal(np.isnan(scores).T, [bad & np.isfinite(theta[:, 0])] * 3)
    at_points = served.serve_grid(x, [[500.0], [np.nan], [750.0], [np.inf], [1000.0]])["scores"].numpy()
    np.testing.assert_allclose(at_points[:, ::2], scores, atol=1e-6)  # float32; NaN where those are
    assert np.isnan(at_points[:, 1::2]).all()
    theta[4] = 500
    for values in served.calibrated(x, theta).values():
        np.testing.assert_array_equal(np.isnan(values), [False, True, True, True, False, False])


@pytest.mark.parametrize("n_events", [0, 1, 250])
def test_served_are_scores_scans_and_densities(exported, n_events):
    model, served, _ = exported
    x, theta = (column[:n_events] for column in events(250))
    score = model({"features": x, "theta": theta}).numpy()
    assert score.shape == (n_events, 1)
    np.testing.assert_allclose(served.serve(x, theta)["score"], score, atol=1e-6)  # float32
    columns = {name: column for name, column in zip(NAMES, x.T, strict=True)}
    named = served.signatures["serve_named"](
        theta=tf.constant(theta), **{k: tf.constant(v) for k, v in columns.items()}
    )
    np.testing.assert_allclose(named["score"], score, atol=1e-6)
    np.testing.assert_allclose(served.serve_named(columns, theta)["score"], score, atol=1e-6)
    scores = served.scan(x)["scores"]
    assert scores.shape == (n_events, 3)
    calibrated = {name: values.numpy() for name, values in served.calibrated(x, theta).items()}
    if n_events:
        np.testing.assert_allclose(scores, scan_theta(model, x, GRID).T, atol=1e-6)
        served_score = served.serve(x, theta)["score"].numpy()[:, 0]
        for name in ("signal_density", "background_density", "likelihood_ratio"):
            expected = getattr(CALIBRATION, name)(served_score, theta)
            np.testing.assert_allclose(calibrated[name], expected, rtol=1e-12)
    if n_events == 250:
        assert len(np.unique(calibrated["likelihood_ratio"])) > 1


def test_theta_outside_the_calibration_is_refused_where_it_is_served(exported):
    _, served, _ = exported
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"theta .*from 500 to 1000"):
        served.calibrated(*events(1)[:1], np.array([[1200]], "float32"))


def test_it_describes_itself(exported):
    _, served, path = exported
    description = read_description(path)
    assert json.loads(served.describe()["description"].numpy()) == description
    assert description["features"] == {"names": NAMES, "shape": [None, 3], "dtype": "float32"}
    assert description["theta"] == {
        "names": ["mass"],
        "units": ["GeV"],
        "shape": [None, 1],
        "dtype": "float32",
        "grid": [[500], [750], [1000]],
        "trained_points": [[500], [1500]],
        "calibrated_range": [500, 1000],
        "calibration_error": list(CALIBRATION.grid_error),
    }
    assert set(description["outputs"]) == {
        name for signature in served.signatures.values() for name in signature.structured_outputs
    } - {"description"}


def test_where_this_package_is_not_installed_it_serves(exported, monkeypatch):
    _, served, path = exported
    for name in [name for name in sys.modules if name.partition(".")[0] == "pnn_tf"]:
        monkeypatch.setitem(sys.modules, name, None)  # an import of it fails now
    for name in [name for name in keras.saving.get_custom_objects() if name.startswith("pnn_tf>")]:
        monkeypatch.delitem(keras.saving.get_custom_objects(), name)
    again, (x, theta) = tf.saved_model.load(path), events(4)
    assert np.array_equal(again.serve(x, theta)["score"], served.serve(x, theta)["score"])
    assert np.array_equal(again.scan(x)["scores"], served.scan(x)["scores"])
    for name, values in again.calibrated(x, theta).items():
        assert np.array_equal(values, served.calibrated(x, theta)[name])
    library = SavedModel.FromString((path / "saved_model.pb").read_bytes()).meta_graphs[0].graph_def.library.function
    operations = {node.op for function in library for node in function.node_def}
    assert "MatMul" in operations and not any("PyFunc" in operation for operation in operations)


@pytest.mark.parametrize("wrong", [{"jet_phi": np.zeros(2, "float32")}, {"jet_eta": None}], ids=["extra", "missing"])
def test_other_columns_are_refused_in_both_forms(exported, wrong):
    _, served, _ = exported
    x, theta = events(2)
    columns = dict(zip(NAMES, x.T, strict=True)) | wrong
    columns = {name: tf.constant(column) for name, column in columns.items() if column is not None}
    with pytest.raises(TypeError, match="different keys"):
        served.serve_named(columns, theta)
    with pytest.raises(TypeError, match=next(iter(wrong))):
        served.signatures["serve_named"](theta=tf.constant(theta), **columns)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["jet_pt", "jet_phi", "m_jj"], r"missing .* \['jet_eta'\], unknown .* \['jet_phi'\]"),
        (["jet_pt", "jet_eta"], r"missing .* \['m_jj'\]"),
        (["jet_eta", "jet_pt", "m_jj"], r"order.* \['jet_pt', 'jet_eta', 'm_jj'\]"),
    ],
)
def test_other_features_are_refused(exported, names, message):
    _, _, path = exported
    check_feature_names(path, NAMES)
    with pytest.raises(ValueError, match=message):
        check_feature_names(path, names)


def test_without_names_grid_and_calibration(tmp_path):
    export_savedmodel(parametric_network(2, 2, units=(3,), conditioning="concat"), tmp_path)
    assert set(tf.saved_model.load(tmp_path).signatures) == {"serve", "serve_grid", "describe", "serving_default"}
    assert set(read_description(tmp_path)["outputs"]) == {"score", "scores"}


def test_theta_is_described_in_decimals(tmp_path):
    network = parametric_network(3, units=(4,), theta_scale=1.0, theta_points=[0.1, 0.7])
    export_savedmodel(network, tmp_path, theta_grid=np.float32([0.1, 0.3]))
    theta = read_description(tmp_path)["theta"]
    assert theta["grid"] == [[0.1], [0.3]] and theta["trained_points"] == [[0.1], [0.7]]


def test_a_grid_of_one_point_is_served(tmp_path):
    """TensorFlow's optimizer takes an axis of length one from a sum, see `theta_grid`."""
    for conditioning in ("concat", "affine"):
        network = parametric_network(3, units=(8, 4), conditioning=conditioning, affine_start="glorot_uniform")
        export_savedmodel(network, tmp_path, theta_grid=[750.0])
        served, x = tf.saved_model.load(tmp_path), np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
        expected = network({"features": x, "theta": np.full((5, 1), 750, "float32")})
        np.testing.assert_allclose(served.scan(x)["scores"], expected, atol=1e-6)  # float32
    with pytest.raises(ValueError, match=r"feature_names"):
        check_feature_names(tmp_path, ["a", "b"])


def test_a_model_around_another_one_of_lower_precision(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        inner = parametric_network(3, units=(4,), theta_points=[500.0, 1500.0], seed=1)
    finally:
        keras.config.set_dtype_policy("float32")
    inputs = {"features": keras.Input((3,), name="features"), "theta": keras.Input((1,), name="theta")}
    export_savedmodel(keras.Model(inputs, inner(inputs)), tmp_path, theta_grid=GRID)
    assert read_description(tmp_path)["theta"]["trained_points"] == [[500], [1500]]
    served, (x, theta) = tf.saved_model.load(tmp_path), events(5)
    score, scores = served.serve(x, np.full_like(theta, GRID[1]))["score"], served.scan(x)["scores"]
    assert score.dtype == scores.dtype == tf.float32
    np.testing.assert_allclose(score[:, 0], scores[:, 1], atol=2**-6)  # bfloat16 has 8 bits


def logit_model(hidden, of_small_features):
    """A network without its sigmoid, for features of the order of 100 000 if not small."""
    statistics = {} if of_small_features else {"feature_mean": [1e5] * 3, "feature_variance": [1e8] * 3}
    network = parametric_network(3, units=(4,), activation=hidden, seed=1, **statistics)
    logit = keras.layers.Dense(1, name="logit")(network.get_layer("score").input)
    return keras.Model(network.input, logit if of_small_features else keras.ops.multiply(logit, 1.0))


@pytest.mark.parametrize("of_small_features", [True, False])
@pytest.mark.parametrize("hidden", ["relu", "tanh"])
def test_a_logit_is_refused_and_the_way_out_works(tmp_path, hidden, of_small_features):
    model = logit_model(hidden, of_small_features)
    with pytest.raises(ValueError, match=r"score from 0 to 1.*outputs from .* logit.*Activation\('sigmoid'\)"):
        export_savedmodel(model, tmp_path / "logit")
    assert not (tmp_path / "logit").exists()
    model = keras.Model(model.input, keras.layers.Activation("sigmoid")(model.output))
    export_savedmodel(model, tmp_path / "score", theta_grid=GRID)
    served, (x, _) = tf.saved_model.load(tmp_path / "score"), events(5)
    np.testing.assert_allclose(served.scan(x)["scores"], scan_theta(model, x, GRID).T, atol=1e-6)  # float32


@pytest.mark.parametrize("named", [True, False])
def test_several_classes_are_served(tmp_path, named):
    model = parametric_network(3, n_classes=3, units=(4,), affine_start="glorot_uniform", seed=1)
    names = ["background", "spin 0", "spin 2"] if named else None
    export_savedmodel(model, tmp_path, theta_grid=GRID, feature_names=NAMES, class_names=names)
    served, (x, theta) = tf.saved_model.load(tmp_path), events(6)
    p = model({"features": x, "theta": theta}).numpy()
    np.testing.assert_allclose(served.serve(x, theta)["score"], p, atol=1e-6)  # float32
    columns = dict(zip(NAMES, x.T, strict=True))
    np.testing.assert_allclose(served.serve_named(columns, theta)["score"], p, atol=1e-6)
    assert served.signatures["scan"].structured_outputs["scores"].shape.as_list() == [None, 3, 3]
    scores = served.scan(x)["scores"].numpy()
    for i, point in enumerate(GRID):
        np.testing.assert_allclose(scores[:, i], predict_classes(model, x, point), atol=1e-6)
    x[1, 0], theta[2] = np.nan, np.inf
    lost = np.isnan(served.serve(x, theta)["score"])
    assert np.array_equal(lost, np.repeat([[False], [True], [True], [False], [False], [False]], 3, axis=1))
    assert np.array_equal(np.isnan(served.scan(x)["scores"]).all(axis=(1, 2)), np.arange(6) == 1)
    description = read_description(tmp_path)
    assert description["classes"] == {"names": names, "number": 3}
    assert description["outputs"]["score"] == "probability of each class: (n_events, n_classes)"


def test_the_discriminant_of_a_signal_is_served_as_a_single_score(tmp_path):
    model = discriminant(parametric_network(3, n_classes=3, units=(4,), seed=1), 2, (0, 1))
    export_savedmodel(model, tmp_path, theta_grid=GRID, calibration=CALIBRATION)
    served, (x, theta) = tf.saved_model.load(tmp_path), events(6)
    score = served.serve(x, theta)["score"]
    np.testing.assert_allclose(score, model({"features": x, "theta": theta}), atol=1e-6)  # float32
    np.testing.assert_allclose(served.scan(x)["scores"], scan_theta(model, x, GRID).T, atol=1e-6)
    assert read_description(tmp_path)["classes"] is None
    assert set(served.calibrated(x, theta)) == {"signal_density", "background_density", "likelihood_ratio"}


def features_only():
    x = keras.Input((3,), name="features")
    return keras.Model({"features": x}, keras.layers.Dense(1)(x))


@pytest.mark.parametrize(
    ("model", "keywords", "message"),
    [
        (features_only, {}, "'features' .*'theta' "),
        (lambda: parametric_network(3, units=(2,)), {"feature_names": ["a", "b"]}, "Expected 3 feature_names"),
        (
            lambda: parametric_network(3, units=(2,)),
            {"feature_names": ["a", "b", "a"]},
            r"feature_names.*\['a', 'b', 'a'\]",
        ),
        *(
            (
                lambda: parametric_network(3, units=(2,)),
                {"feature_names": ["Pt", "b", name]},
                rf"Received: \['{name}'\]",
            )
            for name in ("m / GeV", "_pt", "1pt", "η", "pt", "class", "self", "theta", "Theta")
        ),
        (lambda: parametric_network(3, units=(2,)), {"theta_names": ["a", "b"]}, "Expected 1 theta_names"),
        (lambda: parametric_network(3, units=(2,)), {"theta_units": []}, "Expected 1 theta_units"),
        (lambda: parametric_network(3, units=(2,)), {"theta_grid": [[1.0, 2.0]]}, "theta_grid of 1 .*2"),
        (lambda: parametric_network(3, units=(2,)), {"theta_grid": []}, "theta_grid of shape"),
        (lambda: parametric_network(3, 2, units=(2,)), {"calibration": CALIBRATION}, "calibration .*2"),
        (
            lambda: parametric_network(3, units=(2,), n_classes=4),
            {"calibration": CALIBRATION},
            r"4 classes.*pnn_tf\.discriminant",
        ),
        (lambda: parametric_network(3, units=(2,), n_classes=4), {"class_names": ["a"] * 4}, "4 class_names, all dist"),
        (lambda: parametric_network(3, units=(2,)), {"class_names": ["a", "b"]}, "Expected no class_names.*one score"),
    ],
)
def test_what_cannot_be_served_is_refused(tmp_path, model, keywords, message):
    with pytest.raises(ValueError, match=message):
        export_savedmodel(model(), tmp_path, **keywords)
