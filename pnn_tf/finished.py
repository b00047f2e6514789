"""What is finished of a sum over files, kept on disk, so that the same call goes on from there."""

import functools
import hashlib
import inspect
import os
import pickle
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pnn_tf.cluster import own_versions
from pnn_tf.shard_sums import Part, Total, Work
from pnn_tf.whole_file import written_whole


class Finished:
    """The sums of parts that are done. Their files have a digest of the call in their names: other files are let be.

    Args:
        folder: to keep them in; None to keep nothing.
        work: what is summed.
        parts: all of them.

    Attributes:
        parts: likewise.
        sums: those of an earlier call, by the number of the part.
        todo: numbers of the others.

    Warns:
        UserWarning: the folder has the work of other calls alone.
    """

    def __init__(self, folder: str | os.PathLike | None, work: Work, parts: Sequence[Part]):
        self._folder, self.parts = None if folder is None else Path(folder), parts
        self.sums: dict[int, Total] = {}
        if self._folder is not None:
            self._digest = _digest(work, parts)
            self.sums = {n: total for n in range(len(parts)) if (total := _read(self._path(n))) is not None}
            if not self.sums and any(self._folder.glob("part-*.pickle")):
                warnings.warn(
                    f"{self._folder} has the work of other calls, not of this one: of another function, model or "
                    "columns, or of files that have changed. It is let be, and all is done anew.",
                    UserWarning,
                    stacklevel=3,
                )
        self.todo = [number for number in range(len(parts)) if number not in self.sums]

    def keep(self, number: int, result: Total) -> None:
        """Stores the sum of a part, whole or not at all; not if a row group could not be read, which may pass.

        Warns:
            UserWarning: it cannot be stored.
        """
        if self._folder is None or not result.is_whole:
            return
        try:
            with written_whole(self._path(number)) as path:
                path.write_bytes(pickle.dumps(result))
        except OSError as error:
            warnings.warn(
                f"What is done cannot be kept: {error}. The work goes on, but would be done again if it is stopped.",
                UserWarning,
                stacklevel=4,
            )

    def _path(self, number: int) -> Path:
        return self._folder / f"part-{self._digest[:12]}-{number:06}.pickle"


def _read(path: Path) -> Total | None:
    try:
        return pickle.loads(path.read_bytes())
    except (OSError, EOFError, pickle.UnpicklingError):  # not there, or damaged: to be done
        return None


def _digest(work: Work, parts: Sequence[Part]) -> str:
    """Of all that a sum depends on, as far as it can be known."""
    others = work.reader.kinds, work.may_be_missing, work.model, work.on_error, own_versions()
    shards = [(part.shard.path, part.shard.version, part.shard.first_row, part.start, part.stop) for part in parts]
    digest = hashlib.sha256(repr((others, shards)).encode())
    for content in _content(work.function):
        digest.update(content)
    return digest.hexdigest()


def _content(function: Callable) -> Iterator[bytes]:
    """The text of a function's module, and what the function, or an object that is called, holds besides."""
    import cloudpickle

    if isinstance(function, functools.partial):
        yield pickle.dumps((function.args, function.keywords))
        yield from _content(function.func)
        return
    defined = function if inspect.isfunction(function) else type(function)
    try:
        yield f"{defined.__qualname__}\n{inspect.getsource(inspect.getmodule(defined))}".encode()
    except (OSError, TypeError):  # no text, as in a notebook
        yield cloudpickle.dumps(function)
        return
    if inspect.isfunction(function):
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        yield cloudpickle.dumps((cells, function.__defaults__, function.__kwdefaults__))
    else:
        yield cloudpickle.dumps(vars(function))
