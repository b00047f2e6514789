"""How everything is measured, shown with jobs of known cost."""

import sys
import time

import numpy as np
import pytest

from benchmarks import speed
from benchmarks.speed import bytes_in_use, in_fresh_process, in_turn, ratio_by_turns, show


def test_jobs_take_turns_each_time_another_one_first():
    calls = []
    times = in_turn({name: lambda name=name: calls.append(name) for name in "abc"}, 2)
    assert "".join(calls) == "abcabcbca"
    assert all(len(times[name].wall_s) == len(times[name].cpu_s) == 2 and times[name].first_s > 0 for name in "abc")


def test_time_is_that_of_a_call():
    """Sleep takes wall time and no CPU time; a busy job is called until its CPU time is used up."""
    n_calls = 0

    def busy():
        nonlocal n_calls
        n_calls += 1
        end = time.process_time() + 2e-3
        while time.process_time() < end:
            pass

    times = in_turn({"sleeps": lambda: time.sleep(0.05)}, 1)["sleeps"]
    assert times.wall_s[0] >= 0.05 and times.cpu_s[0] < 0.04
    (cpu_s,) = in_turn({"busy": busy}, 1, at_least_s=0.01)["busy"].cpu_s
    # The loop never ends early, and late by the clock's tick at the most; a loaded machine adds no CPU time.
    assert 3 <= n_calls <= 6 and 2e-3 <= cpu_s < 3e-3


def test_ratio_is_the_median_of_ratios():
    assert ratio_by_turns([10.0, 22.0, 36.0], [10.0, 20.0, 30.0]) == pytest.approx(1.1)


def test_peak_memory_of_a_fresh_process_is_its_own():
    ours = np.ones(1 << 28, np.uint8)  # 256 MiB, which a process that split from this one would count
    assert in_fresh_process(bytes_in_use) < ours.nbytes < bytes_in_use()


def test_table_has_what_each_row_has(capsys):
    show("title", [{"row": "a", "ms": [1.0, 4.0, 2.0]}, {"row": "b[c]", "ratio": 1.23456, "way": None}])
    _, _, header, a, b = (line.split() for line in capsys.readouterr().out.splitlines())
    assert header == ["row", "ms", "ratio", "way"]
    assert (a, b) == (["a", "2", "(1", "to", "4)"], ["b[c]", "1.23"])


def test_order_of_triton_and_tensorflow(monkeypatch):
    """An error that says what to do, where the libraries would end the process."""
    monkeypatch.setattr(speed, "find_spec", lambda name: True)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    with pytest.raises(RuntimeError, match="before the first import of TensorFlow"):
        speed.use_one_cpu_thread()
