"""What is in Parquet files of events: how many of each stratum in each row group, from one pass over all of them.

The pass looks at every value, so that a fault is found before the training and not in the middle of it; it takes less
than a tenth of an epoch. What it keeps grows with the number of row groups alone.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pnn_tf.parquet import LeftOut, Shard, Unreadable
from pnn_tf.shards import Events, ShardReader, rows_of
from pnn_tf.strata import Stratum, distinct, named_classes, point_name, require_events, require_hypotheses

N_SAMPLED = 40_000  # events in which the classes' theta are compared
MANY = 10_000  # strata, which hypotheses are not


class RowGroup(NamedTuple):
    """A part of a file.

    Attributes:
        shard: the file.
        number: of the row group in it.
        counts: number of its good events by stratum.
        is_good: whether all its rows are good events.
    """

    shard: Shard
    number: int
    counts: dict[int, int]
    is_good: bool


class Index(NamedTuple):
    """The events of all files.

    Attributes:
        row_groups: those with good events.
        n_events: number of good events by stratum.
        weight_sums: sum of their weights by stratum; 0 without weights.
        sample: some of the events, and one of each theta of signal.
        left_out: what is not used.
    """

    row_groups: list[RowGroup]
    n_events: Counter[int]
    weight_sums: Counter[int]
    sample: Events
    left_out: tuple[LeftOut, ...]


def index(paths: Sequence[str], reader: ShardReader, strata: "FoundStrata", on_error: str) -> Index:
    """Reads all files once.

    Args:
        paths: of the files.
        reader: of their columns.
        strata: where those that are met are kept.
        on_error: "raise", or "skip" to leave out what is not as it should be.

    Raises:
        ValueError: with "raise", a file, row group or event that is not as it should be; no good event at all; a
            continuous theta of signal where it is to be balanced.
    """
    left_out: dict[tuple[str, str], int | None] = {}

    def leave_out(path, n_events, reason, where=""):
        if on_error == "raise":
            raise ValueError(f"{path}: {reason}{where}. Mend it, or go on without what is wrong by on_error='skip'.")
        left_out[path, reason] = None if n_events is None else (left_out.get((path, reason)) or 0) + n_events

    shards: list[Shard] = []
    n_rows = 0
    for path in paths:
        try:
            shards.append(reader.open(path, n_rows))
            n_rows += shards[-1].metadata.num_rows
        except Unreadable as error:
            leave_out(path, error.n_events, str(error))
    look = _Look(reader, strata, stride=max(n_rows // N_SAMPLED, 1))
    row_groups = []
    n_events: Counter[int] = Counter()
    weight_sums: Counter[int] = Counter()
    for shard in shards:
        for number, size in enumerate(shard.sizes):
            first = sum(shard.sizes[:number])
            try:
                parts = [look.at(events) for events in reader.parts(shard, number)]
            except Unreadable as error:
                leave_out(shard.path, size, str(error))
                continue
            for part in parts:
                for reason, rows in part.faults.items():
                    where = f" in {len(rows)} events, the first of them in row {first + rows[0]}"
                    leave_out(shard.path, len(rows), reason, where)
                first += part.n_rows
                weight_sums.update(part.weight_sums)
            counts = sum((part.counts for part in parts), Counter())
            n_events += counts
            if counts:
                row_groups.append(RowGroup(shard, number, dict(counts), counts.total() == size))
            if len(n_events) > MANY:
                strata.require_hypotheses(n_events)
    if not row_groups:
        raise ValueError(f"Expected events in the {len(paths)} files. Received none, but left out: {dict(left_out)}")
    strata.require_hypotheses(n_events)
    reasons = tuple(LeftOut(path, n, reason) for (path, reason), n in left_out.items())
    return Index(row_groups, n_events, weight_sums, look.sample(), reasons)


def events_of(row_group: RowGroup, reader: ShardReader, strata: "FoundStrata") -> Iterator[tuple[Events, np.ndarray]]:
    """The good events of a row group in parts, and the stratum of each, (n_events,).

    Raises:
        ValueError: the file is no longer what it was when it was indexed.
    """
    try:
        for events in reader.parts(row_group.shard, row_group.number):
            if not row_group.is_good:
                good = np.ones(len(events.label), bool)
                for _, bad in reader.faults(events):
                    good &= ~bad
                events = rows_of(events, good)
            is_pure = len(row_group.counts) == 1
            yield events, np.full(len(events.label), *row_group.counts) if is_pure else strata.of(events)
    except Unreadable as error:
        raise ValueError(f"{row_group.shard.path}: {error}. It was whole when the training began.") from error


class _Part(NamedTuple):
    """What is kept of some rows.

    Attributes:
        n_rows: how many there are.
        faults: which of them are bad, by reason.
        counts: number of good ones by stratum.
        weight_sums: sum of their weights by stratum.
    """

    n_rows: int
    faults: dict[str, np.ndarray]
    counts: Counter[int]
    weight_sums: dict[int, float]


class _Look:
    """Looks at events, and keeps every stride-th good one and one of each theta of signal."""

    def __init__(self, reader: ShardReader, strata: "FoundStrata", stride: int):
        self.reader, self.strata, self.stride = reader, strata, stride
        self._kept: list[Events] = []
        self._points: set[tuple[float, ...]] = set()

    def at(self, events: Events) -> _Part:
        n_rows = len(events.label)
        good, faults = np.ones(n_rows, bool), {}
        for reason, bad in self.reader.faults(events):
            rows = np.flatnonzero(good & bad)
            if len(rows):
                faults[reason] = rows
                good[rows] = False
        if faults:
            events = rows_of(events, good)
        of = self.strata.of(events)
        strata, counts = np.unique(of, return_counts=True)
        sums = {} if events.weight is None else {s: float(events.weight[of == s].sum()) for s in strata.tolist()}
        self._keep(events)
        return _Part(n_rows, faults, Counter(dict(zip(strata.tolist(), counts.tolist(), strict=True))), sums)

    def _keep(self, events: Events) -> None:
        rows = [np.arange(0, len(events.label), self.stride)]
        signal = np.flatnonzero(~np.isin(events.label, self.reader.backgrounds))
        points, group = distinct(events.theta[signal])
        if len(points) <= MANY // 10 and len(self._points) <= MANY:
            new = [i for i, point in enumerate(map(tuple, points.tolist())) if point not in self._points]
            self._points.update(map(tuple, points[new].tolist()))
            rows.append(signal[np.unique(group, return_index=True)[1][new]])
        self._kept.append(rows_of(events, np.concatenate(rows)))

    def sample(self) -> Events:
        return Events(*(None if x[0] is None else np.concatenate(x) for x in zip(*self._kept, strict=True)))


class FoundStrata:
    """The strata of files, which are known when all are read; as `strata.stratify` makes them of arrays.

    Args:
        balance: one of `strata.BALANCES`.
        n_classes: number of classes.
        backgrounds: the classes that are background.
        processes: of `ShardReader`.
    """

    def __init__(self, balance: str, n_classes: int, backgrounds: Sequence[int], processes: dict):
        self.balance, self.n_classes, self.backgrounds, self.processes = balance, n_classes, backgrounds, processes
        self._number: dict[tuple, int] = {}  # of a stratum, in the order in which they are met

    def of(self, events: Events) -> np.ndarray:
        """The number of the stratum of each of some good events, (n_events,)."""
        if self.balance == "none":
            return np.full(len(events.label), self._number.setdefault((), 0))
        number = np.empty(len(events.label), int)
        for label in np.unique(events.label):
            own = np.flatnonzero(events.label == label)
            keys, group = self._parts(int(label), events, own)
            number[own] = np.array([self._number.setdefault(key, len(self._number)) for key in keys])[group]
        return number

    def _parts(self, label: int, events: Events, own: np.ndarray) -> tuple[list[tuple], np.ndarray]:
        is_background = label in self.backgrounds
        if is_background and self.balance in ("background", "full") and events.process is not None:
            processes, group = np.unique(events.process[own], return_inverse=True)
            return [(label, process) for process in processes.tolist()], group
        if not is_background and self.balance in ("signal", "full"):
            points, group = distinct(events.theta[own])
            return [(label, tuple(point)) for point in points.tolist()], group
        return [(label,)], np.zeros(len(own), int)

    def in_order(self, n_events: Counter[int], batch_size: int) -> tuple[list[int], list[Stratum], list[int]]:
        """The numbers of all strata and what they are, class by class with signal first; and how many each class has.

        Args:
            n_events: of each stratum, by its number.
            batch_size: number of events of a batch.

        Raises:
            ValueError: a class without events.
        """
        if self.balance == "none":
            return [0], [Stratum("all", n_events[0], float(batch_size))], [1]
        process_name = {number: name for name, number in self.processes.items()}
        numbers, strata, n_strata = [], [], []
        for label, kind, name in named_classes(self.n_classes, self.backgrounds):
            parts = [key[1:] for key, number in self._number.items() if key[0] == label and n_events[number]]
            require_events(name, self.balance, len(parts))
            if kind == "background":
                named = sorted((tuple(process_name[number] for number in part), part) for part in parts)
            else:
                named = [(tuple(map(point_name, np.float32(part))), part) for part in sorted(parts)]
            for suffix, part in named:
                numbers.append(self._number[label, *part])
                quota = batch_size / self.n_classes / len(parts)
                strata.append(Stratum(" ".join(map(str, [name, *suffix])), n_events[numbers[-1]], quota))
            n_strata.append(len(parts))
        return numbers, strata, n_strata

    def require_hypotheses(self, n_events: Counter[int]) -> None:
        """Refuses a continuous theta of signal where it is to be balanced."""
        for label, kind, name in named_classes(self.n_classes, self.backgrounds):
            if kind == "signal" and self.balance in ("signal", "full"):
                own = [n_events[number] for key, number in self._number.items() if key[0] == label]
                require_hypotheses(name, self.balance, len(own), sum(own))
