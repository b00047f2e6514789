"""TAYLOR Fig. 1 from end to end with few events, and what is said of made-up rows."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from benchmarks import record as records
from benchmarks import runner
from benchmarks.published import TAYLOR_FIG_1_BAYES
from benchmarks.taylor import figure_1
from benchmarks.taylor.figure_1_section import STATEMENTS, Means, by_task, plot
from pnn_tf import auc_error

TINY = replace(figure_1.SCALES["smoke"], n_train=2000, n_test=1000, units=10, epochs=10, learning_rate=0.03)


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """Folder and record of a run of task d with one seed, through everything that the command line does."""
    out = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figure_1, "TASKS", {"d": None})
        patch.setattr(figure_1, "SCALES", {"smoke": TINY})
        runner.run_experiments(["taylor-fig-1"], "smoke", (3,), out)
    (path,) = out.glob("*.json")
    return out, records.read_record(path)


def test_a_row_describes_the_network_and_the_best_classifier(finished_run):
    _, record = finished_run
    (row,) = record["rows"]
    assert (row["row"], row["seed"], row["task"]) == ("task d", 3, "d")
    assert (row["n_train"], row["n_test"]) == (1000, 1000)
    assert 1 <= row["epochs"] <= TINY.epochs
    reference = TAYLOR_FIG_1_BAYES["d"]
    # Four standard errors of 1000 events, and the rounding of the reference to 0.001.
    np.testing.assert_allclose(row["bayes_mean"], reference.mean, atol=4 * max(row["bayes_error"]) + 5e-4)
    error = auc_error(reference.auc, 500, 500)
    assert row["bayes_auc"] == pytest.approx(reference.auc, abs=4 * error + 5e-4)
    # A little trained network may miss a few points of AUC; one that had learnt nothing would miss 35.
    assert row["bayes_auc"] - 0.08 < row["auc"] < row["bayes_auc"] + error
    assert all(0 < error < 0.03 for error in row["error"])


def test_the_run_leaves_a_report(finished_run):
    out, _ = finished_run
    page = (out / "report.html").read_text()
    assert "TAYLOR Fig. 1" in page and "d, best classifier" in page


@pytest.fixture
def rows() -> list[dict]:
    """Two seeds, 0.01 above and below the best classifier in every coefficient, and 0.2 points below its AUC."""
    return [
        {
            "row": f"task {task}",
            "seed": seed,
            "task": task,
            "mean": [value + shift for value in best.mean],
            "error": [0.001] * 5,
            "auc": best.auc - 0.002,
            "bayes_mean": list(best.mean),
            "bayes_error": [0.001] * 5,
            "bayes_auc": best.auc,
            "epochs": 10,
            "validation_loss": 0.4,
            "n_train": 50_000,
            "n_test": 100_000,
            "wall_s": 3.0,
        }
        for seed, shift in ((1, 0.01), (2, -0.01))
        for task, best in TAYLOR_FIG_1_BAYES.items()
    ]


def section(rows):
    data = {"name": "two Gaussians", "n_train": 100_000, "n_test": 100_000, "fingerprint": "0" * 64}
    record = records.new_record("taylor-fig-1", "embedded", asdict(figure_1.SCALES["embedded"]), data)
    return figure_1.section(record | {"rows": rows})


def test_the_statements_hold_for_the_best_classifier_and_tell_the_tasks_apart():
    best = {task: Means(*of_task.mean) for task, of_task in TAYLOR_FIG_1_BAYES.items()}
    assert all(statement.holds(best[task]) for task, statement in STATEMENTS.items())
    for task, other in (("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")):
        assert not STATEMENTS[task].holds(best[other])


def test_findings_are_made_of_the_rows(rows):
    findings = {finding.heading: finding.text for finding in section(rows).findings}
    assert all("in 2 of 2 seeds, and for the best classifier" in findings[f"Task {task}"] for task in "abcd")
    assert "-0.20 in task a, -0.20 in task b" in findings["AUC against the best"]
    assert findings["The best classifier"].endswith("to 0.0000.")

    rows[2]["mean"][3] = 0.05  # task c, seed 1: (x1, x2) falls from 0.213 below its auto-correlations
    findings = {finding.heading: finding.text for finding in section(rows).findings}
    assert "in 1 of 2 seeds" in findings["Task c"]
    assert "is -0.163, of (x1, x2) in task c with seed 1" in findings["Network against the best classifier"]


def test_the_table_has_the_network_above_the_best_classifier(rows):
    _, table = section(rows).tables[0]
    assert [name for name, _ in table.rows[:2]] == ["a, network", "a, best classifier"]
    for (_, network), (_, best), of_task in zip(
        table.rows[::2], table.rows[1::2], TAYLOR_FIG_1_BAYES.values(), strict=True
    ):
        assert [cell.ours for cell in network[:5]] == pytest.approx(of_task.mean)  # the shifts of the seeds cancel
        assert [cell.ours for cell in best] == pytest.approx([*of_task.mean, 100 * of_task.auc])
        assert network[5].ours == pytest.approx(100 * of_task.auc - 0.2)


def test_the_figure_has_contours_above_and_five_bars_and_diamonds_below(rows):
    figure = plot(rows)
    above, below = figure.axes[:4], figure.axes[4:]
    assert [axes.get_title(loc="left") for axes in above] == [f"Task {task}" for task in "abcd"]
    assert all(axes.collections for axes in above)
    for axes, (task, group) in zip(below, by_task(rows).items(), strict=True):
        heights = [bar.get_height() for bar in axes.patches]
        np.testing.assert_allclose(heights, np.mean([row["mean"] for row in group], axis=0))
        (diamonds,) = (line for line in axes.get_lines() if line.get_marker() == "D")
        np.testing.assert_allclose(diamonds.get_ydata(), TAYLOR_FIG_1_BAYES[task].mean)
        assert axes.get_ylim()[1] > max(max(row["mean"]) for row in rows)
