"""PNN Fig. 4 on small Gaussian samples, and what is made of the rows."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from benchmarks.data.events import Events
from benchmarks.pnn import fig_4
from benchmarks.pnn.fig_4 import EXPERIMENT, FIXED, PARAMETRISED, RATIO, RISING
from pnn_tf import auc_error
from tests.benchmarks.silent import Silent

TINY = replace(EXPERIMENT.scales["smoke"], sample="hepmass", n_bins=10)


def near_the_best(tested) -> bool:
    """Of two unit Gaussians 0.75 apart, Phi(0.75 / sqrt 2) = 0.702, to four standard errors and what bins lose."""
    best = NormalDist().cdf(0.75 / np.sqrt(2))
    return abs(tested["auc"] - best) < 4 * auc_error(best, 200, 1000) + 0.02


@pytest.fixture(scope="module")
def rows(samples):
    """References, and as if the fixed network were the ratio and the parametrised one rose, with another output."""
    rising, ratio = (
        {"row": name, "seed": 1} | fig_4.make_row(TINY, samples, name, 1, Silent()) for name in (RISING, RATIO)
    )
    response = (np.array(ratio["response"]) + 0.1).tolist()
    return [rising, ratio, {**ratio, "row": FIXED}, {**rising, "row": PARAMETRISED, "response": response}]


def test_the_references_come_near_the_best_auc(rows):
    rising, ratio, *_ = rows
    for row in (rising, ratio):
        assert row["tested"]["theta"] == 750 and near_the_best(row["tested"])
        assert (row["tested"]["n_signal"], row["tested"]["n_background"]) == (200, 1000)
    assert rising["response"] is None and len(ratio["response"]) == len(ratio["distribution"]["background"])


@pytest.mark.slow
def test_a_network_is_trained_at_the_mass_in_focus_and_one_at_the_others(samples):
    display = Silent()
    fixed, other = (fig_4.make_row(TINY, samples, name, 1, display) for name in (FIXED, PARAMETRISED))
    assert display.work == pytest.approx(2)
    # 400 signal events a mass and 2000 background events less a tenth.
    assert (fixed["n_train"], other["n_train"]) == (2160, 3240)
    assert near_the_best(fixed["tested"]) and fixed["response"][-1] > fixed["response"][0]


def test_the_posterior_is_that_of_two_gaussians():
    generator, label = np.random.default_rng(6), np.arange(40_000) % 2
    x = generator.normal(0.75 * label, 1)[:, None]
    found = fig_4.posterior(Events(x, np.full(len(x), 750.0), label), 750.0, n_bins=20)
    at = np.array([-0.8, 0.0, 0.4, 0.8, 1.4])
    # Of 2000 events in a bin, some 600 and more are of either class: their ratio is 5 % off at most. The bins are up to
    # 0.2 wide, so at their edges it is up to 8 % off. Three times the first, and the second.
    p = found(at[:, None])
    np.testing.assert_allclose(p / (1 - p), np.exp(0.75 * at - 0.75**2 / 2), rtol=0.23)


def test_claims_and_tables_are_made_of_the_rows(rows):
    points = [100 * row["tested"]["auc"] for row in rows]
    gap, to_rising, to_ratio = (claim.measure(rows) for claim in EXPERIMENT.claims)
    # Placements are rounded to six digits.
    assert gap[""].value == pytest.approx(points[0] - points[1], abs=1e-3)
    assert to_rising[PARAMETRISED].value == to_ratio[FIXED].value == 0
    assert to_rising[FIXED].value == pytest.approx(points[1] - points[0], abs=1e-3)
    auc, differences = fig_4.tables({"rows": rows})
    assert [cells[0].ours for _, cells in auc.lines] == pytest.approx(points)
    apart = {name: cells[1].ours for name, cells in differences.lines}
    assert apart[f"{PARAMETRISED} minus {RATIO}"] == pytest.approx(0.1)
    assert apart[f"{FIXED} minus {RATIO}"] == 0 and np.isnan(apart[f"{FIXED} minus {RISING}"])
