"""TAYLOR Fig. 1: a small run, and what is made of rows."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.claims import FAILS, HOLDS, judge
from benchmarks.data.gaussians import TASKS
from benchmarks.experiment import make_rows
from benchmarks.tables import pick
from benchmarks.taylor.fig_1 import CLAIMS, EXPERIMENT, figures, off_best, tables
from pnn_tf import auc_error
from tests.benchmarks.silent import Silent

# Of the exact posterior, computed on 100 000 independent events of each task: <|t|> of x1, x2, (x1, x1), (x1, x2) and
# (x2, x2), standardised, and the AUC.
BEST = {
    "a": ((0.182, 0.182, 0.041, 0.081, 0.041), 0.842),
    "b": ((0.171, 0.171, 0.045, 0.226, 0.045), 0.751),
    "c": ((0.180, 0.180, 0.081, 0.213, 0.081), 0.878),
    "d": ((0.233, 0.233, 0.263, 0.145, 0.263), 0.857),
}


@pytest.mark.slow
def test_a_row_describes_the_network_and_the_best_classifier():
    tiny = replace(EXPERIMENT.scales["smoke"], n_train=2000, n_test=1000, units=10, epochs=10, learning_rate=0.03)
    display = Silent()
    (row,) = make_rows(EXPERIMENT, tiny, EXPERIMENT.load(tiny), [("task d", 3)], display)
    assert (row["task"], row["n_train"], row["n_test"], display.work) == ("d", 1000, 1000, 1)
    assert 1 <= row["epochs"] <= tiny.epochs
    mean, auc = BEST["d"]
    # Four standard errors of 1000 events, and the rounding of the reference to 0.001.
    np.testing.assert_allclose(row["bayes_mean"], mean, atol=4 * max(row["bayes_error"]) + 5e-4)
    error = auc_error(auc, 500, 500)
    assert row["bayes_auc"] == pytest.approx(auc, abs=4 * error + 5e-4)
    # A little trained network may miss a few points of AUC; one that had learnt nothing would miss 35.
    assert row["bayes_auc"] - 0.08 < row["auc"] < row["bayes_auc"] + error
    assert all(0 < error < 0.03 for error in row["error"])


@pytest.fixture
def record() -> dict:
    """Two seeds, 0.01 above and below the best classifier in every coefficient, and 0.2 points below its AUC."""
    of_all = {"error": [0.001] * 5, "bayes_error": [0.001] * 5, "epochs": 10, "validation_loss": 0.4, "wall_s": 3.0}
    rows = [
        {"row": f"task {task}", "seed": seed, "task": task, "n_train": 50_000, **of_all}
        | {"mean": [value + shift for value in mean], "bayes_mean": list(mean), "auc": auc - 0.002, "bayes_auc": auc}
        for seed, shift in ((1, 0.01), (2, -0.01))
        for task, (mean, auc) in BEST.items()
    ]
    return {"scale": "embedded", "rows": rows}


def test_the_orders_hold_for_the_best_classifier_and_tell_the_tasks_apart(record):
    orders = [claim for claim in CLAIMS if "above" in claim.statement or "below" in claim.statement]
    assert len(orders) == 10 and all(judge(claim, record).verdict == HOLDS for claim in orders)
    for task, other in (("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")):
        changed = [row | {"mean": list(BEST[other][0])} for row in pick(record["rows"], task=task)]
        of_task = (claim for claim in orders if claim.statement.startswith(f"Task {task}, <|t|>:"))
        assert FAILS in [judge(claim, record | {"rows": changed}).verdict for claim in of_task]


def test_deviations_of_the_network_are_measured(record):
    row = record["rows"][0]
    assert list(off_best(row).values()) == pytest.approx([0.01] * 5)
    estimates = {c.statement: judge(c, record).estimate for c in CLAIMS}
    assert estimates["Task b: AUC is the best classifier's"].value == pytest.approx(-0.2)
    (share,) = (e for statement, e in estimates.items() if "negligible" in statement)
    assert share.value == pytest.approx(100 * (0.091 / 0.192 + 0.071 / 0.172) / 2)


def test_the_table_has_the_network_above_the_best_classifier(record):
    means, training = tables(record)
    for task, (network, best) in zip(TASKS, zip(means.lines[::2], means.lines[1::2], strict=True), strict=True):
        assert (network[0], best[0]) == (f"task {task}, network", f"task {task}, best classifier")
        mean, auc = BEST[task]
        assert [cell.ours for cell in network[1]] == pytest.approx([*mean, 100 * auc - 0.2])  # the shifts cancel
        assert [cell.ours for cell in best[1]] == pytest.approx([*mean, 100 * auc])
        assert network[1][0].spread == pytest.approx(0.01 * 2**0.5) and best[1][0].spread is None
    assert [cell.ours for cell in training.lines[0][1]] == [10, 0.4, 50_000, 3]


def test_the_figure_has_contours_above_and_five_bars_and_diamonds_below(record):
    ((_, figure),) = figures(record)
    upper, lower = figure.axes[:4], figure.axes[4:]
    for plane, bars, (task, (mean, _)) in zip(upper, lower, BEST.items(), strict=True):
        outer = plane.patches[0].get_xy() - TASKS[task].background.mean  # two standard deviations away
        distance = np.einsum("ni,ij,nj->n", outer, np.linalg.inv(TASKS[task].background.covariance), outer) ** 0.5
        np.testing.assert_allclose(distance, 2)
        np.testing.assert_allclose([bar.get_height() for bar in bars.patches], mean)
        (diamonds,) = (line for line in bars.get_lines() if line.get_marker() == "D")
        np.testing.assert_allclose(diamonds.get_ydata(), mean)
