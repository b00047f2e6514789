"""NEOS Fig. 3 with few events, and what is said of made-up rows."""

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.claims import HOLDS, judge
from benchmarks.neos import fig_3
from benchmarks.neos.fig_3 import EXPERIMENT, LOSSES, TEST_ERRORS
from benchmarks.neos.training import load_samples
from tests.benchmarks.silent import Silent

TINY = replace(EXPERIMENT.scales["smoke"], n_events=400, units=(8,), batch_size=160)


@pytest.mark.slow
def test_a_row_follows_the_training():
    samples, told = EXPERIMENT.load(TINY), Silent()
    neos, bce = rows = [fig_3.make_row(TINY, samples, f"{of}, means of the code", 3, told) for of in ("neos", "BCE")]
    for row in rows:
        courses = [row[metric] for metric in ("cls", "sigma_mu", "sigma_gamma")]
        assert np.shape(courses) == (3, TINY.epochs + 1) and 0 < np.min(courses) < np.max(courses) < 10
        assert len(row["loss"]) == TINY.epochs and row["loss"][-1] < row["loss"][0]
        assert row["unconverged"] == [0] * TINY.epochs
    assert neos["cls"][0] == bce["cls"][0], "one seed is one initialisation"
    assert neos["cls"][-1] < neos["cls"][0]
    assert told.work == pytest.approx(2)


def test_test_events_are_not_trained_on():
    blobs = load_samples(TINY, ("code",)).blobs["code"]
    for name in blobs.train:
        assert (len(blobs.train[name]), len(blobs.test[name])) == (320, 80)
        assert not set(map(tuple, blobs.train[name])) & set(map(tuple, blobs.test[name]))


# cls, sigma_mu, sigma_gamma after the last epoch, such that every claim of the paper holds.
AS_CLAIMED = {
    "neos": (1e-8, 0.24, 0.99),
    "neos, CLs itself": (1e-7, 0.24, 0.99),
    "BCE": (1e-5, 0.50, 0.20),
    "BCE with augmentation": (1e-6, 0.30, 0.99),
    "INFERNO": (1e-3, 0.18, 0.30),
}


def rows_of(values, of_means=("code", "appendix")) -> list[dict]:
    """Three seeds, the median of which has the values given; four epochs before, and what was before them."""
    return [
        {
            "row": fig_3.row_name(method, means),
            "seed": seed,
            "method": method,
            "means": means,
            "cls": [0.05, *[0.01] * 4, factor * cls],
            "sigma_mu": [1.0, *[0.2 if "aug" in method else 0.4] * 4, factor * mu],
            "sigma_gamma": [0.4, *[0.5] * 4, factor * gamma],
        }
        for means in of_means
        for seed, factor in enumerate((0.999, 1.0, 1.002))
        for method, (cls, mu, gamma) in values.items()
    ]


@pytest.mark.parametrize(
    ("method", "values", "broken"),
    [
        ("neos", AS_CLAIMED["neos"], 0),
        ("neos", (1e-4, 0.24, 0.99), 1),  # of the lowest CLs
        ("neos", (1e-8, 0.60, 0.99), 3),  # of its sigma_mu: below BCE's, falling, no higher than augmented BCE's
        ("neos", (1e-8, 0.24, 0.60), 1),  # of gamma over-constrained
        ("neos", (1e-8, 0.10, 0.10), 3),  # and more so than by BCE; sigma_mu below INFERNO's
        ("BCE", (1e-5, 0.50, 0.98), 4),  # of sigma_gamma: its own, and both of neos and augmented BCE's above it
    ],
)
def test_the_papers_claims_are_judged(method, values, broken):
    record = {"rows": rows_of(AS_CLAIMED | {method: values}, ["code"]), "scale": "embedded"}
    claims = [claim for claim in fig_3.claims_on("code") if not claim.ours]
    verdicts = [judge(claim, record).verdict for claim in claims]
    assert len(verdicts) - verdicts.count(HOLDS) == broken


def test_differences_are_paired_by_seed_and_have_the_error_of_the_test_sample():
    (claim,) = (c for c in EXPERIMENT.claims if c.ours and "Appendix" in c.statement and c.unit)
    (estimate,) = claim.measure(rows_of(AS_CLAIMED)).values()
    assert estimate.value == pytest.approx(1)  # decades, whatever the factor of the seed
    assert (estimate.error, estimate.trainings) == (pytest.approx(TEST_ERRORS["log10 CLs"]), 3)


def test_the_table_has_the_logarithm_of_cls_and_the_spread_of_the_quartiles():
    (table,) = fig_3.tables({"rows": rows_of(AS_CLAIMED)})
    name, (log_cls, sigma_mu, _) = table.lines[2]
    assert name == "BCE (code)"
    assert log_cls.ours == pytest.approx(-5)
    assert sigma_mu.ours == pytest.approx(0.5)
    assert sigma_mu.spread == pytest.approx(0.5 * (1.001 - 0.9995) / 2)  # quartiles of 0.999, 1 and 1.002


def test_the_figure_has_a_curve_for_each_method_in_each_panel():
    ((_, figure),) = fig_3.figures({"rows": rows_of(AS_CLAIMED)})
    assert [len(axes.collections) for axes in figure.axes] == 6 * [len(LOSSES)]
    first = figure.axes[0].lines[0]
    np.testing.assert_array_equal(first.get_xdata(), range(6))
    # The mean of a logarithm is that of a geometric mean.
    assert first.get_ydata()[-1] == pytest.approx(1e-8 * math.prod((0.999, 1.0, 1.002)) ** (1 / 3))
