"""The command line: what it prints at once, and how it refuses."""

from pathlib import Path

import pytest

from benchmarks import data, experiment
from benchmarks.__main__ import main
from benchmarks.experiment import all_experiments
from benchmarks.record import new_record, write_record


def test_the_list_names_every_experiment(capsys):
    main(["list"])
    listed = capsys.readouterr().out
    assert all(experiment.id in listed for experiment in all_experiments())


def test_help_names_the_commands(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    assert all(command in printed for command in ("run", "list", "report", "data", "speed"))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--scale", "huge"], "invalid choice: 'huge'"),
        (["--seeds", "0"], "at least 1"),
        (["run", "no-such-table"], "affine-table-3"),
        (["nonsense"], "invalid choice: 'nonsense'"),
        (["data", "download", "mnist"], "invalid choice: 'mnist'"),
        (["report", "--out", "no-such-folder"], "No record in no-such-folder"),
        (
            ["run", "pnn-fig-2", "--scale", "converged"],
            "pnn-fig-2 has no converged scale. Of the experiments, these do",
        ),
        (
            ["run", "affine-table-3", "--data", "mine.csv"],
            "cannot read events of your own. Of the experiments, these do: taylor-higgsml",
        ),
        (["run", "taylor-higgsml", "--data", "mine.csv", "--scale", "paper"], "not allowed with argument"),
        (["--workers", "0"], "at least 1"),
        (["--workers", "here"], "a number of processes, or an address such as tcp://host:8786, received here"),
        (["run", "pnn-fig-2", "neos-time", "--scale", "smoke", "--workers", "2"], "neos-time measures times"),
    ],
)
def test_bad_arguments_are_refused_with_what_is_possible(arguments, complaint, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code != 0
    assert complaint in capsys.readouterr().err + str(stop.value.code)


@pytest.mark.parametrize("sample", ["hepmass", "higgsml"])
def test_download_prints_where_the_sample_is(sample, monkeypatch, capsys):
    monkeypatch.setitem(data.DOWNLOADS, sample, lambda: [Path("cache") / "events.parquet"])
    main(["data", "download", sample])
    assert capsys.readouterr().out == f"{sample}: cache/events.parquet\n"


@pytest.mark.parametrize("text", ["{", '{"format": 0}'])
def test_a_damaged_record_is_refused_by_name(text, tmp_path):
    (tmp_path / "broken.json").write_text(text)
    with pytest.raises(SystemExit, match=r"broken\.json"):
        main(["report", "--out", str(tmp_path)])


def test_a_record_of_an_unknown_experiment_is_refused(tmp_path):
    record = new_record("no-such-table", "smoke", {}, {"name": "events", "fingerprint": "abc"})
    write_record(tmp_path / "unknown.json", record)
    with pytest.raises(SystemExit, match="no-such-table"):
        main(["report", "--out", str(tmp_path)])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ("affine-table-3", "embedded", (42,), Path("runs"), None, None)),
        (
            ["--scale", "smoke", "--seed", "7", "--seeds", "2"],
            ("affine-table-3", "smoke", (7, 8), Path("runs"), None, None),
        ),
        (["run", "affine-table-4", "--out", "there"], ("affine-table-4", "embedded", (42,), Path("there"), None, None)),
        (
            ["run", "taylor-higgsml", "--data", "mine.csv"],
            ("taylor-higgsml", "embedded", (42,), Path("runs"), Path("mine.csv"), None),
        ),
        (["--workers", "2"], ("affine-table-3", "embedded", (42,), Path("runs"), None, 2)),
        (
            ["--workers", "tcp://host:8786"],
            ("affine-table-3", "embedded", (42,), Path("runs"), None, "tcp://host:8786"),
        ),
    ],
)
def test_a_run_is_the_default_command(arguments, expected, monkeypatch):
    asked = []

    def run(of, scale, seeds, out, console, data, workers):
        asked.append((of.id, scale, tuple(seeds), out, data, workers))

    monkeypatch.setattr(experiment, "run", run)
    monkeypatch.setattr(experiment, "read", lambda record: record)
    monkeypatch.setattr(experiment, "in_order", list)
    monkeypatch.setattr("benchmarks.__main__._show", lambda *what: None)
    main(arguments)
    assert asked == [expected]
