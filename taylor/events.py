"""Events as they come, made into one flat array an input: arrays, tensors, tables, the specification of a dataset."""

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import tensorflow as tf

AS_FLOATS = "If it stands for a continuous quantity, use .astype('float32')."


def parts_of(x: Any, names: Sequence[str]) -> tuple:
    """One array, tensor, table or specification for each of a model's inputs.

    Args:
        x: a dict by name, a table with one column an input, a sequence in the order of the inputs, or the only one.
        names: of the inputs.

    Raises:
        ValueError: an input that is missing or too much.
    """
    if is_table(x) and len(names) > 1 and set(x.columns) == set(names):
        return tuple(x[name] for name in names)
    if isinstance(x, Mapping):
        if set(x) != set(names):
            way_out = " For the columns of one input use pandas.DataFrame(x)." if len(names) == 1 else ""
            raise ValueError(f"Expected the inputs {tuple(names)}. Received: {tuple(x)}.{way_out}")
        return tuple(x[name] for name in names)
    parts = tuple(x) if isinstance(x, (tuple, list)) and len(names) > 1 else (x,)
    if len(parts) != len(names):
        raise ValueError(f"Expected one array for each of the inputs {tuple(names)}. Received: {len(parts)}")
    return parts


def is_table(part: Any) -> bool:
    """Whether it is a data frame."""
    return hasattr(part, "columns") and hasattr(part, "isna")


def event_shape(part: Any) -> tuple[int | None, ...]:
    """The shape of one event; of a table, its number of columns.

    Raises:
        ValueError: a tensor whose number of axes is not known, or is zero.
    """
    if is_table(part):
        return (len(part.columns),)
    shape = _shape(part)
    if getattr(shape, "rank", 1) is None or len(shape) == 0:
        raise ValueError(f"Expected events along the first axis. Received: shape {shape}")
    return tuple(shape)[1:]


def flat(part: Any, name: str, shape: Sequence[int | None], dtype: tf.DType | None, analysed: bool) -> Any:
    """Events of one input as (n_events, width), where width is the product of `shape`; copied only if need be.

    Args:
        part: (n_events, *shape); for one number an event, also without the last axis or with it; or a table of `width`
            columns. The specification of a tensor gives that of the result.
        name: of the input.
        shape: of one event.
        dtype: which the model takes whole numbers in; None for floating-point numbers.
        analysed: whether derivatives are to be taken.

    Raises:
        TypeError: whole numbers that are analysed, other numbers where the model takes whole ones, or none at all.
        ValueError: another shape, or a length that neither the model nor the events tell.
    """
    given = event_shape(part)
    number = given in ((), (1,)) and shape in ((), (1,))
    if not (_fits(given, shape) or number or (is_table(part) and given == (_width(shape),))):
        expected = ", ".join(["n_events", *("n" if length is None else str(length) for length in shape)])
        raise ValueError(f"Expected {name!r} of shape ({expected}). Received: {tuple(_shape(part))}")
    if None in shape:
        raise ValueError(
            f"Expected a known number of values an event in {name!r}. Received: {tuple(shape)}. Give the model's Input "
            "this shape, or the batches of the dataset, by tf.ensure_shape in dataset.map."
        )
    numbers = _of_table(part, name, analysed) if is_table(part) else array_of(part)
    _require_dtype(numbers.dtype, name, dtype, analysed)
    if isinstance(numbers, tf.TypeSpec):
        return tf.TensorSpec((numbers.shape[0], _width(shape)), numbers.dtype)
    if len(numbers.shape) == 2 and None not in given:
        return numbers
    if tf.is_tensor(numbers):
        return tf.reshape(numbers if number else tf.ensure_shape(numbers, (None, *shape)), (-1, _width(shape)))
    return np.reshape(numbers, (len(numbers), _width(shape)))


def column_names(part: Any, stem: str, shape: Sequence, alone: bool) -> Iterator[str]:
    """A name for each value of an event: those of a table, or the stem with positions from 1: x1, or x[1,2].

    An input of one value has the stem itself as its name, unless it is `alone`.
    """
    if is_table(part):
        yield from map(str, part.columns)
    elif prod(shape) == 1 and not alone:
        yield stem
    elif len(shape) < 2:
        yield from (f"{stem}{i + 1}" for i in range(prod(shape)))
    else:
        yield from (f"{stem}[{','.join(str(i + 1) for i in index)}]" for index in np.ndindex(*shape))


def array_of(part: Any) -> Any:
    """Something with a shape and a dtype."""
    if hasattr(part, "isna"):  # a column of a table
        return _of_table(part.to_frame(), str(part.name), analysed=False)
    return part if hasattr(part, "shape") and hasattr(part, "dtype") else np.asarray(part)


def _of_table(table: Any, name: str, analysed: bool) -> np.ndarray:
    """(n_events, n_columns) with NaN for what is missing."""
    columns = list(zip(map(str, table.columns), table.dtypes, strict=True))
    kinds = "fiu" if analysed else "fiub"
    unfit = [(column, dtype) for column, dtype in columns if dtype.kind not in kinds]
    if analysed and not any(dtype.kind == "f" for _, dtype in columns):
        unfit = unfit or columns
    if unfit:
        column, dtype = unfit[0]
        raise TypeError(
            f"Expected floating-point numbers in all columns of {name!r}. Received: {dtype} in column {column!r}. "
            f"{AS_FLOATS}"
        )
    if all(isinstance(dtype, np.dtype) for _, dtype in columns):
        return table.to_numpy()
    whole = not any(dtype.kind == "f" for _, dtype in columns) and not table.isna().to_numpy().any()
    return table.to_numpy("int64" if whole else "float64", na_value=np.nan)


def _require_dtype(received: Any, name: str, dtype: tf.DType | None, analysed: bool) -> None:
    if getattr(received, "names", None):
        raise TypeError(
            f"Expected {name!r} as an array with one axis for the columns. Received: a structured array of "
            f"{received.names}. Use numpy.lib.recfunctions.structured_to_unstructured, or pandas.DataFrame."
        )
    try:
        found = tf.as_dtype(received)
    except TypeError:
        found = tf.string  # no numbers, in any case
    whole = found.is_integer or found.is_bool
    received = getattr(received, "name", received)
    if dtype is not None and not whole and found != dtype:
        raise TypeError(
            f"Expected {name!r} in whole numbers: the model takes {dtype.name}. Received: {received}. Use "
            f".astype({dtype.name!r})."
        )
    if dtype is None and not (found.is_floating or whole):
        raise TypeError(f"Expected numbers in {name!r}. Received: {received}. Use .astype('float32').")
    if analysed and whole:
        raise TypeError(
            f"Expected floating-point numbers in {name!r}: there is no derivative in a whole number. Received: "
            f"{received}. {AS_FLOATS}"
        )


def _shape(part: Any) -> Sequence[int | None]:
    return part.shape if hasattr(part, "shape") else np.shape(part)


def _fits(given: Sequence[int | None], shape: Sequence[int | None]) -> bool:
    return len(given) == len(shape) and all(a is None or b is None or a == b for a, b in zip(given, shape, strict=True))


def _width(shape: Sequence) -> int | None:
    return None if None in shape else prod(shape)
