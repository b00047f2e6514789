"""What is timed is right, in tiny sizes and without a peer."""

import subprocess

import numpy as np
import pytest
from scipy.stats import norm

import neos_tf
from benchmarks.neos.training import Recipe
from benchmarks.speed import neos
from benchmarks.speed.neos import limit, step


def test_the_limit_that_is_timed_is_the_expected_one():
    config = limit.Config(n_nuisances=(2,), n_calls=3)
    graph, compiled = limit.run(config)
    likelihood = limit.likelihood_of(2, config.n_bins)
    q = neos_tf.qmu_tilde(1.0, likelihood, likelihood.expected_data([0.0] * 3)).value.numpy()
    for row in (graph, compiled):
        assert row["converged"] and len(row["call_ms"]) == 3 and row["first_s"] > max(row["call_ms"]) / 1e3
        assert row["log_cls"] == pytest.approx(np.log(2) + norm.logcdf(-np.sqrt(q)), rel=1e-9)


def test_steps_that_are_timed_train():
    jobs = step.steppers(Recipe(units=(8,), n_events=200, test_fraction=0.0, batch_size=200))
    assert set(jobs) == {step.CLS, step.BCE, step.TWO_BLOBS}
    for steps, first_s in jobs.values():
        before = steps(1)
        assert steps(20) < before
        assert first_s > 0
    times = step.run(step.Config(repetitions=2, n_steps=1), jobs)
    assert all(len(values) == 2 and min(values) > 0 for values in times.values())


def test_all_parts_are_run(monkeypatch):
    calls = []
    monkeypatch.setattr(subprocess, "run", lambda command, check: calls.append((command[-1], check)))
    neos.main()
    assert calls == [(f"benchmarks.speed.neos.{part}", True) for part in neos.PARTS]
