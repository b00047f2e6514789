"""A parametric network for use elsewhere: a SavedModel that is served without this package."""

import json
import os
from pathlib import Path

import keras
import tensorflow as tf

from pnn_tf import checks
from pnn_tf.layers import ThetaScale
from pnn_tf.theta_grid import on_grid

DESCRIPTION = Path("assets.extra") / "description.json"  # in a SavedModel, the folder for files of its user's own


def export_savedmodel(
    model, path, *, theta_grid=None, calibration=None, feature_names=None, theta_names=None, theta_units=None
) -> None:
    """Writes a TensorFlow SavedModel of a parametric network.

    Its endpoints take any number of events, float32, and their results have names:

        serve(features, theta): {"score": (n_events, 1)}
        serve_named(theta, **columns): the same, from a column (n_events,) for each of the feature names, in any order;
            a name that the network was not trained with is refused by TensorFlow itself. With feature_names.
        scan(features): {"scores": (n_events, n_points)}, at each point of theta_grid, without copies of the features.
            With theta_grid.
        calibrated(features, theta): {"signal_density", "background_density", "likelihood_ratio"}, each (n_events,)
            float64; theta outside the calibrated range is refused. With calibration.
        describe(): {"description": a JSON text}: names, shapes and units of what goes in and comes out, theta_grid,
            trained and calibrated theta. It is also the file assets.extra/description.json, see `read_description`.

    Args:
        model: functional, with the inputs `features` and `theta` and one output.
        path: directory to write; what is there is replaced.
        theta_grid: (n_points,) or (n_points, n_parameters) for `scan`, in physical units.
        calibration: of this model, by `calibrate`.
        feature_names: one a feature, in the order of the columns; identifiers.
        theta_names: one a parameter.
        theta_units: one a parameter, such as "GeV".

    Raises:
        ValueError: a model with other inputs or outputs, or one that does not know them; a wrong number of names or
            units, names that are not distinct or that TensorFlow cannot use; a calibration beside several parameters.
    """
    n_features, n_parameters = _sizes(model)
    feature_names = _names("feature_names", feature_names, n_features)
    if wrong := [name for name in feature_names or () if not name.isidentifier() or name == "theta"]:
        raise ValueError(
            "Expected feature_names of letters, digits and underscores, none of them 'theta': TensorFlow names inputs "
            f"by them. Received: {wrong}"
        )
    theta_names = _names("theta_names", theta_names, n_parameters)
    theta_units = _names("theta_units", theta_units, n_parameters, distinct=False)
    if theta_grid is not None:
        theta_grid = checks.as_theta(theta_grid, len(theta_grid))
        if theta_grid.shape[1] != n_parameters:
            raise ValueError(f"Expected theta_grid of {n_parameters} columns. Received: {theta_grid.shape[1]}")
    if calibration is not None and n_parameters != 1:
        raise ValueError(f"A calibration is of one parameter, but the model has {n_parameters}. Export without it.")
    features = tf.TensorSpec((None, n_features), tf.float32, name="features")
    theta = tf.TensorSpec((None, n_parameters), tf.float32, name="theta")

    def serve(features, theta):
        return {"score": model({"features": features, "theta": theta}, training=False)}

    def serve_named(columns, theta):
        return serve(tf.stack([columns[name] for name in feature_names], axis=1), theta)

    def calibrated(features, theta):
        signal, background = calibration.densities(serve(features, theta)["score"], theta)
        return {"signal_density": signal, "background_density": background, "likelihood_ratio": signal / background}

    outputs = {"score": "from 0, like background, to 1, like signal: (n_events, 1)"}
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serve", serve, input_signature=[features, theta])
    if feature_names is not None:
        columns = {name: tf.TensorSpec((None,), tf.float32, name=name) for name in feature_names}
        archive.add_endpoint("serve_named", serve_named, input_signature=[columns, theta])
    if theta_grid is not None:
        scores = on_grid(model, theta_grid)
        archive.add_endpoint("scan", lambda features: {"scores": scores(features)}, input_signature=[features])
        outputs["scores"] = "the same at each point of theta's grid: (n_events, n_points)"
    if calibration is not None:
        archive.add_endpoint("calibrated", calibrated, input_signature=[features, theta])
        outputs |= {
            "signal_density": "p(score | theta, signal), for one unit of score: (n_events,)",
            "background_density": "p(score | theta, background), for one unit of score: (n_events,)",
            "likelihood_ratio": "signal_density / background_density: (n_events,)",
        }
    text = json.dumps(
        {
            "features": {"names": feature_names, "shape": [None, n_features], "dtype": "float32"},
            "theta": {
                "names": theta_names,
                "units": theta_units,
                "shape": [None, n_parameters],
                "dtype": "float32",
                "grid": None if theta_grid is None else theta_grid.tolist(),
                "trained_points": next((x.trained_points for x in model.layers if isinstance(x, ThetaScale)), None),
                "calibrated_range": None if calibration is None else calibration.hypotheses[[0, -1]].tolist(),
            },
            "outputs": outputs,
        },
        indent=1,
    )
    archive.add_endpoint("describe", lambda: {"description": tf.constant(text)}, input_signature=[])
    archive.write_out(os.fspath(path), verbose=False)
    file = Path(path) / DESCRIPTION
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)


def read_description(path) -> dict:
    """What is said of a SavedModel of `export_savedmodel`: the content of assets.extra/description.json.

    Args:
        path: its directory.

    Returns:
        A dict with "features", "theta" and "outputs": their names, shapes, units; None for what is not known.
    """
    return json.loads((Path(path) / DESCRIPTION).read_text())


def check_feature_names(path, names) -> None:
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


def _sizes(model):
    """Numbers of features and of parameters of a parametric model."""
    inputs = {tensor.name: tensor.shape for tensor in getattr(model, "inputs", None) or ()}
    outputs = [tensor.shape for tensor in getattr(model, "outputs", None) or ()]
    if set(inputs) != {"features", "theta"} or outputs != [(None, 1)]:
        raise ValueError(
            "Expected a functional model with the inputs 'features' and 'theta' and one output (None, 1). "
            f"Received: {type(model).__name__} with the inputs {inputs} and the outputs {outputs}."
        )
    return inputs["features"][1], inputs["theta"][1]


def _names(argument, names, expected, distinct=True):
    """The names as a list, or None."""
    if names is None:
        return None
    names = [str(name) for name in names]
    if len(names) != expected or (distinct and len(set(names)) != expected):
        raise ValueError(f"Expected {expected} {argument}{', all distinct' if distinct else ''}. Received: {names}")
    return names
