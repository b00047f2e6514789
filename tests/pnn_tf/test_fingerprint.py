"""Functions that are known again: by their code and what they hold, in any process."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pnn_tf.fingerprint import fingerprint

ROOT = Path(__file__).parents[2]
MODULE = """
import functools, sys
from typing import NamedTuple
from pnn_tf.fingerprint import fingerprint

events, CUT, NAMES, CACHE = 1, 1, {"a": [1.0, "b"]}, {}

class Settings(NamedTuple):
    cut: float = 2.0

class Base:
    def cut(self):
        return helper(1)

class Analysis(Base):
    scale = 2.0

    def __init__(self, settings):
        self.settings = settings

    def __call__(self, events):
        return self.count(events)

    def count(self, events):
        return self.scale * len(events) * self.cut() + self.settings.cut

def helper(x):
    return x + 1 if x in {"a", "b", "c", "d", 1} else other(x)

def other(x):
    return helper(x) * NAMES["a"][0]

@functools.cache
def kept(x):
    return x * CUT

def function(events):
    CACHE.setdefault("a", kept(1))
    return [helper(event) for event in events]

FOUND = {
    "function": function, "object": Analysis(Settings()), "method": Analysis(Settings()).count,
    "partial": functools.partial(function, analysis=Analysis(Settings()), cut=lambda x: x > 1),
}
CACHE["filled"] = object()
if __name__ == "__main__":
    for value in FOUND.values():
        print(fingerprint(value))
"""
EDITS = {  # a text, another one in its place, and what they are a part of
    "code": ("len(events) *", "len(events) +", {"object", "method", "partial"}),
    "what it inherits": ("return helper(1)", "return helper(2)", {"object", "method", "partial"}),
    "an attribute of the class": ("scale = 2.0", "scale = 3.0", {"object", "method", "partial"}),
    "what it holds": ("cut: float = 2.0", "cut: float = 3.0", {"object", "method", "partial"}),
    "a function two calls away": ("helper(x) *", "helper(x) /", {"function", "object", "method", "partial"}),
    "a number of the module": ("CACHE = 1, 1,", "CACHE = 1, 2,", {"function", "partial"}),
    "a list in a dict": ("[1.0,", "[2.0,", {"function", "object", "method", "partial"}),
    "an argument": ("x > 1)", "x > 2)", {"partial"}),
    "a comment": ("def other(x):", "def other(x):  # of what", set()),
    "a number that has the name of an argument": ("CACHE = 1, 1,", "CACHE = 2, 1,", set()),
    "what is kept": ('CACHE["filled"] = object()', 'CACHE["filled"] = [object()]', set()),
}


SCRIPT = (
    MODULE[: MODULE.index('CACHE["filled"]')].replace("len(events)", "len(events.rows)")
    + """
if __name__ == "__main__":
    import pnn_tf
    total = functools.partial(pnn_tf.sum_over_shards, columns=["x"], progress=sys.argv[2])
    del FOUND["function"], FOUND["partial"]
    FOUND["a lambda"] = functools.partial(lambda events, by: kept(helper(CUT)) * by, by=len("events"))
    for function in FOUND.values():
        assert total(function, sys.argv[1], workers=1).value == total(function, sys.argv[1], workers=0).value
"""
)


def of(text, names=("function", "object", "method", "partial")):
    """Fingerprints of a module with that text, by name."""
    scope = {"__name__": "analysis"}
    exec(compile(text, "analysis.py", "exec"), scope)
    return {name: fingerprint(scope["FOUND"][name]) for name in names}


@pytest.mark.parametrize("edit", EDITS)
def test_what_is_edited_is_seen(edit):
    before, after, changed = EDITS[edit]
    assert MODULE.count(before) == 1
    one, other = of(MODULE), of(MODULE.replace(before, after))
    assert {name for name in one if one[name] != other[name]} == changed
    assert len(set(one.values())) == len(one)


def test_it_is_the_same_in_other_processes(tmp_path):
    # Of this file alone, since to import the package takes seconds.
    (tmp_path / "analysis.py").write_text(MODULE.replace("from pnn_tf.fingerprint", "from fingerprint"))
    found = set()
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.fspath(ROOT / "pnn_tf")}
        command = [sys.executable, tmp_path / "analysis.py"]
        found.add(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert len(found) == 1


@pytest.mark.slow
def test_what_a_program_defines_is_the_same_at_its_workers(tmp_path):
    pq.write_table(pa.table({"x": np.arange(20.0)}), tmp_path / "0.parquet")
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-W", "error:.*the work of other calls", tmp_path / "script.py"]
    environment = os.environ | {"PYTHONPATH": os.fspath(ROOT)}
    subprocess.run([*command, tmp_path / "0.parquet", tmp_path / "progress"], check=True, env=environment, timeout=240)
    assert len(list((tmp_path / "progress").iterdir())) == 3


def test_arrays_and_objects_of_other_modules():
    def count(events, edges, path=None):
        return events, edges, path

    held = functools.partial(count, edges=np.arange(3))
    assert fingerprint(held) == fingerprint(functools.partial(count, edges=np.arange(3)))
    assert fingerprint(held) != fingerprint(functools.partial(count, edges=np.arange(3.0)))
    one, other = (functools.partial(count, path=Path(name)) for name in "ab")
    assert fingerprint(one) == fingerprint(other)
    assert fingerprint(one, bytes) != fingerprint(other, bytes)
