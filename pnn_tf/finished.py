"""What is finished of a sum over files, kept on disk, so that the same call goes on from there."""

import hashlib
import os
import pickle
import warnings
from collections.abc import Sequence
from pathlib import Path

from pnn_tf.cluster import own_versions
from pnn_tf.fingerprint import fingerprint
from pnn_tf.shard_sums import Part, Total, Work
from pnn_tf.whole_file import written_whole

DIGEST = hashlib.sha256().digest_size  # bytes, before what is stored


class Finished:
    """The sums of parts that are done. Their files have a digest of the call in their names: other files are let be.

    Args:
        folder: to keep them in; None to keep nothing.
        work: what is summed.
        parts: all of them.

    Attributes:
        done: numbers of those whose sums an earlier call has stored; they are read one by one.
        todo: numbers of the others.

    Warns:
        UserWarning: the folder has the work of other calls alone.
    """

    def __init__(self, folder: str | os.PathLike | None, work: Work, parts: Sequence[Part]):
        self._folder = None if folder is None else Path(folder)
        self.done: set[int] = set()
        if self._folder is not None:
            self._digest = _digest(work, parts)
            self.done = {number for number in range(len(parts)) if _read(self._path(number)) is not None}
            if not self.done and any(self._folder.glob("part-*.pickle")):
                warnings.warn(
                    f"{self._folder} has the work of other calls, not of this one: of another function, model or "
                    "columns, or of files that have changed. It is let be, and all is done anew.",
                    UserWarning,
                    stacklevel=3,
                )
        self.todo = [number for number in range(len(parts)) if number not in self.done]

    def read(self, number: int) -> Total:
        """The sum of a part that was done.

        Raises:
            FileNotFoundError: somebody has taken it away, or changed it, since the call began.
        """
        if (total := _read(self._path(number))) is None:
            raise FileNotFoundError(f"{self._path(number)} was there, and has gone or has changed. Start again.")
        return total

    def keep(self, number: int, result: Total) -> None:
        """Stores the sum of a part, whole or not at all; not if a row group could not be read, which may pass.

        Warns:
            UserWarning: it cannot be stored.
        """
        if self._folder is None or not result.is_whole:
            return
        try:
            with written_whole(self._path(number)) as path:
                content = pickle.dumps(result)
                path.write_bytes(hashlib.sha256(content).digest() + content)
        except OSError as error:
            warnings.warn(
                f"What is done cannot be kept: {error}. The work goes on, but would be done again if it is stopped.",
                UserWarning,
                stacklevel=4,
            )

    def _path(self, number: int) -> Path:
        return self._folder / f"part-{self._digest[:12]}-{number:06}.pickle"


def _read(path: Path) -> Total | None:
    """What is there; nothing if it is damaged, which its digest tells."""
    try:
        digest, content = (whole := path.read_bytes())[:DIGEST], whole[DIGEST:]
    except OSError:
        return None
    return pickle.loads(content) if hashlib.sha256(content).digest() == digest else None


def _digest(work: Work, parts: Sequence[Part]) -> str:
    """Of all that a sum depends on, as far as it can be known."""
    import cloudpickle

    others = work.reader.kinds, work.may_be_missing, work.model, work.on_error, own_versions()
    shards = [(part.shard.path, part.shard.version, part.shard.first_row, part.start, part.stop) for part in parts]
    text = repr((others, shards, fingerprint(work.function, cloudpickle.dumps)))
    return hashlib.sha256(text.encode()).hexdigest()
