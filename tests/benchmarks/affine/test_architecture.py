"""Layers, parameters and diagrams of the networks."""

from dataclasses import asdict

import pytest

from benchmarks import record as records
from benchmarks.affine import architecture
from benchmarks.affine.architecture_diagrams import mechanisms, places, without
from benchmarks.published import AFFINE_PARAMETERS
from tests.benchmarks.silent import Silent


@pytest.fixture(scope="module")
def record():
    config = architecture.SCALES["embedded"]
    samples = architecture.load(config)
    record = records.new_record("affine-architecture", "embedded", asdict(config), samples.data)
    return record | {"rows": list(architecture.run(config, samples, seeds=(1,), display=Silent()))}


def test_networks_have_the_parameters_of_the_papers_code(record):
    assert {row["row"]: row["n_parameters"] for row in record["rows"]} == AFFINE_PARAMETERS
    for row in record["rows"]:
        assert sum(layer["n_parameters"] for layer in row["layers"]) == row["n_parameters"]


def test_layers_say_where_they_take_their_input(record):
    single, concat, affine = ({layer["name"]: layer for layer in row["layers"]} for row in record["rows"])
    assert single["dense_1"]["inputs"] == ["features"] and single["theta"]["inputs"] == []
    assert concat["concat"]["inputs"] == ["features", "theta_scale"] and concat["concat"]["units"] == 28
    assert affine["affine_2"]["inputs"] == ["dense_2", "theta_scale"]
    # Two maps of one theta to 150 units, each with a kernel and a bias.
    assert affine["affine_2"]["n_parameters"] == 2 * (150 + 150)


def test_dropout_is_left_out_and_passed_by(record):
    layers = without(record["rows"][2]["layers"], "Dropout")
    assert not any("Dropout" in layer["kind"] for layer in layers) and len(layers) == 12
    assert next(layer for layer in layers if layer["name"] == "dense_2")["inputs"] == ["affine_1"]


def test_each_layer_stands_after_what_it_takes(record):
    for row in record["rows"]:
        layers = without(row["layers"], "Dropout")
        where = places(layers)
        assert len(set(where.values())) == len(layers)
        for layer in layers:
            assert all(where[name][0] < where[layer["name"]][0] for name in layer["inputs"])
        assert {name for name, (_, line) in where.items() if line} <= {"theta", "theta_scale"}


def test_diagrams_show_the_layers_numbers(record):
    _, concat, affine = (row["layers"] for row in record["rows"])
    left, right = ({text.get_text() for text in axes.texts} for axes in mechanisms(concat, affine).axes)
    assert {"$x$: 27", r"$[x, \theta]$: 28", "Dense\n8,700"} <= left
    assert {r"$s(\theta)$: 300", r"$b(\theta)$: 300", "two linear maps\n1,200"} <= right
    for axes, row in zip(architecture.plot(record["rows"]).axes, record["rows"], strict=True):
        drawn = [text.get_text() for text in axes.texts]
        assert sum(text.startswith("Dense") for text in drawn) == 5
        assert sum(text.startswith("Affine") for text in drawn) == (4 if row["row"] == "Affine" else 0)


def test_the_section_compares_with_the_paper(record):
    section = architecture.section(record)
    (_, parameters), (_, layers) = section.tables
    assert all(cells[0].difference == 0 for _, cells in parameters.rows)
    # Of theta: nothing, one line of the first kernel, and all of the affine layers.
    assert [cells[1].ours for _, cells in parameters.rows] == [0, 300, 4 * (300 + 150 + 100 + 50)]
    assert all(cells[0].difference == 0 for _, cells in layers.rows)
    assert [finding.heading for finding in section.findings][-1] == "What affine layers cost"
    assert "2,100 parameters more" in section.findings[-1].text

    fewer = record | {"rows": record["rows"][:1]}
    assert len(architecture.section(fewer).figures) == 1
