import numpy as np

from pnn_tf.strata import distinct


def test_distinct_points_of_several_continuous_parameters_are_not_merged():
    generator = np.random.default_rng(0)
    # 20 000 values in each of five columns: codes up to 3.2e21, of which int64 holds 9.2e18.
    points = generator.normal(size=(20_000, 5)).astype(np.float32)
    points = np.concatenate([points, points[:100]])
    found, group = distinct(points)
    assert len(found) == 20_000
    assert np.array_equal(found[group], points)
    assert np.array_equal(found, np.unique(points, axis=0))
