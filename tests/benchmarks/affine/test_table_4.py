"""Table 4: what its section says of rows."""

from dataclasses import asdict

import pytest

from benchmarks import record as records
from benchmarks.affine import table_4


def test_the_section_is_made_of_the_rows(rows_of_table_4, samples):
    configuration = asdict(table_4.SCALES["embedded"])
    record = records.new_record(
        "affine-table-4", "embedded", configuration, samples.data | {"n_signal": {"500": 9, "1500": 2}}
    )
    record["rows"] = rows_of_table_4
    section = table_4.section(record)
    findings = {finding.heading: finding for finding in section.findings}
    for mass, expected in ((750, 84.68 - 73.69), (1000, 94.87 - 93.85), (1250, 97.87 - 98.21)):
        points = findings[f"Affine at {mass} GeV"].points
        assert points.ours == pytest.approx(expected) and points.paper == pytest.approx(expected)
    # The made-up rows are the paper's less a point.
    assert f"{(76.65 + 98.93) / 2 - 1:.2f} %" in findings["Trained and interpolated masses"].text
    assert f"{(84.68 + 94.87 + 97.87) / 3 - 1:.2f} %" in findings["Trained and interpolated masses"].text
    for (_, table), above in zip(section.tables[1:3], (0, 2), strict=True):  # the authors' ratio, then the exact one
        significance = dict(table.rows)["pNN identical (sampled)"]
        assert significance[0].paper == 73.77 and significance[0].ours == pytest.approx(73.77 - 1 + above)
        assert significance[5].paper == 83.48
    assert any("HEPMASS-IMB is drawn anew" in departure for departure in section.departures)

    record["rows"] = rows_of_table_4[:1]
    assert table_4.section(record).findings == ()


def test_every_row_trains_on_the_two_masses():
    assert {setup.masses for setup in table_4.SETUPS.values()} == {(500.0, 1500.0)}
    assert {setup.balance for setup in table_4.SETUPS.values()} == {"none", "full"}
