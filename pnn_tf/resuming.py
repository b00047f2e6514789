"""BackupAndResume: a training that goes on, after a kill at any step, as if there had been none.

Keras' own BackupAndRestore begins the epoch again that it was in, on a stream that begins again, with metrics and a
history that begin again; a second kill in the same epoch takes it back to the first one (its epoch is counted anew in
each process); and it overwrites its two files one after the other, so that a kill or a full disk leaves half of one.
"""

import hashlib
import inspect
import numbers
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from pnn_tf import checks, keras_graph
from pnn_tf.pipeline import BalancedBatches
from pnn_tf.training_state import read_state, restore, restore_metrics, state_of, write_state

WHAT = {  # has to be as it was
    "batches": "batches whose batch_size, strata and digest of the first batch are",
    "optimizer": "an optimizer of the kind",
    "steps": "steps_per_epoch and steps_per_execution",
    "others": "others",
}


class BackupAndResume(keras.callbacks.Callback):
    """Keras callback: stores the state of a training, and lets the same `fit` go on from it, at the batch that was due.

    Stored are weights, optimizer, the state of random numbers of layers, what the metrics of the epoch have summed up,
    the history, and the position in the stream of batches. So the weights and the history are those of a training that
    was never stopped. Of a training that is done, `fit` gives these at once; with more epochs it goes on.

    It is the last in the list of callbacks, so that it stores what the others have done, such as a new learning rate.
    In the epoch in which a training goes on, batches that were done are counted and passed over.

    Args:
        path: of the file, such as "last.npz". A new one is written beside it, and takes its place when it is whole.
        batches: those of the training.
        save_freq: number of steps after which to store the state, besides the end of each epoch; "epoch" for none.
        others: callbacks whose numbers are stored as well, such as `EarlyStopping`, which counts epochs without
            progress and keeps the best weights, `ReduceLROnPlateau`, or `ModelCheckpoint(save_best_only=True)`.

    Raises:
        ValueError: a save_freq that is neither "epoch" nor an int >= 1; in `fit`, a path with something else, or with
            the state of another model, other batches, or another number of steps; batches that are not those of
            `dataset`.
        OSError: in `fit`, when the state cannot be stored, as on a full disk, with the path. The one before is still
            there: make room, and start again.

    ```python
    backup = pnn_tf.BackupAndResume("last.npz", batches, save_freq=500)
    model.fit(
        backup.dataset, steps_per_epoch=batches.steps_per_epoch, epochs=10, callbacks=[backup], shuffle=False
    )
    ```
    """

    def __init__(
        self,
        path: str | os.PathLike,
        batches: BalancedBatches,
        *,
        save_freq: int | Literal["epoch"] = "epoch",
        others: Sequence[keras.callbacks.Callback] = (),
    ):
        super().__init__()
        self._save_freq = None if save_freq == "epoch" else checks.as_count("save_freq", save_freq)
        self._path, self._batches, self._others = Path(path), batches, list(others)
        self._dataset: tf.data.Dataset | None = None
        self._identity: list | None = None
        with tf.device("CPU"):  # where tf.data reads it
            self._first = tf.Variable(0, dtype=tf.int64, trainable=False, name="first_step")

    @property
    def dataset(self) -> tf.data.Dataset:
        """The stream of batches from the step that is due when `fit` begins; for training alone."""
        if self._dataset is None:
            self._dataset = self._batches.dataset_from(self._first)
        return self._dataset

    def set_model(self, model: keras.Model) -> None:
        """Restores the model: `fit` calls this before the `on_train_begin` of any callback."""
        super().set_model(model)
        self._progress: dict[str, Any] = {"epoch": 0, "batch": 0, "step": 0, "logs": [], "done": False}
        self._state: dict[str, np.ndarray] = {}
        if self._path.exists():
            progress, self._state = read_state(self._path)
            self._require(progress, "batches", self._of_batches())
            self._require(progress, "optimizer", type(model.optimizer).__name__)
            restore(model, self._state)
            self._progress |= progress
        self._stored = self._progress["step"]
        self._first.assign(self._progress["step"])

    def on_train_begin(self, logs: dict | None = None) -> None:
        if self._dataset is None:
            raise ValueError("Expected batches from `dataset` of this BackupAndResume. Received: others.")
        if not self._state:
            return
        progress = self._progress
        self._require(progress, "steps", self._steps())
        self._require(progress, "others", self._names())
        for i, callback in enumerate(self._others):
            vars(callback).update(progress["counts"][i] | _weights_in(self._state, i))
        epoch = max(progress["epoch"], self.params["epochs"]) if progress["done"] else progress["epoch"]
        keras_graph.begin_at(self.model, epoch)
        for _, values in progress["logs"]:
            for name, value in values.items():
                self.model.history.history.setdefault(name, []).append(value)
        if progress["batch"]:
            self.model.train_function = _PassOver(self.model, self._state, progress["batch"])

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        keras_graph.begin_at(self.model, None)  # which this `fit` has read
        self._remember_epochs()
        if epoch != self._progress["epoch"]:  # begun at an epoch of the user's
            self._progress |= {"epoch": epoch, "batch": 0}

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        done = batch + 1
        if done <= self._progress["batch"]:  # passed over
            return
        self._progress["step"] += done - self._progress["batch"]
        self._progress["batch"] = done
        if self._save_freq is not None and self._progress["step"] - self._stored >= self._save_freq:
            self._save()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._progress |= {"epoch": epoch + 1, "batch": 0}
        self._progress["logs"] = [*self._progress["logs"], (epoch, dict(logs or {}))]
        self._save()

    def on_train_end(self, logs: dict | None = None) -> None:
        keras_graph.begin_at(self.model, None)
        self._remember_epochs()
        if self.model.stop_training:
            self._progress["done"] = True
        self._save()

    def _save(self) -> None:
        state = state_of(self.model)
        for i, callback in enumerate(self._others):
            state |= _weights_of(callback, i)
        progress = self._progress | {
            "steps": self._steps(),
            "batches": self._of_batches(),
            "optimizer": type(self.model.optimizer).__name__,
            "others": self._names(),
            "counts": [_numbers_of(callback) for callback in self._others],
        }
        write_state(self._path, progress, state)
        self._stored = self._progress["step"]

    def _steps(self) -> list[int]:
        return [self.params["steps"], self.model.steps_per_execution]

    def _of_batches(self) -> list:
        if self._identity is None:
            batches = self._batches
            strata = [[stratum.name, stratum.size] for stratum in batches.strata]
            self._identity = [batches.batch_size, strata, _digest_of_first(batches)]
        return self._identity

    def _names(self) -> list[str]:
        return [type(callback).__name__ for callback in self._others]

    def _require(self, progress: dict, name: str, received: Any) -> None:
        expected = progress[name]
        if expected != received:
            raise ValueError(
                f"Expected to go on with the training in {self._path}, with {WHAT[name]} {expected}. "
                f"Received: {received}. Make them as they were, or move the file away to begin anew."
            )

    def _remember_epochs(self) -> None:
        self.model.history.epoch = [epoch for epoch, _ in self._progress["logs"]]


class _PassOver:
    """A train function that does nothing for the first batches, and then gives way to the one that was there.

    Args:
        model: whose train function it becomes.
        state: from which the first call restores metrics, which `fit` has set back, and what callbacks have changed at
            the begin of the epoch, such as the learning rate.
        n_batches: how many to pass over.
    """

    def __init__(self, model: keras.Model, state: dict[str, np.ndarray], n_batches: int):
        self._model, self._state, self._n_left = model, state, n_batches
        train = model.train_function
        self._train: Callable = train._train if isinstance(train, _PassOver) else train
        self._logs: dict | None = None

    def __call__(self, iterator: Any) -> dict:
        if self._logs is None:
            restore(self._model, self._state)
            restore_metrics(self._model, self._state, iterator.element_spec)
            self._logs = self._model.get_metrics_result()
        self._n_left -= self._model.steps_per_execution
        if self._n_left <= 0:
            self._model.train_function = self._train
        return self._logs


def _digest_of_first(batches: BalancedBatches) -> str:
    """Of the first batch: it follows from the events, the seed, the balance and the strategy for theta."""
    (first,) = batches.dataset.take(1)
    return hashlib.sha256(b"".join(part.numpy().tobytes() for part in tf.nest.flatten(first))).hexdigest()[:16]


def _numbers_of(callback: keras.callbacks.Callback) -> dict[str, Any]:
    """What a callback counts: not its arguments, of which Keras turns the sign of `min_delta` in the first epoch."""
    arguments = {name for kind in type(callback).__mro__ for name in inspect.signature(kind).parameters}
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in vars(callback).items()
        if name not in arguments and (value is None or isinstance(value, (numbers.Number, np.generic)))
    }


def _weights_of(callback: keras.callbacks.Callback, i: int) -> dict[str, np.ndarray]:
    """The lists of arrays of a callback, such as the best weights, with names for a file."""
    return {
        f"other_{i}_{j}_{name}": array
        for name, values in vars(callback).items()
        if isinstance(values, list) and all(isinstance(value, np.ndarray) for value in values)
        for j, array in enumerate(values)
    }


def _weights_in(state: dict[str, np.ndarray], i: int) -> dict[str, list[np.ndarray]]:
    found: dict[str, list[np.ndarray]] = {}
    for key, array in state.items():
        if key.startswith(f"other_{i}_"):
            found.setdefault(key.split("_", 3)[3], []).append(array)
    return found
