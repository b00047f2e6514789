"""PNN Figs. 5 and 6 on Gaussian samples: separations and panels."""

from statistics import NormalDist

import pytest

from benchmarks.data.hepmass import FEATURE_NAMES
from benchmarks.pnn import fig_5
from tests.benchmarks.silent import Silent


@pytest.fixture(scope="module")
def record(samples):
    config, display = fig_5.Config(sample="hepmass"), Silent()
    row = fig_5.make_row(config, samples, "distributions", 1, display)
    assert display.work == pytest.approx(1)
    return {"rows": [{"row": "distributions", "seed": 1} | row], "configuration": {"masses": [500.0, 1500.0]}}


def test_the_separation_is_that_of_two_gaussians(record):
    (row,) = record["rows"]
    found = fig_5.separations(row)
    assert tuple(found) == FEATURE_NAMES and (row["n_signal"], row["n_background"]) == (2000, 2000)
    for at, mass in ((0, 500.0), (4, 1500.0)):
        # A distance d of unit Gaussians leaves 2 Phi(d / 2) - 1. Each of 50 bins of 400 signal events adds noise that
        # counts in absolute value, about 50 sqrt(2 / pi) sqrt(1 / (50 * 400)) / 2 = 0.14 where shapes are equal.
        expected = 2 * NormalDist().cdf(mass / 2000) - 1
        assert expected - 0.05 < found["m_wwbb"][at] < expected + 0.14
    assert found["jet3_phi"][4] < 0.2


def test_shapes_that_do_not_overlap_are_one_apart():
    shapes = {"equal": [[0.5, 0.5]], "apart": [[0, 1.0]], "outside": [[0.25, 0.25]]}
    background = {"equal": [0.5, 0.5], "apart": [1.0, 0], "outside": [0.25, 0.5]}
    row = {
        "distributions": [{"feature": name, "signal": shapes[name], "background": background[name]} for name in shapes]
    }
    # |0.25 - 0.25| + |0.25 - 0.5| inside of the bins, and a half against a quarter outside of them.
    assert fig_5.separations(row) == {"equal": [0], "apart": [1], "outside": [(0.25 + 0.25) / 2]}


def test_table_and_claims_are_made_of_the_separations(record):
    found = fig_5.separations(record["rows"][0])
    (table,) = fig_5.tables(record)
    assert {name for name, _ in table.lines[:2]} == {"jet1_pt", "m_wwbb"} and len(table.lines) == 27
    rise, high, angles = (claim.measure(record["rows"]) for claim in fig_5.EXPERIMENT.claims)
    assert list(rise) == ["750 GeV", "1000 GeV", "1250 GeV", "1500 GeV"]
    assert rise["1500 GeV"].value == pytest.approx(found["m_wwbb"][4] - found["m_wwbb"][3])
    assert high["1500 GeV"].value == pytest.approx(found["m_wwbb"][4] - found["jet1_pt"][4])
    assert angles["500 GeV"].value == max(found[name][0] for name in FEATURE_NAMES if name.endswith("phi"))
