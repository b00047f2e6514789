"""TaylorMonitor: the importance of features while a network learns. Wunsch et al. 2018, section 3."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from taylor.analysis import analysis_of
from taylor.chunks import array_chunks, count_events
from taylor.features import FeatureSet
from taylor.fingerprint import architecture_digest, weights_digest
from taylor.importance import mean_abs_coefficients
from taylor.response import Events
from taylor.result import RankedFeature, TaylorImportance
from taylor.sums import OF_EVENTS
from taylor.warning import warn
from taylor.whole_file import naming, written_whole

FORMAT = 1
N_SCALARS = 20  # features that TensorBoard is shown


class MonitorRecord(NamedTuple):
    """The state of a network in training.

    Attributes:
        step: gradient steps done.
        epoch: epochs done.
        importance: over the held-out events.
        metrics: name to number.
        weights: a digest of the network's weights; None in files of earlier versions.
        ends_here: whether the network that the training ended with is this one, such as an earlier one that
            `EarlyStopping` has restored.
    """

    step: int
    epoch: int
    importance: TaylorImportance
    metrics: dict[str, float]
    weights: str | None = None
    ends_here: bool = False


class TaylorMonitor(keras.callbacks.Callback):
    """Keras callback: computes <t_i> on held-out events in the course of training.

    The first record is made before the first step, the last at the end of training. Where weights have become NaN, the
    means are NaN, with a warning, and the training goes on.

    Args:
        data: held-out events in memory, as `x` of `taylor_coefficients`.
        every: number of gradient steps from one record to the next, or "epoch". With `steps_per_execution` a record is
            made at the first step that Keras stops at.
        label: (n_events,) 1 for signal, 0 for background; needed for metrics.
        metrics: functions of (label, score) that return a number, by name, such as {"auc": pnn_tf.roc_auc}; the score
            is the analysed response.
        path: file that every record is added to as soon as it is made. A training that goes on from a checkpoint goes
            on in its file: what was recorded beyond the checkpoint is replaced.
        log_dir: folder of TensorBoard logs, with the features of the largest means in the first record and the metrics
            as scalars. Needs the package tensorboard.
        **analysis: as `mean_abs_coefficients`: order, weight, regions, target, features, names, ...

    Attributes:
        records: list of MonitorRecord.

    Raises:
        ValueError: `every` out of range, metrics without label; records, in the file or of a monitor that is used
            again, of another analysis, or of another network than the one that training goes on with.
        OSError: in `fit`, a record that cannot be stored, as on a full disk; those before are kept.
    """

    def __init__(
        self,
        data: Events,
        *,
        every: int | str = "epoch",
        label: ArrayLike | None = None,
        metrics: Mapping[str, Callable] | None = None,
        path: str | os.PathLike | None = None,
        log_dir: str | os.PathLike | None = None,
        **analysis: Any,
    ):
        super().__init__()
        if every != "epoch" and not (isinstance(every, int) and every > 0):
            raise ValueError(f"Expected every to be a number of steps, at least 1, or 'epoch'. Received: {every!r}")
        if metrics and label is None:
            raise ValueError("Expected label, one for each event of data, for metrics. Received: none.")
        self._data, self._every, self._label, self._analysis = data, every, label, analysis
        self._metrics = dict(metrics or {})
        self._path = None if path is None else Path(path)
        self._writer = None if log_dir is None else _writer(log_dir)
        self._epoch = 0
        self._architecture: str | None = None
        self.records: list[MonitorRecord] = []

    @property
    def steps(self) -> np.ndarray:
        """(n_records,) gradient steps done."""
        return np.array([record.step for record in self.records])

    @property
    def mean(self) -> np.ndarray:
        """(n_records, n_features) <t_i>."""
        return np.stack([record.importance.mean for record in self.records])

    def metric(self, name: str) -> np.ndarray:
        """(n_records,) one of the metrics."""
        return np.array([record.metrics[name] for record in self.records])

    def on_train_begin(self, logs: Mapping | None = None) -> None:
        if isinstance(self.model, keras.Sequential) and not self.model.built:
            self.model.build((None, *np.shape(self._data)[1:]))  # Keras would do so at the first step
        step, architecture = self._step(), architecture_digest(self.model)
        records, recorded = self.records, self._architecture
        if self._path is not None and self._path.exists():
            records, recorded = read_monitor(self._path), _header_of(self._path).get("architecture")
        if records:
            self._require_continuation(records, recorded, step, architecture)
        self.records, self._architecture = [record for record in records if record.step <= step], architecture
        if records and self._path is not None:
            self._write_anew(self._path)
        self._epoch = self.records[-1].epoch if self.records else 0
        if not self.records or self._is_due():
            self._record()

    def on_epoch_begin(self, epoch: int, logs: Mapping | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping | None = None) -> None:
        if self._is_due():
            self._record()

    def on_epoch_end(self, epoch: int, logs: Mapping | None = None) -> None:
        self._epoch = epoch + 1
        if self._every == "epoch":
            self._record()

    def on_train_end(self, logs: Mapping | None = None) -> None:
        if self._step() > self.records[-1].step:
            self._record()
        self._mark_the_end()
        history = getattr(self.model, "history", None)  # Keras' own last callback: after those that restore weights
        if isinstance(history, keras.callbacks.History):

            def after_all(logs: Mapping | None = None) -> None:
                del history.on_train_end
                self._mark_the_end()

            history.on_train_end = after_all

    def _mark_the_end(self) -> None:
        weights, _ = weights_digest(self.model)
        if all(record.weights != weights for record in self.records):
            self._record()
        at = max(i for i, record in enumerate(self.records) if record.weights == weights)
        records = [record._replace(ends_here=i == at) for i, record in enumerate(self.records)]
        if [r.ends_here for r in records] != [r.ends_here for r in self.records]:
            self.records = records
            if self._path is not None:
                self._write_anew(self._path)
        if self._writer is not None:
            self._writer.flush()

    def _require_continuation(
        self, records: list[MonitorRecord], recorded: str | None, step: int, architecture: str
    ) -> None:
        """Before anything is replaced: the records are of this analysis, and of the network that goes on."""
        where = "this monitor" if self._path is None else self._path
        way_out = "Choose another path." if self._path is not None else "Make a new TaylorMonitor."
        analysis, _ = analysis_of(self.model, self._data, **self._of_analysis())
        if analysis.features != records[0].importance.features:
            raise ValueError(f"Expected the features of {where}. Received: others. {way_out}")
        weights, _ = weights_digest(self.model)
        known = {record.weights for record in records if record.step <= step}
        if (
            not known
            or (recorded is not None and recorded != architecture)
            or (any(record.step == step for record in records) and not known & {weights, None})
        ):
            raise ValueError(
                f"Expected to go on with the training that {where} has records of, up to step {records[-1].step}. "
                f"Received: another network, or other weights, at step {step}. {way_out}"
            )

    def _is_due(self) -> bool:
        return isinstance(self._every, int) and self._step() - self.records[-1].step >= self._every

    def _step(self) -> int:
        return int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))  # it may be on several devices

    def _record(self) -> None:
        weights, finite = weights_digest(self.model)
        importance, metrics = self._look() if finite else self._nothing()
        self.records.append(MonitorRecord(self._step(), self._epoch, importance, metrics, weights))
        if self._path is not None and len(self.records) == 1:
            self._write_anew(self._path)
        elif self._path is not None:
            with naming(self._path), open(self._path, "a", encoding="utf-8") as file:
                file.write(_line(self.records[-1]))
        if self._writer is not None:
            with self._writer.as_default(step=self.records[-1].step):
                _log(self.records[-1], self.records[0].importance.ranking(N_SCALARS))

    def _look(self) -> tuple[TaylorImportance, dict[str, float]]:
        importance = mean_abs_coefficients(self.model, self._data, **self._analysis)
        if not self._metrics:
            return importance, {}
        score = self._scores()
        return importance, {name: float(metric(self._label, score)) for name, metric in self._metrics.items()}

    def _nothing(self) -> tuple[TaylorImportance, dict[str, float]]:
        """What is recorded of a network whose weights are not numbers."""
        warn(f"The weights are NaN or infinite at step {self._step()}: the record has NaN.")
        analysis, parts = analysis_of(self.model, self._data, **self._of_analysis())
        missing = np.full(len(analysis.features), np.nan)
        n_events = count_events(parts, analysis.response.analysed)
        importance = TaylorImportance(analysis.features, missing, missing, n_events, analysis.engine)
        regions = {
            name: replace(importance, n_events=int(np.count_nonzero(mask)))
            for name, mask in dict(self._analysis.get("regions") or {}).items()
        }
        return replace(importance, regions=regions), dict.fromkeys(self._metrics, np.nan)

    def _of_analysis(self) -> dict:
        """The arguments of `analysis_of`."""
        return {name: value for name, value in self._analysis.items() if name not in OF_EVENTS}

    def _scores(self) -> np.ndarray:
        analysis, parts = analysis_of(self.model, self._data, **self._of_analysis())
        chunks = array_chunks(parts, analysis.response.analysed, 1 << 14, analysis.response.dtypes)
        return np.concatenate([analysis.respond(tensors)[: rows.stop - rows.start] for tensors, rows in chunks])

    def _write_anew(self, path: Path) -> None:
        header = _header(self.records[0].importance.features, self._architecture)
        with written_whole(path) as temporary:
            temporary.write_text(header + "".join(map(_line, self.records)), encoding="utf-8")


def read_monitor(path: str | os.PathLike) -> list[MonitorRecord]:
    """The records in a file of `TaylorMonitor`; a last one that was cut off is left out.

    Raises:
        ValueError: something else.
    """
    header = _header_of(path)
    if header.get("format") != FORMAT:
        raise ValueError(f"Expected records of TaylorMonitor, format {FORMAT}. Received: {path}. Choose another path.")
    _, *lines = Path(path).read_text(encoding="utf-8").splitlines(keepends=True)
    features = FeatureSet.from_dict(header)
    records = []
    for line in lines:
        stored = _json_or_none(line) if line.endswith("\n") else None
        if stored is None:
            break
        stored["importance"] = TaylorImportance.from_dict(stored["importance"], features)
        records.append(MonitorRecord(**stored))
    return records


def _writer(log_dir: str | os.PathLike) -> tf.summary.SummaryWriter:
    if find_spec("tensorboard") is None:
        raise ImportError("log_dir needs TensorBoard: `pip install tensorboard`. Without it, use path.")
    return tf.summary.create_file_writer(str(log_dir))


def _log(record: MonitorRecord, shown: list[RankedFeature]) -> None:
    features = record.importance.features
    for inputs, label, mean in zip(features.indices, features.labels, record.importance.mean, strict=True):
        if any(inputs == line.inputs for line in shown):
            tf.summary.scalar(f"taylor/{label}", mean)
    for name, value in record.metrics.items():
        tf.summary.scalar(f"taylor_metrics/{name}", value)


def _header(features: FeatureSet, architecture: str | None) -> str:
    return json.dumps({"format": FORMAT, "architecture": architecture, **features.to_dict()}) + "\n"


def _header_of(path: str | os.PathLike) -> dict:
    with open(path, encoding="utf-8") as file:
        header = _json_or_none(file.readline())
    return header if isinstance(header, dict) else {}


def _line(record: MonitorRecord) -> str:
    return json.dumps(record._asdict() | {"importance": record.importance.to_dict()}) + "\n"


def _json_or_none(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None
