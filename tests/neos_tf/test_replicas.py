import json

import numpy as np
import pytest
import tensorflow as tf

from neos_tf import replicas
from tests.devices import printed_on_two_devices, run_two_workers
from tests.neos_tf.two_devices import CASES, looped

PROGRAM = "tests.neos_tf.two_devices"
WORKER = """
import json, os, sys, time
import tensorflow as tf

_, index, *workers = sys.argv
os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": int(index)}})
strategy = tf.distribute.MultiWorkerMirroredStrategy()  # before all else that TensorFlow does
from tests.neos_tf.two_devices import looped
print(json.dumps(looped(strategy)), flush=True)
time.sleep(5)  # a worker that ends takes with it what it still has to send
"""


def numbers(results):
    return np.concatenate([[], *(np.ravel(value) for value in tf.nest.flatten(results))]).astype(float)


def test_without_a_strategy_nothing_is_done():
    x, flag = tf.constant([1.0, 2.0]), tf.constant(True)
    with tf.Graph().as_default() as graph:
        assert replicas.summed(x) is x and replicas.gathered(x) is x
        assert replicas.averaged(x, 2) is x and replicas.everywhere(flag) is flag
    assert replicas.n_replicas() == 1 and not graph.get_operations()


@pytest.mark.slow
def test_each_replica_has_the_results_of_all_and_its_own_part_of_their_gradient():
    (one,), two = printed_on_two_devices(PROGRAM, "functions")  # five events, or three and two
    total, n_events, events, mean, some, many, gradient = one
    assert (n_events, events, mean, some, many) == (5, [1, 2, 3, 4, 5], 11, True, True)
    assert two == [[total, 5, events, mean, True, False, part] for part in (gradient[:3], gradient[3:])]
    np.testing.assert_allclose(gradient, 2 * np.arange(1, 6) * 1.2 + 3 * np.arange(1, 6) ** 2, rtol=1e-15)


@pytest.fixture(scope="module")
def trainings():
    return printed_on_two_devices(PROGRAM)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_devices_train_and_evaluate_as_one_does(trainings, case):
    one, two = trainings[case]
    assert one["refused"] == two["refused"] and bool(one["refused"]) == (case == "a step that is not taken")
    assert len(one["logs"]) == len(two["logs"]) >= 2
    for name in ("history", "logs", "weights", "evaluate", "histograms"):
        # Sums in another order, float64, through a few steps of Adam.
        np.testing.assert_allclose(numbers(two[name]), numbers(one[name]), rtol=1e-10, atol=1e-12, err_msg=name)


@pytest.mark.slow
def test_a_step_that_is_not_taken_leaves_everything_as_it_was(trainings):
    for result in trainings["a step that is not taken"]:
        first, second = result["weights"]
        assert first == second and "295 events of 'signal'" in result["refused"]
        assert [step["unconverged"] for step in result["logs"]] == [0, 1]


@pytest.mark.slow
def test_a_loop_around_steps_on_two_workers_is_that_of_one_device():
    codes, outputs = run_two_workers(WORKER, ["0"], ["1"])
    assert codes == [0, 0], outputs
    expected = looped(tf.distribute.get_strategy())
    for output in outputs:
        np.testing.assert_allclose(json.loads(output.splitlines()[-1]), expected, rtol=1e-10, atol=1e-12)
