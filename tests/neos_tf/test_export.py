import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from neos_tf import BCELoss, LearnableEdges, SoftCut, SummaryStatistic, export_savedmodel
from tests.neos_tf.blobs import EDGES, MODEL, YIELDS, blobs, network, statistic


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A trained model, and what TensorFlow alone makes of its SavedModel."""
    path = tmp_path_factory.mktemp("exported")
    model = statistic(BCELoss(), edges=LearnableEdges(EDGES), selection=SoftCut([0, 1], [-1.0, 0.5], 0.1, "below"))
    model.learnable_edges.logits.assign([0.0, 0.3, -0.2])
    export_savedmodel(model, path)
    return model, tf.saved_model.load(path), path


def test_endpoints_have_names_and_any_number_of_events(exported):
    _, served, _ = exported
    assert set(served.signatures) == {"serve", "histogram", "serving_default"}
    _, inputs = served.signatures["histogram"].structured_input_signature
    assert {name: (spec.shape.as_list(), spec.dtype) for name, spec in inputs.items()} == {
        "features": ([None, 2], tf.float32),
        "weights": ([None], tf.float64),
    }
    assert served.signatures["histogram"].structured_outputs["counts"].shape == (3,)
    assert served.signatures["serve"].structured_outputs["score"].shape.as_list() == [None, 1]


@pytest.mark.parametrize("n_events", [0, 1, 250])
def test_served_are_the_scores_and_the_histogram(exported, n_events):
    model, served, _ = exported
    x = blobs(250, seed=1)["background"][:n_events]
    weights = np.random.default_rng(2).uniform(size=n_events)
    scores = model(x).numpy()
    (received,) = served.signatures["serve"](features=tf.constant(x)).values()
    np.testing.assert_allclose(received, scores, rtol=1e-6)  # float32
    passed = (x[:, 0] < -1) & (x[:, 1] < 0.5)
    assert passed.any() or n_events < 2
    edges = model.edges.numpy()
    assert np.abs(edges - EDGES).max() > 0.01
    expected = np.histogram(scores[passed].ravel(), edges, weights=weights[passed])[0]
    received = served.signatures["histogram"](features=tf.constant(x), weights=tf.constant(weights))
    np.testing.assert_allclose(received["counts"], expected, rtol=1e-13)  # float64


def test_it_serves_where_this_package_is_not_installed(exported, monkeypatch):
    _, served, path = exported
    for name in [name for name in sys.modules if name.partition(".")[0] == "neos_tf"]:
        monkeypatch.setitem(sys.modules, name, None)  # an import of it fails now
    for name in [name for name in keras.saving.get_custom_objects() if name.startswith("neos_tf>")]:
        monkeypatch.delitem(keras.saving.get_custom_objects(), name)
    again = tf.saved_model.load(path)
    x, weights = blobs(20)["signal"], np.ones(20)
    assert np.array_equal(again.histogram(x, weights)["counts"], served.histogram(x, weights)["counts"])
    saved = SavedModel.FromString((path / "saved_model.pb").read_bytes())
    library = saved.meta_graphs[0].graph_def.library.function
    operations = {node.op for function in library for node in function.node_def}
    assert "MatMul" in operations and not any("PyFunc" in operation for operation in operations)


def test_fixed_edges_fold_and_no_selection(tmp_path):
    model = SummaryStatistic(network(), MODEL, [0.2, 0.4, 0.6, 0.8], 0.1, yields=YIELDS, outside="fold")
    export_savedmodel(model, tmp_path)
    x = blobs(100)["signal"]
    served = tf.saved_model.load(tmp_path)
    counts = served.histogram(x, np.ones(100))["counts"]
    expected = np.histogram(model(x), [0, 0.4, 0.6, 1])[0]
    assert np.array_equal(counts, expected) and sum(expected) == 100


def test_a_network_that_does_not_know_its_input_is_refused(tmp_path):
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.last = keras.layers.Dense(1)

        def call(self, x):
            return self.last(x)

    subclassed = Subclassed()
    subclassed(np.zeros((1, 2)))
    model = SummaryStatistic(subclassed, MODEL, EDGES, 0.1, yields=YIELDS)
    with pytest.raises(ValueError, match=r"functional or sequential network.*Received: 0 known inputs of Subclassed"):
        export_savedmodel(model, tmp_path)
