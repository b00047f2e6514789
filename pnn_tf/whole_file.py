"""Files that are written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_whole(path: str | os.PathLike) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` when all of it has reached the disk.

    Whatever happens before, a full disk or a kill, leaves `path` as it was.

    Raises:
        OSError: with `path` in it.
    """
    path = Path(path)
    temporary = path.with_name(f"{path.name}.tmp")  # always the same: the next one replaces what a kill has left
    try:
        with naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    except Exception:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Gives errors of the system, such as of a full disk, that do not say which file was being written its path."""
    try:
        yield
    except OSError as error:
        kept = "What was there before is kept" if path.exists() else "There is nothing from before"
        raise OSError(error.errno, f"{error.strerror or error}, while writing. {kept}", str(path)) from error
