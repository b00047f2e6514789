"""What is timed is right, in tiny sizes and without a peer."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import norm

import neos_tf
from benchmarks.neos.training import Recipe
from benchmarks.speed.neos import limit, step


@pytest.mark.slow
def test_the_limit_that_is_timed_is_the_expected_one():
    graph, compiled = limit.run(n_nuisances=(2,), n_calls=3)
    likelihood = limit.likelihood_of(2, 4)
    q = neos_tf.qmu_tilde(1.0, likelihood, likelihood.expected_data([0.0] * 3)).value.numpy()
    for row in (graph, compiled):
        assert row["converged"] and len(row["call (ms)"]) == 3 and row["first call (s)"] > max(row["call (ms)"]) / 1e3
        assert row["log CLs"] == pytest.approx(np.log(2) + norm.logcdf(-np.sqrt(q)), rel=1e-9)


@pytest.mark.slow
def test_steps_that_are_timed_train():
    jobs = step.steppers(Recipe(units=(8,), n_events=200, test_fraction=0.0, batch_size=200))
    assert set(jobs) == {step.CLS, step.BCE, step.TWO_BLOBS}
    for steps, first_s in jobs.values():
        before = steps(1)
        assert steps(20) < before
        assert first_s > 0
    times = step.run(step.Config(repetitions=2, n_steps=1), jobs)
    assert all(len(values) == 2 and min(values) > 0 for values in times.values())


@pytest.mark.parametrize("with_peer", [False, True])
def test_the_peer_runs_between_two_turns_of_ours(with_peer, monkeypatch, capsys):
    rows = []
    monkeypatch.setattr(step, "steppers", lambda: dict.fromkeys((step.CLS, step.BCE), (lambda n: 0.0, 1.5)))
    monkeypatch.setattr(step, "peer", lambda *_: {"seconds": [2.0, 3.0], "first_s": 9.0})
    monkeypatch.setattr(step, "show", lambda title, shown: rows.extend(shown))
    monkeypatch.setenv("NEOS_PYTHON", "python" if with_peer else "")
    step.main()
    peers = [row for row in rows if row["loss"] == "neos on JAX"]
    assert len(peers) == (step.PEER_RUNS if with_peer else 0)
    assert ("NEOS_PYTHON" in capsys.readouterr().out) != with_peer
    for before, row in pairwise(rows):
        if row in peers:
            assert row["step (ms)"] == [2000, 3000] and len(before["step (ms)"]) == 2 * step.Config().repetitions
