"""A parametric network for use elsewhere: a SavedModel that is served without this package."""

import json
import keyword
import os
import re
from collections.abc import Iterable
from pathlib import Path

import keras
import tensorflow as tf
from numpy.typing import ArrayLike

from pnn_tf import checks
from pnn_tf.calibration import Calibration
from pnn_tf.describing import (
    class_names_of,
    decimals,
    description_of,
    feature_names_of,
    names_of,
    outputs_of,
    require_probability,
    sizes,
    where_finite,
)
from pnn_tf.theta_grid import on_grid
from pnn_tf.whole_file import written_whole

DESCRIPTION = Path("assets.extra") / "description.json"  # in a SavedModel, the folder for files of its user's own


def export_savedmodel(
    model: keras.Model,
    path: str | os.PathLike,
    *,
    theta_grid: ArrayLike | None = None,
    calibration: Calibration | None = None,
    feature_names: Iterable[str] | None = None,
    theta_names: Iterable[str] | None = None,
    theta_units: Iterable[str] | None = None,
    class_names: Iterable[str] | None = None,
) -> None:
    """Writes a TensorFlow SavedModel of a parametric network.

    Its endpoints take any number of events, float32, and their results have names:

        serve(features, theta): {"score": (n_events, 1)}, of several classes (n_events, n_classes)
        serve_named: the same, from a column (n_events,) for each of the feature names, in any order; a name that is
            missing, or that the network was not trained with, is refused by TensorFlow itself. With feature_names.
            Called as `signatures["serve_named"](theta=theta, pt=pt, ...)`, or `serve_named({"pt": pt, ...}, theta)`.
        scan(features): {"scores": (n_events, n_points)}, of several classes (n_events, n_points, n_classes), at each
            point of theta_grid, without copies of the features. With theta_grid.
        serve_grid(features, grid): the same at each point of any grid, (n_points, n_parameters).
        calibrated(features, theta): {"signal_density", "background_density", "likelihood_ratio"}, each (n_events,)
            float64; theta outside the calibrated range is refused. With calibration.
        describe(): {"description": a JSON text}: names, shapes and units of what goes in and comes out, theta_grid,
            trained and calibrated theta, the `grid_error` of the calibration. It is also the file
            assets.extra/description.json, see `read_description`.

    An event whose features are not all finite has NaN for its scores and densities, and so has a score at such a theta.

    Args:
        model: functional, with the inputs `features` and `theta` and one output tensor, of a sigmoid or a softmax.
        path: directory to write; what is there is replaced.
        theta_grid: (n_points,) or (n_points, n_parameters) for `scan`, in physical units.
        calibration: of this model, by `calibrate`.
        feature_names: one a feature, in the order of the columns; None for those that the model remembers. Of ASCII
            letters, digits and underscores, a letter first, different also where case is ignored; not "self", "theta"
            or a keyword of Python.
        theta_names: one a parameter.
        theta_units: one a parameter, such as "GeV".
        class_names: one a class, of a model of several.

    Raises:
        ValueError: a model with other inputs or outputs, or one that does not know them, or whose output leaves [0, 1],
            such as a logit; a wrong number of names or units, names that are not distinct, that TensorFlow cannot
            use, or the model's own in another order; a calibration beside several parameters or several classes.
    """
    n_features, n_parameters, n_classes = sizes(model)
    require_probability(model)
    class_names = class_names_of(class_names, n_classes)
    feature_names = feature_names_of(feature_names, model, n_features)
    _require_names_of_inputs(feature_names or ())
    theta_names = names_of("theta_names", theta_names, n_parameters)
    theta_units = names_of("theta_units", theta_units, n_parameters, distinct=False)
    if theta_grid is not None:
        theta_grid = checks.as_points("theta_grid", theta_grid, n_parameters)
    if calibration is not None and n_parameters != 1:
        raise ValueError(f"A calibration is of one parameter, but the model has {n_parameters}. Export without it.")
    if calibration is not None and n_classes > 1:
        raise ValueError(
            f"A calibration is of one score, but the model has {n_classes} classes. Export one of its discriminants, "
            "pnn_tf.discriminant(model, signal, backgrounds), with a calibration of that."
        )
    features = tf.TensorSpec((None, n_features), tf.float32, name="features")
    theta = tf.TensorSpec((None, n_parameters), tf.float32, name="theta")

    def serve(features, theta):
        score = tf.cast(model({"features": features, "theta": theta}, training=False), tf.float32)
        return {"score": where_finite(score, features, theta)}

    def serve_named(columns, theta):
        return serve(tf.stack([columns[name] for name in feature_names], axis=1), theta)

    def calibrated(features, theta):
        signal, background = calibration.densities(serve(features, theta)["score"], theta)
        return {"signal_density": signal, "background_density": background, "likelihood_ratio": signal / background}

    def serve_grid(features, grid):
        scores = where_finite(on_grid(model, features, grid), features)
        by_point = tf.experimental.numpy.swapaxes(scores, 0, 1)
        return {"scores": tf.experimental.numpy.swapaxes(where_finite(by_point, grid), 0, 1)}

    outputs = outputs_of(n_classes)
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", serve, input_signature=[features, theta])
    if feature_names is not None:
        columns = {name: tf.TensorSpec((None,), tf.float32, name=name) for name in feature_names}
        archive.add_endpoint("serve_named", serve_named, input_signature=[columns, theta])
    grid = tf.TensorSpec((None, n_parameters), tf.float32, name="grid")
    archive.add_endpoint("serve_grid", serve_grid, input_signature=[features, grid])
    shape = "(n_events, n_points)" if n_classes == 1 else "(n_events, n_points, n_classes)"
    outputs["scores"] = f"the same at each point of theta's grid: {shape}"
    if theta_grid is not None:
        points = tf.constant(theta_grid)
        archive.add_endpoint("scan", lambda features: serve_grid(features, points), input_signature=[features])
    if calibration is not None:
        archive.add_endpoint("calibrated", calibrated, input_signature=[features, theta])
        outputs |= {
            "signal_density": "p(score | theta, signal), for one unit of score: (n_events,)",
            "background_density": "p(score | theta, background), for one unit of score: (n_events,)",
            "likelihood_ratio": "signal_density / background_density: (n_events,)",
        }
    text = description_of(
        model,
        feature_names,
        theta_names,
        theta_units,
        class_names,
        {
            "grid": decimals(theta_grid),
            "calibrated_range": None if calibration is None else decimals(calibration.hypotheses[[0, -1]]),
            "calibration_error": None if calibration is None else calibration.grid_error,
        },
        outputs,
    )
    archive.add_endpoint("describe", lambda: {"description": tf.constant(text)}, input_signature=[])
    file = Path(path) / DESCRIPTION
    file.unlink(missing_ok=True)  # without it, an export over an older one is refused until it is whole
    archive.write_out(os.fspath(path), verbose=False)
    with written_whole(file) as temporary:
        temporary.write_text(text)


def read_description(path: str | os.PathLike) -> dict:
    """What is said of a SavedModel of `export_savedmodel`: the content of assets.extra/description.json.

    Args:
        path: its directory.

    Returns:
        A dict with "features", "theta", "classes" and "outputs": their names, shapes, units; None for what is not
        known, and for the classes of a single score.
    """
    return json.loads((Path(path) / DESCRIPTION).read_text())


def check_feature_names(path: str | os.PathLike, names: Iterable[str]) -> None:
    """Refuses features that are not those of a SavedModel, in its order.

    Args:
        path: directory of a SavedModel of `export_savedmodel`, made with feature_names.
        names: one name a column of the features to be served.

    Raises:
        ValueError: other names, another order, or a SavedModel that has none.
    """
    expected, names = read_description(path)["features"]["names"], list(names)
    if expected is None:
        raise ValueError(f"The SavedModel in {os.fspath(path)} has no feature names. Export it with feature_names.")
    if names == expected:
        return
    missing, unknown = sorted(set(expected) - set(names)), sorted(set(names) - set(expected))
    if missing or unknown:
        what = f"missing are {missing}, unknown are {unknown}"
    else:
        what = f"the order, or the number, differs; it is {expected}"
    raise ValueError(f"The features are not those of the SavedModel in {os.fspath(path)}: {what}.")


def _require_names_of_inputs(names: Iterable[str]) -> None:
    """Refuses names that TensorFlow cannot give to the inputs of a signature, beside `theta`."""
    taken, wrong = {"self", "theta"}, []
    for name in names:
        if not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name) or keyword.iskeyword(name) or name.lower() in taken:
            wrong.append(name)
        taken.add(name.lower())
    if wrong:
        raise ValueError(
            "Expected feature_names of ASCII letters, digits and underscores, a letter first, different also where "
            "case is ignored; not 'self', 'theta' or a keyword of Python: TensorFlow names inputs by them. "
            f"Received: {wrong}"
        )
