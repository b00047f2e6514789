"""Other choices for Table 3: what is trained, and what is said of rows."""

from dataclasses import asdict, replace

import pytest

from benchmarks import record as records
from benchmarks.affine import table_3, variants
from tests.benchmarks.silent import Silent

STEPS = {"as in Table 3": 0.0, "weak L2": 0.01, "identity": 0.02}  # in the AUC of the rows below


@pytest.fixture
def record(rows, samples):
    configuration = asdict(variants.SCALES["embedded"])
    record = records.new_record("affine-variants", "embedded", configuration, samples.data)
    record["rows"] = [
        row
        | {
            "row": name,
            "network": network,
            "choice": choice,
            "conditioning": table_3.SETUPS[network].conditioning,
            "auc": [auc + STEPS[choice] for auc in row["auc"]],
        }
        for row in rows
        for name, (network, choice) in variants.ROWS.items()
        if network == row["row"]
    ]
    return record


def test_a_row_is_trained_with_its_choice(samples, monkeypatch):
    trained = []
    monkeypatch.setattr(variants.networks, "make_row", lambda config, *_: trained.append(config) or {})
    config = replace(table_3.SCALES["smoke"], epochs=1)
    for choice in STEPS:
        row = variants.make_row(config, samples, f"Affine identical (fixed), {choice}", 1, Silent())
        assert row == {"network": "Affine identical (fixed)", "choice": choice}
    usual, weak, identity = trained
    assert usual == config
    assert weak == replace(config, kernel_l2=1e-5, bias_l2=1e-6)  # the paper's other setting
    assert identity == replace(config, affine_start="identity")
    assert len(variants.ROWS) == 24  # ten networks, four of them with affine layers


def test_the_change_is_that_of_each_network(record):
    section = variants.section(record)
    (_, weak), (_, identity), (_, usual), *_ = section.tables
    assert len(weak.rows) == 10 and len(identity.rows) == 4
    for table, choice in ((weak, "weak L2"), (identity, "identity")):
        for _, cells in table.rows:
            expected = pytest.approx(100 * STEPS[choice]), pytest.approx(0, abs=1e-9)
            assert [(c.ours, c.spread) for c in cells] == [expected] * 6
    # Two seeds, the paper's number and two points less: one point below it on average.
    assert all(cells[0].difference == pytest.approx(-1) for _, cells in usual.rows)
    of_weak, of_identity, pnn, *_ = section.findings
    assert "+1.00 (Single), +1.00 (Individual), +1.00 (pNN), +1.00 (Affine); of a network at one mass, +1.00 to" in (
        of_weak.text
    )
    assert "points: +2.00 (Affine); of a network" in of_identity.text
    gain = pnn.points.paper  # the paper rounds its averages
    assert pnn.points.ours == pytest.approx(gain, abs=0.01)
    assert f"penalties for both: {pnn.points.ours:+.2f}" in pnn.text
    assert f"identity: {pnn.points.ours + 2:+.2f}" in pnn.text


def test_nothing_is_said_of_half_a_run(record):
    record["rows"] = record["rows"][:3]
    section = variants.section(record)
    assert section.findings == section.tables == section.figures == ()
