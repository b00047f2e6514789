"""Models by their path: SavedModels of this package as Keras models again, and what each process loads only once."""

import functools
import hashlib
import os
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from pnn_tf.columns import FeatureNames
from pnn_tf.export import DESCRIPTION, read_description
from pnn_tf.layers import ThetaScale

N_KEPT = 8  # models in a process


@keras.saving.register_keras_serializable(package="pnn_tf")
class Served(keras.layers.Layer):
    """What a SavedModel gives for features and theta, by its endpoint `serve`, or at each point of a grid.

    Args:
        directory: of the SavedModel.
    """

    def __init__(self, directory: str | os.PathLike, **kwargs: Any):
        super().__init__(**kwargs)
        self.directory = os.fspath(directory)
        self._served = tf.saved_model.load(self.directory)

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        return self._served.serve(*inputs)["score"]

    def on_grid(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """(n_points, n_events, n_classes) of theta (n_points, 1, n_parameters), by the endpoint `serve_grid`."""
        features, theta = inputs
        scores = self._served.serve_grid(features, theta[:, 0])["scores"]
        return tf.transpose(scores if len(scores.shape) == 3 else scores[..., tf.newaxis], [1, 0, 2])

    def compute_output_shape(self, input_shape: tuple[tuple, tuple]) -> tuple:
        classes = read_description(self.directory)["classes"]
        return input_shape[0][0], 1 if classes is None else classes["number"]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "directory": self.directory}


def load_savedmodel(path: str | os.PathLike) -> keras.Model:
    """A SavedModel of `export_savedmodel` as a parametric model again, to score events with; not to be trained.

    Args:
        path: its directory, which has to stay where it is.

    Returns:
        A Keras model with the inputs `features` and `theta`, which knows the names of the features and the theta of the
        training if the SavedModel does.

    Raises:
        FileNotFoundError: there is none, one of something else, or one whose export was stopped.
    """
    if not (Path(path) / DESCRIPTION).exists():
        raise FileNotFoundError(
            f"Expected the directory of a SavedModel of pnn_tf.export_savedmodel. Received: {os.fspath(path)}, which "
            f"lacks {DESCRIPTION}."
        )
    about = read_description(path)
    features, theta = (
        keras.Input(about[name]["shape"][1:], name=name, dtype="float32") for name in ("features", "theta")
    )
    known = features if about["features"]["names"] is None else FeatureNames(about["features"]["names"])(features)
    scale = ThetaScale(trained_points=about["theta"]["trained_points"], dtype="float32")
    output = Served(path, name="served", trainable=False, dtype="float32")([known, scale(theta)])
    return keras.Model({"features": features, "theta": theta}, output)


class Stored(NamedTuple):
    """A model on disk.

    Attributes:
        path: of a Keras file, or the directory of a SavedModel.
        digest: of what is there.
    """

    path: str
    digest: str


def stored(path: str | os.PathLike) -> Stored:
    """What is at a path now.

    Raises:
        FileNotFoundError: nothing, or neither a `*.keras` file nor a SavedModel.
    """
    path = Path(path)
    if not (path.suffix == ".keras" and path.is_file()) and not (path / "saved_model.pb").is_file():
        raise FileNotFoundError(f"Expected a Keras file, *.keras, or the directory of a SavedModel. Received: {path}")
    digest = hashlib.sha256()
    for file in [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file()):
        digest.update(str(file.relative_to(path)).encode() + file.read_bytes())
    return Stored(os.fspath(path), digest.hexdigest())


@functools.lru_cache(maxsize=N_KEPT)
def load_once(model: Stored) -> Any:
    """The model of a Keras file; of a SavedModel of `export_savedmodel` too; another SavedModel as TensorFlow has it.

    Raises:
        ValueError: it is not what it was when it was looked at.
    """
    if stored(model.path) != model:
        raise ValueError(
            f"Expected the model that {model.path} had when the work began. Received: another. Give each model a path "
            "of its own, which all workers can read."
        )
    if model.path.endswith(".keras"):
        return keras.saving.load_model(model.path, compile=False)
    if (Path(model.path) / DESCRIPTION).exists():
        return load_savedmodel(model.path)
    return tf.saved_model.load(model.path)
