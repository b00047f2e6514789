"""Downloads of large files: progress, resume after an interruption, checksums.

pooch, which the field mostly uses for checked downloads, starts again from the first byte after an interruption. For
files of gigabytes resuming is what matters, hence this loop of our own around requests.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import requests
from rich.progress import DownloadColumn, Progress, ProgressColumn, TransferSpeedColumn
from urllib3.exceptions import HTTPError

from benchmarks.data.storage import checksum, naming, set_aside

CHUNK = 1 << 20  # bytes
TIMEOUT = 30.0  # seconds of silence after which a connection counts as broken


@dataclass(frozen=True)
class EventFile:
    """A file of events on the web."""

    url: str
    n_bytes: int
    checksum: str  # hexadecimal digits of its SHA-256, or of its SHA-1 where only that is published
    n_events: int

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[-1]

    @property
    def algorithm(self) -> str:
        return "sha1" if len(self.checksum) == 40 else "sha256"

    def is_at(self, path: Path) -> bool:
        """Whether the content of `path` has the checksum of this file."""
        return checksum(path, self.algorithm) == self.checksum


class DownloadError(OSError):
    """A download that failed for good; says what happened and what can be done."""


def fetch(file: EventFile, folder: Path, *, tries: int = 5, pause: float = 2.0) -> Path:
    """Download a file, unless an intact one is there already.

    Bytes gather in `NAME.part`, which a later try, or a later run, continues with an HTTP Range request (from zero if
    the server ignores those). Only a file with the right checksum gets its final name; one with another is kept aside
    and fetched again.

    Args:
        file: what to download.
        folder: where to; made if absent.
        tries: how often to start or continue before giving up.
        pause: seconds before the second try, doubled before each further one.

    Raises:
        DownloadError: the server refused the file, or all tries failed. What has arrived stays, for the next call.
        OSError: it could not be written, such as on a full disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, part = folder / file.name, folder / f"{file.name}.part"
    if path.exists():
        if file.is_at(path):
            return path
        set_aside(path, f"does not have the {file.algorithm} of the original")
    for number in range(tries):
        if number > 0:
            time.sleep(pause * 2 ** (number - 1))
        try:
            _continue(file, part)
        except (requests.RequestException, HTTPError) as error:
            problem = str(error)
            continue
        if (size := part.stat().st_size) < file.n_bytes:
            problem = f"The connection ended after {size} of {file.n_bytes} bytes"
        elif file.is_at(part):
            return part.replace(path)
        else:
            aside = set_aside(part, f"does not have the {file.algorithm} of {file.url}")
            problem = f"The content had another {file.algorithm} than {file.checksum}; see {aside}"
    raise DownloadError(
        f"Could not download {file.url} to {path} in {tries} tries. Last problem: {problem}. "
        f"Run the same command again to continue, or place a copy of the file at {path}."
    )


def _continue(file: EventFile, part: Path) -> None:
    """Append to `part` what it lacks, or all if the server gives no ranges."""
    start = part.stat().st_size if part.exists() else 0
    if start >= file.n_bytes:
        return  # to the checksum, which decides
    # Without compression on the way, so that byte ranges and checksum are those of the file.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with requests.get(file.url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == requests.codes.range_not_satisfiable:
            set_aside(part, f"is longer than {file.url}")
        elif 400 <= response.status_code < 500:
            raise DownloadError(
                f"The server refused {file.url}: {response.status_code} {response.reason}. If the file has moved, "
                f"place a copy of it ({file.algorithm} {file.checksum}) at {part.with_suffix('')}."
            )
        response.raise_for_status()
        if not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            start = 0
        with (
            progress_bar(DownloadColumn(), TransferSpeedColumn()) as progress,
            naming(part),
            open(part, "r+b" if start else "wb") as output,
        ):
            output.seek(start)
            task = progress.add_task(file.name, total=file.n_bytes, completed=start)
            for chunk in response.raw.stream(CHUNK, decode_content=False):
                output.write(chunk)
                progress.advance(task, len(chunk))
                if output.tell() > file.n_bytes:
                    return  # not this file, as the checksum will say; do not fill the disk with it


def progress_bar(*columns: ProgressColumn) -> Progress:
    """A bar with the names of its tasks, columns that say how far they are, and the time that is left."""
    name, bar, _, time_left = Progress.get_default_columns()
    return Progress(name, bar, *columns, time_left)
