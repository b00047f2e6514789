"""PNN Fig. 2 from end to end with few events, and what is said of made-up rows."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from benchmarks import record as records
from benchmarks import runner
from benchmarks.data.toy import CUT, HIGH, LOW, bayes_accuracy, bayes_posterior
from benchmarks.pnn import figure_2
from benchmarks.pnn.figure_2 import X, edges_around
from benchmarks.pnn.figure_2_section import plot

TINY = replace(figure_2.SCALES["smoke"], widths=(3,), thetas=(-1.0, 1.0), unseen=(0.0,), n_train=4000, n_test=2000)
THETAS = (-1.0, 0.0, 1.0)


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figure_2, "SCALES", {"smoke": replace(TINY, batch_size=32)})
        runner.run_experiments(["pnn-fig-2"], "smoke", (3,), out)
    (path,) = out.glob("*.json")
    return out, records.read_record(path)


def test_a_row_holds_accuracy_and_response_at_each_theta(finished_run):
    out, record = finished_run
    (row,) = record["rows"]
    assert (row["row"], row["units"], row["n_train"], row["n_test"]) == ("3 units", 3, 7200, 2000)
    assert row["thetas"] == [-1, 0, 1] and row["seen"] == [True, False, True]
    assert np.shape(row["response"]) == (3, len(X))
    best = bayes_accuracy()
    for accuracy, seen in zip(row["accuracy"], row["seen"], strict=True):
        # Four standard errors of 2000 events above the best. Below, a little trained network may lose some points,
        # between the two trained theta more; one that had learnt nothing would be at 0.5.
        assert best - (0.08 if seen else 0.2) < accuracy < best + 4 * np.sqrt(best * (1 - best) / 2000)
    assert "PNN Fig. 2" in (out / "report.html").read_text()


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
    return [
        {
            "row": "3 units",
            "seed": seed,
            "units": 3,
            "thetas": list(THETAS),
            "seen": [True, False, True],
            "accuracy": [0.93, 0.91, 0.93],
            "auc": [0.95] * 3,
            "x": X.tolist(),
            "response": [bayes_posterior(X, theta + shift).tolist() for theta in THETAS],
            "edges": [[shift - CUT, shift + CUT]] * 3,
            "n_train": 7200,
            "n_test": 2000,
            "wall_s": 1.0,
        }
        for seed, shift in ((1, 0.1), (2, 0.2))
    ]


def section(rows):
    data = {"name": "toy", "n_train": 8000, "n_test": 6000, "fingerprint": "0" * 64}
    return figure_2.section(records.new_record("pnn-fig-2", "smoke", asdict(TINY), data) | {"rows": rows})


def test_findings_are_made_of_the_rows(rows):
    accuracy, shape = section(rows).findings
    assert accuracy.points.ours == pytest.approx(-2)
    # sqrt(p (1 - p) (1 / 4000 + 1 / 2000)), with the best accuracy p
    assert "an error of 0.69" in accuracy.text
    assert "over 2 responses, those of the network are off by 0.150 on average and 0.200 at most" in shape.text

    rows[0]["edges"][1] = None
    shape = section(rows).findings[1]
    assert "at 1 of 2 unseen theta" in shape.text and "Not so" in shape.text


def test_tables_hold_means_and_the_best_classifier(rows):
    (_, accuracy), (_, shape) = section(rows).tables
    assert accuracy.columns == ("-1", "0 (unseen)", "1", "mean AUC (%)")
    assert [cell.ours for cell in accuracy.rows[0][1]] == pytest.approx([93, 91, 93, 95])
    names = [name for name, _ in shape.rows]
    assert names == ["3 units, trained", "3 units, unseen", "best classifier"]
    assert [cell.ours for cell in shape.rows[0][1][1:]] == pytest.approx([0.15 - CUT, 0.15 + CUT])


def test_the_figure_has_a_line_for_each_theta_and_seed(rows):
    figure = plot(rows)
    densities, responses = figure.axes
    assert len(densities.get_lines()) == 3  # two signals and the background
    assert len(responses.get_lines()) == 2 * 3 + 3  # of the seeds, and of the best classifier
    np.testing.assert_allclose(responses.get_lines()[0].get_ydata(), rows[0]["response"][0])
