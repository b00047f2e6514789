"""Figs. 7, 8 and 12: what is trained, and what is made of rows whose numbers are known."""

from dataclasses import replace

import pytest

import pnn_tf
from benchmarks.affine import interpolation
from benchmarks.affine.interpolation import ALL, EXPERIMENT, SETUPS
from benchmarks.claims import Missing
from benchmarks.published import MASSES
from tests.benchmarks.affine.conftest import cells
from tests.benchmarks.silent import Silent

TINY = replace(EXPERIMENT.scales["smoke"], epochs=2, units=(8,), batch_size=256, learning_rate=0.02)


@pytest.fixture(scope="module")
def rows():
    """A row of every setup with two seeds: AUC 0.9 at masses trained on, less at the others, as told below."""
    rows = []
    for name, setup in SETUPS.items():
        elsewhere = 0.5 if name == "pNN on 500" else 0.88 if setup.network == "pNN" else 0.89
        elsewhere = elsewhere if setup.regularised else 0.7
        row = {
            "row": name,
            "hypotheses": [[float(mass)] for mass in MASSES],
            "auc": [0.9 if mass in setup.masses else elsewhere for mass in MASSES],
            "error": [0.002] * 5,
            "validation_auc": 0.95,
        }
        rows += [row | {"seed": seed} for seed in (1, 2)]
    return rows


def test_the_setups_are_those_of_the_figures():
    held_out = [5 - len(setup.masses) for setup in SETUPS.values() if not setup.imbalanced]
    assert sorted(held_out) == [0] * 2 + [1] * 5 + [3] * 4 + [4] * 5
    assert sum(setup.imbalanced for setup in SETUPS.values()) == 3


@pytest.mark.slow
def test_rows_say_what_was_trained(samples):
    every, without, affine, free = (
        interpolation.make_row(TINY, samples, name, 3, Silent())
        for name in (ALL, "pNN without 500", "Affine on 750 and 1250", interpolation.FREE)
    )
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
        # 200 signal and 1000 background test events.
        assert row["error"] == pytest.approx([pnn_tf.auc_error(auc, 200, 1000) for auc in row["auc"]])


def test_losses_are_those_of_the_rows(rows):
    auc, spans, without, alone = map(cells, interpolation.tables({"rows": rows}))
    assert [line["loss (points)"].ours for line in without.values()] == pytest.approx([2] * 5)
    # The mean of one 0.9 and four 0.5 is 0.58, of one 0.9 and four 0.88 is 0.884; on all masses it is 0.9.
    per_cent = [line["loss (%)"].ours for line in alone.values()]
    assert per_cent == pytest.approx([100 * (1 - 0.58 / 0.9)] + [100 * (1 - 0.884 / 0.9)] * 4)
    assert [line["loss (points)"].ours for line in alone.values()] == pytest.approx([32] + [1.6] * 4)
    assert spans["pNN on 500"]["held out"].ours == pytest.approx(50) and len(auc) == len(SETUPS)
    falls = interpolation.falls(MASSES, "points")(rows)
    assert [fall.value for fall in falls.values()] == pytest.approx([32] + [1.6] * 4)
    gaps = interpolation.gaps("on", [500], [750, 1000])(rows)
    assert [gap.value for gap in gaps.values()] == pytest.approx([30.4] * 2)
    assert interpolation.minus(interpolation.FREE, interpolation.UNIFORM, [750])(rows).value == pytest.approx(-18)
    assert interpolation.minus("Affine on 500 and 1500", "pNN on 500 and 1500", [750])(rows).value == pytest.approx(1)
    assert interpolation.EXPERIMENT.claims[-1].measure(rows).value == pytest.approx(95)
    with pytest.raises(Missing):
        interpolation.falls([500], "%")(rows[2:])


def test_there_is_a_panel_for_each_mass_and_pair(rows):
    figures = [figure for _, figure in interpolation.figures({"rows": rows})]
    assert [len(figure.axes) for figure in figures] == [5, 5, 3]
    held_out = [line.get_xydata() for line in figures[0].axes[0].get_lines() if line.get_marker() == "s"]
    assert [points.tolist() for points in held_out if len(points)] == [[[500, pytest.approx(88)]]]
