"""Table 3 from end to end on a small sample: the smoke test of AFFINE's tables."""

import io
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from benchmarks import experiment as experiments
from benchmarks.affine import networks
from benchmarks.affine.table_3 import EXPERIMENT, SETUPS

TINY = replace(EXPERIMENT.scales["smoke"], epochs=3, units=(8,), batch_size=256, learning_rate=0.02, dropout=0.0)
ROWS = ("Single-NN", "Individual-NNs", "Affine uniform (sampled)")


@pytest.fixture(scope="module")
def record(samples, tmp_path_factory):
    """Of a run of three rows with one seed."""
    rows = networks.rows_of({name: SETUPS[name] for name in ROWS}) | {"load": lambda config: samples}
    experiment = replace(EXPERIMENT, scales={"smoke": TINY}, **rows)
    return experiments.run(experiment, "smoke", (3,), tmp_path_factory.mktemp("runs"), Console(file=io.StringIO()))


@pytest.mark.slow
def test_rows_describe_what_was_trained(record):
    assert tuple(row["row"] for row in record["rows"]) == ROWS
    for row in record["rows"]:
        assert row["masses"] == [500, 750, 1000, 1250, 1500]
        assert row["mean_auc"] == pytest.approx(np.mean(row["auc"]))
        assert row["n_signal"] == [200] * 5 and row["n_background"] == 1000
        assert all(1 <= epoch <= TINY.epochs for epoch in row["best_epoch"])
    single, individual, affine = record["rows"]
    assert single["n_train"] == affine["n_train"] == [3000]  # 4000 less the quarter that validates
    assert individual["n_train"] == [600] * 5


@pytest.mark.slow
def test_the_networks_learn_what_can_be_learnt(record):
    # The best AUC of two unit Gaussians a distance d apart is Phi(d / sqrt 2): 0.856 at 1500 GeV, 0.638 at 500 GeV.
    for row in record["rows"]:
        # 200 signal and 1000 background events leave an error of 0.02 at 500 GeV and 0.015 at 1500 GeV.
        assert row["auc"][0] == pytest.approx(0.638, abs=0.07)
        assert row["auc"][4] == pytest.approx(0.856, abs=0.05)
        assert row["auc_last"][4] == pytest.approx(0.856, abs=0.05)
        assert 0.7 < row["significance"][4] < 1


@pytest.mark.slow
def test_what_was_run_is_read(record):
    section = experiments.read(record)
    assert [name for name, _ in section.tables[0].lines] == list(ROWS)
    assert section.tables[0].lines[0][1][0].ours == pytest.approx(100 * record["rows"][0]["auc"][0])
    assert len(section.missing) == len(SETUPS) - len(ROWS)
