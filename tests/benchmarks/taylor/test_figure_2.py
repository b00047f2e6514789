"""TAYLOR Fig. 2 from end to end with few events and steps, and what is said of made-up rows."""

from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import record as records
from benchmarks import runner
from benchmarks.published import TAYLOR_FIG_2
from benchmarks.taylor import figure_2
from benchmarks.taylor.figure_2_section import distance, plot, scan

TINY = replace(
    figure_2.SCALES["smoke"],
    units=5,
    batch_size=500,
    learning_rate=0.1,
    n_train=1000,
    n_test=400,
    n_steps=12,
    scan=((100, 0.03),),
)


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """Folder and record of a run with one seed, through everything that the command line does."""
    out = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figure_2, "SCALES", {"smoke": TINY})
        runner.run_experiments(["taylor-fig-2"], "smoke", (3,), out)
    (path,) = out.glob("*.json")
    return out, records.read_record(path)


def test_the_network_drawn_has_every_step_and_the_scan_some(finished_run):
    _, record = finished_run
    drawn, scanned = record["rows"]
    assert [row["row"] for row in record["rows"]] == ["batch 500, rate 0.1", "batch 100, rate 0.03"]
    assert drawn["step"] == list(range(13))
    # An epoch of batches of 100 has 5 steps: 15 are made, of which those beyond 12 are left out.
    assert scanned["step"] == [0, 5, 10]
    for row in record["rows"]:
        assert row["seed"] == 3
        assert [len(values) for values in row["mean"]] == [len(row["step"])] * 5
        assert len(row["auc"]) == len(row["step"]) and all(0 <= auc <= 1 for auc in row["auc"])
        assert row["step_ms"] > 0 and row["look_ms"] > 0


def test_a_network_is_looked_at_as_it_learns(finished_run):
    _, record = finished_run
    drawn, _ = record["rows"]
    # Task c can be learnt in part at once: Phi(1) = 0.841 by a linear classifier, error 0.02 with 400 events.
    assert drawn["linear_auc"] == pytest.approx(0.841, abs=0.08)
    assert drawn["auc"][-1] > drawn["linear_auc"] - 0.05
    assert drawn["bayes_auc"] > drawn["linear_auc"]


def test_the_scan_is_made_with_the_first_seed(monkeypatch):
    made = []
    monkeypatch.setattr(
        figure_2,
        "_make_row",
        lambda config, samples, every, seed, display: made.append(
            (config.batch_size, config.learning_rate, every, seed)
        ),
    )
    finished = frozenset({("batch 500, rate 0.1", 4)})
    display = SimpleNamespace(begin=lambda n_rows, work: made.append((n_rows, work)))
    list(figure_2.run(TINY, None, seeds=(3, 4, 5), finished=finished, display=display))
    assert made == [(3, 36), (500, 0.1, 1, 3), (500, 0.1, 1, 5), (100, 0.03, 5, 3)]


def test_the_run_leaves_a_report(finished_run):
    out, _ = finished_run
    assert "TAYLOR Fig. 2" in (out / "report.html").read_text()


def row(name, seed, *, plateau, fall, second_rise, stop, batch_size=50_000, learning_rate=2e-3, every=1):
    """A made-up row of 700 steps: the pair (x1, x2) rises linearly to 0.2, the AUC to 0.87."""
    step = np.arange(0, 701, every)
    return {
        "row": name,
        "seed": seed,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "step": step.tolist(),
        "mean": [(step * top / 700).tolist() for top in (0.18, 0.17, 0.08, 0.2, 0.09)],
        "auc": (0.5 + step * 0.37 / 700).tolist(),
        "plateau_auc": 0.838,
        "plateau": plateau,
        "fall": fall,
        "second_rise": second_rise,
        "stop": stop,
        "linear_auc": 0.841,
        "bayes_auc": 0.878,
        "bayes_mean": [0.18, 0.18, 0.081, 0.213, 0.081],
        "step_ms": 40.0,
        "look_ms": 15.0,
        "wall_s": 60.0,
    }


@pytest.fixture
def rows() -> list[dict]:
    return [
        row("batch 50,000, rate 0.002", 1, plateau=30, fall=50, second_rise=130, stop=339),
        row("batch 50,000, rate 0.002", 2, plateau=20, fall=60, second_rise=150, stop=None),
        row("batch 100, rate 0.01", 1, plateau=30, fall=100, second_rise=130, stop=40, batch_size=100, every=10),
        row(
            "batch 100, rate 0.001", 1, plateau=40, fall=200, second_rise=None, stop=None, learning_rate=1e-3, every=10
        ),
    ]


def section(rows):
    data = {"name": "two Gaussians", "n_train": 100_000, "n_test": 10_000, "fingerprint": "0" * 64}
    record = records.new_record("taylor-fig-2", "embedded", asdict(figure_2.SCALES["embedded"]), data)
    return figure_2.section(record | {"rows": rows})


def test_the_distance_to_the_paper_is_in_logarithms(rows):
    assert distance(rows[0]) == 0
    assert distance(rows[2]) == pytest.approx(np.log(2) / 3)  # one of three twice as late
    assert distance(rows[3]) is None


def test_findings_are_made_of_the_rows(rows):
    findings = {finding.heading: finding.text for finding in section(rows).findings}
    assert "at step 30 and 20 (paper: about 30)" in findings["First phase"]
    assert "from step 50 and 60 (paper: 50)" in findings["First-order features"]
    assert "at step 130 and 150" in findings["Second phase"]
    assert "from 0.029 at step 100 to 0.200" in findings["Second phase"]  # 0.2 / 7, the same in both seeds
    assert "at step 339 and never" in findings["Stop"]
    assert "before the second rise at step 40 (batch 100, rate 0.01, seed 1)" in findings["Stop"]
    assert "is not met in 700 steps" in {f.heading: f.text for f in section(rows[1:2]).findings}["Stop"]
    assert findings["Chosen by shape"].count("0.00 (batch 50,000, rate 0.002), 0.23 (batch 100, rate 0.01)") == 1
    assert "15 ms a look, beside 40 ms" in findings["Cost of the monitor"]


def test_the_table_holds_the_paper_beside_each_row(rows):
    _, table = section(rows).tables[0]
    assert [cell.ours for cell in table.rows[1][1]] == pytest.approx([20, 60, 150, 701, 87])
    for _, cells in table.rows:
        assert [cell.paper for cell in cells[:4]] == [
            TAYLOR_FIG_2.plateau,
            TAYLOR_FIG_2.fall,
            TAYLOR_FIG_2.second_rise,
            TAYLOR_FIG_2.stop,
        ]


def test_the_figure_has_five_curves_the_auc_and_the_stops(rows):
    left, right = plot(rows).axes
    curves = [line.get_ydata() for line in left.get_lines() if len(line.get_xdata()) == 701]
    assert [curve[-1] for curve in curves] == pytest.approx([0.18, 0.17, 0.08, 0.2, 0.09])
    assert [line.get_xdata()[0] for line in left.get_lines() if len(line.get_xdata()) == 2] == [339, TAYLOR_FIG_2.stop]
    assert right.get_lines()[0].get_ydata()[-1] == pytest.approx(0.87)


def test_the_scan_shows_every_setting_of_the_first_seed(rows):
    auc, pair = scan(rows).axes
    assert len(auc.get_lines()) == len(pair.get_lines()) == 3
    assert len({(line.get_color(), line.get_linestyle()) for line in auc.get_lines()}) == 3
