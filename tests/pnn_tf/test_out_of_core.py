"""Out of core from end to end: uneven files larger than the buffer, a training that is killed, and started again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.problems import GaussianOnUniform

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

ROOT = Path(__file__).parent.parent.parent
EPOCHS, STEPS = 3, 100
SHARES = (0.4, 0.25, 0.2, 0.1, 0.04, 0.01)  # of the events, file by file; the seventh has none

TRAINING = """
import json, os, signal, sys
import keras, numpy as np
import pnn_tf
from tests.problems import GaussianOnUniform

events, folder, epochs, steps, kill_at, kill_in_save = *sys.argv[1:3], *map(int, sys.argv[3:])

class Kill(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

points = GaussianOnUniform().theta
batches = pnn_tf.sharded_batches(
    events, features=["x"], theta="theta", label="label", batch_size=256, buffer_events=67_000,
    background_theta=pnn_tf.Identical(points), on_error="skip",
)
assert sum(s.size for s in batches.strata) > 95_000 and max(s.size for s in batches.strata) > 45_000  # read in parts
model = pnn_tf.parametric_network(1, units=(16,), theta_scale=1.0, dropout=0.25, seed=1)
model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=[pnn_tf.StreamingAUC()])
if kill_in_save:
    fsync, n_saves = os.fsync, iter(range(kill_in_save))
    os.fsync = lambda file: os.kill(os.getpid(), signal.SIGKILL) if next(n_saves, None) is None else fsync(file)
backup = pnn_tf.BackupAndResume(f"{folder}/last.npz", batches, save_freq=30)
history = model.fit(
    backup.dataset, steps_per_epoch=steps, epochs=epochs, callbacks=[Kill(), backup], shuffle=False, verbose=0
)
np.savez(f"{folder}/result.npz", *model.get_weights(), history=json.dumps([history.epoch, history.history]))
"""


@pytest.fixture
def shards(tmp_path):
    """Seven files of 100 000 events: one is empty, one damaged, and a hypothesis is in one file only."""
    features, theta, label = GaussianOnUniform().sample(100_000, seed=1)
    first, rest = np.flatnonzero((theta == -2) & (label == 1)), np.flatnonzero((theta != -2) | (label == 0))
    ends = np.cumsum([int(share * len(rest)) for share in SHARES])[:-1]
    files = [*np.split(rest, ends), rest[:0]]
    files[1] = np.random.default_rng(0).permutation(np.concatenate([files[1], first]))
    folder = tmp_path / "events"
    folder.mkdir()
    for i, rows in enumerate(files):
        table = pyarrow.table({"x": features[rows, 0], "theta": theta[rows], "label": label[rows]})
        parquet.write_table(table, folder / f"{i}.parquet", row_group_size=5000)
    (folder / "damaged.parquet").write_bytes((folder / "4.parquet").read_bytes()[:-100])
    return folder


def run(events, folder, kill_at=0, kill_in_save=0):
    folder.mkdir(exist_ok=True)
    child = [sys.executable, "-c", TRAINING, events, folder, *map(str, (EPOCHS, STEPS, kill_at, kill_in_save))]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(child, env=environment, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.slow
def test_a_training_from_files_that_is_killed_and_started_again_ends_as_one_that_is_not(shards, tmp_path):
    done = run(shards, tmp_path / "whole")
    assert done.returncode == 0, done.stderr
    kills = np.sort(np.random.default_rng(7).choice(np.arange(31, EPOCHS * STEPS), 3, replace=False)).tolist()
    for kill in (*({"kill_at": n} for n in kills[:2]), {"kill_in_save": 2}, {"kill_at": kills[2]}):
        killed = run(shards, tmp_path / "killed", **kill)
        assert killed.returncode == -9, killed.stderr
    assert (tmp_path / "killed" / "last.npz").exists()
    done = run(shards, tmp_path / "killed")
    assert done.returncode == 0 and "1 out of 8 files are left out" in done.stderr
    with np.load(tmp_path / "whole" / "result.npz") as whole, np.load(tmp_path / "killed" / "result.npz") as killed:
        assert whole.files == killed.files
        for name in set(whole.files) - {"history"}:
            np.testing.assert_allclose(killed[name], whole[name], atol=1e-6)  # sums of several threads
        (epochs, history), (of_whole, expected) = (json.loads(str(file["history"])) for file in (killed, whole))
    assert epochs == of_whole == [0, 1, 2] and history.keys() == expected.keys()
    for name, values in history.items():
        np.testing.assert_allclose(values, expected[name], atol=1e-5)
