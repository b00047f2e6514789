"""INFERNO's benchmark: its limit, its measurements against closed forms and pyhf's model, and what is said of rows."""

import math

import numpy as np
import pytest

import neos_tf
from benchmarks.claims import FAILS, HOLDS, judge
from benchmarks.neos import inferno
from benchmarks.neos import inferno_problem as problem
from benchmarks.neos.inferno import BCE, CLS, EXPERIMENT, KERNELS, LIMIT, OPTIMAL, PUBLISHED, SOFT
from tests.benchmarks.silent import Silent

EVENTS = problem.draw(40_000, 3)


def test_the_limit_is_the_published_one():
    # Theirs is by Monte Carlo and has two decimals; 60 points an axis and 120 agree to 3e-5.
    np.testing.assert_allclose(problem.limit(60), PUBLISHED[LIMIT], rtol=2e-3)


def test_events_have_the_moments_of_their_densities():
    error = 5 / math.sqrt(len(EVENTS["background"]))  # five standard errors, of variables of width 1
    np.testing.assert_allclose(EVENTS["signal"].mean(axis=0), [0, 0, 1 / 2], atol=error)
    np.testing.assert_allclose(EVENTS["signal"].std(axis=0), [1, 1, 1 / 2], atol=error)
    for r, rate in ((0.0, 3.0), (0.4, 2.5)):
        events = problem.moved("lambda", rate - 3)(problem.moved("r", r)(EVENTS["background"]))
        np.testing.assert_allclose(events.mean(axis=0), [2 + r, 0, 1 / rate], atol=3 * error)
        np.testing.assert_allclose(events.std(axis=0), [math.sqrt(5), 3, 1 / rate], atol=3 * error)


def test_the_posterior_is_that_of_equal_parts():
    mixed = np.concatenate(list(EVENTS.values()))
    is_signal = np.repeat([1.0, 0.0], len(EVENTS["signal"]))
    bins = (10 * problem.posterior(mixed)).astype(int)
    for number in np.unique(bins):
        here = bins == number
        expected = problem.posterior(mixed[here]).mean()
        assert abs(is_signal[here].mean() - expected) < 4 * math.sqrt(0.25 / here.sum())


def test_one_bin_knows_the_signal_as_well_as_the_background_is_known():
    zero, one = np.zeros(1), np.ones(1)
    expected = problem.sigmas({"s": one, "r": zero, "lambda": zero, "b": one}, np.array([1050.0]))
    # Without any information on r, benchmarks 1 and 2 have none; constraints take their place in 3 and 4.
    np.testing.assert_allclose(expected, [1050**0.5, np.inf, np.inf, 1050**0.5, (1050 + 100**2) ** 0.5], rtol=1e-12)


def bins(events):
    return np.digitize(events[:, 0], (0.5, 2.0)) + 3 * (events[:, 2] > 0.3)


@pytest.mark.parametrize("number", [2, 4])
def test_measurements_are_those_of_pyhfs_model(number, monkeypatch):
    """Two implementations; the variations have to lie where the model has them."""
    model = problem.measurement(number, 6, floor=1e-3)
    functions = {name: function for name, (_, function) in problem.variations(number).items()}
    events = EVENTS | {name: function(EVENTS["background"]) for name, function in functions.items()}
    scale = {name: expected / len(EVENTS["background"]) for name, expected in problem.yields(events).items()}
    templates = {name: scale[name] * np.bincount(bins(x), minlength=6) for name, x in events.items()}
    assert set(templates) == set(model.template_names)
    monkeypatch.setattr(problem, "STEPS", problem.steps_of(number))
    at_one = [float(name in ("mu", "lumi")) for name in model.parameter_names]
    free = problem.unconstrained(number)
    received = neos_tf.uncertainties(model.bind(templates), at_one, unconstrained=free)[model.poi_index]
    np.testing.assert_allclose(problem.S * received, problem.sigmas_of_bins(bins, 6, EVENTS)[number], rtol=1e-9)


@pytest.mark.slow
def test_rows_of_the_smoke_run():
    config, told = EXPERIMENT.scales["smoke"], Silent()
    names = [*EXPERIMENT.names(config), *EXPERIMENT.once(config)]
    rows = [inferno.make_row(config, None, name, 3, told) for name in names]
    assert [row["method"] for row in rows] == [BCE, OPTIMAL, SOFT, KERNELS, CLS, LIMIT]
    assert all(len(row["sigma"]) == 5 for row in rows)
    assert all(
        row["unconverged"] == 0 and math.isfinite(row["loss"]) for row in rows if row["method"] not in (OPTIMAL, LIMIT)
    )
    limit, optimal = rows[-1]["sigma"], rows[1]["sigma"]
    assert all(best < of_rows for best, of_rows in zip(limit, optimal, strict=True))
    assert told.work == pytest.approx(len(rows))


def rows_of(**moved):
    """Three starts of every row, whose median is the published sigma(s) or less, such that every claim holds."""
    values = {method: np.array(PUBLISHED.get(method, PUBLISHED[SOFT])) for method in (BCE, OPTIMAL, *inferno.TRAINED)}
    values[SOFT], values[KERNELS] = values[SOFT] - 0.5, values[KERNELS] - 0.2
    values[BCE] = values[BCE] - np.array([0.55, 0, 0, 0, 0])
    for method in set(values) & set(moved):
        values[method] = values[method] + moved[method]
    named = EXPERIMENT.names(EXPERIMENT.scales["embedded"]).items()
    rows = [
        {"row": name, "seed": seed, "method": method, "benchmark": n, "sigma": [*(values[method] + 0.01 * (seed - 1))]}
        for seed in range(3)
        for name, (method, n) in named
    ]
    return [*rows, {"row": LIMIT, "seed": 0, "method": LIMIT, "benchmark": None, "sigma": list(PUBLISHED[LIMIT])}]


@pytest.mark.parametrize(("method", "by", "broken"), [(BCE, 0, 0), (BCE, 0.7, 2), (SOFT, 0.6, 4), (KERNELS, 0.4, 2)])
def test_claims_are_judged(method, by, broken):
    record = {"rows": rows_of(**{method: by}), "scale": "embedded"}
    verdicts = [judge(claim, record).verdict for claim in EXPERIMENT.claims]
    assert (verdicts.count(HOLDS), verdicts.count(FAILS)) == (len(verdicts) - broken, broken)


def test_tables_and_figure():
    record = {"rows": rows_of(), "scale": "embedded"}
    of_methods, crossed = inferno.tables(record)
    name, cells = of_methods.lines[1]
    assert name == SOFT and len(cells) == 5
    assert cells[2].ours == pytest.approx(16.95 - 0.5) and cells[2].spread == pytest.approx(0.005)
    assert cells[2].paper == 16.95
    of_cls = dict(of_methods.lines)[CLS]
    assert math.isnan(of_cls[1].ours) and of_cls[3].ours == pytest.approx(16.89)
    assert [len(line) for _, line in crossed.lines] == [5] * 5
    ((_, figure),) = inferno.figures(record)
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()].count("limit") == 1
