"""Table 5 on a small sample: a row with its curves, the finding on the histograms, and the figures."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from rich.console import Console

import pnn_tf
from benchmarks import record as records
from benchmarks.affine import curves, per_mass, table_5
from benchmarks.affine.table_5_rows import BASELINES, SEPARATED
from benchmarks.published import AFFINE_TABLE_5, MASSES
from benchmarks.terminal import Display

TINY = replace(
    table_5.SCALES["smoke"], epochs=2, units=(8,), batch_size=256, learning_rate=0.02, dropout=0.0, imbalanced=False
)


@pytest.fixture(scope="module")
def row(samples):
    """A trained row of Fig. 13."""
    with Display(Console(quiet=True)) as display:
        return table_5.make_row(TINY, samples, "Affine (full) identical (fixed)", 3, display)


@pytest.fixture(scope="module")
def curve(row):
    """A curve without its mass."""
    return {key: value for key, value in row["curves"][0].items() if key != "mass"}


@pytest.fixture
def record(rows_of_table_5, samples, row, curve):
    """A made-up run, in which all networks have the same curve."""
    record = records.new_record("affine-table-5", "smoke", asdict(TINY), samples.data)
    for made_up in rows_of_table_5:
        kept = {}
        if made_up["row"] in BASELINES:
            kept = {"curves": [{"mass": float(mass), **curve} for mass in MASSES]}
        if made_up["row"] in SEPARATED:
            kept = {"curves": row["curves"], "separations": row["separations"]}
        record["rows"].append(made_up | kept)
    return record


def test_every_row_of_the_paper_is_trained():
    assert list(table_5.SETUPS) == list(AFFINE_TABLE_5)
    for name, setup in table_5.SETUPS.items():
        assert (setup.balance == "full") == ("(full)" in name)
        assert (setup.conditioning == "affine") == name.startswith("Affine")
        assert setup.individual == name.startswith("Individual")
        assert setup.conditioning is None or f"{setup.background} ({setup.assignment})" in name


def test_a_row_has_three_ratios_at_two_epochs(row):
    for suffix in ("", "_last"):
        exact, authors, repaired = (row[f"{field}{suffix}"] for field in per_mass.SIGNIFICANCES)
        assert len(exact) == len(authors) == len(repaired) == len(row[f"auc{suffix}"]) == 5
        assert all(0.5 < binned <= best for binned, best in zip(repaired, exact, strict=True))
        assert authors != repaired
    assert not any(field.startswith(("curves_", "separations_")) for field in row)


def test_a_row_of_fig_13_keeps_its_curve_and_its_classes(row):
    (curve,), (shares,) = row["curves"], row["separations"]
    assert curve["mass"] == shares["mass"] == 750
    assert curves.best(curve).ratio == pytest.approx(row["significance"][1], abs=1e-4)  # five digits
    assert sum(shares["signal"]) == pytest.approx(1) and sum(shares["background"]) == pytest.approx(1)


def test_baselines_keep_a_curve_at_each_mass(samples):
    model = pnn_tf.parametric_network(3, conditioning=None, units=(4,), dropout=0.0, seed=1)
    for name, n_curves in (("Single-NN", 5), ("pNN identical (sampled)", 0)):
        measured = table_5._measure(name, model, samples.test, samples.test.hypotheses)
        assert len(measured["curves"]) == n_curves and measured["separations"] == []


def test_the_finding_tells_the_histograms_from_the_network(record):
    """In the made-up rows, bins of any range cost the same everywhere, and the gain of balance is the paper's."""
    heading = "Balanced training at 1500 GeV"
    (finding,) = [finding for finding in table_5.section(record).findings if finding.heading == heading]
    gain = (96.30 + 96.42 - 92.20 - 92.01) / 2
    assert finding.points.ours == pytest.approx(gain) and finding.points.paper == pytest.approx(gain)
    assert "from 92.1 to 96.4 %" in finding.text
    assert "different ranges make +0.00 of the +4.25 points, bins as such +0.00, and the network itself +4.25" in (
        finding.text.replace("-0.00", "+0.00")
    )

    paper = (96.30 + 96.42 + 92.20 + 92.01) / 4  # the rows have a point less, and the exact ratio two points more
    assert f"from {paper - 1 + 2:.1f} to {paper - 1:.1f} % on average" in finding.text

    # Without gain in the exact ratio, the bins make it all; half of it if the repaired ones gain half.
    for row in record["rows"]:
        row["significance"] = [0.96] * 5
        half = gain / 200 * ("(full)" in row["row"])
        row["significance_repaired"] = [0.93 + half] * 5
    (finding,) = [finding for finding in table_5.section(record).findings if finding.heading == heading]
    half = f"{gain / 2:+.2f}"
    assert f"make {half} of the +4.25 points, bins as such {half}, and the network itself +0.00" in finding.text

    # A gain with one of two seeds, and a loss with the other.
    for row in record["rows"]:
        row["significance_authors"] = [0.94 + 0.02 * (row["seed"] - 1.5) * ("(full)" in row["row"])] * 5
    (finding,) = [finding for finding in table_5.section(record).findings if finding.heading == heading]
    assert "no gain beyond chance, with a standard error of 1.00 over 2 seeds" in finding.text


def test_the_tables_hold_both_epochs_beside_the_paper(record):
    tables = [table for _, table in table_5.section(record).tables]
    name = "Affine (full) uniform (sampled)"
    for table, expected in zip(tables, (66.08, 66.08 - 0.2, 71.90, 71.90 - 0.2, 73.90, 73.90 - 0.2), strict=False):
        first = dict(table.rows)[name][0]
        assert first.ours == pytest.approx(expected - 1) and first.paper in (66.08, 71.90)
    assert all(cell.paper is None for _, cells in tables[-1].rows for cell in cells)


def test_figures_are_drawn_of_the_curves(record, curve):
    _, (_, baselines), (_, separations) = table_5.section(record).figures
    roc, precision_recall, significance = baselines.axes[0], baselines.axes[5], baselines.axes[10]
    assert [axes.get_title(loc="left") for axes in baselines.axes[:5]] == [f"{mass} GeV" for mass in MASSES]
    assert np.array_equal(roc.get_lines()[0].get_xydata(), np.transpose([curve["background"], curve["signal"]]))
    assert np.array_equal(precision_recall.get_lines()[0].get_ydata(), curves.purity(curve))
    cut, ratio = curves.best(curve)
    assert significance.get_lines()[1].get_xydata().tolist() == [[cut, ratio]]
    titles = [axes.get_title(loc="left") for axes in separations.axes]
    assert sum(f"best cut {cut:.3f}, significance ratio {ratio:.3f}" in title for title in titles) == 2
