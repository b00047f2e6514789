"""NEOS Fig. 3 from end to end with few events, and what is said of made-up rows."""

import math
from dataclasses import asdict, replace

import numpy as np
import pytest

from benchmarks import record as records
from benchmarks import runner
from benchmarks.neos import figure_3
from benchmarks.neos.figure_3_section import CLAIMS, METHODS, medians, plot
from benchmarks.neos.training import load_samples

TINY = replace(figure_3.SCALES["smoke"], n_events=400, units=(8,), batch_size=160)
LOSSES = {name: figure_3.LOSSES[name] for name in ("neos", "BCE")}


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """Folder and record of a run of two losses with one seed, through everything that the command line does."""
    out = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figure_3, "LOSSES", LOSSES)
        patch.setattr(figure_3, "SCALES", {"smoke": TINY})
        runner.run_experiments(["neos-fig-3"], "smoke", (3,), out)
    (path,) = out.glob("*.json")
    return out, records.read_record(path)


def test_a_row_follows_the_training(finished_run):
    _, record = finished_run
    for row, method in zip(record["rows"], LOSSES, strict=True):
        assert (row["row"], row["seed"], row["method"]) == (f"{method}, means of the code", 3, method)
        for metric in ("cls", "sigma_mu", "sigma_gamma"):
            assert len(row[metric]) == TINY.epochs + 1
            assert all(0 < value < 10 for value in row[metric])
        assert len(row["loss"]) == TINY.epochs
        assert row["unconverged"] == [0] * TINY.epochs
        assert row["loss"][-1] < row["loss"][0]
    neos, bce = record["rows"]
    assert neos["cls"][0] == bce["cls"][0], "one seed is one initialisation"
    assert neos["cls"][-1] < neos["cls"][0]


def test_the_run_leaves_a_report(finished_run):
    out, _ = finished_run
    page = (out / "report.html").read_text()
    assert "NEOS Fig. 3" in page and "BCE (code)" in page


def test_test_events_are_not_trained_on():
    blobs = load_samples(TINY, ("code",)).blobs["code"]
    for name in blobs.train:
        assert (len(blobs.train[name]), len(blobs.test[name])) == (320, 80)
        assert not set(map(tuple, blobs.train[name])) & set(map(tuple, blobs.test[name]))


# cls, sigma_mu, sigma_gamma after the last epoch, such that every claim holds.
AS_CLAIMED = {
    "neos": (1e-6, 0.28, 0.95),
    "neos, CLs itself": (1.5e-6, 0.29, 0.96),
    "BCE": (1e-5, 0.40, 0.50),
    "BCE with augmentation": (2e-6, 0.30, 0.97),
    "INFERNO": (3e-6, 0.25, 0.60),
}


def rows_of(values) -> list[dict]:
    """Three seeds, the median of which has the values given; two epochs and what was before."""
    return [
        {
            "row": f"{method}, means of the {means}",
            "seed": seed,
            "method": method,
            "means": means,
            "cls": [0.05, 0.01, factor * cls],
            "sigma_mu": [1.0, 0.5, factor * mu],
            "sigma_gamma": [0.4, 0.5, factor * gamma],
            "loss": [1.0, 0.5],
            "unconverged": [0.0, 0.0],
            "wall_s": 3.0,
        }
        for means in ("code", "appendix")
        for seed, factor in enumerate((0.9, 1.0, 1.3))
        for method, (cls, mu, gamma) in values.items()
    ]


def test_the_claims_are_of_the_medians():
    of_code = medians(rows_of(AS_CLAIMED))["code"]
    assert of_code["BCE"] == (1e-5, 0.40, 0.50)
    findings = figure_3.section(_record(rows_of(AS_CLAIMED))).findings
    assert len(findings) == 4  # both sets of means, both losses of neos
    everything = f"As the paper says: {'; '.join(claim.text for claim in CLAIMS)}."
    assert all(finding.text == everything for finding in findings)


@pytest.mark.parametrize(
    ("broken", "method", "values"),
    [
        ({0}, "BCE", (1e-7, 0.40, 0.50)),
        ({1}, "neos", (1e-6, 0.20, 0.95)),
        ({2}, "INFERNO", (3e-6, 0.25, 0.92)),
        ({3}, "neos", (1e-6, 0.28, 0.80)),
        ({3, 4}, "neos", (1e-6, 0.28, 0.55)),
        ({5}, "BCE", (1e-5, 0.26, 0.50)),
    ],
)
def test_a_claim_that_does_not_hold_is_reported_with_the_numbers(broken, method, values):
    both = {"neos, CLs itself": values} if method == "neos" else {}
    findings = figure_3.section(_record(rows_of(AS_CLAIMED | {method: values} | both))).findings
    for finding in findings:
        held, contradicted = finding.text.split("Not so here: ")
        for i, one in enumerate(CLAIMS):
            assert (one.text in contradicted) == (i in broken) == (one.text not in held)
        assert f"{method} CLs {values[0]:.2g}" in contradicted


def _record(rows) -> dict:
    data = {"n_train": 8000, "n_test": 2000}
    return {"rows": rows, "data": data, "configuration": asdict(figure_3.SCALES["embedded"])}


def test_the_table_has_the_logarithm_of_cls_and_the_spread_of_the_quartiles():
    (_, table), *_ = figure_3.section(_record(rows_of(AS_CLAIMED))).tables
    name, (log_cls, sigma_mu, _) = table.rows[2]
    assert name == "BCE (code)"
    assert log_cls.ours == pytest.approx(-5)
    assert sigma_mu.ours == pytest.approx(0.4)
    # Quartiles of 0.9, 1.0 and 1.3 are 0.95 and 1.15.
    assert sigma_mu.spread == pytest.approx(0.4 * 0.1)


def test_the_figure_has_a_curve_for_each_method_in_each_panel():
    figure = plot(rows_of(AS_CLAIMED))
    assert len(figure.axes) == 6
    for axes in figure.axes:
        labels = [line.get_label() for line in axes.lines]
        assert labels[: len(METHODS)] == list(METHODS)
    first = figure.axes[0].lines[0].get_ydata()
    # The mean of a logarithm is that of a geometric mean.
    assert first[-1] == pytest.approx(1e-6 * math.prod((0.9, 1.0, 1.3)) ** (1 / 3))
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_xdata(), [0, 1, 2])
