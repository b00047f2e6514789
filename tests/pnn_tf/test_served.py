"""SavedModels as Keras models again."""

from pathlib import Path

import keras
import numpy as np
import pytest

from pnn_tf import export_savedmodel, load_savedmodel, parametric_network, predict_scores, scan_theta
from pnn_tf.served import stored
from pnn_tf.theta_grid import is_known

NAMES = ["pt", "eta"]


@pytest.fixture(scope="module")
def network():
    return parametric_network(
        2, conditioning="affine", units=(8,), theta_scale=1000.0, theta_points=[500, 1000], feature_names=NAMES, seed=1
    )


@pytest.fixture(scope="module")
def served(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "served"
    export_savedmodel(network, path)
    return path


def test_it_scores_as_the_network_did(network, served):
    model = load_savedmodel(served)
    features = {"eta": np.linspace(-1, 1, 50), "pt": np.linspace(0, 2, 50), "phi": np.zeros(50)}
    theta = np.linspace(500, 1000, 50)
    # float32, in another order of the layers' sums.
    np.testing.assert_allclose(predict_scores(model, features, theta), predict_scores(network, features, theta), 1e-6)
    with pytest.warns(UserWarning, match="outside the convex hull"):
        predict_scores(model, features, 1500.0)
    assert not model.trainable_variables
    assert is_known(model)  # without a copy of the events at each point
    scores = scan_theta(model, features, [500.0, 700.0, 1000.0])
    np.testing.assert_allclose(scores, scan_theta(network, features, [500.0, 700.0, 1000.0]), 1e-6)


@pytest.mark.parametrize(("owner", "step"), [(type(keras.export.ExportArchive()), "write_out"), (Path, "write_text")])
def test_an_export_over_another_one_that_is_stopped_is_refused(network, owner, step, tmp_path, monkeypatch):
    export_savedmodel(network, tmp_path)

    def stopped(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(owner, step, stopped)
        export_savedmodel(network, tmp_path, theta_names=["mass"])
    with pytest.raises(FileNotFoundError, match=r"lacks assets\.extra.description\.json"):
        load_savedmodel(tmp_path)
    export_savedmodel(network, tmp_path, theta_names=["mass"])
    load_savedmodel(tmp_path)
    assert [file.name for file in (tmp_path / "assets.extra").iterdir()] == ["description.json"]


def test_what_is_no_model_is_refused(served, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"SavedModel of pnn_tf\.export_savedmodel"):
        load_savedmodel(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"\*\.keras, or the directory of a SavedModel"):
        stored(tmp_path)


def test_the_digest_is_of_what_is_there(served, tmp_path):
    before = stored(served)
    assert stored(str(served)) == before
    (served / "assets.extra" / "description.json").write_text("{}")
    assert stored(served) != before
