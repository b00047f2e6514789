"""PNN Fig. 2: a run with few events from end to end, and what claims make of rows whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from benchmarks.data.toy import CUT, HIGH, LOW, bayes_accuracy, bayes_posterior
from benchmarks.experiment import read, run
from benchmarks.pnn import fig_2
from benchmarks.pnn.fig_2 import BEST, EXPERIMENT, X, edges_around

THETAS = (-1.0, 0.0, 1.0)
SMOKE = EXPERIMENT.scales["smoke"]
TINY = replace(SMOKE, widths=(3,), thetas=THETAS[::2], unseen=THETAS[1:2], n_train=4000, n_test=2000, batch_size=32)


@pytest.mark.slow
def test_a_run_leaves_a_record_that_can_be_read(tmp_path):
    experiment = replace(EXPERIMENT, scales={"smoke": TINY})
    record = run(experiment, "smoke", (3,), tmp_path, Console(quiet=True))
    (row,) = record["rows"]
    assert (row["row"], row["units"], row["n_train"], row["n_test"]) == ("3 units", 3, 7200, 2000)
    assert row["thetas"] == list(THETAS) and row["seen"] == [True, False, True]
    assert np.shape(row["response"]) == (3, len(X))
    best = bayes_accuracy()
    for accuracy, seen in zip(row["accuracy"], row["seen"], strict=True):
        # Four standard errors of 2000 events above the best. Below, a little trained network may lose some points,
        # between the two trained theta more; one that had learnt nothing would be at 0.5.
        assert best - (0.08 if seen else 0.2) < accuracy < best + 4 * np.sqrt(best * (1 - best) / 2000)
    section = read(record)
    assert len(section.tables) == 2 and len(section.figures) == 1


@pytest.mark.parametrize("theta", [-2.0, 0.53])
def test_the_edges_of_the_posterior_are_its_cut(theta):
    # The grid of 0.05 is interpolated linearly: the error is at most its square times the curvature over 8, relative
    # to the slope, below 0.001.
    np.testing.assert_allclose(edges_around(X, bayes_posterior(X, theta), theta), [-CUT, CUT], atol=1e-3)
    assert edges_around(X, 0.4 * bayes_posterior(X, theta), theta) is None
    assert edges_around(X, np.ones_like(X), theta) == pytest.approx([LOW - theta, HIGH - theta])


@pytest.fixture
def rows() -> list[dict]:
    """Two seeds of the exact posterior, moved by 0.1 and 0.2 to the right, two points less accurate where unseen."""
    common = {"row": "3 units", "units": 3, "thetas": list(THETAS), "seen": [True, False, True], "x": X.tolist()}
    common |= {"accuracy": [0.93, 0.91, 0.93], "auc": [0.95] * 3, "n_test": 2000}
    return [
        {**common, "seed": seed, "edges": [[shift - CUT, shift + CUT]] * 3}
        | {"response": [bayes_posterior(X, theta + shift).tolist() for theta in THETAS]}
        for seed, shift in ((1, 0.1), (2, 0.2))
    ]


def test_claims_are_made_of_the_rows(rows):
    gap, mean, largest, to_best = (claim.measure(rows) for claim in fig_2.claims("3 units"))
    best = bayes_accuracy()
    # Both seeds are tested on the same events: 4000 at trained theta, 2000 at the unseen one.
    assert gap.value == pytest.approx(-2)
    assert gap.error == pytest.approx(100 * np.sqrt(best * (1 - best) * (1 / 4000 + 1 / 2000)))
    assert mean.value == pytest.approx(0.15) and mean.spread == pytest.approx(0.1 / np.sqrt(2))
    assert to_best.value == pytest.approx(93 - 100 * best)
    rows[0]["edges"][1] = None  # below 0.5 at theta: both crossings at theta itself
    mean, largest = (claim.measure(rows) for claim in list(fig_2.claims("3 units"))[1:3])
    assert mean.value == largest.value == pytest.approx((CUT + 0.2) / 2)


def test_tables_hold_means_and_the_best_classifier(rows):
    accuracy, shape = fig_2.tables({"rows": rows})
    assert accuracy.columns == ("-1", "0 (unseen)", "1", "mean AUC (%)")
    assert [cell.ours for cell in accuracy.lines[0][1]] == pytest.approx([93, 91, 93, 95])
    assert accuracy.lines[1][0] == BEST and accuracy.lines[1][1][0].ours == pytest.approx(100 * bayes_accuracy())
    assert [name for name, _ in shape.lines] == ["3 units, trained", "3 units, unseen", BEST]
    assert [cell.ours for cell in shape.lines[0][1][1:]] == pytest.approx([0.15 - CUT, 0.15 + CUT])
    assert [cell.ours for cell in shape.lines[2][1]] == pytest.approx([bayes_posterior([0], 0)[0], -CUT, CUT], rel=1e-6)
