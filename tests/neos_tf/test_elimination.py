"""Gauss-Jordan elimination against numpy."""

import numpy as np
import pytest
import tensorflow as tf

from neos_tf.elimination import eliminated


@pytest.mark.parametrize("n", [1, 30])
def test_solution_is_that_of_numpy(n):
    matrix = np.cov(np.random.default_rng(1).normal(size=(n, 2 * n))).reshape(n, n) + np.eye(n)
    vector = np.arange(n) - 2.5
    result = eliminated(tf.constant(matrix), tf.constant(vector))
    np.testing.assert_allclose(result.solution, np.linalg.solve(matrix, vector), rtol=1e-12)  # a condition below 100
    assert result.positive and result.curvature == 1


def test_negative_curvature_comes_with_its_direction():
    matrix = np.random.default_rng(2).normal(size=(6, 6))
    matrix = matrix @ matrix.T - 2 * np.eye(6)
    result = eliminated(tf.constant(matrix), tf.ones(6, tf.float64))
    assert np.linalg.eigvalsh(matrix)[0] < 0 and not result.positive and result.curvature < 0
    direction = result.direction.numpy()
    np.testing.assert_allclose(direction @ matrix @ direction, result.curvature, rtol=1e-12)


@pytest.mark.parametrize("bad", [0.0, np.nan])
def test_singular_and_nan_are_not_positive(bad):
    result = eliminated(tf.constant([[1.0, 0.0], [0.0, bad]], tf.float64), tf.ones(2, tf.float64))
    assert not result.positive and np.all(np.isfinite(result.direction))
