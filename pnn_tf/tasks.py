"""Sums over the events of many Parquet files, as tasks of Dask: the glue, for users of coffea to read.

`pnn_tf.shard_sums` says what a task does, `pnn_tf.cluster` where it is done, `pnn_tf.finished` where its sum is kept.
"""

import os
import pickle
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pnn_tf import checks, parquet
from pnn_tf.cluster import ALLOWED_DEATHS, dask_client
from pnn_tf.finished import Finished
from pnn_tf.served import stored
from pnn_tf.shard_sums import Part, Total, Work, plan


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
) -> Total:
    """The sum of a function of events over Parquet files that no memory holds, by several processes.

    A worker that ends, or is killed, loses nothing: another one does its task. The sum is the same to the rounding of
    float64, whatever the number of workers and the size of tasks.

    Args:
        function: of `Columns`, and of the model if there is one, `function(events, model)`; it is called on at most
            65 536 events of one row group at a time. It gives what can be added: a number, an array, an object with a
            `+`, or a dict of these by name, not always of the same names; None for nothing.
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
        progress: folder in which the sum of each task is kept when it is done. The same call goes on from there.
        events_per_task: so many events, in whole row groups of one file, make a task.

    Returns:
        Total(value, n_events, left_out).

    Warns:
        UserWarning: events that are left out; a sum that cannot be kept, as on a full disk.

    Raises:
        ValueError: no file, no event, what on_error="raise" stops at, an unknown on_error, a folder of progress with
            the work of another call.
        FileNotFoundError: no model at the path.
        ConnectionError: as of `dask_client`.
        RuntimeError: as of `dask_client`; a task during which ten workers ended.
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
    parts, left_out = plan(files, reader, on_error, checks.as_count("events_per_task", events_per_task))
    work = Work(function, reader, tuple(may_be_missing), models, on_error)
    finished = Finished(progress, work, parts)
    if workers == 0 or not finished.todo:
        results: Iterator = ((number, work(parts[number])) for number in finished.todo)
        total = _in_order(finished, results, parts)
    else:
        with dask_client(workers) as client:
            total = _in_order(finished, _by_workers(client, work, parts, finished.todo), parts)
    total = Total(left_out=left_out).plus(total)
    if total.n_events == 0:
        raise ValueError(f"Expected events in the {len(files)} files. Received none, but left out: {total.left_out}")
    if total.left_out:
        n_files, n = len({out.path for out in total.left_out}), sum(out.n_events or 0 for out in total.left_out)
        warnings.warn(
            f"{n} events of {n_files} out of {len(files)} files are left out: see `left_out`. The first of it is "
            f"{total.left_out[0]}",
            UserWarning,
            stacklevel=2,
        )
    return total


def _by_workers(client: Any, work: Work, parts: Sequence[Part], todo: Sequence[int]) -> Iterator[tuple[int, Total]]:
    """The number of each part and its sum, as they come."""
    import cloudpickle
    from distributed import KilledWorker, as_completed

    def sum_of(*pickled):  # a local function of bytes, which a scheduler without this package can pass on
        work, part = map(pickle.loads, pickled)
        return work(part)

    content = cloudpickle.dumps(work)
    futures = {client.submit(sum_of, content, pickle.dumps(parts[n]), pure=False): n for n in todo}
    try:
        for future in as_completed(futures):
            number = futures.pop(future)
            try:
                yield number, future.result()
            except KilledWorker as error:
                raise RuntimeError(
                    f"{ALLOWED_DEATHS} workers ended while they were at {parts[number]}. Do they have the memory for "
                    "it? Take smaller events_per_task or row groups."
                ) from error
    finally:
        client.cancel(list(futures))


def _in_order(finished: Finished, results: Iterator[tuple[int, Total]], parts: Sequence[Part]) -> Total:
    """Adds the sums in the order of the parts, so that rounding is the same each time."""
    total, waiting, next_one = Total(), dict(finished.sums), 0
    for number, result in results:
        finished.keep(number, result)
        waiting[number] = result
        while next_one in waiting:
            total, next_one = total.plus(waiting.pop(next_one)), next_one + 1
    for number in sorted(waiting):
        total = total.plus(waiting[number])
    return total
