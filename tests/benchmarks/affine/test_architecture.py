"""Layers, parameters and diagrams of the networks."""

import pytest

from benchmarks.affine import architecture
from benchmarks.affine.architecture import EXPERIMENT
from benchmarks.published import AFFINE_PARAMETERS
from tests.benchmarks.affine.conftest import cells
from tests.benchmarks.silent import Silent


@pytest.fixture(scope="module")
def rows():
    config = EXPERIMENT.scales["embedded"]
    names = EXPERIMENT.names(config)
    return [{"row": name, "seed": 1} | architecture.make_row(config, None, name, 1, Silent()) for name in names]


def test_networks_have_the_parameters_of_the_papers_code(rows):
    assert {row["row"]: row["n_parameters"] for row in rows} == AFFINE_PARAMETERS
    for row in rows:
        assert sum(layer["n_parameters"] for layer in row["layers"]) == row["n_parameters"]
    assert [e.value for e in architecture.beyond(architecture.ROUGHLY)(rows).values()] == [3751, 4051, 6151]
    assert architecture.cost_of_affine(rows).value == pytest.approx(100 * 2100 / 74_051)


def test_layers_say_where_they_take_their_input(rows):
    single, concat, affine = ({layer["name"]: layer for layer in row["layers"]} for row in rows)
    assert single["dense_1"]["inputs"] == ["features"] and single["theta"]["inputs"] == []
    assert concat["concat"]["inputs"] == ["features", "theta_scale"] and concat["concat"]["units"] == 28
    assert affine["affine_2"]["inputs"] == ["dense_2", "theta_scale"]
    # Two maps of one theta to 150 units, each with a kernel and a bias.
    assert affine["affine_2"]["n_parameters"] == 2 * (150 + 150)


def test_the_tables_compare_with_the_paper(rows):
    parameters, layers = map(cells, architecture.tables({"rows": rows}))
    assert all(line["parameters"].difference == 0 for line in parameters.values())
    # Of theta: nothing, one line of the first kernel, and all of the affine layers.
    assert [line["of theta"].ours for line in parameters.values()] == [0, 300, 4 * (300 + 150 + 100 + 50)]
    assert len(layers) == 9 and all(line["units"].difference == 0 for line in layers.values())


def test_dropout_is_passed_by_and_each_layer_stands_after_what_it_takes(rows):
    for row in rows:
        layers = architecture.without_dropout(row["layers"])
        assert not any("Dropout" in layer["kind"] for layer in layers)
        where = architecture.places(layers)
        assert len(set(where.values())) == len(layers)
        for layer in layers:
            assert all(where[name][0] < where[layer["name"]][0] for name in layer["inputs"])
        assert {name for name, (_, line) in where.items() if line} <= {"theta", "theta_scale"}
    assert next(layer for layer in layers if layer["name"] == "dense_2")["inputs"] == ["affine_1"]


def test_diagrams_show_the_layers_numbers(rows):
    (_, blocks), (_, mechanisms) = architecture.figures({"rows": rows})
    left, right = ({text.get_text() for text in axes.texts} for axes in mechanisms.axes)
    assert {"$x$: 27", r"$[x, \theta]$: 28"} <= left and {r"$s(\theta)$: 300", r"$b(\theta)$: 300"} <= right
    drawn = [text.get_text() for text in blocks.axes[2].texts]
    assert "Dense\n150\n45,150" in drawn and sum(text.startswith("Affine") for text in drawn) == 4
