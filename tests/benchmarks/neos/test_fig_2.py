"""NEOS Fig. 2 from end to end with few draws, and what is said of it."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import record as records
from benchmarks import runner
from benchmarks.neos import figure_2, mixture
from benchmarks.neos.figure_2_section import PANELS, by_bandwidth, plot, slope_error

CONFIG = replace(figure_2.SCALES["smoke"], n_draws=200)
SEED = 3


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """Folder and record of a run with one seed, through everything that the command line does."""
    out = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figure_2, "SCALES", {"smoke": CONFIG})
        runner.run_experiments(["neos-fig-2"], "smoke", (SEED,), out)
    (path,) = out.glob("*.json")
    return out, records.read_record(path)


@pytest.fixture
def rows(finished_run):
    """By bandwidth, of the one seed."""
    _, record = finished_run
    return {h: row for h, (row,) in by_bandwidth(record["rows"]).items()}


def test_there_is_a_row_for_the_histogram_and_each_bandwidth(rows):
    assert [row["row"] for row in rows.values()] == ["histogram", *(f"bandwidth {h:g}" for h in CONFIG.bandwidths)]
    assert {row["seed"] for row in rows.values()} == {SEED}


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


@pytest.mark.parametrize("h", CONFIG.bandwidths)
def test_measured_biases_and_deviations_are_those_of_the_closed_forms(rows, h):
    row = rows[h]
    n = CONFIG.n_draws
    assert row["slope_deviation"] == pytest.approx(row["exact_slope_deviation"], rel=5 * np.sqrt(0.5 / n))  # as above
    for of in ("count", "slope"):
        noise = row[f"{of}_deviation"] / np.sqrt(n)  # of the mean over draws; squares of it are taken off
        exact = row[f"exact_{of}_bias"]
        assert row[f"{of}_bias"] ** 2 == pytest.approx(exact**2, abs=5 * noise * (exact + noise))


def test_kernels_trade_variance_for_bias(rows):
    narrow, middle, wide = (rows[h] for h in PANELS)
    assert narrow["slope_deviation"] > middle["slope_deviation"] > wide["slope_deviation"]
    assert narrow["exact_slope_bias"] < middle["exact_slope_bias"] < wide["exact_slope_bias"]
    assert slope_error(middle) < min(slope_error(narrow), slope_error(wide), slope_error(rows[0.0]))


def test_findings_are_made_of_the_rows(finished_run):
    out, record = finished_run
    assert "NEOS Fig. 2" in (out / "report.html").read_text()
    changed = [
        row | {"slope_bias": 0.125, "slope_deviation": 0.3} if row["bandwidth"] == 1.0 else row
        for row in record["rows"]
    ]
    findings = {f.heading: f.text for f in figure_2.section(record | {"rows": changed}).findings}
    assert (
        "at a bandwidth of 1 bin widths: 32 % of the true slopes, of which 12 % are bias" in findings["The trade-off"]
    )


def test_the_table_is_in_events_and_per_cent(finished_run):
    _, record = finished_run
    _, table = figure_2.section(record).tables[0]
    name, cells = table.rows[0]
    assert name == "histogram"
    assert [c.ours for c in cells[2:]] == [100.0, 0.0, 100.0]
    assert table.rows[-1][1][0].ours == record["rows"][-1]["count_bias"]


def test_the_figure_has_estimates_of_unit_area_above_and_the_errors_below(finished_run):
    _, record = finished_run
    figure = plot(record["rows"])
    *panels, counts, slopes = figure.axes
    assert [axes.get_title(loc="left") for axes in panels] == [f"Bandwidth {h:g} bin widths" for h in PANELS]
    for axes in panels:
        for values, edges, _ in (patch.get_data() for patch in axes.patches):  # histogram and estimate
            # Up to what falls beyond the edges, most with the widest kernels.
            assert 0.9 < np.sum(values * np.diff(edges)) <= 1 + 1e-9
        assert len(axes.collections[0].get_segments()) == CONFIG.n_samples
    for axes, of, scale in ((counts, "count", 1), (slopes, "slope", 100)):
        (points,) = (line for line in axes.get_lines() if line.get_label() == "bias")
        biases = [scale * row[f"{of}_bias"] for row in record["rows"][1:]]
        np.testing.assert_allclose(points.get_ydata(), biases)
