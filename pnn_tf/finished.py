"""What is finished of a sum over files, kept on disk, so that the same call goes on from there."""

import hashlib
import os
import pickle
import warnings
from collections.abc import Sequence
from pathlib import Path

from pnn_tf.shard_sums import Part, Total, Work
from pnn_tf.whole_file import written_whole


class Finished:
    """The sums of parts that are done.

    Args:
        folder: to keep them in; None to keep nothing.
        work: what is summed.
        parts: all of them.

    Attributes:
        sums: those of an earlier call, by the number of the part.
        todo: numbers of the others.

    Raises:
        ValueError: the folder has the work of another call.
    """

    def __init__(self, folder: str | os.PathLike | None, work: Work, parts: Sequence[Part]):
        self._folder, self.sums = None if folder is None else Path(folder), {}
        if self._folder is not None:
            self._files = [self._folder / f"part-{number:06}.pickle" for number in range(len(parts))]
            self._require_same(work, parts)
            self.sums = {number: pickle.loads(p.read_bytes()) for number, p in enumerate(self._files) if p.exists()}
        self.todo = [number for number in range(len(parts)) if number not in self.sums]

    def keep(self, number: int, result: Total) -> None:
        """Stores the sum of a part, whole or not at all.

        Warns:
            UserWarning: it cannot be stored.
        """
        if self._folder is None:
            return
        try:
            with written_whole(self._files[number]) as path:
                path.write_bytes(pickle.dumps(result))
        except OSError as error:
            warnings.warn(
                f"What is done cannot be kept: {error}. The work goes on, but would be done again if it is stopped.",
                UserWarning,
                stacklevel=4,
            )

    def _require_same(self, work: Work, parts: Sequence[Part]) -> None:
        import cloudpickle

        digest = hashlib.sha256(cloudpickle.dumps(work))
        for part in parts:
            digest.update(repr((part.shard.path, part.shard.version, part.start, part.stop)).encode())
        file, mine = self._folder / "work.sha256", digest.hexdigest()
        if not file.exists():
            if any(self._folder.glob("part-*.pickle")):
                raise ValueError(f"Expected progress to be a folder of one call. Received: {self._folder}, of no call.")
            with written_whole(file) as path:
                path.write_text(mine)
        elif file.read_text() != mine:
            raise ValueError(
                f"Expected progress to be a folder of this call. Received: {self._folder}, which has the work of "
                "another function, model or columns, or of files that have changed. Choose another folder, or delete "
                "it."
            )
