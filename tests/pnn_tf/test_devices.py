"""What trains on several devices, against one."""

import numpy as np
import pytest

from tests.devices import printed_on_two_devices

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results():
    return printed_on_two_devices("tests.pnn_tf.two_devices")


@pytest.mark.parametrize("name", ["cross-entropy", "decorrelated"])
def test_two_devices_train_as_one_does(results, name):
    one, two = (result[name] for result in results)
    assert one["history"].keys() == two["history"].keys()
    for metric, values in one["history"].items():  # sums of float32 in another order, over 24 steps
        np.testing.assert_allclose(two["history"][metric], values, rtol=1e-5, err_msg=metric)
    np.testing.assert_allclose(two["weights"], one["weights"], rtol=1e-5, atol=1e-5)


def test_metrics_and_callbacks_are_those_of_all_events(results):
    history = results[1]["cross-entropy"]["history"]
    assert {"auc", "significance_ratio", "val_auc_500", "val_auc_min"} <= history.keys()


def test_devices_drop_independently_and_the_seed_goes_on_as_on_one(results):
    one, two = (result["dropped"] for result in results)
    assert one["state"] == two["state"]
    masks = np.array([np.ravel(call) for calls in two["calls"] for call in calls]) > 0
    assert len(masks) == 4
    correlations = np.corrcoef(masks)[np.triu_indices(4, 1)]
    assert np.max(abs(correlations)) < 5 / np.sqrt(2000)  # standard deviations, for 2000 units


def test_a_batch_that_devices_cannot_share_equally_is_refused(results):
    one, two = (result["refused"] for result in results)
    assert not one and "multiple of the 2 devices" in two and "Take 64." in two
