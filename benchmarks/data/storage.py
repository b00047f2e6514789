"""Files on disk: where data is cached, files that are written whole or not at all, damaged ones kept aside."""

import hashlib
import itertools
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def data_home(path: str | Path | None = None) -> Path:
    """The folder of all downloads and caches: `path`, or $KERAS_HEP_DATA, or ~/.cache/keras-hep."""
    return Path(path or os.environ.get("KERAS_HEP_DATA") or "~/.cache/keras-hep").expanduser()


def checksum(path: str | Path, algorithm: str = "sha256") -> str:
    """In hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def set_aside(path: Path, why: str) -> Path:
    """Rename a damaged file to the first free of `NAME.corrupt-1`, `NAME.corrupt-2`, ..., and warn.

    Nothing is deleted: what looks damaged may still be of use to its owner, who can remove it.
    """
    names = (path.with_name(f"{path.name}.corrupt-{number}") for number in itertools.count(1))
    aside = path.rename(next(name for name in names if not name.exists()))
    warnings.warn(f"{path} {why}. It is kept as {aside.name} and made again.", stacklevel=2)
    return aside


@contextmanager
def write_whole(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, which becomes `path` when the block ends, and is removed if it fails.

    The content reaches the disk before the name does, so that neither a full disk nor a crash leaves half a file
    under the final name. An OSError names the path.
    """
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Gives system errors, such as of a full disk, that do not say which file was being written its path."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, f"{os.strerror(error.errno)} while writing", str(path)) from error
