"""Rows of an experiment as tasks of Dask, one at a time in each process, with the numbers that they have in this one.

A row follows from configuration, samples, name and seed alone: where it is made, and after which others, changes
nothing. A task holds names, and no events: a process reads the events once, and keeps them.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.experiment import Experiment, find, make_rows
from benchmarks.record import plain
from pnn_tf.cluster import dask_client, results_of


class NoWorkers(RuntimeError):
    """There are none to be had, or they have other code; says what to do."""


class Silent:
    """A display that nobody looks at."""

    def advance(self, work: float, status: str) -> None:
        """Shows nothing."""


def rows_of_workers(
    experiment: Experiment, scale: str, data: Path | None, record: Mapping, todo: Sequence[tuple[str, int]], workers
) -> Iterator[dict]:
    """Each row as soon as it is finished, as `benchmarks.experiment.make_rows` gives it.

    A row whose worker was killed is made again by another one. The first row that fails ends all.

    Args:
        experiment: which.
        scale: one of its scales.
        data: a file of events, that each worker reads at this place, for the scale FILE.
        record: whose `configuration` and `data` have to be those of the workers, too.
        todo: (name, seed) of each row.
        workers: as `pnn_tf.cluster.dask_client` takes them. No more processes are started than there are rows.

    Raises:
        NoWorkers: there are none, or they have other code.
        Exception: that of a row, with a note that names the row.
    """
    n_or_address = min(workers, len(todo)) if isinstance(workers, int) else workers
    job = experiment.id, scale, None if data is None else str(data.resolve())
    identity = plain({field: record[field] for field in ("configuration", "data")})
    names = [f"the row {name!r}, seed {seed}, of {experiment.id}" for name, seed in todo]
    tasks = [(job, identity, *row) for row in todo]
    with _client(n_or_address) as client, closing(results_of(client, make_row, tasks, names)) as rows:
        yield from (row for _, row in rows)


@contextmanager
def _client(workers) -> Iterator[Any]:
    with ExitStack() as stack:
        try:
            # As many threads of TensorFlow as in this process: the last digits of a sum can depend on their number.
            client = stack.enter_context(dask_client(workers, threads=0))
            without = [worker for worker, found in client.run(find_spec, "benchmarks").items() if found is None]
        except (ConnectionError, ImportError, RuntimeError) as error:
            raise NoWorkers(str(error)) from error
        if without:
            raise NoWorkers(
                f"There is no benchmarks/ at {', '.join(without)}. Start workers in the checkout: "
                "PYTHONPATH=. dask worker ADDRESS --nthreads 1"
            )
        yield client


def make_row(job: tuple[str, str, str | None], identity: dict, name: str, seed: int) -> dict:
    """A row, made in the process of a worker, from what `rows_of_workers` sends."""
    experiment, config, samples = _loaded(*job)
    own = plain({"configuration": asdict(config), "data": samples.data})
    if other := [field for field in identity if own[field] != identity[field]]:
        raise ValueError(
            f"Expected a worker with the {' and the '.join(other)} of the record. Start it in the same "
            "checkout, with the same events."
        )
    (row,) = make_rows(experiment, config, samples, [(name, seed)], Silent())
    return row


@lru_cache(maxsize=1)
def _loaded(experiment: str, scale: str, data: str | None) -> tuple[Experiment, Any, Any]:
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # as in `benchmarks.__main__`
    found = find(experiment)
    return found, *found.loaded(scale, data)
