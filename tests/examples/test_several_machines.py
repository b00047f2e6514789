"""The example for several machines: two workers of this one, of which one is killed."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from examples import several_machines
from tests.devices import run_two_workers

SETTINGS = several_machines.Settings(units=(8,), batch_size=64, steps=30, save_every=10, learning_rate=0.01)
WORKER = f"""
import os, signal, sys
import tensorflow as tf
from examples.several_machines import Settings, main

_, fate, dropout, *arguments = sys.argv
if fate == "killed":
    save = tf.train.CheckpointManager.save

    def save_or_die(manager, checkpoint_number):
        if checkpoint_number == 20:
            os.kill(os.getpid(), signal.SIGKILL)
        save(manager, checkpoint_number=checkpoint_number)

    tf.train.CheckpointManager.save = save_or_die
main(arguments, {SETTINGS}._replace(dropout=float(dropout)))
"""


def run_workers(out, *, dropout, killed=False):
    fates = ("lives", "killed" if killed else "lives")
    common = ["--out", str(out), "--workers"]
    return run_two_workers(WORKER, *([fates[i], str(dropout), "--index", str(i), *common] for i in range(2)))


def weights_of(folder):
    return keras.saving.load_model(folder / "network.keras").get_weights()


@pytest.mark.slow
def test_two_workers_train_as_one_device_does(tmp_path):
    codes, outputs = run_workers(tmp_path, dropout=0)
    assert codes == [0, 0], outputs
    settings = SETTINGS._replace(dropout=0.0)
    one = several_machines.train(tf.distribute.get_strategy(), tmp_path / "one", 0, settings)
    for received, expected in zip(weights_of(tmp_path), one.get_weights(), strict=True):
        np.testing.assert_allclose(received, expected, atol=1e-5)  # sums of float32 in another order


@pytest.mark.slow
def test_a_worker_is_killed_and_the_restarted_training_ends_as_if_it_had_not_been(tmp_path):
    (first, killed), outputs = run_workers(tmp_path / "killed", dropout=0.25, killed=True)
    assert first != 0 and killed == -9, outputs
    assert not (tmp_path / "killed" / "network.keras").exists()
    codes, outputs = run_workers(tmp_path / "killed", dropout=0.25)
    assert codes == [0, 0] and "step 10," not in outputs[0] and "step 30," in outputs[0], outputs
    codes, outputs = run_workers(tmp_path / "whole", dropout=0.25)
    assert codes == [0, 0], outputs
    for received, expected in zip(*map(weights_of, (tmp_path / "killed", tmp_path / "whole")), strict=True):
        np.testing.assert_allclose(received, expected, atol=1e-6)


def test_own_part_is_the_rows_beside_each_other_for_each_device():
    batches = tf.data.Dataset.from_tensors((tf.reshape(tf.range(16), (8, 2)), tf.reshape(tf.range(8), (8, 1))))
    context = tf.distribute.InputContext(num_input_pipelines=2, input_pipeline_id=1, num_replicas_in_sync=4)
    parts = list(several_machines.own_part(batches, context))
    assert [label.numpy().tolist() for _, label in parts] == [[[4], [5]], [[6], [7]]]
    assert parts[1][0].numpy().tolist() == [[12, 13], [14, 15]]
