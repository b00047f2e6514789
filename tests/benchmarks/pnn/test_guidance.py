"""The checks for users on a small sample."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from benchmarks.pnn import guidance
from benchmarks.pnn.guidance_section import IDENTICAL, UNIFORM, UNREGULARISED, section
from tests.benchmarks.affine.conftest import gaussian_events
from tests.benchmarks.silent import Silent

TINY = replace(
    guidance.SCALES["smoke"], epochs=2, units=(8,), batch_size=256, learning_rate=0.02, grid=(400.0, 1600.0, 13)
)


@pytest.fixture(scope="module")
def record():
    train, test = (replace(gaussian_events(4000, seed), names=("a", "b", "m_wwbb")) for seed in (1, 2))
    data = {"name": "Gaussians", "n_train": 4000, "n_test": 4000}
    samples = guidance.Samples(train, test, data)
    config = replace(TINY, error=0.01)
    rows = list(guidance.run(config, samples, seeds=(1,), display=Silent()))
    return {"rows": rows, "data": data, "configuration": asdict(config)}


def test_what_is_checked(record):
    rows = {row["row"]: row for row in record["rows"]}
    assert list(rows) == [IDENTICAL, UNIFORM, UNREGULARISED]
    assert rows[IDENTICAL]["leak"] == (0, 0)
    # 128 background events; a thousandth of the range on either side of five masses, two of them at its ends, is 0.008.
    assert rows[UNIFORM]["leak"][0] == pytest.approx(0.992, abs=0.032)
    for row in rows.values():
        assert row["outside"] == [400, 1600]
        assert [r["mass"] for r in row["responses"]] == [500, 750, 1000, 1250, 1500]
        assert all(len(r["score"]) == 13 for r in row["responses"])
        for sculpted in row["sculpting"]:
            # The score does not depend on the reconstructed mass, which is noise here.
            assert sculpted["divergence"] < 0.2 and sculpted["efficiency"] == pytest.approx(0.1, abs=0.01)
        # Of 4000 events, as many as 7 million keep 350000, 140000, ..., a quarter validates.
        found = {mass: (error, n_signal, n_needed) for mass, error, n_signal, n_needed in row["too_few"]}
        assert found[500][1:2] == (50,) and found[750][1:2] == (20,)
        assert all(error > 0.01 and n_needed > n_signal for error, n_signal, n_needed in found.values())


def test_the_section_holds_what_the_rows_hold(record):
    whole = section(record)
    (_, table) = whole.tables[0]
    assert [name for name, _ in table.rows] == [IDENTICAL, UNIFORM, UNREGULARISED]
    assert dict(table.rows)[UNIFORM][0].ours == pytest.approx(100 * record["rows"][1]["leak"][0])
    assert dict(table.rows)[IDENTICAL][2].ours == pytest.approx(100 * np.mean(record["rows"][0]["auc"]))
    assert len(whole.figures) == 2
    assert {finding.heading for finding in whole.findings} >= {"A cut sculpts the background", "Outside of the hull"}


def test_a_fall_between_hypotheses_is_relative_to_both_of_its_sides():
    from benchmarks.pnn.guidance_section import _dip

    response = {"mass": 500, "grid": [500, 600, 700], "score": [1.0, 0.3, 0.2]}
    other = {"mass": 700, "grid": [500, 600, 700], "score": [0.4, 0.7, 1.0]}
    # 1 - 0.3 / 0.6 and 1 - 0.7 / 0.7.
    assert _dip({"masses": [500, 700], "responses": [response, other]}) == pytest.approx(25)
