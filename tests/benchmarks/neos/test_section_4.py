"""NEOS section 4 with few events, and what is said of made-up rows."""

from dataclasses import asdict, replace

import keras
import numpy as np
import pytest

import neos_tf
from benchmarks.neos import section_4
from benchmarks.neos.section_4 import BAYES, CUTS, EDGES, EXPERIMENT, NEOS, TERMS
from benchmarks.neos.training import NUISANCE, measurement
from tests.benchmarks.silent import Silent

TINY = replace(EXPERIMENT.scales["smoke"], n_events=500, batch_size=200)
SEED = 3


@pytest.mark.slow
def test_each_method_is_measured_in_the_course_of_time():
    samples, told = EXPERIMENT.load(TINY), Silent()
    run = (NEOS, EDGES, CUTS, BAYES)  # one trace of the loss serves the three that are trained
    rows = {method: section_4.make_row(TINY, samples, method, SEED, told) for method in run}
    assert told.work == pytest.approx(len(run))
    for method, row in rows.items():
        assert 0 < row["cls"] < 1 and row["sigma_mu"] > 0 and 0 < row["sigma_gamma"] < 2
        assert row["course_cls"][-1] == row["cls"] and len(row["course_s"]) == len(row["course_cls"])
        assert row["course_s"] == sorted(row["course_s"])
        assert (len(row["course_s"]) == TINY.epochs and row["n_trials"] == 0) or method == BAYES

    equal = np.linspace(0, 1, TINY.n_bins + 1).tolist()
    assert rows[NEOS]["edges"] == rows[CUTS]["edges"] == equal
    n_steps = TINY.epochs * (samples.data["n_train"] // TINY.batch_size)
    (cut,) = rows[CUTS]["cuts"]
    # Adam moves a weight by about its rate a step, and never by many times that.
    assert 1e-3 < abs(cut - TINY.cut) < 3 * n_steps * TINY.rate_of_few
    for edges in (rows[EDGES]["edges"], rows[BAYES]["edges"]):
        assert (edges[0], edges[-1]) == (0, 1) and min(np.diff(edges)) > 0 and edges != equal
    # The last trial begins before the time is over, and the first traces the measurement; neos traced more than that.
    assert rows[BAYES]["n_trials"] >= 1 and rows[BAYES]["course_s"][-1] < rows[NEOS]["course_s"][-1]


@pytest.mark.parametrize("finished", [False, True])
def test_a_search_is_as_long_as_neos_of_its_seed_which_is_timed_again_if_need_be(finished, monkeypatch):
    trained, searched = [], []

    def fake_training(config, blobs, method, seed, tell):
        trained.append((method, seed))
        return {"course_s": [1.0, 10.0 * seed]}

    monkeypatch.setattr(section_4, "trained", fake_training)
    monkeypatch.setattr(section_4, "searched", lambda config, blobs, seed, seconds, tell: searched.append(seconds))
    config = replace(TINY, search_time=0.5)
    samples = EXPERIMENT.load(config)
    for seed in (1, 2):
        for method in (BAYES,) if finished else (NEOS, BAYES):
            section_4.make_row(config, samples, method, seed, Silent())
    assert searched == [5.0, 10.0] and trained == [(NEOS, 1), (NEOS, 2)]


def test_few_variables_have_a_rate_of_their_own():
    slow, fast = keras.Variable([1.0]), keras.Variable([1.0])
    optimizer = section_4.TwoRates(0.01, [fast], 0.2)
    optimizer.apply([keras.ops.ones(1), keras.ops.ones(1)], [slow, fast])
    # The first step of Adam is the learning rate, but for its correction 1 - 0.999, which float32 rounds by 6e-5.
    np.testing.assert_allclose([1 - float(slow[0]), 1 - float(fast[0])], [0.01, 0.2], rtol=1e-4)


@pytest.mark.slow
def test_the_three_terms_are_those_of_the_paper():
    config = replace(TINY, weights=(1.0, 0.5, 0.25))
    templates = {
        "signal": [1.0, 4.0, 15.0, 0.0],
        "background": [60.0, 30.0, 8.0, 2.0],
        "background_up": [50.0, 35.0, 12.0, 3.0],
        "background_down": [70.0, 25.0, 4.0, 1.0],
    }
    model = measurement(config)
    likelihood = model.bind(templates)
    assert model.parameter_names == (NUISANCE, "mu")
    gamma, mu = neos_tf.uncertainties(likelihood, model.initial)
    expected = neos_tf.cls(likelihood).expected[2] + 0.5 * mu + 0.25 * (1 - gamma) ** 2
    statistic = section_4.statistic_of(config, TERMS, seed=1)
    # The same in another order.
    assert float(statistic.objective.of_likelihood(likelihood).value) == pytest.approx(float(expected), rel=1e-12)


@pytest.fixture
def record() -> dict:
    """All methods with two seeds; the first with CLs of 1e-6, and each of the others ten times the one before."""
    rows = [
        {
            "row": method,
            "seed": seed,
            "cls": 10.0 ** (i - 6) * (1 + 0.1 * seed),
            **{"sigma_mu": 0.3 + 0.01 * i, "sigma_gamma": 0.9 - 0.1 * i, "n_floored": 0, "wall_s": 30.0},
            **{"train_cls": 10.0 ** (i - 7), "course_s": [1.0, 2.0 + i], "course_cls": [0.1, 10.0 ** (i - 6)]},
            "edges": [0.0, 0.1, 0.2, 0.6, 1.0] if method in (EDGES, BAYES) else [0.0, 0.25, 0.5, 0.75, 1.0],
            "cuts": [-0.5 - 0.1 * seed] if method == CUTS else [],
            "n_trials": 120 * seed if method == BAYES else 0,
        }
        for seed in (1, 2)
        for i, method in enumerate(EXPERIMENT.names(None))
    ]
    return {"rows": rows, "configuration": asdict(EXPERIMENT.scales["embedded"])}


def test_claims_are_of_gaps_to_neos(record):
    gaps = [next(iter(claim.measure(record["rows"]).values())).value for claim in EXPERIMENT.claims]
    assert gaps == pytest.approx([-1, -2, -0.3, 3, 4])


def test_tables_have_what_is_reached_and_what_is_learned(record):
    reached, learned = section_4.tables(record)
    assert [name for name, _ in reached.lines] == list(EXPERIMENT.names(None))
    cells = dict(reached.lines)[BAYES]
    assert [c.ours for c in cells[1:]] == pytest.approx([0.34, 0.5, 0, -3, 30])
    assert cells[0].ours == pytest.approx(-2 + np.log10([1.1, 1.2]).mean())
    values = {name: [c.ours for c in cells] for name, cells in learned.lines}
    assert values[BAYES] == pytest.approx([0.1, 0.2, 0.6, np.nan, 180], nan_ok=True)
    assert values[CUTS][3] == pytest.approx(-0.65)


def test_the_figure_shows_the_course_the_edges_and_both_uncertainties(record):
    course, edges, mu, gamma = next(section_4.figures(record))[1].axes
    assert len(course.get_lines()) == len(record["rows"])
    assert course.get_legend_handles_labels()[1] == list(EXPERIMENT.names(None))
    np.testing.assert_allclose(edges.get_lines()[0].get_xdata(), [0.1, 0.2, 0.6])
    assert len(edges.get_yticks()) == 4  # two methods with two seeds
    for axes, field in ((mu, "sigma_mu"), (gamma, "sigma_gamma")):
        marks = [line.get_xdata()[0] for line in axes.get_lines() if line.get_marker() == "o"]
        assert sorted(marks) == sorted(row[field] for row in record["rows"])
