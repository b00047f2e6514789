"""NEOS Fig. 2 with few draws, and the claims on it."""

import numpy as np
import pytest
from rich.console import Console

from benchmarks import experiment
from benchmarks.claims import Missing
from benchmarks.neos import fig_2, mixture
from benchmarks.neos.fig_2 import EXPERIMENT, PANELS, slope_error

CONFIG = EXPERIMENT.scales["smoke"]
SEED = 3


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> dict:
    """Of a run of the smoke scale with one seed."""
    return experiment.run(EXPERIMENT, "smoke", (SEED,), tmp_path_factory.mktemp("runs"), Console(quiet=True))


@pytest.fixture(scope="module")
def rows(record) -> dict[float, dict]:
    """By bandwidth."""
    return {row["bandwidth"]: row for row in record["rows"]}


def test_a_smoke_run_says_all(record):
    section = experiment.read(record)
    assert not section.missing
    assert [name for name, _ in section.tables[0].lines] == [row["row"] for row in record["rows"]]
    assert [judged.estimate is None for judged in section.claims] == [True] + 6 * [False]  # 0.02 is not in it


def test_without_a_bandwidth_that_is_drawn_there_is_no_figure(record):
    with pytest.raises(Missing, match=r"bandwidth 0\.2"):
        list(fig_2.figures(record | {"rows": [row for row in record["rows"] if row["bandwidth"] != 0.2]}))


def test_the_histogram_is_numpys_and_has_no_slopes(rows):
    histogram = rows[0.0]
    samples = mixture.draw(CONFIG.n_draws, CONFIG.n_samples, SEED)
    np.testing.assert_allclose(histogram["samples"], samples[0], atol=5e-5)  # rounded to four decimals
    assert histogram["counts"] == np.histogram(samples[0], histogram["edges"])[0].tolist()
    assert (histogram["slope_bias"], histogram["slope_deviation"]) == (1.0, 0.0)
    p = mixture.shares(histogram["edges"])
    multinomial = np.sqrt(np.mean(CONFIG.n_samples * p * (1 - p)))
    # A standard deviation from n draws has a relative error of sqrt(1 / 2n): five of these.
    assert histogram["count_deviation"] == pytest.approx(multinomial, rel=5 * np.sqrt(0.5 / CONFIG.n_draws))
    # A mean of n draws is uncertain by deviation / sqrt(n), which is taken off on average: two of these.
    assert histogram["count_bias"] < 2 * multinomial / np.sqrt(CONFIG.n_draws)


@pytest.mark.parametrize("h", PANELS)
def test_measured_biases_and_deviations_are_those_of_the_closed_forms(rows, h):
    row, n = rows[h], CONFIG.n_draws
    assert row["slope_deviation"] == pytest.approx(row["exact_slope_deviation"], rel=5 * np.sqrt(0.5 / n))  # as above
    for of in ("count", "slope"):
        noise = row[f"{of}_deviation"] / np.sqrt(n)  # of the mean over draws; squares of it are taken off
        exact = row[f"exact_{of}_bias"]
        assert row[f"{of}_bias"] ** 2 == pytest.approx(exact**2, abs=5 * noise * (exact + noise))


def test_gaps_are_of_pairs_of_bandwidths(rows):
    noise, bias, error = (claim.measure(list(rows.values())) for claim in EXPERIMENT.claims[1:4])
    gap = noise["bandwidth 0.05 above bandwidth 0.2"].value
    assert gap == pytest.approx(100 * (rows[0.05]["slope_deviation"] - rows[0.2]["slope_deviation"]))
    gap = bias["bandwidth 1 above bandwidth 0.2"].value
    assert gap == pytest.approx(100 * (rows[1.0]["slope_bias"] - rows[0.2]["slope_bias"]))
    assert error["histogram above bandwidth 0.2"].value == pytest.approx(100 - 100 * slope_error(rows[0.2]))


def test_without_bandwidth_counts_are_those_of_the_histogram():
    rows = [
        {"row": name, "seed": 1, "counts": counts}
        for name, counts in (("histogram", [4, 9]), ("bandwidth 0.02", [7, 5]))
    ]
    assert fig_2.from_histogram(rows).value == pytest.approx(np.sqrt((3**2 + 4**2) / 2))


def test_the_best_bandwidth_is_the_least_error_of_measured_slopes(rows):
    fine = fig_2.best_bandwidth(list(rows.values()), 200)
    best = min(PANELS, key=lambda h: np.hypot(rows[h]["exact_slope_bias"], rows[h]["exact_slope_deviation"]))
    assert best == min(PANELS, key=lambda h: abs(np.log(h / fine)))
    # Noise of 100 times the samples is a tenth: it pays to be narrower.
    assert fig_2.best_bandwidth(list(rows.values()), 20_000) < fine


def test_the_figure_has_estimates_of_unit_area_above_and_the_errors_below(record, rows):
    *panels, counts, slopes = next(fig_2.figures(record))[1].axes
    for axes in panels:
        for values, edges, _ in (patch.get_data() for patch in axes.patches):  # histogram and estimate
            # Up to what falls beyond the edges, most with the widest kernels.
            assert 0.9 < np.sum(values * np.diff(edges)) <= 1 + 1e-9
    for axes, of, scale in ((counts, "count", 1), (slopes, "slope", 100)):
        (points,) = (line for line in axes.get_lines() if line.get_label() == "bias")
        np.testing.assert_allclose(points.get_ydata(), [scale * rows[h][f"{of}_bias"] for h in PANELS])
