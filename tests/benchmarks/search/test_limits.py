"""The experiment of the search: what its rows hold, what a log says of them, and a run that is killed goes on."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import benchmarks
from benchmarks.experiment import Experiment, find, run
from benchmarks.record import read_record
from benchmarks.search import findings, limits
from benchmarks.search.findings import Limits
from benchmarks.search.limits import EXPERIMENT, PYHF_MASSES, Config
from benchmarks.search.networks import CROSS_ENTROPY, LIMIT_TRAINED, TRAININGS, Settings
from benchmarks.search.reading import CHECKS, IMPORTANCE, INJECTION
from tests.benchmarks.silent import Silent
from tests.benchmarks.small_search import SEED, SETTINGS, by_mass, samples, scorer

CONFIG = Config(**asdict(SETTINGS), every=64, n_toys=20, n_events_importance=50)


def found(median=10.0, converged=True):
    expected = [median / 2, median / 1.5, median, 1.5 * median, 2 * median]
    return Limits(expected if converged else None, 8.0, 6.0, 4.0, 0.5, 0.9, 0, 1)


def test_the_experiment_is_ours_and_all_settings_are_in_its_configuration():
    assert find("search-limits") is EXPERIMENT and isinstance(EXPERIMENT, Experiment) and EXPERIMENT.ours
    assert CONFIG.settings == SETTINGS and EXPERIMENT.scales["embedded"].settings == Settings()
    assert list(EXPERIMENT.names(CONFIG)) == list(TRAININGS)
    checks = [CHECKS, INJECTION, IMPORTANCE]
    assert EXPERIMENT.once(replace(CONFIG, trials=False)) == checks
    assert EXPERIMENT.once(CONFIG) == [*checks, *(f"trials of {name}" for name in TRAININGS)]


def test_a_row_of_a_training_has_lists_over_the_masses_of_the_test_events(monkeypatch):
    asked, told = [], Silent()

    def fake(score, train, test, mass):
        asked.append((score, mass))
        return found(mass / 100, converged=mass != 850)

    monkeypatch.setattr(findings, "limits", fake)
    monkeypatch.setattr(limits, "trained", lambda name, train, settings, seed: (name, settings, seed))
    row = limits.make_row(CONFIG, samples(), "augmented", 7, told)
    assert asked == [(("augmented", SETTINGS, 7), mass) for mass in samples().test.masses]
    assert [limit and limit[2] for limit in row["expected"]] == [5, 6.25, 7.5, None, 10, 11.25, 12.5, 13.75, 15]
    assert row["sigma_scale"] == [0.5] * 9 and set(row) == {"masses", *Limits._fields}
    assert json.loads(json.dumps(row))["masses"] == list(samples().test.masses)
    assert 0 < told.work <= 1
    assert "750 GeV 7.5 pb, 850 GeV not converged, 1000 GeV 10 pb" in limits.line(row)


@pytest.mark.slow
def test_a_row_of_real_limits_is_plain_json():
    test = samples().test
    chosen = np.isin(test.nominal.theta[:, 0], (750.0, 850.0))
    few = type(test)(test.nominal.select(chosen), {n: events.select(chosen) for n, events in test.varied.items()})
    row = limits.of_training(by_mass, samples()._replace(test=few), Silent(), "a name")
    assert json.loads(json.dumps(row, allow_nan=False))["masses"] == [750.0, 850.0]
    assert all(len(bands) == 5 and bands == sorted(bands) for bands in row["expected"])


def test_trials_are_of_the_values_of_one_setting_on_events_held_out(monkeypatch):
    made, told, train = [], Silent(), samples().train

    def fake_training(name, part, settings, seed):
        made.append((name, len(part.nominal), settings, seed))
        return settings.strength

    def fake_limits(score, part, held_out, mass):
        assert len(part.nominal) + len(held_out.nominal) == len(train.nominal)
        return found(score * mass, converged=(score, mass) != (3.0, 1250.0))

    monkeypatch.setattr(limits, "trained", fake_training)
    monkeypatch.setattr(findings, "limits", fake_limits)
    row = limits.make_row(CONFIG, samples(), "trials of decorrelated", 7, told)
    n_part = len(train.nominal) - int(0.3 * len(train.nominal))
    assert made == [("decorrelated", n_part, replace(SETTINGS, strength=value), 7) for value in (0.3, 1.0, 3.0)]
    of_masses = np.mean(np.log([500, 750, 1000, 1250, 1500]))
    assert row["mean_log_limit"] == [pytest.approx(np.log(0.3) + of_masses), pytest.approx(of_masses), None]
    assert (row["setting"], row["values"]) == ("strength", [0.3, 1.0, 3.0]) and told.work == pytest.approx(1)


def test_lines_say_what_was_found():
    row = {"masses": [500.0, 750.0], "expected": [[1, 2, 3.14159, 4, 5], None]}
    assert limits.line(row) == "500 GeV 3.14 pb, 750 GeV not converged"
    trials = {"setting": "epochs", "values": [20, 40], "mean_log_limit": [1.0, 1.2345]}
    assert limits.line(trials) == "epochs 20: 1.000, 40: 1.234"
    assert limits.line({"coverage": {"750": 0.05, "1250": 0.06}, "pyhf": {}}) == "750 0.05, 1250 0.06"
    assert limits.line({"features": {}}) == "done"


def test_a_trial_that_did_not_converge_has_a_line():
    assert "not converged" in limits.line({"setting": "epochs", "values": [20], "mean_log_limit": [None]})


def test_checks_are_of_the_network_that_is_trained_on_the_limit(monkeypatch):
    monkeypatch.setattr(limits, "make_templates", lambda score, train, test, mass: Fake((score, mass)))
    monkeypatch.setattr(findings, "difference_from_pyhf", lambda likelihood: likelihood)
    monkeypatch.setattr(findings, "coverage", lambda *arguments: arguments)
    monkeypatch.setattr(limits, "trained", lambda name, *_: name)
    row = limits.make_row(CONFIG, samples(), CHECKS, 7, Silent())
    assert row["pyhf"] == {f"{mass:g}": (LIMIT_TRAINED, mass) for mass in PYHF_MASSES}
    assert row["coverage"] == {f"{mass:g}": ((LIMIT_TRAINED, mass), 20, 7) for mass in (750.0, 1250.0)}
    assert row["n_toys"] == 20
    assert set(PYHF_MASSES) <= set(samples().test.masses)


class Fake:
    def __init__(self, likelihood):
        self.likelihood = likelihood


def test_injection_and_importance_are_plain_json():
    scorers = {LIMIT_TRAINED: scorer()}  # one of the two, for time
    scan = limits.of_injection(CONFIG, samples(), scorers, SEED)
    assert scan["cross_section"] == 7 and len(scan["masses"]) == 9
    assert all(len(values) == 9 for values in scan[LIMIT_TRAINED].values())
    importance = limits.of_importance(CONFIG, samples(), scorers, SEED)
    of_masses, to_scale = importance["features"][LIMIT_TRAINED], importance["to_scale"][LIMIT_TRAINED]
    assert [len(of_mass) for of_mass in of_masses] == [20] * 9 and "m_wwbb" in to_scale
    assert list(of_masses[0].values()) == sorted(of_masses[0].values(), reverse=True)
    for row in (scan, importance):
        assert json.loads(json.dumps(row, allow_nan=False)) | {"masses": row["masses"]} == row


def quiet():
    return Console(file=io.StringIO(), width=200)


def test_a_run_that_is_killed_within_a_row_goes_on(tmp_path, monkeypatch):
    made, killing = [], ["augmented"]

    def make_row(config, given, name, seed, display):
        if name in killing:
            killing.remove(name)
            raise RuntimeError("killed")
        made.append((name, seed))
        return limits.make_row(config, given, name, seed, display)

    monkeypatch.setattr(findings, "limits", lambda score, train, test, mass: found(mass / 100))
    monkeypatch.setattr(limits, "trained", lambda *_: None)
    tested = replace(
        EXPERIMENT,
        scales={"embedded": CONFIG},
        load=lambda config: samples(),
        names=lambda config: (CROSS_ENTROPY, "augmented", LIMIT_TRAINED),
        once=lambda config: (),
        make_row=make_row,
    )
    with pytest.raises(RuntimeError, match="killed"):
        run(tested, "embedded", (7,), tmp_path, quiet())
    (path,) = tmp_path.glob("*.json")
    (first,) = read_record(path)["rows"]
    record = run(tested, "embedded", (7,), tmp_path, quiet())
    assert made == [(name, 7) for name in (CROSS_ENTROPY, "augmented", LIMIT_TRAINED)]
    assert record["rows"][0] == first and len(record["rows"]) == 3 and len(record["runs"]) == 2
    assert read_record(path) == json.loads(json.dumps(record))


@pytest.mark.slow
def test_a_run_goes_on_after_kill_9(tmp_path):
    """All rows of the smoke scale, the first of which was made by a run that was killed."""
    command = [sys.executable, "-m", "benchmarks", "run", "search-limits", "--scale", "smoke", "--out", str(tmp_path)]
    root = Path(benchmarks.__file__).parent.parent
    environment = os.environ | {"PYTHONPATH": str(root), "TF_CPP_MIN_LOG_LEVEL": "3"}
    settings = {"cwd": root, "env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

    def rows():
        paths = list(tmp_path.glob("*.json"))
        return read_record(paths[0])["rows"] if paths else []

    with subprocess.Popen(command, **settings) as process:
        until = time.monotonic() + 120
        while not rows() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    before = rows()
    assert 1 <= len(before) < len(TRAININGS) and before[0]["row"] == CROSS_ENTROPY
    assert subprocess.run(command, timeout=300, check=False, **settings).returncode == 0
    (path,) = tmp_path.glob("*.json")
    record = read_record(path)
    assert record["rows"][: len(before)] == before and len(record["runs"]) == 2
    assert [row["row"] for row in record["rows"]] == [*TRAININGS, CHECKS, INJECTION, IMPORTANCE]
    assert {row["seed"] for row in record["rows"]} == {42}
    for row in record["rows"][: len(TRAININGS)]:
        assert len(row["expected"]) == 9 and any(row["expected"])
    assert max(record["rows"][len(TRAININGS)]["pyhf"].values()) < 1e-3  # of pyhf's minimiser, with few events
    assert (tmp_path / "report.html").stat().st_size > 10_000
