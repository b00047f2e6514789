"""Out of core from end to end: uneven files larger than the buffer, a training that is killed, and started again."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import pnn_tf
import taylor
from tests.problems import GaussianOnUniform

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

pytestmark = pytest.mark.filterwarnings("ignore:.* files are left out")
ROOT = Path(__file__).parent.parent.parent
EPOCHS, STEPS = 3, 120
SHARES = (0.4, 0.25, 0.2, 0.1, 0.04, 0.01)  # of the events, file by file; the seventh has none


class Stop(Exception):
    pass


class KillAt(keras.callbacks.Callback):
    """Ends this process, or raises an exception in its place, when so many steps are done."""

    def __init__(self, step, exception=None):
        super().__init__()
        self.step, self.exception = step, exception

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == self.step:
            if self.exception is not None:
                raise self.exception
            os.kill(os.getpid(), signal.SIGKILL)


def train(events, folder, kill=None, kill_in_save=None):
    """What a user writes. `kill` is a callback; `kill_in_save` the number of the save that does not come to its end."""
    batches = pnn_tf.sharded_batches(
        events,
        features=["x"],
        theta="theta",
        label="label",
        batch_size=256,
        buffer_events=67_000,
        background_theta=pnn_tf.Identical(GaussianOnUniform().theta),
        on_error="skip",
    )
    assert sum(stratum.size for stratum in batches.strata) == 100_000
    assert len(batches.strata) == 6 and max(stratum.size for stratum in batches.strata) > 45_000  # read in parts
    assert [Path(out.path).name for out in batches.left_out] == ["damaged.parquet"]
    model = pnn_tf.parametric_network(1, units=(16,), theta_scale=1.0, dropout=0.25, seed=1)
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=[pnn_tf.StreamingAUC()])
    held_out = {"features": np.linspace(-3, 3, 50)[:, None], "theta": np.zeros((50, 1))}
    monitor = taylor.TaylorMonitor(held_out, every=50, path=folder / "monitor.jsonl", order=1)
    if kill_in_save is not None:
        fsync, earlier = os.fsync, iter(range(kill_in_save))
        os.fsync = lambda file: fsync(file) if next(earlier, None) is not None else os.kill(os.getpid(), signal.SIGKILL)
    backup = pnn_tf.BackupAndResume(folder / "last.npz", batches, save_freq=30)
    history = model.fit(
        backup.dataset,
        steps_per_epoch=STEPS,
        epochs=EPOCHS,
        callbacks=[monitor, *([] if kill is None else [kill]), backup],
        shuffle=False,
        verbose=0,
    )
    np.savez(folder / "result.npz", *model.get_weights(), history=json.dumps([history.epoch, history.history]))


@pytest.fixture(scope="module")
def events(tmp_path_factory):
    """Eight files of 100 000 events: one is empty, one damaged, and a hypothesis is in one of them only."""
    features, theta, label = GaussianOnUniform().sample(100_000, seed=1)
    alone = (theta == -2) & (label == 1)
    rest = np.flatnonzero(~alone)
    files = [*np.split(rest, np.cumsum([int(share * len(rest)) for share in SHARES])[:-1]), rest[:0]]
    files[1] = np.random.default_rng(0).permutation(np.concatenate([files[1], np.flatnonzero(alone)]))
    folder = tmp_path_factory.mktemp("events")
    for i, rows in enumerate(files):
        table = pyarrow.table({"x": features[rows, 0], "theta": theta[rows], "label": label[rows]})
        parquet.write_table(table, folder / f"{i}.parquet", row_group_size=5000)
    (folder / "damaged.parquet").write_bytes((folder / "4.parquet").read_bytes()[:-100])
    return folder


def assert_same(folder, expected):
    with np.load(folder / "result.npz") as found, np.load(expected / "result.npz") as right:
        assert found.files == right.files
        for name in set(found.files) - {"history"}:
            np.testing.assert_allclose(found[name], right[name], atol=1e-6)  # the order of sums of several threads
        (epochs, history), (of_whole, right) = (json.loads(str(file["history"])) for file in (found, right))
    assert epochs == of_whole == list(range(EPOCHS)) and history.keys() == right.keys()
    for name, values in history.items():
        np.testing.assert_allclose(values, right[name], atol=1e-5)
    records, of_whole = (taylor.read_monitor(path / "monitor.jsonl") for path in (folder, expected))
    assert [record.step for record in records] == [record.step for record in of_whole]
    for one, other in zip(records, of_whole, strict=True):
        np.testing.assert_allclose(one.importance.mean, other.importance.mean, atol=1e-6)


@pytest.fixture(scope="module")
def whole(events, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    train(events, folder)
    return folder


def test_a_training_from_files_that_is_stopped_ends_as_one_that_is_not(events, whole, tmp_path):
    with pytest.raises(Stop):
        train(events, tmp_path, KillAt(157, Stop()))
    train(events, tmp_path)
    assert_same(tmp_path, whole)


class Lose(keras.callbacks.Callback):
    """Renames a file after some steps, of the 360 of which 256 may have been made by then."""

    def __init__(self, path, step):
        super().__init__()
        self.path, self.step = path, step

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations) == self.step:
            self.path.rename(self.path.with_suffix(".gone"))


@pytest.mark.slow
def test_a_training_goes_on_when_a_file_that_vanished_is_back(events, whole, tmp_path):
    path = events / "0.parquet"
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"0\.parquet: it cannot be read"):
        train(events, tmp_path, Lose(path, 50))
    path.with_suffix(".gone").rename(path)
    train(events, tmp_path)
    assert_same(tmp_path, whole)


CHILD = """
import sys
from pathlib import Path
from tests.pnn_tf.test_out_of_core import KillAt, train
events, folder, step, save = sys.argv[1:]
train(Path(events), Path(folder), KillAt(int(step)), int(save) if save else None)
"""


@pytest.mark.slow
def test_a_training_from_files_that_is_killed_ends_as_one_that_is_not(events, whole, tmp_path):
    kills = np.sort(np.random.default_rng(7).choice(np.arange(31, EPOCHS * STEPS), 3, replace=False)).tolist()
    for step, save in ((kills[0], ""), (-1, 1), (kills[1], ""), (kills[2], ""), (-1, "")):
        child = [sys.executable, "-c", CHILD, events, tmp_path, str(step), str(save)]
        run = subprocess.run(
            child, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300, check=False
        )
        assert run.returncode == (0 if (step, save) == (-1, "") else -signal.SIGKILL), run.stderr
    assert_same(tmp_path, whole)
