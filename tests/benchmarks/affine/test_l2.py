"""Both penalties of the paper: what is trained, and what is said of rows."""

from dataclasses import asdict, replace

import pytest

from benchmarks import record as records
from benchmarks.affine import l2, table_3
from tests.benchmarks.silent import Silent

STEP = 0.01  # by which every AUC with the weak penalty is larger in the rows below


@pytest.fixture
def record(rows, samples):
    configuration = asdict(l2.SCALES["embedded"])
    record = records.new_record("affine-l2", "embedded", configuration, samples.data)
    record["rows"] = [
        row
        | {
            "row": f"{row['row']}, {strength}",
            "network": row["row"],
            "strength": strength,
            "auc": [auc + step for auc in row["auc"]],
        }
        for row in rows
        for strength, step in (("strong", 0.0), ("weak", STEP))
    ]
    return record


def test_a_row_is_trained_with_its_penalty(samples, monkeypatch):
    trained = []
    monkeypatch.setattr(l2.networks, "make_row", lambda config, *_: trained.append(config) or {})
    config = replace(table_3.SCALES["smoke"], epochs=1)
    for name in ("Single-NN, strong", "Single-NN, weak"):
        assert l2.make_row(config, samples, name, 1, Silent())["network"] == "Single-NN"
    assert [(c.kernel_l2, c.bias_l2) for c in trained] == [(1e-4, 1e-5), (1e-5, 1e-6)]
    assert l2.STRENGTHS["strong"] == (config.kernel_l2, config.bias_l2)  # that of the other tables
    assert len(l2.row_names(config)) == 20


def test_the_change_is_that_of_each_network(record):
    section = l2.section(record)
    (_, change), (_, strong), (_, weak) = section.tables
    for name, cells in change.rows:
        assert [(c.ours, c.spread) for c in cells] == [(pytest.approx(100 * STEP), pytest.approx(0, abs=1e-9))] * 6
        # Two seeds, the paper's number and two points less: one point below it on average.
        assert dict(strong.rows)[name][0].difference == pytest.approx(-1)
        assert dict(weak.rows)[name][0].difference == pytest.approx(-1 + 100 * STEP)
    first, pnn, *_ = section.findings
    assert first.points.ours == pytest.approx(100 * STEP)
    assert "between +1.00 and +1.00 points" in first.text and "last epoch: +0.00" in first.text
    assert pnn.points.ours == pytest.approx(pnn.points.paper, abs=0.01)  # the paper rounds its averages


def test_nothing_is_said_of_half_a_run(record):
    record["rows"] = record["rows"][:3]
    section = l2.section(record)
    assert section.findings == section.tables == section.figures == ()
