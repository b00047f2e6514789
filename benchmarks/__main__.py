"""Command line of the benchmarks: `python -m benchmarks` runs AFFINE Table 3; `--help` says the rest."""

import argparse
import logging
import os
import pkgutil
import sys
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.simulation.command import add_commands

DEFAULT_EXPERIMENT = "affine-table-3"
SCALES = ("smoke", "embedded", "converged", "paper")
OUT = {"type": Path, "default": Path("runs"), "metavar": "DIR", "help": "folder for records and report (default runs)"}


def main(arguments: list[str] | None = None) -> None:
    """Runs one command; without a command, `run`."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it takes one network after another for a retracing
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments = ["run", *arguments]
    options = _parser().parse_args(arguments)
    options.command(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="The papers' experiments.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run experiments and write their records and a report (the default)")
    run.add_argument(
        "ids", nargs="*", metavar="ID", help=f"see `list`; or a part, such as search (default {DEFAULT_EXPERIMENT})"
    )
    events = run.add_mutually_exclusive_group()
    events.add_argument(
        "--scale",
        choices=SCALES,
        default="embedded",
        help="smoke: does it run; embedded: the sample in the checkout (default); converged: the same until the "
        "validation AUC rises no more, for AFFINE's tables; paper: the official events",
    )
    events.add_argument(
        "--data",
        type=Path,
        metavar="PATH",
        help="events of your own in the official format, for an experiment that reads them (taylor-higgsml: csv.gz)",
    )
    run.add_argument("--seeds", type=_positive, default=1, metavar="N", help="number of seeds (default 1)")
    run.add_argument("--seed", type=int, default=42, help="the first seed (default 42, as in AFFINE)")
    run.add_argument("--out", **OUT)
    run.add_argument(
        "--workers",
        type=_workers,
        metavar="N|ADDRESS",
        help="make rows in N processes on this machine, or in those of the Dask scheduler at ADDRESS "
        "(tcp://host:8786), with the same numbers on machines alike; each of them holds the events in memory, and "
        "a row alone takes longer",
    )
    run.set_defaults(command=_run)

    listing = commands.add_parser("list", help="list the experiments")
    listing.set_defaults(command=_list)

    report = commands.add_parser("report", help="make the report of records again")
    report.add_argument("records", nargs="*", type=Path, metavar="RECORD", help="records (default: all in --out)")
    report.add_argument("--out", **OUT)
    report.add_argument("--figures", type=Path, metavar="DIR", help="also write each figure to a PNG file there")
    report.add_argument("--markdown", action="store_true", help="only print findings and main tables, as Markdown")
    report.set_defaults(command=_report)

    data = commands.add_parser("data", help="download, simulate and compare events")
    data = data.add_subparsers(required=True, metavar="COMMAND")
    download = data.add_parser("download", help="download a sample")
    download.add_argument(
        "sample",
        choices=("hepmass", "higgsml"),
        help="hepmass: 2.6 GB, also the source of HEPMASS-IMB; higgsml: 66 MB",
    )
    download.set_defaults(command=_download)
    add_commands(data)

    speed = commands.add_parser("speed", help="time something side by side with its peers")
    speed.add_argument("name", choices=_speed_benchmarks(), metavar="NAME", help="one of: %(choices)s")
    speed.set_defaults(command=_speed)
    return parser


def _run(options: argparse.Namespace) -> None:
    from benchmarks.experiment import FILE, Unknown, all_experiments, find_all, in_order, read, run
    from benchmarks.tasks import NoWorkers

    try:
        experiments = [found for name in options.ids or [DEFAULT_EXPERIMENT] for found in find_all(name)]
    except Unknown as unknown:
        raise SystemExit(str(unknown.args[0])) from None
    scale = options.scale if options.data is None else FILE
    for experiment in experiments:
        if scale not in experiment.scales:
            able = ", ".join(e.id for e in all_experiments() if scale in e.scales)
            what = "cannot read events of your own" if scale == FILE else f"has no {scale} scale"
            raise SystemExit(f"{experiment.id} {what}. Of the experiments, these do: {able}.")
        if options.workers is not None and experiment.timed:
            raise SystemExit(f"{experiment.id} measures times, which other rows would change. Leave out --workers.")
    seeds = range(options.seed, options.seed + options.seeds)
    console = Console()
    if options.workers is not None:
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # processes share a GPU
    how = options.scale, seeds, options.out, console, options.data, options.workers
    try:
        records = [run(experiment, *how) for experiment in experiments]
    except NoWorkers as refusal:
        raise SystemExit(str(refusal)) from None
    _show(console, in_order(map(read, records)), options.out)


def _list(options: argparse.Namespace) -> None:
    from benchmarks.experiment import all_experiments

    table = Table(box=None, pad_edge=False, show_header=False)
    for experiment in all_experiments():
        table.add_row(experiment.id, experiment.title, experiment.summary)
    Console().print(table)


def _report(options: argparse.Namespace) -> None:
    from benchmarks.experiment import in_order, read
    from benchmarks.record import read_record
    from benchmarks.report import render_markdown

    paths = options.records or sorted(options.out.glob("*.json"))
    if not paths:
        raise SystemExit(f"No record in {options.out}. Run an experiment first, or name the records.")
    try:
        sections = in_order(read(read_record(path)) for path in paths)
    except (ValueError, LookupError) as refusal:
        raise SystemExit(str(refusal.args[0])) from None
    if options.figures is not None:
        _write_figures(sections, options.figures)
    if options.markdown:
        print(render_markdown(sections), end="")
    else:
        _show(Console(), sections, options.out)


def _write_figures(sections, folder: Path) -> None:
    """As EXPERIMENT-NUMBER.png, in the order of the report."""
    folder.mkdir(parents=True, exist_ok=True)
    for section in sections:
        for number, (_, figure) in enumerate(section.figures, start=1):
            figure.savefig(folder / f"{section.experiment.id}-{number}.png", dpi=130, transparent=False)


def _show(console: Console, sections, out: Path) -> None:
    """Prints tables and claims, and writes the report."""
    from benchmarks.report import write_report
    from benchmarks.terminal import claims_table, rich_table

    for section in sections:
        for table in section.tables:
            console.print(rich_table(table, console.width, f"{section.title}. {table.caption}"))
    for section in sections:
        console.print(f"\n[bold]{section.title}[/]: what holds", highlight=False)
        console.print(claims_table(section.claims))
        if section.missing:
            console.print(f"Not finished: {'; '.join(section.missing)}", style="yellow")
    write_report(out / "report.html", sections)
    console.print(f"Report: {out / 'report.html'}", soft_wrap=True)


def _download(options: argparse.Namespace) -> None:
    from benchmarks.data import DOWNLOADS

    for path in DOWNLOADS[options.sample]():
        Console().print(f"{options.sample}: {path}", highlight=False, soft_wrap=True)


def _speed(options: argparse.Namespace) -> None:
    import_module(f"benchmarks.speed.{options.name}").main()


def _speed_benchmarks() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent / "speed")]))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, received {text}")
    return number


def _workers(text: str) -> int | str:
    if ":" in text:
        return text
    try:
        return _positive(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a number of processes, or an address such as tcp://host:8786, received {text}"
        ) from None


if __name__ == "__main__":
    main()
