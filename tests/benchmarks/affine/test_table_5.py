"""Table 5: a row with its curves, the claims on histograms and cuts, and what the figures need."""

from dataclasses import replace

import pytest

import pnn_tf
from benchmarks.affine import curves, per_mass, table_5
from benchmarks.affine.table_5 import EXPERIMENT, SEPARATED, SETUPS
from benchmarks.claims import Missing
from benchmarks.published import AFFINE_TABLE_5
from tests.benchmarks.affine.conftest import cells, made_up_rows
from tests.benchmarks.silent import Silent

TINY = replace(EXPERIMENT.scales["smoke"], epochs=2, units=(8,), batch_size=256, dropout=0.0, imbalanced=False)


@pytest.fixture
def rows():
    """A made-up run, in which the best cut of each network of Fig. 13 is known for each seed."""
    rows = made_up_rows(AFFINE_TABLE_5)
    for row in rows:
        if row["row"] in SEPARATED:
            cut = dict(zip(SEPARATED, (0.2, 0.5), strict=True))[row["row"]] + 0.01 * row["seed"]
            row["curves"] = [{"mass": 750, "cut": [0.9, cut, 0.0], "signal": [0.1, 0.9, 1], "background": [0, 0.1, 1]}]
    return rows


def test_every_row_of_the_paper_is_trained():
    assert list(SETUPS) == list(AFFINE_TABLE_5)
    for name, setup in SETUPS.items():
        assert (setup.balance == "full") == ("(full)" in name)
        assert (setup.conditioning == "affine") == name.startswith("Affine")
        assert setup.individual == name.startswith("Individual")
        assert setup.conditioning is None or f"{setup.background} ({setup.assignment})" in name


@pytest.mark.slow
def test_a_row_of_fig_13_has_three_ratios_at_two_epochs_its_curve_and_its_classes(samples):
    row = table_5.make_row(TINY, samples, SEPARATED[1], 3, Silent())
    for suffix in ("", "_last"):
        exact, authors, repaired = (row[f"{field}{suffix}"] for field in per_mass.SIGNIFICANCES)
        assert len(exact) == len(authors) == len(repaired) == len(row[f"auc{suffix}"]) == 5
        assert all(0.5 < binned <= best for binned, best in zip(repaired, exact, strict=True)) and authors != repaired
    assert not any(field.startswith(("curves_", "separations_")) for field in row)
    (curve,), (shares,) = row["curves"], row["separations"]
    assert curve["mass"] == shares["mass"] == 750
    assert curves.best(curve)[1] == pytest.approx(row["significance"][1], abs=1e-4)  # five digits


def test_baselines_keep_a_curve_at_each_mass(samples):
    model = pnn_tf.parametric_network(3, conditioning=None, units=(4,), dropout=0.0, seed=1)
    for name, n_curves in (("Single-NN", 5), ("pNN identical (sampled)", 0)):
        measured = table_5.measure(name, model, samples.test, samples.test.hypotheses)
        assert len(measured["curves"]) == n_curves and measured["separations"] == []


def test_histograms_are_told_from_the_network(rows):
    """In the made-up rows, the authors' bins cost two points everywhere, and the gain of balance is the paper's."""
    gains = [claim.measure(rows).value for claim in EXPERIMENT.claims[:3]]  # authors' bins, repaired, exact
    assert gains == pytest.approx([(96.30 + 96.42 - 92.20 - 92.01) / 2] * 3)
    assert table_5.cost_of_bins(rows).value == pytest.approx(-2)
    only_binned = [row | {"significance": [0.96] * 5} for row in rows]
    assert [claim.measure(only_binned).value for claim in EXPERIMENT.claims[1:3]] == pytest.approx([gains[1], 0])


def test_the_best_cuts_are_compared_seed_by_seed(rows):
    distance = table_5.distance_of_cuts(rows)
    assert (distance.value, distance.spread) == (pytest.approx(0.3), pytest.approx(0, abs=1e-12))
    with pytest.raises(Missing):
        table_5.distance_of_cuts(rows[:3])


def test_the_tables_hold_both_epochs_beside_the_paper_and_the_best_cuts(rows):
    *both_epochs, averages, cuts = map(cells, table_5.tables({"rows": rows}))
    name = "Affine (full) uniform (sampled)"
    first = [line["500 GeV"] for line in (table[name] for table in both_epochs)]
    expected = (66.08, 66.08 - 0.2, 71.90, 71.90 - 0.2, 73.90, 73.90 - 0.2)
    assert [cell.ours + 1 for cell in first] == pytest.approx(expected)
    assert [cell.paper for cell in first] == [66.08] * 2 + [71.90] * 4
    assert averages[name]["wall time (s)"].ours == 12.5
    assert cuts[SEPARATED[0]]["best cut at 750 GeV"].ours == pytest.approx(0.215)
