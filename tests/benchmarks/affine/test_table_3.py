"""Table 3 from end to end on a small sample: rows, resumption, findings."""

import re
from dataclasses import asdict, replace

import numpy as np
import pytest
from rich.console import Console

from benchmarks import record as records
from benchmarks import report, runner
from benchmarks.affine import networks, table_3
from benchmarks.published import AFFINE_TABLE_3

TINY = replace(table_3.SCALES["smoke"], epochs=3, units=(8,), batch_size=256, learning_rate=0.02, dropout=0.0)
ROWS = ("Single-NN", "Individual-NNs", "Affine uniform (sampled)")


@pytest.fixture(scope="module")
def finished_run(samples, tmp_path_factory):
    """Folder and record of a run of three rows with one seed, through everything that the command line does."""
    out = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_3, "SETUPS", {name: table_3.SETUPS[name] for name in ROWS})
        patch.setattr(table_3, "SCALES", {"smoke": TINY})
        patch.setattr(networks, "load_samples", lambda *arguments: samples)
        runner.run_experiments(["affine-table-3"], "smoke", (3,), out)
        (path,) = out.glob("*.json")
        complete = records.read_record(path)

        # As if it had been killed during the last row.
        records.write_record(path, complete | {"rows": complete["rows"][:2]})
        resumed = runner.run_experiment(Console(quiet=True), "affine-table-3", "smoke", (3,), out)
    return out, complete, resumed


def test_rows_describe_what_was_trained(finished_run):
    _, record, _ = finished_run
    assert tuple(row["row"] for row in record["rows"]) == ROWS
    assert record["configuration"]["units"] == [8]
    for row in record["rows"]:
        assert row["masses"] == [500, 750, 1000, 1250, 1500]
        assert row["mean_auc"] == pytest.approx(np.mean(row["auc"]))
        assert row["n_signal"] == [200] * 5 and row["n_background"] == 1000
        assert all(1 <= epoch <= TINY.epochs for epoch in row["best_epoch"])
    single, individual, affine = record["rows"]
    assert single["n_train"] == affine["n_train"] == [3000]  # 4000 less the quarter that validates
    assert individual["n_train"] == [600] * 5


def test_the_networks_learn_what_can_be_learnt(finished_run):
    # The best AUC of two unit Gaussians a distance d apart is Phi(d / sqrt 2): 0.856 at 1500 GeV, 0.638 at 500 GeV.
    _, record, _ = finished_run
    for row in record["rows"]:
        # 200 signal and 1000 background events leave an error of 0.02 at 500 GeV and 0.015 at 1500 GeV.
        assert row["auc"][0] == pytest.approx(0.638, abs=0.07)
        assert row["auc"][4] == pytest.approx(0.856, abs=0.05)
        assert row["auc_last"][4] == pytest.approx(0.856, abs=0.05)
        assert 0.7 < row["significance"][4] < 1


def test_a_resumed_run_trains_only_what_is_missing_and_the_same(finished_run):
    _, complete, resumed = finished_run
    assert resumed["rows"][:2] == complete["rows"][:2]
    assert len(resumed["rows"]) == 3 and len(resumed["runs"]) == 2
    first, again = ({**record["rows"][2], "wall_s": None} for record in (complete, resumed))
    assert again == first


def test_the_run_leaves_a_report(finished_run):
    out, record, _ = finished_run
    page = (out / "report.html").read_text()
    for row in record["rows"]:
        assert report.number(100 * row["auc"][0], 2) in page
    assert "Smoke scale" in page


def test_records_of_earlier_versions_can_be_read(rows, samples):
    """The configuration and the rows of the first records have neither these fields nor `n_signal` in their data."""
    added = {"theta_scale", "imbalanced"}
    configuration = {key: value for key, value in asdict(TINY).items() if key not in added}
    record = records.new_record("affine-table-3", "smoke", configuration, samples.data)
    record["rows"] = [{key: value for key, value in row.items() if key != "significance_last"} for row in rows]
    assert len(table_3.section(record).findings) == 4
    for path in (records.ROOT / "benchmarks" / "results").glob("affine-table-3-*.json"):
        committed = records.read_record(path)
        assert report.render([(committed, table_3.section(committed))])


def test_findings_are_made_of_the_rows(rows, samples):
    configuration = asdict(table_3.SCALES["embedded"])
    record = records.new_record("affine-table-3", "embedded", configuration, samples.data)
    record["rows"] = rows
    findings = {finding.heading: finding for finding in table_3.section(record).findings}
    paper = {name: np.mean(row.auc) for name, row in AFFINE_TABLE_3.items()}
    affine = (paper["Affine identical (fixed)"] + paper["Affine identical (sampled)"]) / 2
    assert findings["Affine minus single"].points.ours == pytest.approx(affine - paper["Single-NN"])
    assert findings["Affine minus individual"].points.paper == pytest.approx(affine - paper["Individual-NNs"])
    uniform = (70.95 + 71.24 + 71.63 + 70.16) / 4
    identical = (76.78 + 77.34 + 76.77 + 77.31) / 4
    assert findings["Uniform minus identical"].points.ours == pytest.approx(uniform - identical)
    # The last epoch is lower by the same 0.2 points everywhere, which cancels in a difference.
    (at_the_end,) = re.findall(r"[-+]\d+\.\d\d", findings["Uniform minus identical"].text)
    assert float(at_the_end) == pytest.approx(uniform - identical, abs=0.0051)  # as printed, to 0.01
    assert "+0.20 to +0.20 points" in findings["How sure"].text

    # A network that one seed lacks takes that seed out of the findings, not out of the table.
    record["rows"] = rows[:-1]
    section = table_3.section(record)
    assert section.findings[0].points.spread is None
    assert len(section.tables[0][1].rows) == 10
