"""Sums over files by tasks: the same whatever the parts and whoever does them, also where processes are killed."""

import contextlib
import importlib
import itertools
import linecache
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

import pnn_tf
from pnn_tf import cluster
from pnn_tf.served import load_once

pytest.importorskip("distributed")
COLUMNS = ["x", "mass", "label", "weight"]
POINTS = (500.0, 750.0, 1000.0)


def count(events, model):
    columns = (events[name] for name in ("mass", "label"))
    return pnn_tf.count_scores(model, events.stacked(["x"]), *columns, POINTS, weight=events["weight"], n_bins=64)


def everything(events):
    """The number of events, the sum of their numbers, which no two sets of them share, and those of each mass."""
    masses, n = np.unique(np.nan_to_num(events["mass"]), return_counts=True)
    return {"n": len(events.rows), "rows": int(events.rows.sum()), "mass": dict(zip(masses.tolist(), n, strict=True))}


def rows_of(events):
    return events.rows.sum()


def everything_but_killed_once(events, folder):
    """As `everything`; the process that is the first to do one of the pieces does not survive it."""
    mark = Path(folder) / "killed"
    if events.rows[0] == 201 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return everything(events)


@pytest.fixture(scope="module")
def events():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 1000)
    mass = np.where(label == 1, rng.choice(POINTS, 1000), np.nan)
    mass[-10:], label[-10:] = 1250.0, 1  # a stratum that lives in the last file alone
    return {"x": rng.normal(size=1000) + label, "mass": mass, "label": label, "weight": rng.uniform(-0.2, 1, 1000)}


def write(folder, events, cuts, **options):
    folder.mkdir(exist_ok=True)
    for number, (start, stop) in enumerate(itertools.pairwise(cuts)):
        table = pa.table({name: column[start:stop] for name, column in events.items()})
        pq.write_table(table, folder / f"{number}.parquet", **({"row_group_size": 100} | options))
    return folder


@pytest.fixture(scope="module")
def shards(events, tmp_path_factory):
    """Uneven files, one of a single event and one of none."""
    return write(tmp_path_factory.mktemp("shards"), events, [0, 1, 400, 400, 990, 1000])


@pytest.fixture(scope="module")
def address():
    before = {name: value for name, value in os.environ.items() if "THREADS" in name}
    with pnn_tf.dask_client(2) as client:
        yield client.scheduler.address
    assert {name: value for name, value in os.environ.items() if "THREADS" in name} == before


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    network = pnn_tf.parametric_network(1, units=(4,), theta_scale=1000.0, seed=1)
    network.save(folder / "network.keras")
    pnn_tf.export_savedmodel(network, folder / "served")
    return folder


total_of = partial(pnn_tf.sum_over_shards, columns=COLUMNS, may_be_missing=["mass"])


def test_the_sum_does_not_depend_on_files_tasks_or_workers(events, shards, address, models, tmp_path):
    network = keras.saving.load_model(models / "network.keras")
    whole = pnn_tf.count_scores(
        network, events["x"][:, None], events["mass"], events["label"], POINTS, weight=events["weight"], n_bins=64
    )
    others = write(tmp_path / "others", events, [0, 333, 1000], row_group_size=70)
    for paths, options in (
        (shards, {"workers": 0}),
        (shards, {"workers": address, "events_per_task": 1}),
        (shards, {"workers": address}),
        (others, {"workers": 0, "events_per_task": 150}),
    ):
        total = total_of(count, paths, model=models / "network.keras", **options)
        assert (total.n_events, total.left_out) == (1000, ())
        np.testing.assert_allclose(total.value.weight, whole.weight, rtol=1e-10, atol=1e-12)  # of weights of order one
        np.testing.assert_array_equal(total.value.n_events, whole.n_events)
        for own, expected in zip(total.value.results(), whole.results(), strict=True):
            assert own.auc == pytest.approx(expected.auc, rel=1e-10)
            assert own.significance.ratio == pytest.approx(expected.significance.ratio, rel=1e-10)


def test_a_savedmodel_goes_by_its_path_too(shards, address, models):
    alone, by_workers = (
        total_of(count, shards, model=models / "served", workers=workers).value for workers in (0, address)
    )
    np.testing.assert_array_equal(alone.weight, by_workers.weight)
    assert alone.n_events.sum() > 1000  # the background is shown at each point
    named = total_of(lambda e, m: len(m), shards, model={"a": models / "served"}, workers=0)
    assert named.value == 12  # row groups


def test_a_model_that_has_changed_is_refused(shards, models, tmp_path):
    path = tmp_path / "network.keras"
    path.write_bytes((models / "network.keras").read_bytes())

    def count_and_retrain(events, model):
        pnn_tf.parametric_network(1, units=(2,)).save(path)
        load_once.cache_clear()  # as in a worker that starts now
        return 1

    with pytest.raises(ValueError, match=r"Expected the model that .*network.keras had when the work began"):
        total_of(count_and_retrain, shards, model=path, workers=0, events_per_task=1)
    with pytest.raises(FileNotFoundError, match=r"\*\.keras, or the directory of a SavedModel"):
        total_of(count_and_retrain, shards, model=tmp_path / "nothing", workers=0)


def test_workers_that_are_killed_lose_nothing(shards, address, tmp_path):
    function = partial(everything_but_killed_once, folder=os.fspath(tmp_path))
    total = total_of(function, shards, workers=address, events_per_task=1)
    assert total == total_of(everything, shards, workers=0)
    assert total.value["rows"] == 1000 * 999 // 2
    assert total.value["mass"][1250.0] == 10
    assert (tmp_path / "killed").exists()


CLIENT = """
import os, sys, time
from functools import partial
from tests.pnn_tf.test_tasks import slowly, total_of
if __name__ == "__main__":
    shards, progress, going_on = sys.argv[1:]
    function = partial(slowly, going_on=going_on)
    print(total_of(function, shards, workers=1, events_per_task=1, progress=progress).value["rows"])
"""


def slowly(events, going_on):
    """Waits at the second piece until there is a file, which the client makes that goes on, or nobody."""
    end = time.monotonic() + 120
    while events.rows[0] > 0 and not Path(going_on).exists() and time.monotonic() < end:
        time.sleep(0.05)
    return everything(events)


def until_one_is_done(progress, goes_on=lambda: True):
    end = time.monotonic() + 120
    while not list(progress.glob("part-*.pickle")) and goes_on() and time.monotonic() < end:
        time.sleep(0.05)


@pytest.mark.slow
def test_a_client_that_is_killed_goes_on_from_there(shards, tmp_path):
    (tmp_path / "client.py").write_text(CLIENT)
    command = [sys.executable, tmp_path / "client.py", shards, tmp_path / "progress", tmp_path / "going on"]
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    client = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        until_one_is_done(tmp_path / "progress", lambda: client.poll() is None)
    finally:
        os.killpg(client.pid, signal.SIGKILL)
    assert client.wait() == -signal.SIGKILL
    done = {path: path.stat().st_mtime_ns for path in (tmp_path / "progress").glob("part-*.pickle")}
    assert len(done) == 1
    (tmp_path / "going on").touch()
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    assert int(again.stdout.splitlines()[-1]) == 1000 * 999 // 2
    assert done.items() <= {path: path.stat().st_mtime_ns for path in (tmp_path / "progress").iterdir()}.items()


def test_progress_is_of_one_call(shards, tmp_path):
    first = total_of(everything, shards, workers=0, progress=tmp_path)
    assert total_of(everything, shards, workers=0, progress=tmp_path) == first
    parts = sorted(tmp_path.iterdir())
    parts[1].unlink()
    content = parts[2].read_bytes()
    for damaged in (content[:20], content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]):
        parts[2].write_bytes(damaged)
        assert total_of(everything, shards, workers=0, progress=tmp_path) == first
        assert parts[2].read_bytes() == content
    for function, options in ((rows_of, {}), (everything, {"events_per_task": 1}), (partial(keyword, by=2), {})):
        with pytest.warns(UserWarning, match="the work of other calls, not of this one"):
            total_of(function, shards, workers=0, progress=tmp_path, **options)
        parts = sorted(tmp_path.iterdir())
        total_of(function, shards, workers=0, progress=tmp_path, **options)
        assert sorted(tmp_path.iterdir()) == parts
        for part in parts:
            part.rename(part.with_name(part.name.replace("part-", "part-0")))
    with pytest.warns(UserWarning, match="the work of other calls"):
        assert total_of(partial(keyword, by=3), shards, workers=0, progress=tmp_path).value == 3000


def keyword(events, by):
    return by * len(events.rows)


def test_an_edited_function_is_another_one(shards, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    for text, expected in (("len(events.rows)", 1000), ("2 * len(events.rows)", 2000)):
        (tmp_path / "edited.py").write_text(f"def f(events):\n    return {text}\n")
        importlib.invalidate_caches()
        linecache.clearcache()
        module = importlib.import_module("edited")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the second time
            assert total_of(importlib.reload(module).f, shards, workers=0, progress=tmp_path / "kept").value == expected


def test_workers_that_have_another_code_are_refused(shards, address, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    with pnn_tf.dask_client(address) as client:
        client.run(lambda folder: __import__("sys").path.insert(0, folder), os.fspath(tmp_path))
    count = partial(total_of, paths=shards, workers=address)
    (tmp_path / "analysis.py").write_text("CUT = 0\ndef f(events):\n    return int((events['x'] > CUT).sum())\n")
    importlib.invalidate_caches()
    module = importlib.import_module("analysis")
    assert count(module.f).value == total_of(module.f, shards, workers=0).value
    refused = pytest.raises(RuntimeError, match=r"f at .* has the code, and its module the numbers, .*Restart workers")
    monkeypatch.setattr(module, "CUT", 1)
    with refused:
        count(module.f)
    (tmp_path / "analysis.py").write_text("CUT = 0\ndef f(events):\n    return int((events['x'] < CUT).sum())\n")
    linecache.clearcache()
    importlib.invalidate_caches()
    module = importlib.reload(module)
    with refused:
        count(module.f)


def test_what_could_not_be_read_is_tried_again(events, tmp_path):
    paths = sorted(write(tmp_path / "files", events, [0, 400, 1000]).iterdir())
    away = tmp_path / "away"

    def count(events):
        if not (tmp_path / "done").exists():
            (tmp_path / "done").touch()
            paths[1].rename(away)
        return len(events.rows)

    counted = partial(total_of, count, paths, workers=0, on_error="skip", progress=tmp_path / "kept")
    with pytest.warns(UserWarning, match="600 events of 1 out of 2 files are left out"):
        assert counted().value == 400
    away.rename(paths[1])
    assert counted().value == 1000


def test_a_full_disk_loses_nothing_that_was_kept(shards, tmp_path, full_disk):
    first = total_of(everything, shards, workers=0, progress=tmp_path)
    parts = sorted(tmp_path.iterdir())
    parts[1].unlink()
    parts[2].unlink()
    with full_disk(10), pytest.warns(UserWarning, match=r"cannot be kept: .*part-\w*-00000.\.pickle"):
        assert total_of(everything, shards, workers=0, progress=tmp_path) == first
    assert sorted(tmp_path.iterdir()) == [parts[0], parts[3]]
    assert total_of(everything, shards, workers=0, progress=tmp_path) == first


def _truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


def _damaged(path):
    table = pq.read_table(path)
    pq.write_table(table, path, row_group_size=100, write_page_checksum=True, compression=None, use_dictionary=False)
    content = bytearray(path.read_bytes())
    place = content.find(np.asarray(table["x"])[150].tobytes())
    content[place] ^= 0xFF
    path.write_bytes(content)


def _without_weight(path):
    pq.write_table(pq.read_table(path).drop_columns("weight"), path)


def _of_text(path):
    table = pq.read_table(path)
    column = pa.array(["heavy"] * len(table))
    pq.write_table(table.set_column(table.schema.get_field_index("weight"), "weight", column), path)


def _with_nan(path):
    table = pq.read_table(path)
    x = np.array(table["x"])
    x[[3, 250]] = np.nan, np.inf
    pq.write_table(table.set_column(table.schema.get_field_index("x"), "x", pa.array(x)), path)


@pytest.mark.parametrize(
    ("damage", "n_left_out", "reason"),
    [
        (_truncated, None, "it cannot be read"),
        (_damaged, 100, "its row group 1 cannot be read.*CRC"),
        (_without_weight, 590, r"it lacks the columns \['weight'\]"),
        (_of_text, 590, "the column 'weight' is of the type string, not number"),
        (_with_nan, 2, "the column 'x' is NaN, infinite or missing"),
        (Path.unlink, None, "it cannot be read"),
    ],
)
def test_a_bad_file_is_named_and_left_out_by_choice(damage, n_left_out, reason, events, tmp_path):
    paths = sorted(write(tmp_path, events, [0, 400, 990, 1000]).iterdir())
    damage(paths[1])
    with pytest.raises(ValueError, match=f"1.parquet: {reason}"):
        total_of(everything, paths, workers=0)
    with pytest.warns(UserWarning, match="left out"):
        total = total_of(everything, paths, workers=0, on_error="skip")
    (left_out,) = total.left_out
    assert (left_out.path, left_out.n_events) == (str(paths[1]), n_left_out)
    assert total.n_events == total.value["n"] == 1000 - (590 if n_left_out is None else n_left_out)


def test_numbers_are_added_in_double_precision(events, tmp_path):
    def narrow(events):
        return {"f": np.float32(1 / 3), "i": np.array([100], np.int8), "b": np.bool_(True), "t": tf.constant([1 / 3])}

    write(tmp_path, events, [0, 500, 1000])
    total = total_of(narrow, tmp_path, workers=0).value  # of 10 row groups
    third = float(np.float32(1 / 3))
    assert total["f"] == pytest.approx(10 * third, rel=1e-15)
    assert total["t"] == pytest.approx([10 * third], rel=1e-15)
    assert (total["i"].tolist(), total["b"]) == ([1000], 10)


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda events: np.ones(len(events.rows)), ValueError, r"one shape .*\(100,\), \(99,\)"),
        (lambda events: (1, 2), TypeError, "dict of what is to be added"),
        (lambda events: np.ma.masked_less(events["x"], 0).sum(keepdims=True) * np.ma.masked, TypeError, "masked"),
        (lambda events: np.uint64(2**64 - 1), ValueError, "int64 holds"),
    ],
)
def test_what_cannot_be_added_is_refused(function, error, message, shards):
    with pytest.raises(error, match=message):
        total_of(function, shards, workers=0)


def test_numbers_of_mixed_precision_are_added_in_double_precision(shards):
    assert total_of(lambda events: tf.ones((300,), tf.bfloat16), shards, workers=0).value.dtype == np.float64


def test_no_bit_in_the_headers_of_pages_can_flip_without_a_word(tmp_path):
    """They are in no checksum."""
    path, x = tmp_path / "0.parquet", np.arange(300.0)
    pq.write_table(pa.table({"x": x}), path, row_group_size=100, write_page_checksum=True, use_dictionary=False)
    content, start = path.read_bytes(), pq.read_metadata(path).row_group(1).column(0).data_page_offset
    n_refused = 0
    for place in range(start, start + 25):
        for bit in range(8):
            path.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
            try:
                total = pnn_tf.sum_over_shards(lambda events: events["x"].sum(), path, columns=["x"], workers=0)
                assert (total.n_events, total.value) == (300, x.sum())
            except ValueError:
                n_refused += 1
    assert n_refused > 100


def test_a_file_that_is_given_twice_is_refused(shards):
    paths = sorted(shards.iterdir())
    with pytest.raises(ValueError, match=r"Received twice: .*1\.parquet"):
        total_of(everything, [*paths, shards / ".." / shards.name / "1.parquet"], workers=0)


def test_text_that_is_none_is_left_out(tmp_path):
    buffers = [None, pa.py_buffer(np.array([0, 1, 2], "i4")), pa.py_buffer(b"a\xff")]
    broken = pa.Array.from_buffers(pa.string(), 2, buffers)
    pq.write_table(pa.table({"name": broken}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"name": ["b", None, "c"]}), tmp_path / "1.parquet")
    with pytest.warns(UserWarning, match="3 events of 2 out of 2 files"):
        total = pnn_tf.sum_over_shards(
            lambda events: {name: 1 for name in events["name"]}, tmp_path, columns=["name"], workers=0, on_error="skip"
        )
    assert total.value == {"b": 1, "c": 1}
    assert "not UTF-8" in total.left_out[0].reason


def test_events_are_numbered_from_where_it_is_said(shards):
    def first_of(events):
        return [(int(events.rows[0]), Path(events.path).name)]

    numbers = total_of(first_of, shards, workers=0, first_row=5000).value
    assert (numbers[0], numbers[-1]) == ((5000, "0.parquet"), (5990, "4.parquet"))


def test_files_without_events_are_an_error(events, tmp_path):
    write(tmp_path, events, [5, 5])
    with pytest.raises(ValueError, match="Expected events in the 1 files"):
        total_of(everything, tmp_path, workers=0)


def test_the_error_of_a_function_is_the_users(shards, address):
    with pytest.raises(KeyError, match="no such column"):
        total_of(lambda events: events["no such column"], shards, workers=address)


@pytest.mark.slow
def test_a_function_that_ends_every_worker_is_given_up(shards, monkeypatch):
    monkeypatch.setattr(cluster, "ALLOWED_DEATHS", 1)
    with pytest.raises(RuntimeError, match=r"2 workers ended one after another during .*parquet, row groups"):
        total_of(lambda events: os._exit(1), shards, workers=1)


@pytest.mark.slow
def test_a_cluster_that_has_no_workers_yet_is_waited_for(shards):
    import distributed

    with distributed.LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address="127.0.0.1:0") as adaptive:
        adaptive.adapt(minimum=0, maximum=1)
        with pytest.warns(UserWarning, match="no workers yet"):
            assert total_of(everything, shards, workers=adaptive).value["n"] == 1000


@pytest.mark.slow
def test_tasks_that_somebody_gives_up_end_with_an_error(shards, tmp_path):
    def restart():
        until_one_is_done(tmp_path)
        with contextlib.suppress(Exception):  # of the connections that it ends
            client.restart()

    function = partial(slowly, going_on=tmp_path / "never")
    with pnn_tf.dask_client(1) as client:
        gives_up = threading.Thread(target=restart)
        gives_up.start()
        with pytest.raises(ConnectionError, match=r"has ended, or has given up .*Start again"):
            total_of(function, shards, workers=client.scheduler.address, events_per_task=1, progress=tmp_path)
        gives_up.join()


@pytest.mark.parametrize("listens", [False, True])
def test_a_scheduler_that_does_not_answer_is_given_up(listens, shards, monkeypatch):
    monkeypatch.setattr(cluster, "TIMEOUT", 1)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        if listens:
            nobody.listen()
        started = time.monotonic()
        with pytest.raises(ConnectionError, match=r"No Dask scheduler answers at tcp://127.0.0.1:\d+ within 1 s"):
            total_of(everything, shards, workers=f"tcp://127.0.0.1:{nobody.getsockname()[1]}")
        assert time.monotonic() - started < 10


def test_workers_share_the_cores_and_keep_what_they_free(address):
    with pnn_tf.dask_client(address) as client:
        for variables in client.run(lambda: dict(os.environ)).values():
            assert variables["OMP_NUM_THREADS"] == str(max(cluster.n_cores() // 2, 1))
            assert variables.get("MALLOC_TRIM_THRESHOLD_") == os.environ.get("MALLOC_TRIM_THRESHOLD_")


def test_workers_of_another_version_are_refused(address, monkeypatch):
    monkeypatch.setattr(cluster, "own_versions", lambda: {"keras-hep": "9.9"})
    refused = pytest.raises(RuntimeError, match=r"Expected workers with keras-hep 9\.9, as here\. Received: 0")
    with refused, pnn_tf.dask_client(address):
        pass


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": -1}, "workers as a number of processes, at least 1"),
        ({"workers": True}, "workers as a number"),
        ({"on_error": "ignore"}, "on_error 'raise' or 'skip'"),
        ({"columns": []}, "distinct names of columns"),
        ({"columns": ["x", "x"]}, "distinct names of columns"),
        ({"may_be_missing": ["y"]}, "may_be_missing among them"),
        ({"events_per_task": 0}, "events_per_task"),
    ],
)
def test_bad_arguments_are_named(options, message, shards):
    with pytest.raises(ValueError, match=message):
        total_of(everything, shards, **options)
