"""NEOS section 4 from end to end with few events, and what is said of made-up rows."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from rich.console import Console

from benchmarks import record as records
from benchmarks import runner
from benchmarks.neos import section_4
from benchmarks.neos.section_4 import BAYES, CUTS, EDGES, NEOS, TERMS
from benchmarks.neos.section_4_section import by_method, plot
from benchmarks.terminal import Display

TINY = replace(section_4.SCALES["smoke"], n_events=500, batch_size=200)
RUN = (NEOS, EDGES, CUTS, BAYES)  # one trace of the loss serves the three that are trained
SEED = 3


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """Folder and rows by method, of a run through everything that the command line does."""
    out = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(section_4, "METHODS", RUN)
        patch.setattr(section_4, "SCALES", {"smoke": TINY})
        runner.run_experiments(["neos-section-4"], "smoke", (SEED,), out)
    (path,) = out.glob("*.json")
    return out, {row["row"]: row for row in records.read_record(path)["rows"]}


def test_each_method_is_measured_in_the_course_of_time(finished_run):
    _, rows = finished_run
    assert tuple(rows) == RUN
    for method, row in rows.items():
        assert 0 < row["cls"] < 1 and row["sigma_mu"] > 0 and 0 < row["sigma_gamma"] < 2
        assert row["course_cls"][-1] == pytest.approx(row["cls"], rel=1e-9)  # the same histograms
        assert row["course_s"] == sorted(row["course_s"])
        assert len(row["course_s"]) == len(row["course_cls"])
        if method != BAYES:
            assert len(row["course_s"]) == TINY.epochs
            assert row["n_trials"] == 0


def test_edges_and_cuts_are_learned_where_they_are_free(finished_run):
    _, rows = finished_run
    equal = np.linspace(0, 1, TINY.n_bins + 1).tolist()
    assert rows[NEOS]["edges"] == rows[CUTS]["edges"] == equal
    n_steps = TINY.epochs * (section_4.load(TINY).data["n_train"] // TINY.batch_size)
    (cut,) = rows[CUTS]["cuts"]
    # Adam moves a weight by about its rate a step, and never by many times that.
    assert 1e-3 < abs(cut - TINY.cut) < 3 * n_steps * TINY.rate_of_few
    for method in (EDGES, BAYES):
        edges = rows[method]["edges"]
        assert (edges[0], edges[-1]) == (0, 1)
        assert min(np.diff(edges)) > 0 and edges != equal
    assert all(rows[method]["cuts"] == [] for method in (NEOS, EDGES, BAYES))


def test_the_search_has_its_share_of_the_time_of_neos(finished_run):
    out, rows = finished_run
    assert rows[BAYES]["n_trials"] >= 1
    # The last trial begins before the time is over, and the first traces the measurement; neos traced more than that.
    assert rows[BAYES]["course_s"][-1] < rows[NEOS]["course_s"][-1]
    assert "NEOS section 4" in (out / "report.html").read_text()


@pytest.mark.parametrize("finished", [frozenset(), frozenset({(NEOS, 1)})])
def test_a_search_is_as_long_as_neos_of_its_seed_which_is_timed_again_if_need_be(finished, monkeypatch):
    trained, searched = [], []

    def fake_training(config, blobs, model, method, seed, tell):
        trained.append((method, seed))
        return {"course_s": [1.0, 10.0 * seed]}

    def fake_search(config, blobs, model, seed, seconds, tell):
        searched.append((seed, seconds))
        return {}

    monkeypatch.setattr(section_4, "_trained", fake_training)
    monkeypatch.setattr(section_4, "_searched", fake_search)
    monkeypatch.setattr(section_4, "METHODS", (NEOS, BAYES))
    config = replace(TINY, search_time=0.5)
    with Display(Console(quiet=True)) as display:
        events = section_4.load(config)
        rows = list(section_4.run(config, events, seeds=(1, 2), finished=finished, display=display))
    assert searched == [(1, 5.0), (2, 10.0)]
    assert trained == [(NEOS, 1), (NEOS, 2)]
    assert {(row["row"], row["seed"]) for row in rows} == {(m, s) for m in (NEOS, BAYES) for s in (1, 2)} - finished


def test_few_variables_have_a_rate_of_their_own():
    import keras

    slow, fast = keras.Variable([1.0]), keras.Variable([1.0])
    optimizer = section_4.TwoRates(0.01, [fast], 0.2)
    optimizer.apply([keras.ops.ones(1), keras.ops.ones(1)], [slow, fast])
    # The first step of Adam is the learning rate, but for its correction 1 - 0.999, which float32 rounds by 6e-5.
    np.testing.assert_allclose([1 - float(slow[0]), 1 - float(fast[0])], [0.01, 0.2], rtol=1e-4)


def test_the_three_terms_are_those_of_the_paper():
    config = replace(TINY, weights=(1.0, 0.5, 0.25))
    model = section_4.measurement(config)
    statistic = section_4.statistic_of(config, model, TERMS, seed=1)
    templates = {
        "signal": [1.0, 4.0, 15.0, 0.0],
        "background": [60.0, 30.0, 8.0, 2.0],
        "background_up": [50.0, 35.0, 12.0, 3.0],
        "background_down": [70.0, 25.0, 4.0, 1.0],
    }
    likelihood = model.bind(templates)
    cls = section_4.neos_tf.cls(likelihood).expected[2]
    gamma, mu = section_4.neos_tf.uncertainties(likelihood, model.initial)
    assert model.parameter_names == (section_4.NUISANCE, "mu")
    expected = cls + 0.5 * mu + 0.25 * (1 - gamma) ** 2
    # The same in another order.
    assert float(statistic.objective.of_likelihood(likelihood).value) == pytest.approx(float(expected), rel=1e-12)


@pytest.fixture
def rows() -> list[dict]:
    """All methods with two seeds; the first with CLs of 1e-6, and each of the others ten times the one before."""
    return [
        {
            "row": method,
            "seed": seed,
            "cls": 10.0 ** (i - 6) * (1 + 0.1 * seed),
            "sigma_mu": 0.3 + 0.01 * i,
            "sigma_gamma": 0.9 - 0.1 * i,
            "n_floored": 0,
            "train_cls": 10.0 ** (i - 7),
            "edges": [0.0, 0.1, 0.2, 0.6, 1.0] if method in (EDGES, BAYES) else [0.0, 0.25, 0.5, 0.75, 1.0],
            "cuts": [-0.5 - 0.1 * seed] if method == CUTS else [],
            "n_trials": 120 * seed if method == BAYES else 0,
            "course_s": [1.0, 2.0 + i],
            "course_cls": [0.1, 10.0 ** (i - 6)],
            "wall_s": 30.0,
        }
        for seed in (1, 2)
        for i, method in enumerate(section_4.METHODS)
    ]


def section(rows):
    data = {"name": "blobs", "means": ["code"], "n_train": 8000, "n_test": 2000, "fingerprint": "0" * 64}
    record = records.new_record("neos-section-4", "embedded", asdict(section_4.SCALES["embedded"]), data)
    return section_4.section(record | {"rows": rows})


def test_findings_set_each_method_beside_neos(rows):
    findings = {finding.heading: finding.text for finding in section(rows).findings}
    assert "CLs of 1.1e-05 beside 1.1e-06 of neos, lower in 0 of 2 seeds" in findings["Learnable edges"]
    assert "0.10, 0.20, 0.60; 0.10, 0.20, 0.60" in findings["Learnable edges"]
    assert "from -1 to -0.60, -0.70" in findings["Soft cuts"]
    assert "sigma_mu 0.330 instead of 0.300" in findings["Three terms"]
    assert findings["Bayesian optimisation"].startswith("120, 240 trials")

    rows[1]["cls"] = 1e-7  # learnable edges, seed 1
    findings = {finding.heading: finding.text for finding in section(rows).findings}
    assert "lower in 1 of 2 seeds" in findings["Learnable edges"]


def test_findings_wait_for_the_rows_they_need(rows):
    assert section(rows[1:3]).findings == ()
    assert [finding.heading for finding in section(rows[:2]).findings] == ["Learnable edges"]


def test_the_table_has_a_line_for_each_method(rows):
    _, table = section(rows).tables[0]
    assert [name for name, _ in table.rows] == list(section_4.METHODS)
    cells = dict(table.rows)[BAYES]
    assert [c.ours for c in cells[1:]] == pytest.approx([0.34, 0.5, 0, -3, 30])
    assert cells[0].ours == pytest.approx(-2 + np.log10([1.1, 1.2]).mean())


def test_the_figure_shows_the_course_the_edges_and_both_uncertainties(rows):
    course, edges, mu, gamma = plot(rows).axes
    assert len(course.get_lines()) == len(rows)
    assert course.get_legend_handles_labels()[1] == list(section_4.METHODS)
    labels = [label.get_text() for label in edges.get_yticklabels()]
    assert labels == [f"{method}, {seed}" for method in (EDGES, BAYES) for seed in (1, 2)]
    np.testing.assert_allclose(edges.get_lines()[0].get_xdata(), [0.1, 0.2, 0.6])
    for axes, field in ((mu, "sigma_mu"), (gamma, "sigma_gamma")):
        marks = axes.get_lines()[: len(section_4.METHODS)]
        expected = [[row[field] for row in group] for group in by_method(rows).values()]
        assert [list(line.get_xdata()) for line in marks] == expected
