import keras
import numpy as np
import pytest

from pnn_tf import outside_hull, parametric_network
from pnn_tf.hull import trained_points


def test_one_parameter_is_a_range():
    assert outside_hull([499.9, 500, 1234, 1500, 1500.1], [1500, 500, 750]).tolist() == [
        True,
        False,
        False,
        False,
        True,
    ]


def test_a_triangle():
    """Inside where all three barycentric coordinates are positive."""
    rng = np.random.default_rng(0)
    corners = np.array([[500, 0.9], [1500, 1.0], [700, 1.1]])
    coordinates = rng.normal(0.3, 0.5, size=(200, 3))
    coordinates /= coordinates.sum(axis=1, keepdims=True)
    coordinates = coordinates[np.abs(coordinates).min(axis=1) > 1e-4]  # not on an edge, where rounding decides
    outside = outside_hull(coordinates @ corners, corners)
    assert np.array_equal(outside, coordinates.min(axis=1) < 0) and 0 < outside.sum() < len(outside)


def test_the_points_themselves_are_inside():
    rng = np.random.default_rng(1)
    for n_parameters in (1, 2, 3):
        points = rng.uniform([500, 0.9, -3][:n_parameters], [1500, 1.1, 3][:n_parameters], size=(30, n_parameters))
        assert not outside_hull(points.astype(np.float32), points).any()


def test_points_on_a_line_leave_only_that_line():
    points = [[500, 1.0], [1000, 1.1], [1500, 1.2]]
    theta = [[750, 1.05], [750, 1.06], [1600, 1.22], [500, 1.0]]
    assert outside_hull(theta, points).tolist() == [False, True, True, False]
    assert outside_hull([[500, 1.0], [501, 1.0]], [[500, 1.0]]).tolist() == [False, True]


def test_a_constant_parameter_must_be_met():
    points = [[500, 1.0], [1500, 1.0]]
    assert outside_hull([[700, 1.0], [700, 1.1]], points).tolist() == [False, True]


def test_another_number_of_parameters_is_refused():
    with pytest.raises(ValueError, match=r"theta of 2 .*1"):
        outside_hull([500], [[500, 1.0]])


def test_what_models_inside_a_model_know_is_found_once():
    def network(*points):
        return parametric_network(1, units=(2,), theta_points=points or None)

    x, theta = keras.Input((1,), name="features"), keras.Input((1,), name="theta")
    inner = [network(500, 1000), network(), network(500, 1000), network(750, 1500)]
    scores = [one({"features": x, "theta": theta}) for one in inner]
    model = keras.Model({"features": x, "theta": theta}, keras.layers.Average()(scores))
    assert trained_points(model, 1) == [[[500], [1000]], [[750], [1500]]]
    assert trained_points(model, 2) == []
