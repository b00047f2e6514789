"""Figs. 7, 8 and 12 from end to end on a small sample, and what is said of rows whose numbers are known."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from benchmarks import record as records
from benchmarks import runner
from benchmarks.affine import interpolation
from benchmarks.published import MASSES

TINY = replace(interpolation.SCALES["smoke"], epochs=2, units=(8,), batch_size=256, learning_rate=0.02)
BY_NAME = {setup.row: setup for setup in interpolation.setups()}
UNIFORM = "pNN on 500 and 1500, IMB, uniform"


@pytest.fixture(scope="module")
def record(samples, tmp_path_factory):
    """The record of a run of four rows, through everything that the command line does."""
    out = tmp_path_factory.mktemp("runs")
    names = ("pNN on all", "pNN without 500", "Affine on 750 and 1250", f"{UNIFORM}, unregularised")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(interpolation, "setups", lambda: iter(BY_NAME[name] for name in names))
        patch.setattr(interpolation, "run", interpolation.in_turn(lambda config: names, interpolation.make_row))
        patch.setattr(interpolation, "SCALES", {"smoke": TINY})
        patch.setattr(interpolation, "load_samples", lambda *arguments: samples)
        runner.run_experiments(["affine-interpolation"], "smoke", (3,), out)
    (path,) = out.glob("*.json")
    return records.read_record(path)


@pytest.fixture
def made_up():
    """A row of every setup with one seed: AUC 0.9 at masses trained on, less at the others, as told below."""
    rows = []
    for setup in BY_NAME.values():
        there = [[mass] in map(list, setup.trial.trained_on) for mass in MASSES]
        elsewhere = 0.88 if setup.network == "pNN" else 0.89
        if setup.trial.name == "on 500":
            elsewhere = 0.5
        if not setup.regularised:
            elsewhere = 0.7
        rows.append(
            {
                "row": setup.row,
                "seed": 1,
                "network": setup.network,
                "imbalanced": setup.imbalanced,
                "uniform": setup.uniform,
                "regularised": setup.regularised,
                "trained_on": [list(map(float, point)) for point in setup.trial.trained_on],
                "hypotheses": [[float(mass)] for mass in MASSES],
                "auc": [0.9 if here else elsewhere for here in there],
                "error": [0.002] * 5,
                "validation_auc": 0.95,
                "best_epoch": 3,
                "n_train": 1000,
                "epochs": 5,
                "wall_s": 2.0,
            }
        )
    return rows


def section_of(rows, samples):
    record = records.new_record(
        "affine-interpolation", "embedded", asdict(interpolation.SCALES["embedded"]), samples.data
    )
    return interpolation.section(record | {"rows": rows})


def test_the_setups_are_those_of_the_figures():
    held_out = {name: 5 - len(setup.trial.trained_on) for name, setup in BY_NAME.items() if not setup.imbalanced}
    assert sorted(held_out.values()) == [0] * 2 + [1] * 5 + [3] * 4 + [4] * 5
    assert sum(setup.imbalanced for setup in BY_NAME.values()) == 3
    assert all(setup.regularised or setup.uniform for setup in BY_NAME.values())


def test_rows_say_what_was_trained(record):
    every, without, affine, free = record["rows"]
    assert every["trained_on"] == every["hypotheses"] == [[mass] for mass in MASSES]
    assert [mass for (mass,) in without["trained_on"]] == [750, 1000, 1250, 1500]
    assert every["n_train"] == 3000 and without["n_train"] == 2700  # of 4000 and 3600, less a quarter
    assert (affine["network"], affine["trained_on"]) == ("Affine", [[750], [1250]])
    # 2000 background events, and of 400 signal events at each mass 200 and 1: the counts for 4000 events.
    assert free["imbalanced"] and free["uniform"] and not free["regularised"]
    assert free["n_train"] == 2201 - round(2201 / 4)
    for row in (every, without, affine):  # the last has a single signal event at the highest mass
        assert len(row["auc"]) == len(row["error"]) == 5
        assert row["auc"][4] > 0.7  # the best is 0.856, with an error of 0.015


def test_losses_are_those_of_the_rows(made_up, samples):
    section = section_of(made_up, samples)
    findings = {finding.heading: finding for finding in section.findings}
    # The mean of one 0.9 and four 0.5 is 0.58, of one 0.9 and four 0.88 is 0.884; on all masses it is 0.9.
    assert "by 35.6 % (32.0 points) on 500 GeV, so the first statement holds" in findings["On one mass alone"].text
    assert "at most 1.8 % (1.6 points) on the others, so the second holds" in findings["On one mass alone"].text
    assert findings["Without one mass"].points.ours == pytest.approx(2)
    assert findings["Affine minus pNN, 500 and 1500 GeV"].points.ours == pytest.approx(1)
    assert findings["Without regularisation"].points.ours == pytest.approx(-18)
    assert [cells[0].ours for _, cells in section.tables[1][1].rows] == pytest.approx([2] * 5)
    losses = section.tables[2][1]
    assert [cells[0].ours for _, cells in losses.rows] == pytest.approx(
        [100 * (1 - 0.58 / 0.9)] + [100 * (1 - 0.884 / 0.9)] * 4
    )
    assert [len(figure.axes) for _, figure in section.figures] == [5, 5, 3]


def test_statements_that_do_not_hold_are_called_so(made_up, samples):
    for row in made_up:
        if row["row"] == "pNN on 500":
            row["auc"] = [0.8] * 5
        if row["row"] == "pNN on 1250":
            row["auc"] = [0.7] * 5
    text = next(
        finding.text for finding in section_of(made_up, samples).findings if "one mass alone" in finding.heading
    )
    assert "by 11.1 % (10.0 points) on 500 GeV, so the first statement does not hold" in text
    assert "at most 22.2 % (20.0 points) on the others, so the second does not hold" in text


def test_a_record_that_is_not_finished_has_a_section(made_up, samples):
    for n_rows in (1, 2, 7, 12, 18):
        section = section_of(made_up[:n_rows], samples)
        assert len(section.tables[0][1].rows) == n_rows
    assert np.isfinite([cells[0].ours for _, cells in section.tables[2][1].rows]).all()
