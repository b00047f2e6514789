"""Sums during which processes are killed, and whether one that is wrong would be seen."""

import numpy as np
import pytest

from benchmarks.scale import kills
from benchmarks.scale.kills import CLIENT, EXPERIMENT, WORKERS, make_row, wrong_sums
from tests.benchmarks.silent import Silent

CONFIG = EXPERIMENT.scales["smoke"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [WORKERS, CLIENT])
def test_nothing_is_lost_or_counted_twice(name):
    row = make_row(CONFIG, None, name, 1, Silent())
    assert (row["kills"], row["wrong"], row["n_events"]) == (1, 0, 10_000)
    assert row.get("orphans", 0) == 0
    assert all(0 < kept < CONFIG.n_files * CONFIG.row_groups for kept in row.get("kept", ()))  # in the middle
    assert wrong_sums([row]).value == 0


def test_an_event_that_is_lost_or_comes_twice_is_seen(monkeypatch):
    numbers = np.arange(10_000)
    right, lost, twice = numbers, numbers[1:], np.append(numbers, 7)
    sums = [[len(events), int(np.sum(events**2))] for events in (right, lost, twice)]
    monkeypatch.setattr(kills, "kill_workers", lambda *_: {"kills": 0, "sums": sums})
    assert make_row(CONFIG, None, WORKERS, 1, Silent())["wrong"] == 2
