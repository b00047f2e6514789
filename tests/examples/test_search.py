"""The example of the search: what it keeps, writes and draws; and the whole of it, in its slow test."""

import json
import runpy
import sys

import numpy as np
import pyhf
import pytest
import tensorflow as tf
from matplotlib.figure import Figure

import neos_tf
from benchmarks.search.networks import CROSS_ENTROPY, LIMIT_TRAINED
from examples import search
from tests.benchmarks.small_search import samples, scorer, templates

MASSES = (750.0, 850.0)  # GeV, with the same number of bins: one trace of the limit


@pytest.fixture(scope="module")
def limits():
    return {mass: search.expected_limit(templates(mass)) for mass in MASSES}


def failing(monkeypatch):
    """No limit is found any more."""
    limit = neos_tf.UpperLimit(tf.constant(5.0), tf.constant([1.0, 2.0, 3.0, 4.0, 5.0]), tf.constant(False))
    monkeypatch.setattr(search.neos_tf, "upper_limit", lambda likelihood: limit)


def test_is_a_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["search", "--help"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_path(search.__file__, run_name="__main__")
    assert "--scale" in capsys.readouterr().out


def test_a_folder_holds_the_results_of_one_setting(tmp_path):
    search.claim(tmp_path, {"scale": "smoke", "seed": 1})
    search.claim(tmp_path, {"scale": "smoke", "seed": 1})
    with pytest.raises(ValueError, match=r"other results. Received: seed 2 instead of 1. Take another --out"):
        search.claim(tmp_path, {"scale": "smoke", "seed": 2})
    assert json.loads((tmp_path / "settings.json").read_text()) == {"scale": "smoke", "seed": 1}


def test_a_network_is_trained_once_and_read_with_the_same_scores(tmp_path):
    trainings, path = [], tmp_path / "limit.keras"

    def train():
        trainings.append(1)
        return scorer()

    features = samples().test.nominal.features[:50]
    for _ in range(2):
        kept = search.kept_network(path, train)
        np.testing.assert_allclose(kept(features, 850.0), scorer()(features, 850.0), rtol=1e-6)  # float32
    assert len(trainings) == 1 and list(tmp_path.iterdir()) == [path]


def test_a_training_that_is_killed_leaves_no_network(tmp_path):
    def train():
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        search.kept_network(tmp_path / "limit.keras", train)
    assert not list(tmp_path.iterdir())


def test_results_are_made_once_and_are_as_they_are_read(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"masses": (500.0, 625.0), "number": len(made)}

    for _ in range(2):
        assert search.kept_json(tmp_path / "a.json", make) == {"masses": [500.0, 625.0], "number": 1}
    with pytest.raises(TypeError):
        search.kept_json(tmp_path / "b.json", lambda: {"cannot": object()})
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    path = tmp_path_factory.mktemp("search") / "workspaces" / "limit_750.json"
    search.write_workspace(templates(750.0), path)
    return json.loads(path.read_text())


def numbers(expected):
    """By sample, those of make_templates, and by modifier what is up and down."""
    return {
        process: {
            "nominal": expected[process],
            "error": expected[f"{process}_error"],
            **{f"{s}_{side}": expected[f"{process}_{s}_{side}"] for s in SHAPES for side in ("up", "down")},
        }
        for process in ("signal", "background")
    }


SHAPES = ("jes", "jer", "soft_met", "btag")


def test_pyhf_reads_the_templates_from_the_workspace(workspace):
    pyhf.schema.validate(workspace, "workspace.json")
    (channel,) = workspace["channels"]
    for sample in channel["samples"]:
        expected = numbers(templates(750.0).numbers)[sample["name"]]
        modifiers = {modifier["name"]: modifier["data"] for modifier in sample["modifiers"]}
        received = {"nominal": sample["data"], "error": modifiers["simulation"]}
        for shape in SHAPES:
            received |= {f"{shape}_up": modifiers[shape]["hi_data"], f"{shape}_down": modifiers[shape]["lo_data"]}
        assert received.keys() == expected.keys()
        for name, values in expected.items():
            np.testing.assert_allclose(received[name], values, rtol=1e-12)
    (observation,) = workspace["observations"]
    np.testing.assert_allclose(observation["data"], templates(750.0).numbers["background"], rtol=1e-12)


def test_cabinetry_reads_the_templates_from_the_workspace(workspace):
    cabinetry = pytest.importorskip("cabinetry")
    model, data = cabinetry.model_utils.model_and_data(workspace)
    expected = templates(750.0)
    np.testing.assert_allclose(data[: expected.n_bins], expected.numbers["background"], rtol=1e-12)
    prediction = cabinetry.model_utils.prediction(model)
    yields = dict(zip(model.config.samples, np.asarray(prediction.model_yields[0]), strict=True))
    for process in ("signal", "background"):
        np.testing.assert_allclose(yields[process], expected.numbers[process], rtol=1e-9)
    found = cabinetry.fit.fit(model, data)
    mu = model.config.poi_index
    assert 0 <= found.bestfit[mu] < 0.05 * found.uncertainty[mu]  # Asimov data without signal; MIGRAD at a bound
    assert {"mu", "xsec", *SHAPES} <= set(found.labels)


def test_a_limit_that_does_not_converge_is_nan_and_the_others_are_kept(limits, monkeypatch):
    for mass, limit in limits.items():
        assert limit.converged
        np.testing.assert_allclose(limit.expected, neos_tf.upper_limit(templates(mass).likelihood).expected)
    failing(monkeypatch)
    failed = search.expected_limit(templates(850.0))
    assert np.isnan(failed.expected).all() and np.shape(failed.expected) == (5,)
    both = {CROSS_ENTROPY: limits, LIMIT_TRAINED: limits | {850.0: failed}}
    table = search.table_of_limits(both, {name: {mass: templates(mass) for mass in MASSES} for name in both})
    masses, classifier, trained, changed = (list(column.cells) for column in table.columns)
    assert masses == ["750", "850"] and trained[1] == "not converged" and "not" not in "".join(classifier)
    _, low, median, high, _ = limits[750.0].expected.numpy()
    assert trained[0] == f"{median:.3g} ({low:.3g}, {high:.3g})"
    assert changed[0] == "; ".join([f"{templates(750.0).n_merged}, {templates(750.0).n_floored}"] * 2)
    (axes,) = search.limit_figure(both).axes
    drawn, dotted = (np.asarray(line.get_ydata(), float) for line in axes.get_lines())
    np.testing.assert_allclose(drawn, [median, np.nan])
    np.testing.assert_allclose(dotted, [limits[mass].expected[2] for mass in MASSES])
    assert "GeV" in axes.get_xlabel() and "pb" in axes.get_ylabel()


def test_a_fit_without_a_limit_is_not_drawn_but_the_others_are(limits, monkeypatch):
    failing(monkeypatch)
    search.fit_figures(templates(850.0), search.expected_limit(templates(850.0)))


def test_figures_of_a_fit(limits):
    found = search.fit_figures(templates(850.0), limits[850.0])
    assert list(found) == ["fit", "pulls", "impacts"] and all(title for title, _ in found.values())
    assert all(any(axes.get_xlabel() for axes in figure.axes) for _, figure in found.values())
    assert search.template_figure(templates(850.0)).axes


def test_data_are_drawn_over_what_is_expected():
    likelihood, numbers = templates(850.0).likelihood, templates(850.0).numbers
    pars = np.where(np.array(likelihood.model.parameter_names) == "mu", 40.0, likelihood.model.initial)
    observed = np.arange(1.0, templates(850.0).n_bins + 1)
    above, below = search.before_and_after(likelihood, likelihood.data(observed), pars).axes
    before, after, data, *_ = (np.asarray(line.get_ydata(), float) for line in above.get_lines())
    np.testing.assert_allclose(before, numbers["background"])
    np.testing.assert_allclose(after, numbers["background"] + 40 * numbers["signal"])
    np.testing.assert_allclose(data, observed)
    np.testing.assert_allclose(below.get_lines()[0].get_ydata(), after / before)
    assert (above.get_ylabel(), below.get_xlabel()) == ("events", "bin of the score") and below.get_ylabel()


def test_the_page_has_every_figure(tmp_path):
    figures = {}
    for title in ("One", "Two of 7 pb"):
        figures[title.lower()] = title, Figure()
        figures[title.lower()][1].subplots().plot([1, 2], [3, 4])
    search.write_page(tmp_path / "search.html", samples(), figures)
    page = (tmp_path / "search.html").read_text(encoding="utf-8")
    assert page.count("<svg") == page.count("</svg>") == 2 and page.endswith("</html>")
    assert [title in page for title in ("<h2>One</h2>", "<h2>Two of 7 pb</h2>", samples().data["name"])] == [True] * 3
    assert [path.name for path in tmp_path.iterdir()] == ["search.html"]


@pytest.mark.slow
def test_the_whole_search_and_again_without_a_training(tmp_path, monkeypatch, capsys):
    arguments = ["--scale", "smoke", "--seed", "5", "--out", str(tmp_path)]
    search.main(arguments)
    first = capsys.readouterr().out
    assert "5. Figures" in first and "not converged" not in first
    page = (tmp_path / "search.html").read_text(encoding="utf-8")
    assert page.count("<h2>") == page.count("<figure>") == 8
    masses = (500, 625, 750, 850, 1000, 1125, 1250, 1375, 1500)
    workspaces = {f"{name}_{mass}.json" for name in (CROSS_ENTROPY, LIMIT_TRAINED) for mass in masses}
    assert {path.name for path in (tmp_path / "workspaces").iterdir()} == workspaces
    features = samples().test.nominal.features[:20]
    score = search.kept_network(tmp_path / "limit.keras", lambda: None)
    model = tf.saved_model.load(tmp_path / "served")
    served = model.serve(features, np.full((20, 1), 850, np.float32))["score"]
    np.testing.assert_allclose(np.asarray(served)[:, 0], 1 / (1 + np.exp(-score(features, 850.0))), rtol=1e-5)

    def refused(*_):
        raise AssertionError("what is finished was made again")

    for name in ("trained", "of_injection", "of_importance"):
        monkeypatch.setattr(search, name, refused)
    search.main(arguments)
    again = capsys.readouterr().out
    assert again.split("4. A pseudo")[0] == first.split("4. A pseudo")[0]
    with pytest.raises(ValueError, match="Take another --out"):
        search.main([*arguments[:3], "6", *arguments[4:]])
