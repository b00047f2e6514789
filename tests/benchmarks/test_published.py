"""The papers' numbers agree with themselves."""

import pytest

from benchmarks import published

ROWS = [
    pytest.param(values, mean, id=f"{table} {name} {what}")
    for table in ("AFFINE_TABLE_3", "AFFINE_TABLE_4", "AFFINE_TABLE_5")
    for name, row in getattr(published, table).items()
    for what, values, mean in (
        ("auc", row.auc, row.mean_auc),
        ("significance", row.significance, row.mean_significance),
    )
    if values is not None
]


@pytest.mark.parametrize(("values", "mean"), ROWS)
def test_the_average_column_is_the_mean_of_the_masses(values, mean):
    assert len(values) == len(published.MASSES)
    # All are rounded to 0.01: the mean of the rounded may be off by 0.005, its own rounding by another 0.005.
    assert sum(values) / len(values) == pytest.approx(mean, abs=0.01)


def test_every_row_of_the_tables_is_there():
    assert len(published.AFFINE_TABLE_3) == 10
    assert len(published.AFFINE_TABLE_4) == 3
    assert len(published.AFFINE_TABLE_5) == 14
