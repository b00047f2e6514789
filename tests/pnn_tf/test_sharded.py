import subprocess
import sys
import tracemalloc
from collections import Counter

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import spearmanr

from pnn_tf import Binned, Identical, LeftOut, Uniform, balanced_batches, parametric_network, sharded_batches
from pnn_tf.shard_stream import Stream
from pnn_tf.shards import ShardReader
from tests.problems import GaussianOnUniform

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

SIGNAL = {500.0: 400, 750.0: 170, 1000.0: 50}  # events by theta
PROCESSES = {"W+jets": 210, "top": 390}
COLUMNS = {"features": ["id", "x"], "theta": "mass", "label": "y", "process": "process"}
LAYOUTS = ("one sample a file", "mixed", "sorted in one file")
BUFFER = 250  # for the five strata of `make_events`; the smallest is held, the others have 50 events each


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """A few batches to a block, and a few parts to a row group."""
    monkeypatch.setattr("pnn_tf.sharded.ROWS_PER_BLOCK", 100)
    monkeypatch.setattr("pnn_tf.pipeline.ROWS_PER_BLOCK", 100)
    monkeypatch.setattr("pnn_tf.parquet.ROWS_PER_PART", 40)


def make_events(times=1):
    """Columns of unbalanced events, sorted by sample; `id` is the row."""
    mass = np.repeat([*SIGNAL, np.nan, np.nan], [times * n for n in (*SIGNAL.values(), *PROCESSES.values())])
    process = np.repeat(["none", *PROCESSES], [times * n for n in (sum(SIGNAL.values()), *PROCESSES.values())])
    n_events = len(mass)
    rng = np.random.default_rng(0)
    return {
        "id": np.arange(n_events, dtype=np.float64),
        "x": rng.normal(size=n_events).astype(np.float32),
        "mass": mass.astype(np.float32),
        "y": np.isfinite(mass),
        "process": process,
        "weight": rng.gamma(2.0, size=n_events),
    }


def write(folder, events, layout="one sample a file", row_group=100):
    folder.mkdir(exist_ok=True)
    n_events = len(events["id"])
    if layout == "one sample a file":
        sample = np.unique(
            [f"{m} {p}" for m, p in zip(events["mass"], events["process"], strict=True)], return_inverse=True
        )[1]
        files = [np.flatnonzero(sample == i) for i in range(sample.max() + 1)]
    elif layout == "mixed":
        files = np.array_split(np.random.default_rng(1).permutation(n_events), 3)
    else:
        files = [np.arange(n_events)]
    for i, rows in enumerate(files):
        table = pyarrow.table({name: values[rows] for name, values in events.items()})
        parquet.write_table(table, folder / f"{i}.parquet", row_group_size=row_group)
    return folder


def in_memory(events, **options):
    features = np.stack([events["id"], events["x"]], axis=1)
    options = {"background_theta": Identical(list(SIGNAL)), "process": events["process"], **options}
    return balanced_batches(features, events["mass"], events["y"], **options)


def from_files(folder, **options):
    options = {
        "background_theta": Identical(list(SIGNAL)),
        "buffer_events": BUFFER,
        "batch_size": 61,
        **COLUMNS,
        **options,
    }
    return sharded_batches(folder, **options)


def take(dataset, n_batches):
    """id, theta and label of each row of each batch."""
    rows = [
        (x["features"][:, 0], x["theta"][:, 0], y[:, 0]) for x, y, *_ in dataset.take(n_batches).as_numpy_iterator()
    ]
    ids, theta, label = map(np.stack, zip(*rows, strict=True))
    return ids.astype(int), theta, label


@pytest.mark.parametrize(
    ("layout", "balance"),
    [
        *((layout, "full") for layout in LAYOUTS),
        *zip(LAYOUTS, ["class", "none", "signal"], strict=True),
        ("mixed", "background"),
    ],
)
def test_every_stratum_is_passed_through_and_has_its_turn(tmp_path, layout, balance):
    events = make_events()
    batches = from_files(write(tmp_path, events, layout), balance=balance, batch_size=23)
    expected = in_memory(events, balance=balance, batch_size=23)
    assert (batches.strata, batches.steps_per_epoch) == (expected.strata, expected.steps_per_epoch)
    assert batches.feature_names == ["id", "x"] and batches.left_out == ()
    ids, theta, label = (values.ravel() for values in take(batches.dataset, 200))
    expected_ids, _, expected_label = (values.ravel() for values in take(expected.dataset, 200))
    if balance != "none":  # there, a row may be of any class
        assert np.array_equal(label, expected_label)
    assert np.array_equal(label, events["y"][ids])
    assert np.array_equal(theta[label == 1], events["mass"][ids][label == 1])
    assert set(theta[label == 0]) == set(SIGNAL)
    names = stratum_of(events, balance)
    assert np.array_equal(names[ids], names[expected_ids]) or balance == "none"
    for stratum in batches.strata:
        own = ids[names[ids] == stratum.name]
        members = np.flatnonzero(names == stratum.name)
        passes = [own[start : start + stratum.size] for start in range(0, len(own), stratum.size)]
        for one in passes[:-1]:
            assert np.array_equal(np.sort(one), members)
        assert len(set(passes[-1])) == len(passes[-1])
        assert len(passes) > 1 and not np.array_equal(passes[0], passes[1])


def stratum_of(events, balance):
    """Name of each event's stratum."""
    by_theta, by_process = balance in ("signal", "full"), balance in ("background", "full")
    signal = [f"signal {mass:g}" if by_theta else "signal" for mass in events["mass"]]
    background = [f"background {process}" if by_process else "background" for process in events["process"]]
    return np.where(balance == "none", "all", np.where(events["y"], signal, background))


def test_several_classes_and_parameters_are_as_in_memory(tmp_path):
    events = make_events()
    events["y"] = events["y"] * 1 + (events["id"] % 3 == 0) * 2  # 0 and 2 are background
    events["mass"] = np.where(np.isfinite(events["mass"]), events["mass"], 500.0).astype(np.float32)
    events["jes"] = (0.9 + 0.1 * (events["id"] % 2)).astype(np.float32)
    events["process"] = np.where(events["y"] == 0, 7, 11)
    options = {"n_classes": 4, "backgrounds": (0, 2), "nuisances": [1], "batch_size": 32}
    options_of_files = {"theta": ["mass", "jes"], "buffer_events": 500}
    batches = from_files(write(tmp_path, events, "mixed"), **options, **options_of_files)
    both = np.stack([events["mass"], events["jes"]], axis=1)
    expected = balanced_batches(
        np.ones((len(both), 1)),
        both,
        events["y"],
        process=events["process"],
        background_theta=Identical(list(SIGNAL)),
        **options,
    )
    assert batches.strata == expected.strata
    for x, y in batches.dataset.take(20).as_numpy_iterator():
        ids = x["features"][:, 0].astype(int)
        assert np.array_equal(y[:, 0], events["y"][ids])
        assert np.array_equal(x["theta"][:, 1], events["jes"][ids])


def test_a_seed_gives_the_same_batches_again_and_another_one_others(tmp_path):
    folder = write(tmp_path, make_events())
    batches = from_files(folder, batch_size=32, seed=3)
    first = take(batches.dataset, 60)
    for again in (take(batches.dataset, 60), take(from_files(folder, batch_size=32, seed=3).dataset, 60)):
        assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], take(from_files(folder, batch_size=32, seed=4).dataset, 60)[0])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_stream_is_taken_up_anywhere_without_reading_what_was_before(tmp_path, layout, monkeypatch):
    batches = from_files(write(tmp_path, make_events(), layout), batch_size=32)
    whole = take(batches.dataset, 80)
    read = []
    parts = ShardReader.parts
    monkeypatch.setattr(ShardReader, "parts", lambda *arguments: read.append(1) or parts(*arguments))
    for step in (1, 64, 79):
        part = take(batches.dataset_from(step), 1)
        assert all(np.array_equal(a[step], b[0]) for a, b in zip(whole, part, strict=True))
    taken = len(read)
    read.clear()
    take(batches.dataset_from(100_000), 1)
    assert len(read) < taken  # of three steps; each reads the chunk that it is in


def test_memory_is_that_of_the_buffer_however_many_events_there_are(tmp_path):
    peaks = []
    for times in (2, 20):
        batches = from_files(write(tmp_path / str(times), make_events(times)), buffer_events=400)
        take(batches.dataset, 3)  # what TensorFlow traces
        stream = iter(batches.dataset.take(50))
        tracemalloc.start()
        for _ in stream:
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]  # more row groups have longer lists; ten times as many events would be ten times


def test_no_more_events_are_held_than_the_buffer_says(tmp_path, monkeypatch):
    buffers = []

    class Recorded(Stream):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            buffers.append(len(self._columns[0]))

    monkeypatch.setattr("pnn_tf.shard_source.Stream", Recorded)
    batches = from_files(write(tmp_path, make_events()))
    take(batches.dataset, 2)
    held = min(stratum.size for stratum in batches.strata)
    assert len(buffers) == 4 and held + sum(buffers) == BUFFER


def test_a_chunk_comes_in_any_order(tmp_path):
    batches = from_files(
        write(tmp_path, make_events(10)), balance="none", batch_size=50, buffer_events=2000, process=None
    )
    ids = take(batches.dataset, 40)[0].ravel()
    chunk = ids[: 12200 // 7]  # as many chunks as are needed for 12200 events, of one size
    assert abs(spearmanr(np.arange(len(chunk)), chunk).statistic) < 4 / np.sqrt(len(chunk))
    first, second = (take(batches.dataset_from(step), 40)[0].ravel() for step in (0, 244))
    assert len(np.intersect1d(first, second)) < 1200  # by chance, 2000 events out of 12200 have 330 in common


@pytest.mark.parametrize("weight_scale", ["stratum", "mean", None])
def test_weights_are_scaled_as_in_memory(tmp_path, weight_scale):
    events = make_events()
    options = {"weight_scale": weight_scale, "batch_size": 305}
    found = weights_by_id(from_files(write(tmp_path, events, "mixed"), weight="weight", **options))
    expected = weights_by_id(in_memory(events, weight=events["weight"], **options))
    assert len(found) == len(expected) == len(events["id"])
    for event, weight in expected.items():
        assert found[event] == pytest.approx(weight, rel=1e-6)  # float32


def weights_by_id(batches):
    found = {}
    for x, _, w in batches.dataset.take(9).as_numpy_iterator():
        found |= dict(zip(x["features"][:, 0].astype(int).tolist(), w.tolist(), strict=True))
    return found


def test_theta_drawn_once_stays_with_its_event(tmp_path):
    folder = write(tmp_path, make_events(), "mixed")
    batches = from_files(folder, background_theta=Identical(list(SIGNAL), sampled=False), batch_size=61)
    ids, theta, label = (values.ravel() for values in take(batches.dataset, 60))
    background = label == 0
    pairs = set(zip(ids[background].tolist(), theta[background].tolist(), strict=True))
    assert len(pairs) == sum(PROCESSES.values())
    counts = Counter(theta for _, theta in pairs)
    assert set(counts) == set(SIGNAL) and min(counts.values()) > 150  # of 200, with a standard deviation of 12
    nearest = Binned([0, 700, 900, 2000], list(SIGNAL), feature=0)
    ids, theta, label = (values.ravel() for values in take(from_files(folder, background_theta=nearest).dataset, 5))
    assert np.array_equal(theta[label == 0], nearest.draw(len(ids), None, ids[:, None])[:, 0].numpy()[label == 0])


def test_the_background_may_have_a_theta_of_its_own(tmp_path):
    events = make_events()
    events["mass"] = np.where(
        np.isfinite(events["mass"]), events["mass"], np.resize([500, 750, 1000], len(events["id"]))
    )
    ids, theta, _ = (
        values.ravel() for values in take(from_files(write(tmp_path, events), background_theta=None).dataset, 5)
    )
    assert np.array_equal(theta, events["mass"][ids])


def test_theta_that_gives_the_class_away_is_refused(tmp_path):
    folder = write(tmp_path, make_events())
    with pytest.raises(ValueError, match=r"background has theta, such as 0\.5"):
        from_files(folder, background_theta=Identical([0.5]))
    with pytest.warns(UserWarning, match="that no signal has") as caught:
        from_files(folder, background_theta=Identical([500, 750, 1000, 2000]))
    assert caught[0].filename == __file__


BAD = {  # what is done to the first file or its table, and what is said of it
    "no file": (None, "cannot be read"),
    "truncated": (b"", "cannot be read"),
    "lacks a column": (lambda t: t.drop(["x"]), r"lacks the columns \['x'\]"),
    "text": (lambda t: t.set_column(1, "x", pyarrow.array(["a"] * len(t))), "'x' is of the type string, not number"),
    "nested": (lambda t: t.set_column(1, "x", pyarrow.array([[1.0]] * len(t))), "'x' is of the type list"),
    "a mass that is text": (
        lambda t: t.set_column(2, "mass", pyarrow.array(["a"] * len(t))),
        "'mass' is of the type string",
    ),
    "processes by number": (
        lambda t: t.set_column(4, "process", pyarrow.array(np.zeros(len(t)))),
        "'process' is of the type double, not text",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_file_that_is_not_as_it_should_be_is_named_and_left_out(tmp_path, kind):
    change, message = BAD[kind]
    paths = sorted(write(tmp_path, make_events(), "mixed").glob("*"))[::-1]  # the last is the bad one
    n_events = parquet.read_metadata(paths[-1]).num_rows
    if change is None:
        paths[-1].unlink()
    elif change == b"":
        paths[-1].write_bytes(paths[-1].read_bytes()[:-100])
    else:
        parquet.write_table(change(parquet.read_table(paths[-1])), paths[-1])
    with pytest.raises(ValueError, match=f"{paths[-1]}: .*{message}.*on_error='skip'"):
        from_files(paths)
    unknown = ", and files of unknown size: 1" if change in (None, b"") else ":"
    with pytest.warns(UserWarning, match=f"1 out of 3 files are left out{unknown}"):
        batches = from_files(paths, on_error="skip")
    ((path, n_left_out, _),) = batches.left_out
    assert path == str(paths[-1]) and n_left_out == (None if change in (None, b"") else n_events)
    assert sum(stratum.size for stratum in batches.strata) == len(make_events()["id"]) - n_events
    take(batches.dataset, 2)


FAULTS = {  # by column
    "x": (np.nan, "column 'x' is NaN, infinite or missing"),
    "id": (1e300, "column 'id' is NaN, infinite or missing"),
    "mass": (np.inf, "column 'mass' is NaN, infinite or missing"),
    "y": (3, r"label 'y' is none of \[0, 1\]"),
    "weight": (-1.0, "weight 'weight' is negative, NaN or infinite"),
    "process": (None, "process 'process' of background is missing"),
}


@pytest.mark.parametrize(
    ("layout", "column"), [*(("mixed", column) for column in FAULTS), *((layout, "process") for layout in LAYOUTS[::2])]
)
def test_events_that_are_not_as_they_should_be_are_named_and_left_out(tmp_path, column, layout):
    value, message = FAULTS[column]
    events = make_events()
    bad = np.array([3, 500, 501, 700])
    if column == "mass":
        bad = bad[:3]  # that of background is not looked at
    if column == "process":
        bad = np.array([630, 700, 900])
        events[column] = events[column].astype(object)
    if column == "y":
        events[column] = events[column].astype(int)
    events[column][bad] = value
    if column == "mass":
        events[column][700] = value
    folder = write(tmp_path, events, layout)
    with pytest.raises(
        ValueError, match=rf"{folder}/\d.parquet: the {message} in \d events, the first of them in row \d+"
    ):
        from_files(folder, weight="weight")
    with pytest.warns(UserWarning, match=f"^{len(bad)} events of"):
        batches = from_files(folder, weight="weight", on_error="skip")
    assert sum(out.n_events for out in batches.left_out) == len(bad)
    assert {type(out) for out in batches.left_out} == {LeftOut}
    assert sum(stratum.size for stratum in batches.strata) == len(events["id"]) - len(bad)
    ids = take(batches.dataset, 40)[0]
    assert not np.isin(ids, bad).any() and len(np.unique(ids)) == len(events["id"]) - len(bad)


def test_a_row_group_that_cannot_be_read_is_left_out_alone(tmp_path):
    (path,) = write(tmp_path, make_events(), "sorted in one file").glob("*")
    broken = bytearray(path.read_bytes())
    column = parquet.read_metadata(path).row_group(2).column(1)
    start = column.dictionary_page_offset or column.data_page_offset
    broken[start : start + 30] = bytes(30)
    path.write_bytes(broken)
    with pytest.raises(ValueError, match=f"{path}: its row group 2 cannot be read"):
        from_files(path)
    with pytest.warns(UserWarning, match="100 events of 1 out of 1 files"):
        batches = from_files(path, on_error="skip")
    ids = take(batches.dataset, 40)[0]
    assert not np.isin(ids, np.arange(200, 300)).any()


def test_missing_values_and_kinds_of_columns_are_taken_as_they_are(tmp_path):
    table = pyarrow.table(make_events())
    as_dictionary = table.set_column(4, "process", table["process"].combine_chunks().dictionary_encode())
    names = []
    for i, kind in enumerate((table, as_dictionary)):
        parquet.write_table(kind, tmp_path / f"{i}.parquet")
        names.append([stratum.name for stratum in from_files(tmp_path / f"{i}.parquet").strata])
    assert names[0] == names[1] == [*(f"signal {mass:g}" for mass in SIGNAL), *(f"background {p}" for p in PROCESSES)]
    missing = table.set_column(3, "y", pyarrow.array([None, *make_events()["y"][1:].tolist()]))
    parquet.write_table(missing, tmp_path / "0.parquet")
    with pytest.raises(ValueError, match=r"label 'y' is none of \[0, 1\] in 1 events, the first of them in row 0"):
        from_files(tmp_path / "0.parquet")


def test_a_file_that_changes_later_is_named(tmp_path):
    folder = write(tmp_path, make_events(), "mixed")
    batches = from_files(folder)
    events = make_events()
    events["mass"] = np.where(events["y"], np.float32(500), np.float32(np.nan))
    write(folder, events, "mixed")
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\d.parquet: it has changed"):
        take(batches.dataset, 2)
    for path in folder.glob("*"):
        path.unlink()
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"\d.parquet: it cannot be read"):
        take(batches.dataset, 2)


def test_paths_may_be_a_list_a_folder_a_pattern_or_a_file(tmp_path):
    folder = write(tmp_path / "run", make_events(), "mixed")
    paths = sorted(folder.glob("*"))
    for given in (paths, tmp_path, str(folder), folder / "*.parquet", f"{tmp_path}/**/*.parquet", iter(paths)):
        assert from_files(given).steps_per_epoch == from_files(paths).steps_per_epoch
    assert from_files(paths[:1], batch_size=407).steps_per_epoch == 1  # a third of 1220, rounded up


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"on_error": "ignore"}, "on_error='ignore'"),
        ({"features": []}, "features, at least one"),
        ({"features": ["x", "x"]}, r"distinct .*\['x', 'x'\]"),
        ({"balance": "even"}, "balance='even'"),
        ({"balance": "background", "process": None}, "needs process"),
        ({"weight_scale": "sum"}, "weight_scale .*'sum'"),
        ({"batch_size": 128.0}, "batch_size=128.0"),
        ({"buffer_events": 0}, "buffer_events=0"),
        ({"buffer_events": 60}, r"buffer_events=60 leaves 12 events for each of the 5 strata.*buffer_events >= 200"),
        ({"background_theta": Uniform((0, 0), (1, 1))}, "1 parameters, .*background_theta=.* 2"),
        ({"background_theta": [500]}, "to be a strategy"),
        ({"nuisances": [1]}, r"nuisances.* \[1\]"),
        ({"theta": "x"}, "as if it were continuous"),
        ({"n_classes": 3}, "stratum 'signal 2' is empty"),
    ],
)
def test_bad_arguments_are_named(tmp_path, change, message):
    folder = write(tmp_path, make_events())
    with pytest.raises(ValueError, match=message):
        from_files(folder, **change)


def test_no_file_is_an_error(tmp_path):
    for paths in (tmp_path, []):
        with pytest.raises(ValueError, match="Expected paths of Parquet files"):
            from_files(paths)
    with pytest.raises(ValueError, match=r"nothing\.parquet: it cannot be read"):
        from_files(tmp_path / "nothing.parquet")


def test_pyarrow_is_asked_for_when_it_is_needed(tmp_path, monkeypatch):
    folder = write(tmp_path, make_events())
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"keras-hep\[parquet\]"):
        from_files(folder)


UNTIL_THE_END = """
import sys
import pnn_tf
batches = pnn_tf.sharded_batches(
    sys.argv[1], features=["id", "x"], theta="mass", label="y", background_theta=pnn_tf.Identical([500, 750, 1000])
)
stream = iter(batches.dataset)
for _ in range(20):
    next(stream)
"""


@pytest.mark.slow
def test_python_ends_while_batches_are_being_made(tmp_path):
    folder = write(tmp_path, make_events(10))
    child = [sys.executable, "-c", UNTIL_THE_END, folder]
    assert subprocess.run(child, timeout=120, capture_output=True, check=False).returncode == 0


def test_fit_from_files_comes_near_the_best_classifier(tmp_path, monkeypatch):
    monkeypatch.undo()  # no small parts
    monkeypatch.setattr("pnn_tf.parquet.ROWS_PER_PART", 500)
    problem = GaussianOnUniform()
    features, theta, label = problem.sample(20_000, seed=1)
    order = np.argsort(label * 10 + theta, kind="stable")
    table = pyarrow.table({"x": features[order, 0], "theta": theta[order], "label": label[order]})
    parquet.write_table(table, tmp_path / "events.parquet", row_group_size=500)
    batches = sharded_batches(
        tmp_path,
        features=["x"],
        theta="theta",
        label="label",
        batch_size=256,
        background_theta=Identical(problem.theta),
        buffer_events=6000,
    )
    model = parametric_network(
        1, conditioning="concat", units=(32, 32), dropout=0, theta_scale=1.0, kernel_l2=0, bias_l2=0, seed=1
    )
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy", steps_per_execution=50)
    model.fit(batches.dataset, steps_per_epoch=500, epochs=1, shuffle=False, verbose=0)
    x = np.linspace(-5, 5, 401, dtype="float32")
    for point in problem.theta:
        score = model.predict_on_batch({"features": x[:, None], "theta": np.full((401, 1), point, "float32")})[:, 0]
        # The best constant score is off by 0.11, the best one without theta by 0.26.
        assert np.mean(abs(score - problem.posterior(x, point))) < 0.03
