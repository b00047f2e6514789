"""AUC at each mass beside the paper's: numbers in the table, claims, and the figure."""

import pytest

from benchmarks.affine import per_mass, table_3, table_4, table_5
from benchmarks.claims import Missing, above
from benchmarks.published import AFFINE_TABLE_3
from benchmarks.tables import Cell
from tests.benchmarks.affine.conftest import made_up_rows


@pytest.fixture(scope="module")
def rows():
    return made_up_rows(AFFINE_TABLE_3)


def test_the_table_holds_mean_spread_and_paper(rows):
    table = per_mass.comparison("caption", rows, AFFINE_TABLE_3)
    assert [name for name, _ in table.lines] == list(AFFINE_TABLE_3)
    for name, line in table.lines:
        for measured, paper in zip(line, (*AFFINE_TABLE_3[name].auc, AFFINE_TABLE_3[name].mean_auc), strict=True):
            # The paper's average is rounded to 0.01.
            assert measured == Cell(pytest.approx(paper - 1, abs=0.005), pytest.approx(2**0.5), paper)


@pytest.mark.parametrize(
    ("first", "second", "more", "paper", "ours"),
    [
        (["Affine identical (fixed)"], ["Single-NN"], {}, 93.228 - 90.212, 93.228 - 90.212),
        (["pNN uniform (fixed)", "Single-NN"], ["Individual-NNs"], {"mass": 750}, -2.005, (91.80 + 89.37) / 2 - 92.59),
        (["pNN uniform (fixed)"], ["Single-NN"], {"mass": 500, "field": "auc_last"}, None, 70.95 - 68.55),
    ],
)
def test_a_claim_is_about_the_difference_seed_by_seed(rows, first, second, more, paper, ours):
    claim = per_mass.claim("says so", first, second, above(0), AFFINE_TABLE_3, **more)
    estimate = claim.measure(rows)
    assert claim.published == (None if paper is None else pytest.approx(paper))
    # The shift of a seed cancels.
    assert estimate[:3] == (pytest.approx(ours), pytest.approx(0, abs=1e-9), 2)


@pytest.mark.parametrize("module", [table_3, table_4, table_5])
def test_claims_of_the_tables_find_the_papers_numbers_in_its_rows(module):
    rows = made_up_rows(module.PUBLISHED)
    published = [claim for claim in module.EXPERIMENT.claims if claim.published is not None]
    assert len(published) >= 4
    for claim in published:
        assert claim.measure(rows).value == pytest.approx(claim.published)
    for claim in published:  # one of a network needs all its seeds, and all its rows
        with pytest.raises(Missing):
            claim.measure(rows[:1])


def test_the_figure_has_a_dot_and_a_diamond_for_every_number(rows):
    table = per_mass.comparison("caption", rows, AFFINE_TABLE_3)
    figure = per_mass.dot_plot(table)
    assert len(figure.axes) == 6
    for i, axes in enumerate(figure.axes):
        drawn = {marker: {} for marker in ("o", "D", "None")}
        for line in axes.get_lines():
            drawn[line.get_marker()][line.get_ydata()[0]] = line.get_xdata()[0]
        for name, cells in table.lines:
            assert (drawn["o"][name], drawn["D"][name]) == (cells[i].ours, cells[i].paper)
    assert figure.axes[0].yaxis_inverted()
