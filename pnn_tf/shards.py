"""Events in Parquet files, checked as `checks.py` checks arrays."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from pnn_tf.parquet import Shard, TableReader, numbers


class Events(NamedTuple):
    """Some rows of a file.

    Attributes:
        features: (n_events, n_features) float32.
        theta: (n_events, n_parameters) float32.
        label: (n_events,) as in the file.
        process: (n_events,) int32 index into the reader's `processes`, -1 where it is missing; None if there is none.
        weight: (n_events,) float64; None if there is none.
    """

    features: np.ndarray
    theta: np.ndarray
    label: np.ndarray
    process: np.ndarray | None
    weight: np.ndarray | None


def rows_of(events: Events, rows: np.ndarray) -> Events:
    """Some of the events, by index or by bool."""
    return Events(*(None if values is None else values[rows] for values in events))


@dataclass
class ShardReader(TableReader):
    """Reads events by the names of their columns.

    Attributes:
        features: names of the feature columns, in order.
        theta: names of the columns of theta, in order.
        label: name of the label's column.
        process: name of the column with the process of background, which is then needed; or None.
        weight: name of the weight's column, or None.
        classes: the labels that there may be.
        backgrounds: those of background.
        theta_of_background: the columns of theta that are looked at in background; others may be NaN.
        draw: gives background its theta once and for all, from Events and the number of their first row; or None.
        processes: the processes met so far, with their number.
    """

    features: list[str]
    theta: list[str]
    label: str
    process: str | None
    weight: str | None
    classes: Sequence[int]
    backgrounds: Sequence[int]
    theta_of_background: Sequence[int]
    draw: Callable[[Events, int], np.ndarray] | None = None
    processes: dict[Any, int] = field(default_factory=dict)
    kinds: dict[str, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        others = [self.label, *(name for name in (self.process, self.weight) if name is not None)]
        self.kinds = {name: ["number"] for name in (*self.features, *self.theta, *others)}
        if self.process is not None:
            self.kinds[self.process] = ["text", "number"]

    def parts(self, shard: Shard, row_group: int) -> Iterator[Events]:
        """The events of a row group, some at a time.

        Raises:
            Unreadable: as `batches`.
        """
        for batch, row in self.batches(shard, row_group):
            yield self._events(batch, row)

    def _events(self, batch: Any, row: int) -> Events:
        def side_by_side(names):
            rows = np.empty((len(batch), len(names)), np.float32)
            with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and a fault
                for i, name in enumerate(names):
                    rows[:, i] = numbers(batch.column(name))
            return rows

        events = Events(
            side_by_side(self.features),
            side_by_side(self.theta),
            numbers(batch.column(self.label)),
            None if self.process is None else self._processes(batch.column(self.process)),
            None if self.weight is None else numbers(batch.column(self.weight)).astype(np.float64),
        )
        return events if self.draw is None else events._replace(theta=self.draw(events, row))

    def _processes(self, column: Any) -> np.ndarray:
        if not hasattr(column, "dictionary"):
            column = column.dictionary_encode()
        known = [
            -1 if name is None or name != name else self.processes.setdefault(name, len(self.processes))
            for name in column.dictionary.to_pylist()
        ]
        return np.array([*known, -1], np.int32)[column.indices.fill_null(-1).to_numpy()]

    def faults(self, events: Events) -> Iterator[tuple[str, np.ndarray]]:
        """What is wrong with events: a text for each kind of fault, and which events (n_events,) have it."""
        background = np.isin(events.label, self.backgrounds)
        yield from self._not_finite(self.features, events.features)
        known = np.isin(events.label, self.classes)
        yield f"the label {self.label!r} is none of {list(self.classes)}", ~known
        looked_at = np.isin(np.arange(len(self.theta)), self.theta_of_background)
        theta = np.where(known[:, np.newaxis] & (~background[:, np.newaxis] | looked_at), events.theta, 0)
        yield from self._not_finite(self.theta, theta)
        if events.weight is not None:
            wrong = ~(np.isfinite(events.weight) & (events.weight >= 0))
            yield f"the weight {self.weight!r} is negative, NaN or infinite", wrong
        if events.process is not None:
            yield f"the process {self.process!r} of background is missing", background & (events.process < 0)

    @staticmethod
    def _not_finite(names: Sequence[str], rows: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        finite = np.isfinite(rows)
        if not finite.all():
            for i in np.flatnonzero(~finite.all(axis=0)):
                yield f"the column {names[i]!r} is NaN, infinite or missing", ~finite[:, i]
