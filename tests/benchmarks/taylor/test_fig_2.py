"""TAYLOR Fig. 2: a small run, and what is made of rows."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from benchmarks.claims import Missing
from benchmarks.experiment import make_rows, rows_to_do
from benchmarks.published import TAYLOR_FIG_2
from benchmarks.taylor.fig_2 import EXPERIMENT, figures, tables
from tests.benchmarks.silent import Silent
from tests.benchmarks.taylor.test_phases import made_up

TINY = replace(
    EXPERIMENT.scales["smoke"],
    units=5,
    batch_size=500,
    learning_rate=0.1,
    n_train=1000,
    n_test=400,
    n_steps=12,
    scan=((100, 0.03),),
)


def test_the_scan_is_made_with_the_first_seed():
    todo = rows_to_do(EXPERIMENT, TINY, (3, 4), {("batch 500, rate 0.1", 4)})
    assert todo == [("batch 500, rate 0.1", 3), ("batch 100, rate 0.03", 3)]


@pytest.mark.slow
def test_the_network_drawn_has_every_step_and_the_scan_some():
    display = Silent()
    todo = rows_to_do(EXPERIMENT, TINY, (3,))
    drawn, scanned = make_rows(EXPERIMENT, TINY, EXPERIMENT.load(TINY), todo, display)
    assert display.work == pytest.approx(2)
    assert drawn["step"] == list(range(13))
    # An epoch of batches of 100 has 5 steps: 15 are made, of which those beyond 12 are left out.
    assert scanned["step"] == [0, 5, 10]
    for row in (drawn, scanned):
        assert [len(values) for values in row["mean"]] == [len(row["step"])] * 5
        assert len(row["auc"]) == len(row["step"]) and all(0 <= auc <= 1 for auc in row["auc"])
        assert row["step_ms"] > 0 and row["look_ms"] > 0
    # Task c can be learnt in part at once: Phi(1) = 0.841 by a linear classifier, error 0.02 with 400 events.
    assert drawn["linear_auc"] == pytest.approx(0.841, abs=0.08)
    assert drawn["auc"][-1] > drawn["linear_auc"] - 0.05
    assert drawn["bayes_auc"] > drawn["linear_auc"]


@pytest.fixture
def record() -> dict:
    rows = [
        made_up("drawn", 1),
        made_up("drawn", 2, plateau=20, fall=60, second_rise=150, stop=None),
        made_up("scan", 1, every=10, batch_size=100, stop=40),
    ]
    return {"configuration": asdict(EXPERIMENT.scales["embedded"]), "rows": rows}


def test_the_table_holds_the_paper_beside_each_training(record):
    (table,) = tables(record)
    assert [name for name, _ in table.lines] == ["drawn, seed 1", "drawn, seed 2", "scan, seed 1"]
    expected = [20, 60, 150, 701, 87, np.mean(np.log([30 / 20, 60 / 50, 150 / 130])), 40, 15, 60]
    assert [cell.ours for cell in table.lines[1][1]] == pytest.approx(expected)
    for _, cells in table.lines:
        assert [cell.paper for cell in cells] == [*TAYLOR_FIG_2[1:], *5 * [None]]


def test_the_figures_show_five_curves_the_auc_the_stops_and_every_setting_of_the_first_seed(record):
    (_, course), (_, scan) = figures(record)
    means, auc = course.axes
    curves = [line.get_ydata() for line in means.get_lines() if len(line.get_xdata()) == 701]
    assert [curve[-1] for curve in curves] == pytest.approx([0.18, 0.17, 0.08, 0.2, 0.09])
    stops = {line.get_xdata()[0] for line in means.get_lines() if len(line.get_xdata()) == 2}
    assert stops == {TAYLOR_FIG_2.stop, 350}
    assert auc.get_lines()[0].get_ydata()[-1] == pytest.approx(0.87)
    looks = [{(line.get_color(), line.get_linestyle()) for line in axes.get_lines()} for axes in scan.axes]
    assert [len(look) for look in looks] == [2, 2]


def test_without_the_network_that_is_drawn_there_is_no_figure(record):
    with pytest.raises(Missing, match="drawn"):
        list(figures(record | {"rows": record["rows"][2:]}))
