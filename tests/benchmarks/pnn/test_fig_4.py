"""PNN Fig. 4 on small Gaussian samples, and what is said of the rows."""

from dataclasses import asdict, replace
from statistics import NormalDist

import numpy as np
import pytest

from benchmarks import record as records
from benchmarks.data.events import Events
from benchmarks.pnn import figure_4
from benchmarks.pnn.figure_4_section import FIXED, PARAMETRISED, RATIO, RISING, plot
from pnn_tf import auc_error
from tests.benchmarks.silent import Silent

TINY = replace(figure_4.SCALES["smoke"], sample="hepmass", n_bins=10)


@pytest.fixture(scope="module")
def rows(samples):
    """All rows; what the parametrised network would give is taken from the fixed one."""
    left_out = frozenset({(PARAMETRISED, 1)})
    rows = list(figure_4.run(TINY, samples, seeds=(1,), finished=left_out, display=Silent()))
    assert [row["row"] for row in rows] == [RISING, RATIO, FIXED]
    return [*rows, {**rows[-1], "row": PARAMETRISED}]


def test_every_row_comes_near_the_best_auc(rows):
    # Of two unit Gaussians 0.75 apart: Phi(0.75 / sqrt 2) = 0.702.
    best = NormalDist().cdf(0.75 / np.sqrt(2))
    for row in rows:
        assert row["tested"]["theta"] == 750
        assert (row["tested"]["n_signal"], row["tested"]["n_background"]) == (200, 1000)
        # Four standard errors; ten bins of 400 signal events lose a point or two more.
        assert row["tested"]["auc"] == pytest.approx(best, abs=4 * auc_error(best, 200, 1000) + 0.02)
    rising, ratio, fixed, _ = rows
    assert rising["response"] is None and rising["n_train"] is None
    assert len(ratio["response"]) == len(fixed["response"]) == len(ratio["distribution"]["background"])
    assert fixed["n_train"] == 2160  # 400 signal and 2000 background events less a tenth
    assert fixed["response"][-1] > fixed["response"][0]


def test_the_density_ratio_is_that_of_two_gaussians():
    generator, label = np.random.default_rng(6), np.arange(40_000) % 2
    x = generator.normal(0.75 * label, 1)
    ratio = figure_4.density_ratio(Events(x[:, None], np.full(len(x), 750.0), label), 750.0, n_bins=20)
    at = np.array([-0.8, 0.0, 0.4, 0.8, 1.4])
    # Of 2000 events in a bin, some 600 and more are of either class: 5 % at most. The bins are up to 0.2 wide, so the
    # ratio at their edges is up to 8 % off. Three times the first, and the second.
    np.testing.assert_allclose(ratio(at), np.exp(0.75 * at - 0.75**2 / 2), rtol=0.23)


def section(rows, samples):
    record = records.new_record("pnn-fig-4", "smoke", asdict(TINY), samples.data)
    return figure_4.section(record | {"rows": rows})


def test_findings_say_whether_networks_have_only_learnt_to_cut(rows, samples):
    gap, limit, functions = section(rows, samples).findings
    assert "+0.00 ± 0.00 points, neither better nor worse" in gap.text
    assert "Neither network is better than a plain cut" in limit.text
    assert "0.000 between the two networks" in functions.text
    shown = rows[1]["distribution"]
    share = np.array(shown["background"]) + shown["signal"][1]
    apart = np.sum(share * np.abs(np.subtract(rows[1]["response"], rows[2]["response"]))) / share.sum()
    assert f"{apart:.3f} between the fixed one and that" in functions.text

    for placement, verdict, of_limit in (
        (0.5, "worse", "Neither network is better than a plain cut"),
        (1.0, "better", "No better than a plain cut: fixed."),
    ):
        tested = {**rows[2]["tested"], "signal": [placement] * 50, "background": [placement] * 50}
        other = {**rows[2], "row": PARAMETRISED, "tested": tested}
        gap, limit, _ = section([rows[0], rows[1], rows[2], other], samples).findings
        assert f"{verdict} in this one training" in gap.text
        assert of_limit in limit.text
    assert section(rows[:2], samples).findings == ()


def test_the_table_and_the_figure_have_every_row(rows, samples):
    _, table = section(rows, samples).tables[0]
    assert [name for name, _ in table.rows] == [
        RISING,
        RATIO,
        "fixed at 750 GeV",
        "parametrised, without 750 GeV",
    ]
    assert [cells[0].ours for _, cells in table.rows] == pytest.approx([100 * row["tested"]["auc"] for row in rows])
    left, middle, right = plot(rows).axes
    assert left.get_xlabel() == "m_wwbb (standardised)" and len(left.patches) == 6
    assert len(middle.get_lines()) == 3 and len(right.get_lines()) == 4
