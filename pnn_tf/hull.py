"""Where a parametric network interpolates: inside the convex hull of the hypotheses that it was trained on."""

import keras
import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import Delaunay

from pnn_tf import checks, keras_graph
from pnn_tf.layers import ThetaScale

ROUNDING = 1e-6  # of the extent of the points: theta is kept in float32


def outside_hull(theta: ArrayLike, points: ArrayLike) -> np.ndarray:
    """Which theta lie outside the convex hull of some points: there, a network extrapolates.

    With one parameter the hull is the range. Points of several parameters may lie on a line or a plane: the hull is
    then a part of that.

    Args:
        theta: (n_events,) or (n_events, n_parameters), in physical units.
        points: (n_points,) or (n_points, n_parameters), the hypotheses of the training set.

    Returns:
        (n_events,) bool.

    Raises:
        ValueError: NaN or infinite values, another number of parameters than the points have.

    >>> corners = [[500, 0.9], [500, 1.1], [1500, 1.0]]
    >>> outside_hull([[1000, 1.0], [1400, 1.09]], corners).tolist()
    [False, True]
    """
    theta, points = (checks.as_theta(values).astype(np.float64) for values in (theta, points))
    if theta.shape[1] != points.shape[1]:
        raise ValueError(f"Expected theta of {points.shape[1]} parameters, as the points. Received: {theta.shape[1]}")
    extent = np.ptp(points, axis=0)
    extent = np.where(extent > 0, extent, np.abs(points[0]) + 1)
    centre = points.mean(axis=0)
    theta, points = (theta - centre) / extent, (points - centre) / extent
    _, sizes, directions = np.linalg.svd(points, full_matrices=False)
    directions = directions[sizes > ROUNDING * np.sqrt(len(points))]
    in_plane, points = theta @ directions.T, points @ directions.T
    outside = np.abs(theta - in_plane @ directions).max(axis=1) > ROUNDING
    if len(directions) == 1:
        return outside | (in_plane < points.min() - ROUNDING)[:, 0] | (in_plane > points.max() + ROUNDING)[:, 0]
    if len(directions) > 1:
        outside |= Delaunay(points).find_simplex(in_plane, tol=ROUNDING) < 0
    return outside


def trained_points(model: keras.Model, n_parameters: int) -> list[list[list[float]]]:
    """What a model knows of the theta that it was trained on, also in the models inside it.

    Args:
        model: a Keras model.
        n_parameters: of theta as the model takes it; what a layer knows of another number, as of a part of it, is not
            comparable.

    Returns:
        A list of lists (n_points, n_parameters) in physical units, one for each distinct `trained_points` of its
        ThetaScale layers; empty if it knows nothing.
    """
    found = []
    for layer in keras_graph.layers(model):
        points = layer.trained_points if isinstance(layer, ThetaScale) else None
        if points is not None and len(points[0]) == n_parameters and points not in found:
            found.append(points)
    return found
