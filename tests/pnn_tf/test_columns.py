from dataclasses import asdict

import keras
import numpy as np
import pytest
import tensorflow as tf

from pnn_tf import (
    FeatureNames,
    Identical,
    balanced_batches,
    calibrate,
    evaluate_classes,
    evaluate_hypotheses,
    export_savedmodel,
    hold_out_test,
    parametric_network,
    predict_classes,
    predict_scores,
    read_description,
    scan_theta,
)
from pnn_tf.checks import as_features
from pnn_tf.columns import names_of, trained_names
from taylor import importance_over_theta

NAMES = ["pt", "eta", "n_jets"]
ROWS = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
ROWS[:, 2] = np.arange(40) % 5


def as_dict(rows, names):
    return dict(zip(names, rows.T, strict=True))


def as_pandas(rows, names):
    frame = pytest.importorskip("pandas").DataFrame(rows, columns=names)
    return frame.astype({name: "Int64" for name in names if name == "n_jets"})  # what missing values may be in


def as_awkward(rows, names):
    return pytest.importorskip("awkward").Array(as_dict(rows, names))


def as_arrow(rows, names):
    return pytest.importorskip("pyarrow").table(as_dict(rows, names))


def as_structured(rows, names):
    return np.rec.fromarrays(rows.T, names=names)


KINDS = pytest.mark.parametrize("table", [as_dict, as_pandas, as_awkward, as_arrow, as_structured])


def network(**options):
    return parametric_network(3, units=(8, 4), theta_scale=1.0, affine_start="glorot_uniform", seed=1, **options)


@KINDS
def test_a_table_is_its_columns_side_by_side(table):
    found = as_features(table(ROWS, NAMES))
    assert found.dtype == np.float32 and np.array_equal(found, ROWS)
    assert names_of(table(ROWS, NAMES)) == NAMES


@KINDS
def test_a_network_with_names_takes_columns_by_them(table):
    model = network(feature_names=NAMES)
    shuffled = table(
        np.stack([ROWS[:, 2], ROWS[:, 1], ROWS[:, 0], ROWS[:, 0]], axis=1), ["n_jets", "eta", "more", "pt"]
    )
    assert np.array_equal(predict_scores(model, shuffled, 1.0), predict_scores(model, ROWS, 1.0))


def test_a_network_without_names_takes_columns_as_they_come():
    model = network()
    turned = as_dict(ROWS[:, ::-1], NAMES[::-1])
    assert np.array_equal(predict_scores(model, turned, 1.0), predict_scores(model, ROWS[:, ::-1], 1.0))


def test_every_function_of_features_takes_a_table():
    rng = np.random.default_rng(1)
    label, theta = np.tile([0, 1], 300), np.repeat([1.0, 2.0, 3.0], 200)
    rows = rng.normal(size=(600, 3)).astype(np.float32)
    turned = as_dict(rows[:, ::-1], NAMES[::-1])
    model = network(feature_names=NAMES)
    for function in (
        lambda x: predict_scores(model, x, theta),
        lambda x: scan_theta(model, x, [1.0, 2.0]),
        lambda x: [row.auc for row in evaluate_hypotheses(model, x, theta, label)],
    ):
        assert np.array_equal(function(turned), function(rows))
    calibration, expected = (calibrate(model, x, theta, label) for x in (turned, rows))
    for name, values in asdict(expected).items():
        assert np.array_equal(getattr(calibration, name), values)
    several = network(feature_names=NAMES, n_classes=2)
    assert np.array_equal(*(predict_classes(several, x, 1.0) for x in (turned, rows)))
    assert np.array_equal(*([row.auc for row in evaluate_classes(several, x, theta, label)] for x in (turned, rows)))
    found, expected = (hold_out_test(calibration, model, x, theta, label, 2.0) for x in (turned, rows))
    assert found == expected
    found, expected = (
        next(iter(balanced_batches(x, theta, label, background_theta=Identical([1, 2, 3])).dataset))[0]["features"]
        for x in (as_dict(rows, NAMES), rows)
    )
    assert np.array_equal(found, expected)


def test_names_survive_saving_and_cloning(tmp_path):
    model = network(feature_names=NAMES)
    model.save(tmp_path / "model.keras")
    clone = keras.models.clone_model(model)
    for copy in (keras.models.load_model(tmp_path / "model.keras"), clone):
        assert trained_names(copy) == NAMES
    wrapped = keras.Model(model.inputs, model(model.inputs))
    assert trained_names(wrapped) == NAMES
    assert trained_names(network()) is None


def test_names_change_no_score_and_no_features():
    plain, named = network(), network(feature_names=NAMES)
    assert np.array_equal(predict_scores(plain, ROWS, 1.5), predict_scores(named, ROWS, 1.5))
    layer = FeatureNames(NAMES, dtype="mixed_bfloat16")
    assert layer(tf.constant(ROWS)).dtype == "float32"


def test_an_exported_network_has_the_names_that_the_model_remembers(tmp_path):
    model = network(feature_names=NAMES)
    export_savedmodel(model, tmp_path / "served", theta_grid=[1.0, 2.0])
    assert read_description(tmp_path / "served")["features"]["names"] == NAMES
    served = tf.saved_model.load(tmp_path / "served")
    np.testing.assert_allclose(
        served.scan(ROWS)["scores"], scan_theta(model, ROWS, [1.0, 2.0]).T, atol=1e-6
    )  # sums of float32
    with pytest.raises(ValueError, match=r"order of the training, \['pt', 'eta', 'n_jets'\]"):
        export_savedmodel(model, tmp_path / "other", feature_names=NAMES[::-1])
    export_savedmodel(model, tmp_path / "other", feature_names=["a", "b", "c"])
    assert read_description(tmp_path / "other")["features"]["names"] == ["a", "b", "c"]


def test_taylor_takes_the_names_for_the_identity():
    found, expected = (
        importance_over_theta(model, ROWS, [1.0, 2.0]).mean for model in (network(feature_names=NAMES), network())
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)  # float32


def test_models_of_several_orders_are_refused():
    first, second = network(feature_names=NAMES), network(feature_names=NAMES[::-1])
    inputs = {tensor.name: tensor for tensor in first.inputs}
    both = keras.Model(inputs, keras.layers.Average()([first(inputs), second(inputs)]))
    with pytest.raises(ValueError, match="another order"):
        predict_scores(both, as_dict(ROWS, NAMES), 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eta": None}, r"lack the columns \['eta'\] of the 3 .*\['pt', 'n_jets'\]"),
        ({"eta": np.full(40, "a")}, "column 'eta' .*<U1"),
        ({"eta": np.full(40, 1.0, object)}, "column 'eta' .*object"),
        ({"eta": np.ones((40, 2))}, r"column 'eta' .*\(40, 2\)"),
        ({"eta": np.ones(39)}, "one length.*'eta': 39"),
        ({"eta": np.full(40, np.nan)}, r"40 of 40 events .*columns \['eta'\]"),
        ({"eta": np.full(40, 1e300)}, r"infinite .*columns \['eta'\]"),
        ({"eta": np.ma.masked_less(ROWS[:, 1], 0)}, "column 'eta' .*masked"),
        ({"eta": [[1.0], [1.0, 2.0]] * 20}, "one number an event in the column 'eta'"),
    ],
)
def test_bad_columns_are_named(change, message):
    table = {name: values for name, values in {**as_dict(ROWS, NAMES), **change}.items() if values is not None}
    with pytest.raises(ValueError, match=message):
        predict_scores(network(feature_names=NAMES), table, 1.0)


def test_jets_and_missing_values_of_awkward_arrays_are_named():
    awkward = pytest.importorskip("awkward")
    for values in ([[1.0], [1.0, 2.0]], [1.0, None]):
        with pytest.raises(ValueError, match="one number an event in the column 'eta'"):
            as_features(awkward.Array({"pt": [1.0, 2.0], "eta": values}))


def test_other_bad_input_is_named():
    with pytest.raises(ValueError, match=r"3 features, \['pt', 'eta', 'n_jets'\]. Received: 2"):
        predict_scores(network(feature_names=NAMES), ROWS[:, :2], 1.0)
    with pytest.raises(ValueError, match=r"3 names.* Received 2: \['pt', 'eta'\]"):
        network(feature_names=NAMES[:2])
    with pytest.raises(ValueError, match=r"distinct .*\['pt', 'eta', 'pt'\]"):
        network(feature_names=["pt", "eta", "pt"])
    with pytest.raises(ValueError, match="masked"):
        as_features(np.ma.masked_less(ROWS, 0))
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match="distinct names"):
        as_features(pandas.DataFrame(ROWS, columns=["pt", "eta", "pt"]))
