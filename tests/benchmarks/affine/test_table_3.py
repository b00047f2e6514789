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
ROWS = {  # and training events of each network: 4000, or 800 of each mass, less the quarter that validates
    "Single-NN": [3000],
    "Individual-NNs": [600] * 5,
    "Affine uniform (sampled)": [3000],
}


@pytest.mark.slow
def test_what_is_run_learns_and_is_read(samples, tmp_path):
    of_rows = networks.rows_of({name: SETUPS[name] for name in ROWS}) | {"load": lambda config: samples}
    experiment = replace(EXPERIMENT, scales={"smoke": TINY}, **of_rows)
    record = experiments.run(experiment, "smoke", (3,), tmp_path, Console(file=io.StringIO()))
    assert {row["row"]: row["n_train"] for row in record["rows"]} == ROWS
    for row in record["rows"]:
        assert row["masses"] == [500, 750, 1000, 1250, 1500] and row["mean_auc"] == pytest.approx(np.mean(row["auc"]))
        assert all(1 <= epoch <= TINY.epochs for epoch in row["best_epoch"])
        # The best AUC of two unit Gaussians a distance d apart is Phi(d / sqrt 2): 0.638 at 500 GeV, 0.856 at 1500 GeV.
        # 200 signal and 1000 background events leave an error of 0.02 at 500 GeV and 0.015 at 1500 GeV.
        assert row["auc"][0] == pytest.approx(0.638, abs=0.07)
        assert row["auc"][4] == pytest.approx(0.856, abs=0.05)
        assert row["auc_last"][4] == pytest.approx(0.856, abs=0.05)
        assert 0.7 < row["significance"][4] < 1
    section = experiments.read(record)
    assert [name for name, _ in section.tables[0].lines] == list(ROWS)
    assert section.tables[0].lines[0][1][0].ours == pytest.approx(100 * record["rows"][0]["auc"][0])
    assert len(section.missing) == len(SETUPS) - len(ROWS)
