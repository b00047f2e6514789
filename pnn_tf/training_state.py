"""The state of a training in one file: all numbers that the next step depends on, written whole or not at all."""

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pnn_tf.whole_file import written_whole

FORMAT = 1


def state_of(model: keras.Model) -> dict[str, np.ndarray]:
    """Weights, random numbers and optimizer of a compiled model, and what its metrics have summed up."""
    return _arrays("variable", _variables(model)) | _arrays("metric", model.metrics_variables)


def restore(model: keras.Model, state: dict[str, np.ndarray]) -> None:
    """Gives a model the weights, random numbers and optimizer of a state.

    Raises:
        ValueError: they are those of another model, or of another optimizer.
    """
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    _assign("variable", _variables(model), state)


def restore_metrics(model: keras.Model, state: dict[str, np.ndarray], element_spec: Any) -> None:
    """Gives the metrics of a model what those of a state have summed up.

    Args:
        model: compiled.
        state: of `state_of`.
        element_spec: of the batches, from which metrics that have not seen one get their variables.

    Raises:
        ValueError: they are other metrics.
    """
    if len(model.metrics_variables) < sum(name.startswith("metric") for name in state):
        batch = keras.tree.map_structure(
            lambda spec: np.zeros([n or 1 for n in spec.shape], spec.dtype.as_numpy_dtype), element_spec
        )
        x, y, weight = keras.utils.unpack_x_y_sample_weight(batch)
        prediction = model(x)
        model.compute_loss(x, y, prediction, weight)
        model.compute_metrics(x, y, prediction, weight)
    _assign("metric", model.metrics_variables, state)


def write_state(path: Path, progress: dict, state: dict[str, np.ndarray]) -> None:
    """Writes a state, and how far the training has come as plain JSON values.

    Raises:
        OSError: the disk is full, for example; the file that was there is still there.
    """
    text = json.dumps({"format": FORMAT, **progress}, default=lambda value: np.asarray(value).tolist())
    content = io.BytesIO()  # a disk that is full in the middle of it leaves NumPy with a file that it cannot close
    arrays: dict[str, Any] = {"progress": np.array(text), **state}
    np.savez(content, **arrays)
    with written_whole(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def read_state(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """What `write_state` wrote.

    Raises:
        ValueError: a damaged file, or another one.
    """
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            state = dict(file)
        progress = json.loads(str(state.pop("progress")))
        if progress["format"] != FORMAT:
            raise ValueError(f"format {progress['format']}")
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"Expected the state of a training, format {FORMAT}. Received: {path}, which cannot be used: {error}. "
            "Move it away to begin anew."
        ) from error
    return progress, state


def _variables(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *model.optimizer.variables]


def _arrays(kind: str, variables: Sequence[keras.Variable]) -> dict[str, np.ndarray]:
    values = [keras.ops.convert_to_numpy(variable) for variable in variables]
    # numpy stores bfloat16 as bytes without a meaning; float32 holds it exactly.
    return {f"{kind}_{i}": v.astype(np.float32) if v.dtype.kind == "V" else v for i, v in enumerate(values)}


def _assign(kind: str, variables: Sequence[keras.Variable], state: dict[str, np.ndarray]) -> None:
    n = sum(name.startswith(kind) for name in state)
    values = [state[f"{kind}_{i}"] for i in range(n)]
    expected, found = [value.shape for value in values], [tuple(variable.shape) for variable in variables]
    if expected != found:
        wrong = [i for i in range(min(n, len(found))) if expected[i] != found[i]]
        which = f", and in place of {expected[wrong[0]]} the shape {found[wrong[0]]}" if wrong else ""
        raise ValueError(
            f"Expected the model, the optimizer and the metrics that the state is of, with {n} {kind}s. "
            f"Received: {len(found)}{which}. Make them as they were, or move the file away to begin anew."
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
