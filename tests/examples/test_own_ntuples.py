"""The example for ntuples runs on a small ROOT file, and pyhf and cabinetry make the same of what it writes."""

import json
import runpy
import sys

import awkward as ak
import numpy as np
import pyhf
import pytest
import tensorflow as tf
import uproot

import neos_tf
import pnn_tf
from examples import own_ntuples
from examples.ntuples import Events, match_events, read_events
from examples.own_ntuples import Settings

MASSES = (500.0, 750.0, 1000.0)
SETTINGS = Settings(units=(16,), epochs=3, n_least=20)
SIDES = {"up": 1, "down": -1}


def simulated(n=9000):
    """All events: half of them background, a signal that peaks in mtt, some of negative weight."""
    rng = np.random.default_rng(1)
    label, mass = np.tile([0, 1, 0, 1, 0, 1], n // 6), np.tile(np.repeat(MASSES, 2), n // 6)
    mtt = np.where(label == 1, rng.normal(mass, 0.1 * mass), 300 + rng.exponential(250, n))
    columns = {"event": rng.permutation(n), "label": label, "mass": np.where(label == 1, mass, -1), "mtt": mtt}
    columns |= {"pt": 0.4 * mtt * rng.uniform(0.5, 1, n), "met": rng.exponential(60, n)}
    weight = np.where(label == 1, 0.2, 5.0) * rng.uniform(0.5, 1.5, n) * np.where(rng.uniform(size=n) < 0.05, -1, 1)
    tags = {f"weight_btag_{side}": weight * (1 + sign * 0.05 * mtt / 1000) for side, sign in SIDES.items()}
    return columns | {"weight": weight} | tags


def selected():
    """Trees of three jet energy scales: other events pass a threshold in each, and come in another order."""
    rng, nominal, trees = np.random.default_rng(2), simulated(), {}
    for name, scale in (("nominal", 1.0), ("jes_up", 1.03), ("jes_down", 0.97)):
        varied = nominal | {column: scale * nominal[column] for column in ("pt", "mtt")}
        rows = rng.permutation(np.flatnonzero(varied["pt"] > 120))
        trees[name] = {column: values[rows] for column, values in varied.items()}
    return trees


def write(path, trees):
    with uproot.recreate(path) as file:
        for name, columns in trees.items():
            file.mktree(name, {column: values.dtype for column, values in columns.items()})
            file[name].extend(columns)
    return str(path)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write(tmp_path_factory.mktemp("events") / "events.root", selected())


@pytest.fixture(scope="module")
def run(path, tmp_path_factory):
    """Folder and limits."""
    folder = tmp_path_factory.mktemp("run")
    return folder, own_ntuples.main([path, "--out", str(folder), "--histograms"], SETTINGS)


def workspace(folder, mass=500):
    return json.loads((folder / f"workspace_{mass}.json").read_text())


def samples(given):
    return {sample["name"]: sample for sample in given["channels"][0]["samples"]}


def test_is_a_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["own_ntuples", "--help"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_path(own_ntuples.__file__, run_name="__main__")
    assert "--histograms" in capsys.readouterr().out


def test_writes_figure_and_network(run):
    folder, limits = run
    assert tuple(limits) == MASSES and all(limit.converged for limit in limits.values())
    assert (folder / "limits.pdf").stat().st_size > 1000
    served = tf.saved_model.load(folder / "network")
    assert served.serve(np.float32([[200, 50, 500]]), np.float32([[500]]))["score"].shape == (1, 1)


@pytest.mark.parametrize("mass", [500, 1000])
def test_templates_hold_the_odd_events_twice(run, mass):
    given, trees = samples(workspace(run[0], mass)), selected()

    def total(tree, weight, chosen):
        return 2 * np.sum(trees[tree][weight][chosen(trees[tree]) & (trees[tree]["event"] % 2 == 1)])

    for name, chosen in (
        ("signal", lambda tree: tree["mass"] == mass),
        ("background", lambda tree: tree["label"] == 0),
    ):
        near = pytest.approx(total("nominal", "weight", chosen), rel=1e-5)  # empty bins are raised by 1e-6
        assert sum(given[name]["data"]) == near
        shapes = {shape["name"]: shape["data"] for shape in given[name]["modifiers"] if shape["type"] == "histosys"}
        assert set(shapes) == {"jes", "btag"}
        for key, side in (("hi_data", "up"), ("lo_data", "down")):
            assert sum(shapes["jes"][key]) == pytest.approx(total(f"jes_{side}", "weight", chosen), rel=1e-5)
            assert sum(shapes["btag"][key]) == pytest.approx(total("nominal", f"weight_btag_{side}", chosen), rel=1e-5)


def test_histograms_are_those_of_the_workspace(run):
    given = samples(workspace(run[0]))
    with uproot.open(run[0] / "templates_500.root") as file:
        for name, sample in given.items():
            histogram = file[name].to_hist()
            np.testing.assert_allclose(histogram.values(), sample["data"])
            (error,) = [modifier["data"] for modifier in sample["modifiers"] if modifier["type"] == "staterror"]
            np.testing.assert_allclose(np.sqrt(histogram.variances()), error)


@pytest.mark.slow
def test_pyhf_finds_the_same_limits(run):
    folder, limits = run
    own, before, expected = pyhf.Workspace(workspace(folder)), pyhf.get_backend(), limits[500.0].expected.numpy()
    pyhf.set_backend("numpy")
    try:
        model = own.model()
        scan = pyhf.infer.intervals.upper_limits.toms748_scan
        observed, found = scan(own.data(model), model, expected[0] / 2, 2 * expected[4], rtol=1e-5)
    finally:
        pyhf.set_backend(*before)
    np.testing.assert_allclose(found, expected, rtol=1e-4)  # of pyhf's minimiser
    np.testing.assert_allclose(observed, expected[2], rtol=1e-4)


def test_cabinetry_fits_the_workspace(run):
    cabinetry = pytest.importorskip("cabinetry")
    model, data = cabinetry.model_utils.model_and_data(workspace(run[0]))
    found = cabinetry.fit.fit(model, data)
    mu = model.config.poi_index
    assert 0 <= found.bestfit[mu] < 0.05 * found.uncertainty[mu]  # Asimov data without signal; MIGRAD at a bound
    assert {"jes", "btag", "xsec"} <= set(found.labels)


def test_a_mass_without_a_limit_is_not_drawn(run, path, tmp_path, monkeypatch, capsys):
    """The search ends below the largest of the limits."""
    highest = {mass: limit.expected[4].numpy() for mass, limit in run[1].items()}
    worst, second = sorted(highest, key=highest.get, reverse=True)[:2]
    drawn, draw = [], neos_tf.plots.limits

    def limits(masses, *arguments, **options):
        drawn.append(masses)
        return draw(masses, *arguments, **options)

    monkeypatch.setattr(neos_tf.plots, "limits", limits)
    settings = SETTINGS._replace(largest=(highest[worst] + highest[second]) / 2)
    own_ntuples.main([path, "--out", str(tmp_path)], settings)
    assert drawn == [[mass for mass in MASSES if mass != worst]]
    assert f"{worst:8g} GeV not found, and not drawn" in capsys.readouterr().out


def test_matching_is_that_of_a_dictionary():
    rng = np.random.default_rng(3)
    label, features = rng.integers(0, 2, 40), rng.normal(size=(3, 40, 2)).astype("float32")

    def events(i):
        number = rng.permutation(40)[:25]
        mass = np.where(label[number] == 1, 500, 0).astype("float32")
        return Events(7 * number, label[number], mass, rng.uniform(1, 2, 25), features[i][number])

    given = {name: events(i) for i, name in enumerate(("nominal", "up", "down"))}
    matched = match_events(given)
    by_number = {name: {number: row for row, number in enumerate(own.number.tolist())} for name, own in given.items()}
    union = sorted(set().union(*by_number.values()))
    assert list(matched) == list(given) and len(union) > 25
    for name, own in matched.items():
        assert own.number.tolist() == union
        for row, number in enumerate(union):
            there = name if number in by_number[name] else next(other for other in given if number in by_number[other])
            source, place = given[there], by_number[there][number]
            assert own.weight[row] == (source.weight[place] if there == name else 0)
            assert np.array_equal(own.features[row], source.features[place])
            assert (own.label[row], own.mass[row]) == (source.label[place], source.mass[place])


def test_weights_are_as_a_tree_of_these_weights(tmp_path):
    trees, rng = selected(), np.random.default_rng(4)
    for side in SIDES:
        rows = rng.permutation(len(trees["nominal"]["event"]))
        tree = {column: values[rows] for column, values in trees["nominal"].items()}
        trees[f"tag_{side}"] = tree | {"weight": tree[f"weight_btag_{side}"]}
    as_tree = {"tag": {side: (f"tag_{side}", "weight") for side in SIDES}}
    settings = SETTINGS._replace(variations=Settings().variations | as_tree)
    matched = match_events(own_ntuples.read_all([write(tmp_path / "events.root", trees)], settings))
    for side in SIDES:
        for one, other in zip(matched[f"btag_{side}"], matched[f"tag_{side}"], strict=True):
            assert np.array_equal(one, other)


def test_files_are_read_one_after_the_other(path):
    branches = ("event", "label", "mass", "weight", "pt")
    once, twice = (read_events([path] * n, "nominal", branches) for n in (1, 2))
    assert np.array_equal(twice.features, np.concatenate([once.features] * 2))
    with pytest.raises(ValueError, match=r"event numbers that come once. Received: \d+ more often in 'nominal'"):
        match_events({"nominal": twice})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"columns": ("pt", "eta")}, r"branch 'eta' in tree 'nominal' of .*events.root. Received: event, .*Correct"),
        ({"nominal": ("Nominal", "weight")}, r"tree 'Nominal' in .*events.root. Received: nominal, jes_up, jes_down"),
        ({"variations": {"jer": {"up": ("jer_up", "weight"), "down": ("jer_down", "weight")}}}, "tree 'jer_up'.*leave"),
        ({"variations": {"jes": {"up": ("jes_up", "weight")}}}, "'jes' up and down. Received: up. Give the nominal"),
    ],
)
def test_what_is_not_in_the_file_is_named(path, settings, message):
    with pytest.raises(ValueError, match=message):
        own_ntuples.read_all([path], SETTINGS._replace(**settings))


def test_a_branch_has_one_finite_number_an_event(tmp_path):
    ones, several = np.ones(4), np.ones((4, 2))
    tree = {"event": np.arange(4), "label": ones, "mass": ones, "weight": ones, "pt": np.array([1, np.nan, 2, 3])}
    path = write(tmp_path / "events.root", {"nominal": tree})
    with pytest.raises(ValueError, match=r"'pt' of tree 'nominal' with one.*1 of 4 events without.*such as -1"):
        read_events([path], "nominal", list(tree))
    with uproot.recreate(tmp_path / "jagged.root") as file:
        file.mktree("nominal", {"event": "int64", "pt": "var * float64"})
        file["nominal"].extend({"event": np.arange(4), "pt": ak.Array(several.tolist())})
    with pytest.raises(ValueError, match=r"'pt' of tree 'nominal' with one.*4 of 4 events without, of type object"):
        read_events([tmp_path / "jagged.root"], "nominal", ["event", "pt"])


@pytest.mark.parametrize(
    ("change", "received"),
    [
        ({"label": np.array([1, 1])}, "1 events of .*, the first has number 3"),
        ({"mass": np.float32([750, 0])}, "1 events of .*, the first has number 5"),
        ({"number": np.array([6, 4])}, "0 events of .*, and no number in common"),
    ],
)
def test_a_variation_of_other_events_is_refused(change, received):
    nominal = Events(np.array([5, 3]), np.array([1, 0]), np.float32([500, 0]), np.ones(2), np.ones((2, 1), "float32"))
    with pytest.raises(ValueError, match=rf"'up' of the nominal events. Received: {received}: .*Make both from"):
        match_events({"nominal": nominal, "up": nominal._replace(**change)})


def test_a_mass_without_events_is_refused(path, tmp_path):
    with pytest.raises(ValueError, match=r"even number at each .*none at \[1250.0\], but at \[500.0, 750.0, 1000.0\]"):
        own_ntuples.main([path, "--out", str(tmp_path)], SETTINGS._replace(masses=(500.0, 1250.0)))


def test_bins_with_no_or_negative_events_are_raised(capsys):
    network = pnn_tf.parametric_network(1, units=(4,), activation="tanh", seed=1, theta_points=[500.0, 1000.0])
    features = np.float32([[-2], [-1], [0], [1], [2], [-2]])
    score = pnn_tf.predict_scores(network, features, 500.0)
    edges = np.sort(np.append(score[:5], 1.0))
    weight = np.array([3.0, -1.0, 1.0, 1.0, 0.0, 2.0])
    events = Events(np.arange(6), np.array([0, 0, 0, 0, 0, 1]), np.float32([0, 0, 0, 0, 0, 500]), weight, features)
    found = own_ntuples.templates(network, {"nominal": events}, 500.0, edges)
    order = np.argsort(score[:5])
    np.testing.assert_allclose(found["background"], np.where(weight[order] > 0, weight[order], 6e-6))
    np.testing.assert_allclose(found["background_error"], np.maximum(np.abs(weight[order]), 6e-6))
    assert sorted(found["signal"]) == [2e-6] * 4 + [2.0]
    empty = {"nominal": np.flatnonzero(weight[order] <= 0).tolist()}
    assert f"500 GeV background: no or negative events, raised to 6e-06, in bins {empty}" in capsys.readouterr().out


def test_bins_of_few_events_are_merged(capsys):
    assert own_ntuples.shares_with_events(np.ones(1000), SETTINGS) == [0.5, 0.75, 0.9, 0.95, 0.98]  # 20 of 1000
    assert "The last 3 bins are merged: below 20 background events" in capsys.readouterr().out
    assert own_ntuples.shares_with_events(np.ones(10000), SETTINGS) == list(SETTINGS.shares)
    assert capsys.readouterr().out == ""
