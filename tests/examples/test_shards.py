"""The pass over files: what is written is what all events in memory give."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import pnn_tf
import taylor
from examples import shards
from examples.several_machines import simulated

SETTINGS = shards.Settings()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of uneven sizes, of which one is damaged, and a network."""
    folder = tmp_path_factory.mktemp("shards")
    features, mass, label = (array[:4000] for array in simulated(type("S", (), {"seed": 1, "masses": SETTINGS.masses})))
    weight = np.random.default_rng(2).uniform(0, 2, 4000)
    columns = {"mtt": features[:, 0], "noise": features[:, 1], "mass": mass, "label": label, "weight": weight}
    (folder / "events").mkdir()
    for number, rows in enumerate((slice(0, 1500), slice(1500, 1510), slice(1510, 4000))):
        table = pa.table({name: column[rows] for name, column in columns.items()})
        pq.write_table(table, folder / f"events/{number}.parquet")
    (folder / "events/3.parquet").write_bytes(b"PAR1")
    pnn_tf.parametric_network(2, units=(8,), theta_scale=1000.0, seed=1).save(folder / "network.keras")
    return folder, columns


@pytest.mark.parametrize("workers", ["0", pytest.param("2", marks=pytest.mark.slow)])
def test_results_are_those_of_all_events(folder, workers, tmp_path, capsys):
    folder, columns = folder
    with pytest.warns(UserWarning, match="files of unknown size: 1"):
        paths = str(folder / "events"), "--network", str(folder / "network.keras"), "--out", str(tmp_path)
        total = shards.main([*paths, "--workers", workers])
    assert total.n_events == 4000
    printed = capsys.readouterr().out
    assert "4,000 events; left out: [LeftOut(" in printed and "750 GeV: AUC" in printed

    import keras

    network = keras.saving.load_model(folder / "network.keras")
    x = np.stack([columns["mtt"], columns["noise"]], axis=1)
    events = columns["mass"], columns["label"]
    counts = pnn_tf.count_scores(
        network, x, *events, pnn_tf.calibration_grid(SETTINGS.masses), weight=columns["weight"]
    )
    np.testing.assert_allclose(total.value["counts"].weight, counts.weight, rtol=1e-10)
    importance = taylor.mean_abs_coefficients(
        network,
        {"features": x, "theta": [[750.0]]},
        names=("mtt", "noise"),
        weight=columns["weight"],
        bootstrap=50,
    )
    stored = json.loads((tmp_path / "importance.json").read_text())
    np.testing.assert_allclose(stored["mean"], importance.mean, rtol=1e-10)
    np.testing.assert_allclose(stored["replicas"], importance.replicas, rtol=1e-10)
    templates = np.load(tmp_path / "templates.npz")
    assert templates["signal"].sum() == pytest.approx(columns["weight"][columns["label"] == 1].sum(), rel=1e-12)
    assert pnn_tf.Calibration.load(tmp_path / "calibration.npz").hypotheses.tolist() == list(SETTINGS.masses)


def test_weights_that_may_be_negative_leave_out_the_calibration_alone(folder, tmp_path, capsys):
    folder, columns = folder
    weight = columns["weight"] - 0.1
    table = pa.table(columns | {"weight": weight})
    (tmp_path / "events").mkdir()
    pq.write_table(table, tmp_path / "events/signed.parquet")
    paths = str(tmp_path / "events"), "--network", str(folder / "network.keras"), "--out", str(tmp_path / "results")
    shards.main([*paths, "--workers", "0"])
    printed = capsys.readouterr().out
    assert "No calibration" in printed and "750 GeV: AUC" in printed
    assert {"importance.json", "templates.npz"} <= {path.name for path in (tmp_path / "results").iterdir()}
    assert not (tmp_path / "results/calibration.npz").exists()
    templates = np.load(tmp_path / "results/templates.npz")
    assert templates["signal"].sum() == pytest.approx(weight[columns["label"] == 1].sum(), rel=1e-12)


@pytest.mark.slow
def test_the_command_goes_on_from_what_is_done(folder, tmp_path):
    """As a program, whose settings are of a class that no other process imports."""
    paths = [folder[0] / "events", "--network", folder[0] / "network.keras", "--out", tmp_path, "--workers", "0"]
    command = [sys.executable, "-W", "error:.*the work of other calls", "-m", "examples.shards", *map(str, paths)]
    subprocess.run(command, check=True, capture_output=True)
    parts = {path: path.stat().st_mtime_ns for path in (tmp_path / "progress").iterdir()}
    subprocess.run(command, check=True, capture_output=True)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "progress").iterdir()} == parts
