"""Sums over the events of many Parquet files, as tasks of Dask: the glue, for users of coffea to read.

`pnn_tf.shard_sums` says what a task does, `pnn_tf.cluster` where it is done, `pnn_tf.finished` where its sum is kept.
"""

import operator
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from itertools import chain
from typing import Any

from pnn_tf import checks, parquet
from pnn_tf.cluster import dask_client, n_cores, results_of
from pnn_tf.finished import Finished
from pnn_tf.served import stored
from pnn_tf.shard_sums import Total, Work, plan


def sum_over_shards(
    function: Callable[..., Any],
    paths: str | os.PathLike | Iterable[str | os.PathLike],
    *,
    columns: Sequence[str],
    may_be_missing: Sequence[str] = (),
    model: str | os.PathLike | Mapping[str, str | os.PathLike] | None = None,
    workers: Any = None,
    on_error: str = "raise",
    progress: str | os.PathLike | None = None,
    events_per_task: int = 1_000_000,
    first_row: int = 0,
) -> Total:
    """The sum of a function of events over Parquet files that no memory holds, by several processes.

    A worker that ends, or is killed, loses nothing: another one does its task. The sum is the same to the rounding of
    float64, whatever the number of workers and the size of tasks.

    Args:
        function: of `Columns`, and of the model if there is one, `function(events, model)`; it is called on at most
            65 536 events of one row group at a time. It gives what can be added: a number or an array, which is added
            in float64 or int64, an object with a `+`, or a dict of these by name, not always of the same names; None
            for nothing. Workers must be able to import the module that it is in.
        paths: of the files, or a folder that holds *.parquet, or a pattern such as "test/*.parquet". Workers read them
            by the same paths.
        columns: names of the columns to read, of numbers or of text.
        may_be_missing: those of them that may hold NaN, infinity or nothing.
        model: path of a model, which each worker loads once: a Keras file, *.keras, or the directory of a SavedModel,
            which becomes a Keras model if it is one of `export_savedmodel`. Or paths by name, for a dict of models.
        workers: as of `dask_client`; 0 for this process alone, without Dask.
        on_error: what to do with a file or row group that cannot be read, with a file that lacks a column or has one of
            another type, and with events that are NaN, infinite or missing in a column. "raise" stops with the file;
            "skip" leaves these out, and `left_out` says how many events of which file, and why.
        progress: folder in which the sum of each task is kept when it is done. The same call goes on from there: with
            the same files, model and columns, and the same `function`, in what it holds, its code, and what it uses of
            its own module. What it calls in other modules is not looked at: when that has changed, take another folder.
        events_per_task: so many events, in whole row groups of one file, make a task.
        first_row: number of the first event of all in `Columns.rows`, where the sums of several calls are added: what
            follows from these numbers, as the bootstrap of `taylor`, needs others in each.

    Returns:
        Total(value, n_events, left_out).

    Warns:
        UserWarning: events that are left out; a sum that cannot be kept, as on a full disk; as of `dask_client`.

    Raises:
        ValueError: no file, or one given twice, no event, what on_error="raise" stops at, an unknown on_error.
        FileNotFoundError: no model at the path.
        ConnectionError: as of `dask_client`; the scheduler has ended.
        RuntimeError: as of `dask_client`; a task during which several workers ended.
        ImportError: without pyarrow or distributed.
    """
    if on_error not in ("raise", "skip"):
        raise ValueError(f"Expected on_error 'raise' or 'skip'. Received: on_error={on_error!r}")
    names, may_be_missing = [columns] if isinstance(columns, str) else list(columns), list(may_be_missing)
    if not names or len(set(names)) < len(names) or set(may_be_missing) - set(names):
        raise ValueError(
            f"Expected distinct names of columns, at least one, and may_be_missing among them. Received: "
            f"columns={names}, may_be_missing={may_be_missing}"
        )
    if isinstance(model, Mapping):
        models: Any = {name: stored(path) for name, path in model.items()}
    else:
        models = None if model is None else stored(model)
    files = parquet.find(paths)
    reader = parquet.TableReader({name: ["number", "text"] for name in names})
    events_per_task = checks.as_count("events_per_task", events_per_task)
    parts, left_out = plan(files, reader, on_error, events_per_task, operator.index(first_row))
    work = Work(function, reader, tuple(may_be_missing), models, on_error)
    finished = Finished(progress, work, parts)
    if workers == 0 or not finished.todo:
        total = _in_order(finished, ((number, work(parts[number])) for number in finished.todo))
    else:
        n_processes = min(len(finished.todo), n_cores()) if workers is None else workers
        todo = [parts[number] for number in finished.todo]
        with (
            dask_client(n_processes) as client,
            closing(results_of(client, work, [(part,) for part in todo], [*map(str, todo)], function)) as results,
        ):
            total = _in_order(finished, ((finished.todo[i], result) for i, result in results))
    total = Total(left_out=left_out).plus(total)
    if total.n_events == 0:
        raise ValueError(f"Expected events in the {len(files)} files. Received none, but left out: {total.left_out}")
    parquet.warn_of(total.left_out, len(files))
    return total


def _in_order(finished: Finished, results: Iterable[tuple[int, Total]]) -> Total:
    """Adds the sums in the order of the parts, so that rounding is the same each time."""
    total, due, waiting = Total(), 0, {}
    for number, result in chain([(None, None)], results):
        if number is not None:
            finished.keep(number, result)
            waiting[number] = result
        while due in waiting or due in finished.done:
            total = total.plus(waiting.pop(due) if due in waiting else finished.read(due))
            due += 1
    return total
