"""Trainings from two starts on a small sample."""

from dataclasses import replace

import pytest

from benchmarks.affine import start
from benchmarks.comparison import Cell
from tests.benchmarks.affine.conftest import gaussian_events
from tests.benchmarks.silent import Silent


@pytest.fixture(scope="module")
def record():
    config = replace(start.SCALES["smoke"], units=(8,), batch_size=64, epochs=4, rates=(0.02,), trainings=2)
    samples = start.Samples(gaussian_events(4000, 1), {"name": "Gaussians", "n_train": 4000})
    rows = list(start.run(config, samples, seeds=(1,), display=Silent()))
    return {"rows": rows, "data": samples.data, "configuration": {"epochs": 4}}


def test_each_start_is_trained_as_often_as_asked(record):
    assert [row["row"] for row in record["rows"]] == ["identity, rate 0.02", "glorot_uniform, rate 0.02"]
    for row in record["rows"]:
        assert len(row["auc"]) == len(row["spread"]) == 2 and min(row["spread"]) > 0.05
        # One block does not collapse. Over all masses the feature separates by Phi(d / sqrt 2) for d from 0.5 to 1.5,
        # 0.75 on average; 1000 validation events have an error of 0.015, and 4 short epochs fall short by a little.
        assert all(0.68 < auc < 0.82 for auc in row["auc"])


def test_constant_outputs_are_counted(record):
    first, second = (dict(row) for row in record["rows"])
    rows = [
        first | {"auc": [0.9, 0.8], "spread": [0.2, 0.1]},
        second | {"auc": [0.5, 0.52, 0.9], "spread": [0, 0, 0.2]},
    ]
    section = start.section(record | {"rows": rows})
    assert dict(section.tables[0][1].rows) == {
        "identity, rate 0.02": (Cell(2), Cell(0), Cell(pytest.approx(85.0))),
        "glorot_uniform, rate 0.02": (Cell(3), Cell(2), Cell(pytest.approx(90.0))),
    }
    (finding,) = section.findings
    assert finding.text == (
        "From the identity, 0 of 2 trainings end with a constant output, and the validation AUC of all lies between "
        "80.0 and 90.0 %; from random maps, 2 of 3 trainings end with a constant output, and the validation AUC of all "
        "lies between 50.0 and 90.0 %."
    )
