"""The stored records, each read once for all tests."""

from functools import cache
from pathlib import Path

import benchmarks
from benchmarks.experiment import Section, read
from benchmarks.record import read_record

RESULTS = Path(benchmarks.__file__).parent / "results"
RECORDS = sorted(RESULTS.glob("*.json"))


@cache
def section(path: Path) -> Section:
    """What a record says."""
    return read(read_record(path))
