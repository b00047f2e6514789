"""The command line: what it prints at once, and how it refuses."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import data
from benchmarks.__main__ import main

ROOT = Path(__file__).parent.parent.parent


def test_listing_does_not_load_tensorflow():
    code = "import sys; from benchmarks.__main__ import main; main(['list']); assert 'tensorflow' not in sys.modules"
    listing = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "affine-table-3" in listing.stdout


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
        (["run", "no-such-table"], "Known: affine-"),
        (["nonsense"], "invalid choice: 'nonsense'"),
        (["data", "download", "mnist"], "invalid choice: 'mnist'"),
        (["report", "--out", "no-such-folder"], "No record in no-such-folder"),
        (["run", "affine-table-3", "--data", "mine.csv"], "Of the experiments, taylor-higgsml can"),
        (["run", "taylor-higgsml", "--data", "mine.csv", "--scale", "paper"], "not allowed with argument"),
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


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], (["affine-table-3"], "embedded", (42,), Path("runs"), None)),
        (
            ["--scale", "smoke", "--seed", "7", "--seeds", "2"],
            (["affine-table-3"], "smoke", (7, 8), Path("runs"), None),
        ),
        (["run", "affine-table-3", "--out", "there"], (["affine-table-3"], "embedded", (42,), Path("there"), None)),
        (
            ["run", "taylor-higgsml", "--data", "mine.csv"],
            (["taylor-higgsml"], "embedded", (42,), Path("runs"), Path("mine.csv")),
        ),
    ],
)
def test_a_run_is_the_default_command(arguments, expected, monkeypatch):
    from benchmarks import runner

    asked = []
    monkeypatch.setattr(runner, "run_experiments", lambda *what: asked.append(what))
    main(arguments)
    assert asked == [expected]
