"""Running experiments: all the reading, writing and printing around their pure `run`, `plot` and `section`."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from benchmarks.comparison import Section
from benchmarks.experiments import EXPERIMENTS, load
from benchmarks.record import finished, open_record, provenance, read_record, write_record
from benchmarks.report import duration, render_markdown, write_report
from benchmarks.terminal import Display, comparison_table, finding_line

FILE = "file"  # the scale of a user's own events


class ReadsNoFile(Exception):
    """An experiment that cannot read a file of the user's was asked to; says which can."""


def run_experiments(
    names: Sequence[str], scale: str, seeds: tuple[int, ...], out: Path, data: Path | None = None
) -> None:
    """Runs what is missing of each experiment, prints its tables, and writes one report of all.

    Args:
        names: ids of experiments.
        scale: "smoke", "embedded" or "paper".
        seeds: each row is made with each of these.
        out: folder of the records and of `report.html`.
        data: a file of events, to run on instead of a scale's; the scale in the record is then "file".

    Raises:
        ReadsNoFile: data for an experiment that cannot read it; nothing has run then.
    """
    if data is not None:
        _check_reading(names)
    console = Console()
    sections = []
    for name in names:
        record = run_experiment(console, name, scale, seeds, out, data)
        sections.append((record, load(name).section(record)))
        show(console, sections[-1][1])
    _report(console, sections, out)


def report_records(paths: Sequence[Path], out: Path) -> None:
    """Prints the tables of records and writes their report."""
    console = Console()
    sections = [read_section(path) for path in paths]
    for _, section in sections:
        show(console, section)
    _report(console, sections, out)


def print_markdown(paths: Sequence[Path]) -> None:
    """Prints what the records come to as a page of Markdown."""
    print(render_markdown([read_section(path) for path in paths]), end="")


def read_section(path: Path) -> tuple[dict, Section]:
    """A record, and what its experiment says of it."""
    record = read_record(path)
    return record, load(record["experiment"]).section(record)


def run_experiment(
    console: Console, name: str, scale: str, seeds: tuple[int, ...], out: Path, data: Path | None = None
) -> dict:
    """Adds the missing rows to an experiment's record; each is on disk as soon as it is finished."""
    started = time.perf_counter()
    experiment = load(name)
    scale = scale if data is None else FILE
    config = experiment.SCALES[scale]
    samples = experiment.load(config) if data is None else experiment.load(config, path=data)
    path, record = open_record(out, name, scale, asdict(config), samples.data)
    earlier, run = record["runs"], provenance()
    console.print(f"{name}, {scale} scale, seeds {', '.join(map(str, seeds))}; record: {path}", soft_wrap=True)
    with Display(console) as display:
        for row in experiment.run(config, samples, seeds=seeds, finished=finished(record), display=display):
            run["wall_s"] = round(time.perf_counter() - started, 1)
            record["rows"].append(row)
            record["runs"] = [*earlier, run]
            write_record(path, record)
            display.row_done(f"{experiment.one_line(row)}, {duration(row['wall_s'])}")
    return record


def show(console: Console, section: Section) -> None:
    """Prints an experiment's tables and findings."""
    for caption, table in section.tables:
        console.print(comparison_table(table, console.width, f"{section.title}. {caption}"))
    for finding in section.findings:
        console.print(finding_line(finding), highlight=False)


def _check_reading(names: Sequence[str]) -> None:
    able = [name for name in EXPERIMENTS if FILE in load(name).SCALES]
    for name in names:
        if name not in able:
            raise ReadsNoFile(f"{name} cannot read events of your own. Of the experiments, {', '.join(able)} can.")


def _report(console: Console, sections: list[tuple[dict, Section]], out: Path) -> None:
    path = out / "report.html"
    write_report(path, sections)
    console.print(f"Report: {path}", soft_wrap=True)
