"""Rows in other processes: the same numbers in the same order, whatever is killed, and errors that reach the user."""

import io
import os
import signal
import sys
import time
import traceback
from dataclasses import replace

import pytest
import tensorflow as tf
import threadpoolctl
from rich.console import Console

from benchmarks import tasks
from benchmarks.__main__ import main
from benchmarks.experiment import find, read, rows_to_do, run
from benchmarks.pnn import fig_4
from benchmarks.record import plain, read_record, write_record
from pnn_tf import cluster

CHEAP = find("affine-architecture")  # builds networks, and trains none


@pytest.fixture(scope="module")
def client():
    """Two processes for all tests: they take seconds to start."""
    with cluster.dask_client(2, threads=0) as client:
        yield client


@pytest.fixture
def address(client):
    return client.scheduler.address


def made(experiment, out, seeds=(7, 8), **how):
    return run(experiment, "smoke", seeds, out, Console(file=io.StringIO(), width=200), **how)


def without_times(record):
    return plain(record | {"rows": [row | {"wall_s": 0} for row in record["rows"]], "runs": []})


def on_disk(folder):
    (path,) = folder.glob("*.json")
    return read_record(path), path


@pytest.mark.parametrize(
    "name",
    [
        CHEAP.id,
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("pnn-guidance", "taylor-fig-1", "neos-fig-2", "neos-fig-3")
        ),
    ],
)
def test_rows_are_those_of_one_process_in_their_order(name, tmp_path, address):
    tf.random.set_seed(None)  # as in a process that has just begun: the order of a shuffle follows from it too
    record = made(find(name), tmp_path / "workers", workers=address)
    assert without_times(record) == without_times(made(find(name), tmp_path / "here"))
    assert on_disk(tmp_path / "workers")[0] == plain(record) and read(record).missing == ()


def test_a_run_goes_on_with_the_rows_that_are_missing(tmp_path, address):
    whole = made(CHEAP, tmp_path)
    record, path = on_disk(tmp_path)
    kept = [whole["rows"][number] for number in (4, 1)]  # as they were finished
    write_record(path, record | {"rows": kept})
    gone_on = made(CHEAP, tmp_path, workers=address)
    assert without_times(gone_on) == without_times(whole) and len(gone_on["runs"]) == 2
    assert all(row in gone_on["rows"] for row in kept)
    assert made(CHEAP, tmp_path, workers="nobody:1")["rows"] == gone_on["rows"]  # nothing to do, nobody to ask


def test_rows_of_other_seeds_stay_first(tmp_path, address):
    before = made(CHEAP, tmp_path, (9,))["rows"]
    assert made(CHEAP, tmp_path, (7,), workers=address)["rows"][: len(before)] == before


def test_a_row_that_fails_is_named_and_the_others_stay(tmp_path, address):
    rows = made(CHEAP, tmp_path, (7,))["rows"]
    broken = replace(CHEAP, names=lambda config: (*CHEAP.names(config), "nothing"))
    with pytest.raises(KeyError, match="nothing") as failure:
        made(broken, tmp_path, (7,), workers=address)
    assert failure.value.__notes__ == ["In the row 'nothing', seed 7, of affine-architecture."]
    assert on_disk(tmp_path)[0]["rows"] == rows


@pytest.mark.parametrize("field", ["configuration", "data"])
def test_a_worker_with_other_events_or_settings_is_refused(field, tmp_path, address):
    record = made(CHEAP, tmp_path)
    with pytest.raises(ValueError, match=f"{field} of the record"):
        next(tasks.rows_of_workers(CHEAP, "smoke", None, record | {field: {"name": "other"}}, [("pNN", 7)], address))


def test_processes_have_as_many_threads_as_this_one(client):
    def threads():
        return max(pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas")

    assert set(client.run(threads).values()) == {threads()}


def test_a_scheduler_that_does_not_answer_ends_the_run_with_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "TIMEOUT", 1)
    with pytest.raises(SystemExit, match=r"^No Dask scheduler answers at tcp://127\.0\.0\.1:1 ") as stop:
        main(["run", CHEAP.id, "--scale", "smoke", "--out", str(tmp_path), "--workers", "tcp://127.0.0.1:1"])
    assert "\n" not in str(stop.value)


def test_workers_outside_of_the_checkout_are_refused(tmp_path, address, monkeypatch):
    monkeypatch.setattr(tasks, "find_spec", lambda name: None)
    with pytest.raises(tasks.NoWorkers, match=r"PYTHONPATH=\. dask worker ADDRESS"):
        made(CHEAP, tmp_path, workers=address)


def at_a_training(client):
    """The id of a process that makes a row which takes seconds, as soon as one does."""
    module, trainings = fig_4.__name__, (fig_4.FIXED, fig_4.PARAMETRISED)

    def training():
        for thread in sys._current_frames().values():
            for frame, _ in traceback.walk_stack(thread):
                if (frame.f_globals.get("__name__"), frame.f_code.co_name) == (module, "make_row"):
                    return frame.f_locals["name"] in trainings and os.getpid()
        return False

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := [pid for pid in client.run(training).values() if pid]:
            return found[0]
        time.sleep(0.05)
    raise TimeoutError(f"No process makes one of the rows {trainings}.")


@pytest.mark.slow
def test_a_row_whose_worker_is_killed_is_made_again(tmp_path, client, address):
    experiment = find("pnn-fig-4")
    record = made(experiment, tmp_path, (7,))
    todo = rows_to_do(experiment, experiment.scales["smoke"], (7,))
    rows = tasks.rows_of_workers(experiment, "smoke", None, record, todo, address)
    finished = [next(rows)]
    os.kill(at_a_training(client), signal.SIGKILL)
    finished += rows
    place = {row: number for number, row in enumerate(todo)}
    finished.sort(key=lambda row: place[row["row"], row["seed"]])
    assert without_times(record | {"rows": finished}) == without_times(record)
