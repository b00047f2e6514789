"""Events a chunk at a time: of few different sizes, so that little is compiled, and filled up where they run out."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

import keras
import numpy as np
import tensorflow as tf

SMALLEST = 16  # events in a chunk, but for a single one, whose time is that of the call


def count_events(parts: Sequence, analysed: Sequence[int], *, may_be_none: bool = False) -> int:
    """The number of events in one array for each input; an input that is not analysed may have a single row for all.

    Raises:
        ValueError: lengths that differ, or no event where there has to be one.
    """
    lengths = {len(part) for i, part in enumerate(parts) if i in analysed or len(part) != 1}
    if len(lengths) != 1 or (lengths == {0} and not may_be_none):
        raise ValueError(
            f"Expected the same number of events, at least one, in all inputs. Received: {[len(p) for p in parts]}"
        )
    return lengths.pop()


def padded_size(n_events: int, chunk_size: int) -> int:
    """A power of two that holds the events, unless they are more than a chunk.

    >>> padded_size(1, 1024), padded_size(100, 1024), padded_size(5000, 1024)
    (1, 128, 1024)
    """
    if n_events == 1:
        return 1
    return min(chunk_size, max(SMALLEST, 1 << (n_events - 1).bit_length()))


def n_workers() -> int:
    """Cores that this process may use: no more than TensorFlow was told to, by its function or by the environment."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    environment = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    told = tf.config.threading.get_intra_op_parallelism_threads() or int(environment if environment.isdigit() else 0)
    return min(cores, told or cores)


def shared_out(n_events: int, chunk_size: int, block_size: int, n_workers: int) -> int:
    """Events to put into each chunk, whole blocks of them, for as many chunks to each worker.

    >>> shared_out(10_000, chunk_size=8192, block_size=1024, n_workers=2)
    5120
    """
    n_chunks = n_workers * -(-n_events // (n_workers * chunk_size))
    return min(chunk_size, block_size * -(-n_events // (n_chunks * block_size)))


def array_chunks(
    parts: Sequence,
    analysed: Sequence[int],
    chunk_size: int,
    dtypes: Sequence[tf.DType],
    n_together: int | None = None,
    *,
    smallest: int = 1,
) -> Iterator[tuple[tuple[tf.Tensor, ...], slice]]:
    """Chunks of events in memory, each with the slice of events that it holds; fillers come after them.

    Args:
        parts: one array or tensor (n_events, width) for each input of the model; or (1, width) where it is not analysed
            and the same for all events.
        analysed: positions of the analysed ones.
        chunk_size: the most events in a chunk.
        dtypes: of the tensors.
        n_together: events in each chunk but the last; by default as many as it can hold.
        smallest: rows of a chunk, at least, if it can hold so many.
    """
    n_events = count_events(parts, analysed)
    n_together = min(n_events, chunk_size, n_together or chunk_size)
    size = max(padded_size(n_together, chunk_size), min(smallest, chunk_size))
    common = {i for i, part in enumerate(parts) if i not in analysed and len(part) == 1}
    for start in range(0, n_events, n_together):
        rows = slice(start, min(start + n_together, n_events))
        yield (
            tuple(
                filled(part, 1, dtype) if i in common else filled(part[rows], size, dtype)
                for i, (part, dtype) in enumerate(zip(parts, dtypes, strict=True))
            ),
            rows,
        )


def dataset_chunks(dataset: tf.data.Dataset, columns: Callable, chunk_size: int) -> Iterator[tuple]:
    """Chunks of a stream of batches of any size.

    Args:
        dataset: of elements x, (x, y) or (x, y, sample_weight), as for `fit`.
        columns: from (x, y, sample_weight) to a tuple of tensors with one row an event; a graph.
        chunk_size: number of events in a chunk.

    Yields:
        The tuple, with `chunk_size` rows each, and the number of those that are events.
    """
    rows = dataset.map(
        lambda *element: columns(*keras.utils.unpack_x_y_sample_weight(element)), num_parallel_calls=tf.data.AUTOTUNE
    )
    for element in rows.rebatch(chunk_size).prefetch(2):
        yield tuple(filled(part, chunk_size, part.dtype) for part in element), len(element[0])


def batch_chunks(batches: Iterable, columns: Callable, chunk_size: int) -> Iterator[tuple]:
    """As `dataset_chunks`, of batches that come one after another in Python."""
    waiting: list[tuple[tf.Tensor, ...]] = []
    n_waiting = 0
    for batch in batches:
        waiting.append(columns(*keras.utils.unpack_x_y_sample_weight(batch)))
        n_waiting += len(waiting[-1][-1])
        while n_waiting >= chunk_size:
            together = [tf.concat(parts, axis=0) for parts in zip(*waiting, strict=True)]
            yield tuple(part[:chunk_size] for part in together), chunk_size
            waiting, n_waiting = [tuple(part[chunk_size:] for part in together)], n_waiting - chunk_size
    if n_waiting:
        together = [tf.concat(parts, axis=0) for parts in zip(*waiting, strict=True)]
        yield tuple(filled(part, chunk_size, part.dtype) for part in together), n_waiting


def filled(rows: np.ndarray | tf.Tensor, size: int, dtype: tf.DType) -> tf.Tensor:
    """Rows as a tensor, filled up to `size` with copies of the last."""
    missing = size - len(rows)
    if tf.is_tensor(rows):
        rows = tf.cast(rows, dtype)
        return tf.concat([rows, tf.repeat(rows[-1:], missing, axis=0)], axis=0) if missing else rows
    rows = np.asarray(rows, dtype.as_numpy_dtype)  # numpy prepares a few rows much faster than TensorFlow
    return tf.constant(np.concatenate([rows, np.repeat(rows[-1:], missing, axis=0)]) if missing else rows)


@lru_cache
def on_gpu() -> bool:
    """Whether TensorFlow computes on a GPU, which wants many events at once where a processor wants its cache used."""
    return bool(tf.config.list_logical_devices("GPU"))


def in_blocks(rows: tf.Tensor, n_blocks: int) -> tf.Tensor:
    """(n_blocks, n, width) from (n_blocks n, width)."""
    return tf.reshape(rows, (n_blocks, -1, rows.shape[1]))


def require_finite(parts: Sequence, names: Sequence[str]) -> None:
    """Raises ValueError if an array holds NaN or an infinity; names the input and the columns."""
    for name, part in zip(names, parts, strict=True):
        finite = np.isfinite(part)
        if not finite.all():
            rows, columns = np.nonzero(~finite)
            raise ValueError(
                f"Expected finite {name!r}. Received: NaN or infinity in {len(set(rows))} of {len(finite)} events (the "
                f"first: {rows[0]}), columns {np.unique(columns)[:10].tolist()}. Drop these events or replace the "
                "values."
            )
