"""Processes that are killed while they sum: nothing is lost, and nothing is counted twice."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from matplotlib.figure import Figure

import pnn_tf
from benchmarks.claims import Claim, Estimate, Missing, below
from benchmarks.experiment import Experiment
from benchmarks.record import ROOT
from benchmarks.style import BLUE, INK, style
from benchmarks.tables import Quantity, Table, long, pick, table

WORKERS, CLIENT = "workers", "client"
SECONDS_A_PIECE = 0.05
LONGEST = 600  # seconds in which a client that was started again has to end


@dataclass(frozen=True)
class Config:
    """How often is killed.

    Args:
        kills: of each kind.
        n_files: with 1000 events each.
        row_groups: of each file.
    """

    kills_of_workers: int = 20
    kills_of_client: int = 5
    n_files: int = 20
    row_groups: int = 10


def slowly(events: pnn_tf.Columns) -> np.ndarray:
    """(2,) number of events, and sum of their squared numbers, which no other set of events has."""
    time.sleep(SECONDS_A_PIECE)
    return np.array([len(events.rows), np.sum(events["number"] ** 2)])


def write(folder: Path, config: Config) -> int:
    """Files of events that are numbered; returns how many there are."""
    numbers = np.arange(config.n_files * 1000)
    for i, part in enumerate(np.split(numbers, config.n_files)):
        pq.write_table(pa.table({"number": part}), folder / f"{i:03}.parquet", row_group_size=1000 // config.row_groups)
    return len(numbers)


def total(folder: Path, **options) -> list[int]:
    """The sum of all files, in tasks of one row group."""
    return pnn_tf.sum_over_shards(
        slowly, folder / "*.parquet", columns=["number"], events_per_task=1, **options
    ).value.tolist()


def make_row(config: Config, samples, name: str, seed: int, display) -> dict:
    """Kills at random times until there were enough, and what the sums came to."""
    rng, kill = np.random.default_rng(seed), {WORKERS: kill_workers, CLIENT: kill_client}[name]
    with tempfile.TemporaryDirectory() as folder:
        n_events = write(Path(folder), config)
        row = kill(config, Path(folder), rng)
    display.advance(1, name)
    expected = [n_events, sum(i**2 for i in range(n_events))]
    return {"n_events": n_events, **row, "wrong": sum(result != expected for result in row["sums"])}


def kill_workers(config: Config, folder: Path, rng: np.random.Generator) -> dict[str, Any]:
    """Sums again and again, while workers of a local cluster are killed, until enough of them were."""
    killed: list[int] = []
    with pnn_tf.dask_client(2) as client:
        done = threading.Event()

        def kill() -> None:
            while len(killed) < config.kills_of_workers and not done.wait(rng.uniform(0.2, 3)):
                pids = [info["pid"] for info in client.run(_pid, on_error="ignore").values()]
                if pids:
                    victim = int(rng.choice(pids))
                    os.kill(victim, signal.SIGKILL)
                    killed.append(victim)

        killer, sums = threading.Thread(target=kill), []
        killer.start()
        try:
            while killer.is_alive():
                sums.append(total(folder, workers=client))
        finally:
            done.set()
            killer.join()
    return {"kills": len(killed), "sums": sums}


def _pid() -> dict[str, int]:
    return {"pid": os.getpid()}


def kill_client(config: Config, folder: Path, rng: np.random.Generator) -> dict[str, Any]:
    """Kills a client at random times, with its progress in a folder; the one after the last kill comes to the end."""
    progress, kept, kills, orphans = folder / "progress", [], 0, 0
    command = [sys.executable, "-m", "benchmarks.scale.kills", os.fspath(folder), os.fspath(progress)]
    for _ in range(config.kills_of_client):
        before = len(list(progress.glob("part-*.pickle")))
        client = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        while len(list(progress.glob("part-*.pickle"))) == before and client.poll() is None:
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 1))
        workers = [] if client.poll() is not None else psutil.Process(client.pid).children(recursive=True)
        client.kill()
        kills += client.wait() == -signal.SIGKILL
        kept.append(len(list(progress.glob("part-*.pickle"))))
        _, alive = psutil.wait_procs(workers, timeout=30)
        orphans += len(alive)
    ended = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=LONGEST
    ).stdout.split()
    return {"kills": kills, "sums": [[int(n) for n in ended]], "kept": kept, "orphans": orphans}


def tables(record: Mapping) -> Iterator[Table]:
    """Kills and results."""
    quantities = {
        "kills": Quantity("kills", decimals=0),
        "sums": Quantity(lambda row: len(row["sums"]), decimals=0),
        "wrong sums": Quantity("wrong", decimals=0),
    }
    caption = "Sums over {n_files} files in tasks of one row group, during which processes were ended by kill -9."
    yield table(caption, "killed", long(record["rows"], quantities), columns="quantity")


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """How much was done each time that the client was killed."""
    with style():
        figure = Figure(figsize=(5.2, 3.0))
        axes = figure.subplots()
        for row in pick(record["rows"], row=CLIENT):
            axes.bar(np.arange(1, len(row["kept"]) + 1), row["kept"], 0.6, color=BLUE, alpha=0.6)
        config = record["configuration"]
        axes.axhline(config["n_files"] * config["row_groups"], color=INK, linewidth=0.8, linestyle="--")
        axes.set(xlabel="kill of the client", ylabel="tasks that are done")
        axes.grid(axis="y")
    yield "Tasks whose sums were in the folder of progress when the client was killed; the line is all of them.", figure


def wrong_sums(rows) -> Estimate:
    """Of all."""
    if not rows:
        raise Missing("no sum is finished")
    return Estimate(sum(row["wrong"] for row in rows))


EXPERIMENT = Experiment(
    id="scale-kills",
    where="processes that are killed",
    summary="workers and clients are killed while they sum over files",
    introduction=(
        "Events with a number each are counted, and the squares of their numbers summed, while workers are killed at "
        "random times ({kills_of_workers}), or the client ({kills_of_client}), which is then started again with the "
        "same folder of progress. A sum that lost an event, or had one twice, would differ."
    ),
    scales={
        "smoke": Config(kills_of_workers=1, kills_of_client=1, n_files=10),
        "embedded": Config(),
        "paper": Config(),
    },
    load=lambda config: SimpleNamespace(data={"name": "numbers", "fingerprint": "none"}),
    names=lambda config: (WORKERS, CLIENT),
    make_row=make_row,
    line=lambda row: f"{row['kills']} kills, {row['wrong']} of {len(row['sums'])} sums wrong",
    tables=tables,
    figures=figures,
    claims=(
        Claim(
            "Nothing is lost or counted twice when processes are killed: wrong sums",
            wrong_sums,
            below(1),
            unit="",
            ours=True,
            chance=False,
        ),
    ),
    ours=True,
    timed=True,
)

if __name__ == "__main__":
    print(*total(Path(sys.argv[1]), workers=2, progress=sys.argv[2]))
