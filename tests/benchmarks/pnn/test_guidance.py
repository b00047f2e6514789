"""The checks for users on a small sample, and on made-up rows."""

from dataclasses import replace

import pytest

from benchmarks.pnn import guidance
from benchmarks.pnn.guidance import AT_ONCE, DECORRELATED, IDENTICAL, UNIFORM, UNREGULARISED
from tests.benchmarks.silent import Silent

TINY = replace(
    guidance.EXPERIMENT.scales["smoke"],
    **{"epochs": 4, "plain_epochs": 2, "units": (8,), "batch_size": 256, "learning_rate": 0.02},
    **{"grid": (400.0, 1600.0, 13), "error": 0.01, "sample": "hepmass"},
)


@pytest.mark.slow
def test_what_is_checked(samples):
    display = Silent()
    names = (IDENTICAL, UNIFORM, DECORRELATED, AT_ONCE)
    rows = {name: guidance.make_row(TINY, samples, name, 1, display) for name in names}
    assert display.work == pytest.approx(4)
    assert rows[IDENTICAL]["leak"][:2] == (0, 0)
    # 128 background events; a thousandth of the range on either side of five masses, two of them at its ends, is 0.008.
    assert rows[UNIFORM]["leak"][0] == pytest.approx(0.992, abs=0.032)
    for row in rows.values():
        assert row["outside"] == [400, 1600]
        assert [r["mass"] for r in row["responses"]] == [500, 750, 1000, 1250, 1500]
        assert all(len(r["score"]) == 13 for r in row["responses"])
        for cut in row["sculpting"]:
            # The background's reconstructed mass is Gaussian noise here, which the score rises with.
            assert sum(cut["before"]) == pytest.approx(1, abs=25e-6)  # 50 bins, rounded to six digits
            assert cut["efficiency"] == pytest.approx(0.1, abs=0.01)
            assert 0 < cut["divergence"] < 1
        # Of 4000 events, as many as 7 million keep 350000, 140000, ..., a quarter validates.
        found = {mass: (error, n_signal, n_needed) for mass, error, n_signal, n_needed in row["too_few"]}
        assert found[500][1:2] == (50,) and found[750][1:2] == (20,)
        assert all(error > 0.01 and n_needed > n_signal for error, n_signal, n_needed in found.values())
    before, after = (sum(cut["divergence"] for cut in rows[name]["sculpting"]) for name in (IDENTICAL, DECORRELATED))
    assert after < before


def test_tables_and_claims_are_made_of_the_rows():
    # Half-way, 1 - 0.3 / 0.6 and 1 - 0.7 / 0.7.
    scores = {500: [1.0, 0.3, 0.2], 750: [0.4, 0.7, 1.0]}
    grid = [500.0, 625.0, 750.0]
    row = {
        "masses": [500, 750],
        "auc": [0.8, 0.9],
        "leak": [0.6, 0.1],
        "responses": [{"mass": mass, "grid": grid, "score": score} for mass, score in scores.items()],
        "sculpting": [{"mass": mass, "divergence": mass / 1000, "efficiency": 0.1} for mass in scores],
        "too_few": [(500.0, 0.02, 10, 40)],
    }
    assert guidance.fall(row) == pytest.approx(0.25)
    flat = [{**response, "score": [0.5] * 3} for response in row["responses"]]
    names = {IDENTICAL: {"leak": [0.0, 0.0], "responses": flat}, UNIFORM: {}, UNREGULARISED: {}}
    less = [{"mass": mass, "divergence": 0.01, "efficiency": 0.1} for mass in scores]
    names |= {DECORRELATED: {"auc": [0.75, 0.85], "sculpting": less}, AT_ONCE: {}}
    rows = [{**row, "row": name, "seed": 1, **more} for name, more in names.items()]
    measured = [claim.measure(rows) for claim in guidance.EXPERIMENT.claims]
    leak, none, fall, more, cuts, few_bits, cost, at_once = measured
    assert (leak.value, none.value, more.value) == pytest.approx((60, 0, 0)) and fall.value == pytest.approx(25)
    assert {name: estimate.value for name, estimate in cuts.items()} == {"500 GeV": 0.5, "750 GeV": 0.75}
    assert {name: estimate.value for name, estimate in few_bits.items()} == {"500 GeV": 0.01, "750 GeV": 0.01}
    assert (cost.value, at_once.value) == pytest.approx((5, 0.615))
    checks, divergence, few = guidance.tables({"rows": rows})
    assert [cell.ours for cell in checks.lines[1][1]] == pytest.approx([60, 25, 85, 10, 0.625])
    assert [cell.ours for cell in divergence.lines[0][1]] == [0.5, 0.75]
    assert few.lines[0][0] == "500 GeV" and [cell.ours for cell in few.lines[0][1]] == [2, 10, 40]
