"""Experiments: all that are found and all stored records, and the loop that runs one and goes on where it stopped."""

import io
import re
from dataclasses import asdict, dataclass, replace
from types import SimpleNamespace

import pytest
from rich.console import Console

from benchmarks import experiment as experiments
from benchmarks.claims import VERDICTS, Claim, Estimate, above
from benchmarks.experiment import Experiment, Unknown, all_experiments, find, find_all, in_order, read, rows_to_do, run
from benchmarks.record import plain, read_record, record_path
from benchmarks.tables import Quantity, long, pick, table
from tests.benchmarks.stored import RECORDS, RESULTS, section

EXPERIMENTS = all_experiments()


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: e.id)
def test_an_experiment_is_found_by_its_id_and_says_what_it_is(experiment):
    assert find(experiment.id) is experiment
    assert experiment.summary and experiment.where and experiment.claims
    assert {"smoke", "embedded", "paper"} <= set(experiment.scales)
    names = [*experiment.names(experiment.scales["embedded"]), *experiment.once(experiment.scales["embedded"])]
    assert names and len(set(names)) == len(names)
    statements = [claim.statement for claim in experiment.claims]
    assert len(set(statements)) == len(statements)


def test_experiments_come_as_their_papers_have_them_and_ours_last():
    order = [(e.paper, e.ours) for e in EXPERIMENTS]
    papers = ["PNN", "AFFINE", "TAYLOR", "NEOS", "SEARCH", "SCALE"]
    assert order == sorted(order, key=lambda pair: (papers.index(pair[0]), pair[1]))
    for paper, kind in (("PNN", "Fig"), ("AFFINE", "Table"), ("NEOS", "Fig")):
        numbers = [
            int(found[1]) for e in EXPERIMENTS if e.paper == paper and (found := re.match(rf"{kind}\D*(\d+)", e.where))
        ]
        assert numbers == sorted(numbers) and len(numbers) > 1


def test_a_part_has_all_its_experiments():
    assert [e.id for e in find_all("search")] == ["search-limits"]
    assert find_all("affine-table-3") == [find("affine-table-3")] and len(find_all("neos")) > 3


@pytest.mark.parametrize("name", ["no-such", "affine-networks", "affine-table-33", "", "affine"])
def test_an_unknown_id_is_refused_with_those_that_are_known(name):
    with pytest.raises(Unknown, match="affine-table-3"):
        find(name)


of_records = pytest.mark.parametrize("path", RECORDS, ids=lambda p: p.stem)


@of_records
def test_a_stored_record_is_read_whole_and_would_be_gone_on_with(path):
    read_once = section(path)
    record = read_once.record
    assert read_once.missing == () and read_once.tables and read_once.figures
    assert all(judged.verdict in VERDICTS for judged in read_once.claims)
    assert not [judged.reason for judged in read_once.claims if judged.reason.startswith("not finished")]
    if record["scale"] != experiments.FILE:
        config = plain(asdict(read_once.experiment.scales[record["scale"]]))
        assert record_path(RESULTS, record | {"configuration": config}) == path


@of_records
def test_rows_with_times_are_made_one_after_another(path):
    fields = {field for row in read_record(path)["rows"] for field in row}
    times = {field for field in fields if field.endswith(("_s", "_ms", "second", "seconds"))}
    # Rows that kill processes begin some, which a process of a worker must not.
    assert (times != {"wall_s"} or "kills" in fields) == section(path).experiment.timed


@of_records
def test_a_record_with_hardly_a_row_is_read(path):
    record = read_record(path)
    assert read(record | {"rows": []}).tables == ()
    one = read(record | {"rows": record["rows"][-1:]})
    assert one.missing or len({row["row"] for row in record["rows"]}) == 1


@pytest.mark.slow
@of_records
def test_a_record_without_a_row_says_what_is_missing(path):
    record = read_record(path)
    for name in {row["row"] for row in record["rows"]}:
        assert read(record | {"rows": [row for row in record["rows"] if row["row"] != name]}).missing


def test_there_is_a_record_of_every_experiment():
    assert {experiment.id for experiment in EXPERIMENTS} == {section(path).experiment.id for path in RECORDS}


@dataclass(frozen=True)
class Config:
    epochs: int = 3
    names: tuple[str, ...] = ("a", "b")


def make_row(config, samples, name, seed, display):
    display.advance(1, name)
    if name == "broken":
        raise RuntimeError("killed")
    return {"value": seed * samples.factor}


def tables(record):
    yield table(
        "The caption, {epochs} epochs.", "row", long(record["rows"], {"value": Quantity("value")}), columns="quantity"
    )


FAKE = Experiment(
    id="pnn-fake",
    where="Fig. 99",
    summary="a fake",
    introduction="On {data[name]} events, {seeds}.",
    scales={"smoke": Config(epochs=1), "embedded": Config(), "paper": Config(epochs=9)},
    load=lambda config: SimpleNamespace(factor=2, data={"name": "drawn", "fingerprint": "abc"}),
    names=lambda config: config.names,
    make_row=make_row,
    line=lambda row: f"value {row['value']}",
    tables=tables,
    figures=lambda record: (),
    claims=(Claim("b is large", lambda rows: Estimate(pick(rows, row="b")[0]["value"]), above(0), chance=False),),
    departures=("It is a fake of {epochs} epochs.",),
    once=lambda config: ("scan",),
)


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(experiments, "find", lambda name: FAKE)
    return FAKE


def quiet():
    return Console(file=io.StringIO(), width=200)


def test_rows_come_seed_by_seed_and_some_with_the_first_seed_alone():
    assert rows_to_do(FAKE, Config(), (7, 8)) == [("a", 7), ("b", 7), ("a", 8), ("b", 8), ("scan", 7)]
    assert rows_to_do(FAKE, Config(), (7,), {("a", 7)}) == [("b", 7), ("scan", 7)]


def test_a_killed_run_goes_on_where_it_stopped(tmp_path):
    broken = replace(FAKE, names=lambda config: ("a", "broken", "b"))
    with pytest.raises(RuntimeError, match="killed"):
        run(broken, "embedded", (7,), tmp_path, quiet())
    (path,) = tmp_path.glob("*.json")
    assert [row["row"] for row in read_record(path)["rows"]] == ["a"]
    console = quiet()
    record = run(FAKE, "embedded", (7,), tmp_path, console)
    assert [row["row"] for row in record["rows"]] == ["a", "b", "scan"]
    assert [row["value"] for row in record["rows"]] == [14, 14, 14] and len(record["runs"]) == 2
    assert read_record(path) == record
    assert "2/2 rows" in console.file.getvalue() and "value 14" in console.file.getvalue()


def test_what_a_record_says_is_filled_in(tmp_path, fake):
    said = read(run(fake, "embedded", (7, 8), tmp_path, quiet()))
    assert said.introduction == "On drawn events, seeds 7 and 8."
    assert said.tables[0].caption == "The caption, 3 epochs."
    assert said.departures[0] == "It is a fake of 3 epochs." and "epochs 3 (9)" in said.departures[1]
    assert [judged.verdict for judged in said.claims] == ["holds"] and said.missing == ()


def test_a_claim_on_a_row_that_is_missing_cannot_be_told(tmp_path, fake):
    record = run(fake, "embedded", (7,), tmp_path, quiet())
    fewer = read(record | {"rows": [row for row in record["rows"] if row["row"] != "b"]})
    assert "b" in fewer.missing
    assert [judged.verdict for judged in fewer.claims] == ["cannot be told"] and "b" in fewer.claims[0].reason


def test_two_records_of_one_experiment_are_told_apart(tmp_path, fake):
    said = [read(run(fake, scale, (7,), tmp_path, quiet())) for scale in ("smoke", "embedded")]
    titles = [each.title for each in in_order(said)]
    assert len(set(titles)) == 2 and all(title.startswith("PNN Fig. 99 (") for title in titles)
    assert [each.title for each in in_order(said[:1])] == ["PNN Fig. 99"]
