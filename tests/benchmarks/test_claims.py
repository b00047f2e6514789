"""Verdicts: what an estimate and a criterion make of a claim."""

import math
from functools import partial

import numpy as np
import pytest

from benchmarks.claims import (
    FAILS,
    HOLDS,
    OPEN,
    Claim,
    Estimate,
    Missing,
    above,
    applies,
    below,
    between,
    judge,
    over_seeds,
    over_trainings,
    within,
)
from benchmarks.tables import pick


def record(scale="embedded", rows=()):
    return {"scale": scale, "rows": list(rows)}


def claim(estimate, criterion, **fields):
    return Claim("It is so", lambda rows: estimate, criterion, **fields)


@pytest.mark.parametrize(
    ("criterion", "value", "error", "verdict"),
    [
        (above(0), 1.0, 0.4, HOLDS),
        (above(0), 1.0, 0.6, OPEN),
        (above(0), -1.0, 0.4, FAILS),
        (below(8), 7.0, 0.4, HOLDS),
        (below(8), 9.0, 0.6, OPEN),
        (below(8), 9.0, 0.4, FAILS),
        (within(0.2), 0.1, 0.04, HOLDS),
        (within(0.2), 0.1, 0.06, OPEN),
        (within(0.2), 0.5, 0.1, FAILS),
        (within(0.2, of=3), 3.1, 0.01, HOLDS),
        (between(1, 2), 1.5, 0.2, HOLDS),
        (between(1, 2), 1.5, 0.3, OPEN),
        (between(1, 2), 2.5, 0.2, FAILS),
        (above(0), 0.0, 0.0, FAILS),
        (above(0), math.nan, 0.0, OPEN),
    ],
)
def test_the_verdict_is_that_of_the_interval_of_two_errors(criterion, value, error, verdict):
    assert criterion.verdict(Estimate(value, error, trainings=3)) == verdict
    assert judge(claim(Estimate(value, error, 3), criterion), record()).verdict == verdict


def test_one_training_cannot_tell_where_chance_in_training_matters():
    sure = Estimate(5.0, 0.1)
    assert judge(claim(sure, above(0)), record()).verdict == OPEN
    assert judge(claim(sure, above(0), chance=False), record()).verdict == HOLDS
    assert judge(claim(sure._replace(trainings=2), above(0)), record()).verdict == HOLDS


def test_the_smoke_scale_tells_nothing():
    judged = judge(claim(Estimate(5.0, 0.1, 3), above(0)), record("smoke"))
    assert judged.verdict == OPEN and judged.reason


def test_of_several_estimates_all_have_to_meet_the_criterion_and_the_worst_is_shown():
    several = {"a": Estimate(2.0, 0.1, 3), "b": Estimate(0.1, 0.1, 3), "c": Estimate(1.0, 0.4, 3)}
    judged = judge(claim(several, above(0)), record())
    assert (judged.verdict, judged.name) == (OPEN, "b")
    failed = judge(claim(several | {"d": Estimate(-1.0, 0.1, 3)}, above(0)), record())
    assert (failed.verdict, failed.name) == (FAILS, "d")
    assert judge(claim({"a": several["a"], "c": several["c"]}, above(0)), record()).verdict == HOLDS


def test_rows_that_are_not_finished_cannot_tell():
    def measure(rows):
        raise Missing("not finished: pNN")

    judged = judge(Claim("It is so", measure, above(0)), record())
    assert judged == (judged.claim, OPEN, None, "", "not finished: pNN")


@pytest.mark.parametrize("n", [2, 3, 10])
def test_two_errors_hold_95_per_cent_of_few_trainings(n):
    draws = np.random.default_rng(1).normal(size=(4000, n))
    estimates = [over_trainings(values) for values in draws]
    share = np.mean([abs(e.value) < 2 * e.error for e in estimates])
    assert share == pytest.approx(0.95, abs=0.014)  # four standard errors of a share from 4000 draws


def test_the_test_sample_is_in_the_error_in_quadrature_and_not_in_the_spread():
    alone, both = over_trainings([1.0, 2.0, 3.0]), over_trainings([1.0, 2.0, 3.0], test_error=0.3)
    assert both.error == pytest.approx(math.hypot(alone.error, 0.3))
    assert (both.value, both.trainings, both.spread) == (2.0, 3, 1.0)
    assert over_trainings([1.0], test_error=0.3) == Estimate(1.0, 0.3, 1, None)


def test_a_claim_of_some_scales_is_not_one_of_others():
    only = claim(Estimate(1.0), above(0), scales=("file", "paper"))
    assert [applies(only, record(scale)) for scale in ("file", "embedded", "smoke")] == [True, False, True]
    assert applies(claim(Estimate(1.0), above(0)), record("embedded"))


def test_a_measure_over_seeds_reads_the_rows_of_one_network():
    rows = [{"row": "a", "auc": 0.8}, {"row": "b", "auc": 0.1}, {"row": "a", "auc": 0.9}]
    chosen = partial(pick, row="a")
    assert over_seeds(lambda row: row["auc"], chosen)(rows) == over_trainings([0.8, 0.9])
    named = over_seeds(lambda row: {"auc": row["auc"]}, chosen, test_error=lambda row: row["auc"] / 10)(rows)
    assert named == {"auc": over_trainings([0.8, 0.9], 0.08)}
    with pytest.raises(Missing, match="c"):
        over_seeds(lambda row: row["auc"], partial(pick, row="c"))(rows)
