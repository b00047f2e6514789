"""What is timed is right, in tiny sizes and without a peer."""

from itertools import pairwise

import pytest

from benchmarks.neos.training import Recipe
from benchmarks.speed.neos import limit, step


@pytest.mark.slow
def test_the_statistics_that_are_timed_are_those_of_pyhf():
    rows = limit.run("2", limit.likelihood_of(2, 4), ("graph",), n_calls=2) + limit.run_pyhf("2", "SciPy")
    values = {}
    for row in rows:
        values.setdefault(row["statistic"].removesuffix(", gradient"), []).append(row["value"])
        if row["way"] == "graph":
            assert row["converged"] and len(row["call (ms)"]) == 2 and row["first call (s)"] > 0
    for statistic, found in values.items():
        assert found[:-1] == pytest.approx([found[0]] * (len(found) - 1), rel=1e-9), statistic
        assert found[-1] == pytest.approx(found[0], rel=1e-3), statistic  # pyhf's fits and roots, as they come


@pytest.mark.slow
def test_steps_that_are_timed_train():
    recipe = Recipe(units=(8,), n_events=200, test_fraction=0.0, batch_size=200)
    real = step.real_steppers(limit.likelihood_of(2, 4), "channel/signal", "channel/background", recipe)
    assert set(real) == {step.CLS, step.TWO_BLOBS}
    jobs = step.steppers(recipe)
    assert set(jobs) == {step.CLS, step.BCE, step.TWO_BLOBS}
    for steps, first_s in (*jobs.values(), *real.values()):
        before = steps(1)
        assert steps(20) < before
        assert first_s > 0
    times = step.run(step.Config(repetitions=2, n_steps=1), jobs)
    assert all(len(values) == 2 and min(values) > 0 for values in times.values())


@pytest.mark.parametrize("with_peer", [False, True])
def test_the_peer_runs_between_two_turns_of_ours(with_peer, monkeypatch, capsys):
    rows = []
    monkeypatch.setattr(step, "steppers", lambda: dict.fromkeys((step.CLS, step.BCE), (lambda n: 0.0, 1.5)))
    monkeypatch.setattr(step, "real_likelihood", lambda name: None)
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
