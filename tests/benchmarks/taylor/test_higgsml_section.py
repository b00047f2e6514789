"""Tables and findings of the HiggsML experiment, computed from made-up rows."""

from dataclasses import asdict

import numpy as np
import pytest

from benchmarks import record as records
from benchmarks.comparison import Cell
from benchmarks.published import FIRST_ANGLE, TAYLOR_HIGGSML_RANKS
from benchmarks.taylor import higgsml, higgsml_section


@pytest.fixture
def record(rows, samples):
    record = records.new_record("taylor-higgsml", "file", asdict(higgsml.SCALES["file"]), samples.data)
    record["rows"] = rows
    return record


def test_the_tables_hold_mean_spread_and_paper(record):
    (_, performance), (_, stated), (_, top) = higgsml_section.section(record).tables
    assert performance.columns[:4] == ("inputs", "weighted AUC (%)", "AUC (%)", "AMS, best cut")
    rows = dict(performance.rows)
    assert list(rows)[:2] == ["undefined at the mean: all inputs", "undefined at the mean: kept inputs"]
    assert rows["undefined at the mean: all inputs"][1] == Cell(pytest.approx(92.5), pytest.approx(0.5**0.5), 92.0)
    assert rows["undefined at the mean: all inputs"][3] == Cell(pytest.approx(4.0), pytest.approx(0.5**0.5), 2.61)
    assert rows["undefined at the mean: kept inputs"][0] == Cell(2.5, pytest.approx(0.5**0.5), 9)
    assert rows["undefined at the mean: kept inputs"][3].paper is None  # the paper gives the AMS of all inputs alone

    assert stated.columns[:2] == ("undefined at the mean, from 1", "undefined at the mean, from 0")
    alone = dict(stated.rows)["DER_mass_vis"]
    assert alone[0] == Cell(3.0, pytest.approx(2**0.5), 10)  # second and fourth
    assert alone[1] == Cell(2.0, pytest.approx(2**0.5), 10)
    assert {name: cells[0].paper for name, cells in stated.rows} == TAYLOR_HIGGSML_RANKS

    assert len(top.rows) == 10
    assert top.rows[0][0] == "1  DER_mass_vis, DER_pt_ratio_lep_tau"
    assert [cell.ours for cell in top.rows[0][1]] == pytest.approx([1, 0.001, 1, 3, 5])


def test_findings_are_made_of_the_rows(record, rows):
    first, angles, fewer, sure = higgsml_section.section(record).findings
    assert first.text.startswith("DER_mass_vis, DER_pt_ratio_lep_tau is first (paper: DER_mass_vis, DER_pt_ratio")
    # All three that are put on top; the rest of the first ten are the first inputs of the set.
    assert "3 contain DER_mass_vis (paper: 7)" in first.text
    ranks = [higgsml_section.ranks(higgsml_section.importance([row]), "DER_mass_vis")[FIRST_ANGLE] for row in rows]
    assert f"the first at rank {min(ranks)}" in angles.text and "paper: the first at 82" in angles.text
    # 90.5 - 92 with one seed, 91 - 93 with the other.
    assert fewer.points == Cell(pytest.approx(-1.75), pytest.approx(0.5 / 2**0.5), 0.0)
    assert "2 to 3 of 30 inputs (paper: 9)" in fewer.text
    assert "interval of 68 % of the rank that is 2 wide" in sure.text


def test_other_events_are_said_not_to_be_higgsml_and_have_none_of_the_papers_numbers(record, rows):
    renamed = [name.replace("DER_mass_vis", "m_wwbb") for name in rows[0]["inputs"]]
    record["rows"] = [
        row | {"row": "nothing undefined", "inputs": renamed, "auc_weighted": None, "ams": None, "ams_unbiased": None}
        for row in rows[::2]
    ]
    record["data"] = record["data"] | {"contours": record["data"]["contours"] | {"x": ["m_wwbb", "GeV"]}}
    record["configuration"] |= {"sample": "hepmass-like", "treatments": ["none"]}
    section = higgsml_section.section(record)
    assert "not on HiggsML" in section.title and "not the HiggsML events of the paper" in section.introduction
    assert "instead of HiggsML" in section.departures[0]
    assert len(section.tables) == 2  # none of stated ranks
    assert all(cell.paper is None for _, table in section.tables for _, cells in table.rows for cell in cells)
    assert not any("paper:" in finding.text or finding.points for finding in section.findings)
    assert "m_wwbb" in section.findings[0].text


def test_one_seed_has_no_spread(record, rows):
    record["rows"] = rows[:2]
    section = higgsml_section.section(record)
    assert all(cells[1].spread is None for _, cells in section.tables[0][1].rows)
    assert "seed 1." in section.introduction
    assert "From seed to seed" not in section.findings[-1].text


def test_rejections_are_read_off_the_roc(rows):
    from benchmarks.taylor import higgsml_figures

    figure = higgsml_figures.roc(rows)
    curves, _, ratios, _ = figure.axes
    everything, kept = curves.get_lines()
    assert everything.get_ydata()[49] == pytest.approx(1 - 0.5**3)
    assert kept.get_ydata()[49] == pytest.approx(1 - 1.1 * 0.5**3)
    assert [line.get_label() for line in (everything, kept)] == ["all 30 inputs", "2 or 3 inputs"]
    assert np.allclose(ratios.get_lines()[0].get_ydata()[:80], 1.1)
