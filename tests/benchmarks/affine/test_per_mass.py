"""AUC at each mass beside the paper's: numbers in the table, contrasts, and the figure."""

import numpy as np
import pytest

from benchmarks.affine import per_mass
from benchmarks.comparison import Cell
from benchmarks.published import AFFINE_TABLE_3


def test_the_table_holds_mean_spread_and_paper(rows):
    table = per_mass.comparison(rows, AFFINE_TABLE_3)
    assert table.columns == ("500 GeV", "750 GeV", "1000 GeV", "1250 GeV", "1500 GeV", "average")
    assert [name for name, _ in table.rows] == list(AFFINE_TABLE_3)
    for name, cells in table.rows:
        for measured, paper in zip(cells, (*AFFINE_TABLE_3[name].auc, AFFINE_TABLE_3[name].mean_auc), strict=True):
            # The paper's average is rounded to 0.01.
            assert measured == Cell(pytest.approx(paper - 1, abs=0.005), pytest.approx(2**0.5), paper)


def test_a_contrast_is_the_difference_seed_by_seed(rows):
    all_masses = per_mass.contrast(rows, AFFINE_TABLE_3, ["Affine identical (fixed)"], ["Single-NN"])
    assert all_masses.paper == pytest.approx(93.228 - 90.212)
    assert all_masses.ours == pytest.approx(all_masses.paper)  # the shift of a seed cancels
    assert all_masses.spread == pytest.approx(0, abs=1e-9)

    later = [row | {"auc": None, "auc_last": [0.5] * 5} if row["row"] == "Single-NN" else row for row in rows]
    at_the_end = per_mass.contrast(later, AFFINE_TABLE_3, ["pNN uniform (fixed)"], ["Single-NN"], 500, field="auc_last")
    assert at_the_end.ours == pytest.approx(70.95 - 1 - 0.2 - 50)

    light = per_mass.contrast(rows, AFFINE_TABLE_3, ["pNN uniform (fixed)", "Single-NN"], ["Individual-NNs"], mass=500)
    assert light.ours == pytest.approx((70.95 + 68.55) / 2 - 77.35)


def test_the_figure_has_a_dot_and_a_diamond_for_every_number(rows):
    table = per_mass.comparison(rows, AFFINE_TABLE_3)
    figure = per_mass.dot_plot(table)
    assert len(figure.axes) == 6
    for i, axes in enumerate(figure.axes):
        drawn = {marker: [] for marker in ("o", "D")}
        for line in axes.get_lines():
            if line.get_marker() in drawn:
                drawn[line.get_marker()].append((float(line.get_ydata()[0]), float(line.get_xdata()[0])))
        assert np.allclose(drawn["o"], [(y, cells[i].ours) for y, (_, cells) in enumerate(table.rows)])
        assert np.allclose(drawn["D"], [(y, cells[i].paper) for y, (_, cells) in enumerate(table.rows)])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(AFFINE_TABLE_3)
    assert figure.axes[0].yaxis_inverted()
