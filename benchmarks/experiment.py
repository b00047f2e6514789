"""What an experiment is, where experiments are found, how their rows are run, and what a record of one says.

An experiment is one file: `benchmarks/PAPER/NAME.py` with an `EXPERIMENT`, whose id is "PAPER-NAME". Nothing lists it.
"""

import pkgutil
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from benchmarks.claims import Claim, Judged, Missing, applies, judge
from benchmarks.record import finished, open_record, plain, provenance, write_record
from benchmarks.tables import Table
from benchmarks.terminal import Display

PAPERS = {  # folder: short name, and how the report calls the part
    "pnn": ("PNN", "Parametric networks: Baldi et al. 2016"),
    "affine": ("AFFINE", "Affine parametric networks: Anzalone et al. 2022"),
    "taylor": ("TAYLOR", "What networks rest on: Wunsch et al. 2018"),
    "neos": ("NEOS", "Networks trained on the measurement: Simpson and Heinrich 2022"),
    "search": ("SEARCH", "One analysis: a search for a resonance of unknown mass"),
    "scale": ("SCALE", "Scale: what one process, or one memory, cannot hold"),
}
FILE = "file"  # the scale of a user's own events


class Unknown(LookupError):
    """No experiment has this id, or it cannot do what was asked; says which can."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """An experiment: how its rows are made, and what they are read as.

    All texts are format strings. They are filled with the fields of the record's configuration, its `data`, `seeds` (as
    "seeds 42 and 43"), `n_seeds`, and the `length` of training.

    Args:
        id: "PAPER-NAME", from the folder and the name of its file.
        where: in the paper, such as "Figs. 7 and 8"; it decides the order of the report. Of our own: what it is about.
        summary: one line for `python -m benchmarks list`.
        introduction: what was done, on which events.
        scales: by name, a configuration (a dataclass): "smoke", "embedded", "paper", some also "converged", and FILE if
            it reads a file of the user's.
        load: from the configuration (and for FILE, `path=`), the samples: an object with `data`, what the record says
            of the events.
        names: from the configuration, names of the rows; each is made once with each seed.
        make_row: from configuration, samples, name, seed and display, what is measured: plain JSON values. It tells the
            display of its work, 1 in total.
        line: from a finished row, what a log says of it.
        tables: from the record, the tables; the first is the main one.
        figures: from the record, pairs of a caption and a Figure.
        claims: what the paper says, or we do, of these rows.
        departures: where the run is not what the paper did. The configuration's are found without.
        once: from the configuration, names of further rows, made with the first seed alone.
        ours: True for an experiment that the paper does not have.
        timed: True for rows that hold times, or follow from them: they have to be made one after another.
    """

    id: str
    where: str
    summary: str
    introduction: str
    scales: Mapping[str, Any]
    load: Callable[..., Any]
    names: Callable[[Any], Iterable[str]]
    make_row: Callable[..., dict]
    line: Callable[[Mapping], str]
    tables: Callable[[Mapping], Iterable[Table]]
    figures: Callable[[Mapping], Iterable[tuple[str, Figure]]]
    claims: Sequence[Claim]
    departures: Sequence[str] = ()
    once: Callable[[Any], Iterable[str]] = lambda config: ()
    ours: bool = False
    timed: bool = False

    @property
    def paper(self) -> str:
        """Short name of the paper."""
        return PAPERS[self.id.partition("-")[0]][0]

    @property
    def title(self) -> str:
        """Paper, and where in it."""
        return f"{self.paper}: {self.where}" if self.ours else f"{self.paper} {self.where}"

    @property
    def order(self) -> tuple:
        """Sorts experiments as their papers have them, and the paper's before ours."""
        place = re.search(r"(Table|Fig|section)\D*(\d+)", self.where)
        kinds = ("Table", "Fig", "section")
        which = (kinds.index(place[1]), int(place[2])) if place else (len(kinds), 0)
        return list(PAPERS).index(self.id.partition("-")[0]), self.ours, *which, self.id

    def loaded(self, scale: str, data: Path | str | None = None) -> tuple[Any, Any]:
        """Configuration and samples of a scale, or of a file of events."""
        config = self.scales[scale]
        return config, self.load(config) if data is None else self.load(config, path=data)

    def missing_rows(self, record: Mapping) -> list[str]:
        """Names of the record's configuration that no row has, as far as its scale tells."""
        config = self.scales.get(record["scale"])
        if config is None:
            return []
        there = {row["row"] for row in record["rows"]}
        return [name for name in (*self.names(config), *self.once(config)) if name not in there]


def find(name: str) -> Experiment:
    """The experiment of an id; no other is imported.

    Raises:
        Unknown: there is none.
    """
    paper, _, rest = name.partition("-")
    module = f"{paper}.{rest.replace('-', '_')}"
    if paper in PAPERS and (Path(__file__).parent / f"{module.replace('.', '/')}.py").exists():
        experiment = getattr(import_module(f"benchmarks.{module}"), "EXPERIMENT", None)
        if experiment is not None:
            return experiment
    raise Unknown(f"Unknown experiment {name!r}. Known: {', '.join(e.id for e in all_experiments())}.")


def find_all(name: str) -> list[Experiment]:
    """The experiment of an id, or all those of a part such as "search"; raises as `find`."""
    if name in PAPERS:
        return [experiment for experiment in all_experiments() if experiment.id.startswith(f"{name}-")]
    return [find(name)]


def all_experiments() -> list[Experiment]:
    """Every experiment, in the order of the report; imports all of them."""
    found = []
    for paper in PAPERS:
        for module in pkgutil.iter_modules([str(Path(__file__).parent / paper)]):
            imported = import_module(f"benchmarks.{paper}.{module.name}")
            found += [imported.EXPERIMENT] if hasattr(imported, "EXPERIMENT") else []
    return sorted(found, key=lambda experiment: experiment.order)


def rows_to_do(experiment: Experiment, config, seeds: Sequence[int], done=frozenset()) -> list[tuple[str, int]]:
    """(name, seed) of the rows that are not in `done`: all with the first seed, then all with the next."""
    todo = [(name, seed) for seed in seeds for name in experiment.names(config)]
    todo += [(name, seeds[0]) for name in experiment.once(config)]
    return [row for row in todo if row not in done]


def make_rows(experiment: Experiment, config, samples, todo: Iterable[tuple[str, int]], display) -> Iterator[dict]:
    """Each row as soon as it is finished, with its name as `row`, its `seed` and its time `wall_s` in seconds."""
    for name, seed in todo:
        started = time.perf_counter()
        measured = experiment.make_row(config, samples, name, seed, display)
        yield {"row": name, "seed": seed, **measured, "wall_s": round(time.perf_counter() - started, 1)}


def run(
    experiment: Experiment, scale: str, seeds: Sequence[int], out: Path, console, data: Path | None = None, workers=None
) -> dict:
    """Adds the missing rows to an experiment's record; each is on disk as soon as it is finished.

    Args:
        experiment: which.
        scale: one of its scales.
        seeds: each row is made with each of these.
        out: folder of the record.
        console: where to print.
        data: a file of events to run on instead of a scale's; the scale is then FILE.
        workers: a number of processes, or the address of a Dask scheduler, to make rows in; None for this process. What
            the record holds is the same but for times.

    Returns:
        The record. Rows are in the order of `rows_to_do`, whichever was finished first, after those of other seeds.
    """
    started = time.perf_counter()
    scale = scale if data is None else FILE
    config, samples = experiment.loaded(scale, data)
    path, record = open_record(out, experiment.id, scale, plain(asdict(config)), samples.data)
    earlier, this = record["runs"], provenance()
    every, todo = (rows_to_do(experiment, config, seeds, done) for done in ((), finished(record)))
    place = {row: number for number, row in enumerate(every)}
    console.print(f"{experiment.id}, {scale} scale, {in_words(seeds)}; record: {path}", soft_wrap=True)
    with Display(console, len(todo)) as display:
        if workers is None or not todo:
            rows = make_rows(experiment, config, samples, todo, display)
        else:
            from benchmarks.tasks import rows_of_workers

            del samples  # the workers have their own
            rows = rows_of_workers(experiment, scale, data, record, todo, workers)
        for row in rows:
            this["wall_s"] = round(time.perf_counter() - started, 1)
            record["rows"].append(row)
            record["rows"].sort(key=lambda row: place.get((row["row"], row["seed"]), -1))
            record["runs"] = [*earlier, this]
            write_record(path, record)
            display.row_done(f"{row['row']}, seed {row['seed']}: {experiment.line(row)}", row["wall_s"])
    return record


class Section(NamedTuple):
    """What one record says: for the terminal, the report and the page of results.

    Args:
        experiment: whose record it is.
        record: the record.
        title: of the experiment, with scale and events where several records are of it.
        introduction, departures: filled in.
        tables: the first is the main one.
        figures: pairs of a caption and a matplotlib Figure.
        claims: with their verdicts.
        missing: names of rows that are not finished, and what cannot be shown without them.
    """

    experiment: Experiment
    record: Mapping
    title: str
    introduction: str
    departures: tuple[str, ...]
    tables: tuple[Table, ...]
    figures: tuple[tuple[str, Figure], ...]
    claims: tuple[Judged, ...]
    missing: tuple[str, ...]


def read(record: Mapping) -> Section:
    """What a record says."""
    experiment = find(record["experiment"])
    seeds = sorted({row["seed"] for row in record["rows"]})
    filled = record["configuration"] | {"data": record["data"], "seeds": in_words(seeds), "n_seeds": len(seeds)}
    filled["length"] = length_of_training(record["configuration"])
    missing = experiment.missing_rows(record)
    tables, figures = [], []
    if record["rows"]:
        for found, made in ((tables, experiment.tables), (figures, experiment.figures)):
            try:
                found.extend(made(record))  # what comes before the first that cannot be made is kept
            except Missing as reason:
                missing.append(str(reason))
    return Section(
        experiment,
        record,
        experiment.title,
        experiment.introduction.format(**filled),
        (*(text.format(**filled) for text in experiment.departures), *other_settings(experiment, record)),
        tuple(table._replace(caption=table.caption.format(**filled)) for table in tables),
        tuple((caption.format(**filled), figure) for caption, figure in figures),
        tuple(judge(claim, record) for claim in experiment.claims if applies(claim, record)),
        tuple(missing),
    )


def in_order(sections: Iterable[Section]) -> list[Section]:
    """In the order of the report; several of one experiment are told apart in their titles by scale and events."""
    sections = list(sections)
    titles = [section.title for section in sections]
    told_apart = [
        section._replace(title=f"{section.title} ({section.record['scale']} scale, {section.record['data']['name']})")
        if titles.count(section.title) > 1
        else section
        for section in sections
    ]
    return sorted(told_apart, key=lambda section: (section.experiment.order, section.title))


def other_settings(experiment: Experiment, record: Mapping) -> list[str]:
    """The settings of a record that are not those of the paper's scale, as one sentence or none."""
    paper = plain(asdict(experiment.scales["paper"])) if "paper" in experiment.scales else {}
    other = [
        f"{field.replace('_', ' ')} {shown(value)} ({shown(paper[field])})"
        for field, value in record["configuration"].items()
        if field in paper and value != paper[field]
    ]
    return [f"Settings, and in brackets those of the paper's scale: {'; '.join(other)}."] if other else []


def length_of_training(configuration: Mapping) -> str:
    """In words, for a recipe with a number of epochs.

    >>> length_of_training({"epochs": 10}), length_of_training({"epochs": 60, "patience": 5})
    ('10 epochs', 'at most 60 epochs, until the validation AUC has not risen for 5')
    """
    epochs = f"{configuration.get('epochs')} epochs"
    if "patience" not in configuration:
        return epochs
    return f"at most {epochs}, until the validation AUC has not risen for {configuration['patience']}"


def shown(value) -> str:
    """A setting in words.

    >>> shown(7000000), shown([300, 150]), shown(None)
    ('7,000,000', '300, 150', 'all or none')
    """
    if value is None:
        return "all or none"
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


def in_words(seeds: Sequence[int]) -> str:
    """Seeds in a sentence.

    >>> in_words([42]), in_words([42, 43, 44])
    ('seed 42', 'seeds 42, 43 and 44')
    """
    *first, last = map(str, seeds) if seeds else ("none",)
    return f"seeds {', '.join(first)} and {last}" if first else f"seed {last}"
