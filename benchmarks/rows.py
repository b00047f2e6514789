"""Rows of an experiment: made in turn where they do not depend on each other, and picked by name and seed."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from benchmarks.terminal import Display


def in_turn(names: Callable[..., Iterable[str]], make_row: Callable[..., dict]) -> Callable[..., Iterator[dict]]:
    """The `run` of an experiment, from how it makes one row.

    Args:
        names: from the configuration, the names of the rows.
        make_row: from configuration, samples, name, seed and display, what is measured in a row. It tells the display
            of its work, 1 in total.

    Returns:
        A function `run(config, samples, *, seeds, finished, display)` that yields each row as soon as it is finished,
        with its name as `row`, its `seed` and its time `wall_s`. All rows with the first seed come first, and those
        (row, seed) that are in `finished` are left out.
    """

    def run(config, samples, *, seeds, finished=frozenset(), display: Display) -> Iterator[dict]:
        todo = [(name, seed) for seed in seeds for name in names(config) if (name, seed) not in finished]
        display.begin(len(todo), len(todo))
        for name, seed in todo:
            started = time.perf_counter()
            measured = make_row(config, samples, name, seed, display)
            yield {"row": name, "seed": seed, **measured, "wall_s": round(time.perf_counter() - started, 1)}

    return run


def by_name(rows: Sequence[Mapping]) -> dict[str, list[Mapping]]:
    """The rows of each name, one a seed."""
    names = dict.fromkeys(row["row"] for row in rows)
    return {name: [row for row in rows if row["row"] == name] for name in names}


def complete(rows: Sequence[Mapping], names: Iterable[str]) -> list[Mapping]:
    """The rows of these names, of the seeds with which all of them are finished."""
    names = set(names)
    done = {(row["row"], row["seed"]) for row in rows}
    return [row for row in rows if row["row"] in names and all((name, row["seed"]) in done for name in names)]
