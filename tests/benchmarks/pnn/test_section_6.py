"""Two parameters on a small sample: what each network is told and trained on, and what is made of rows."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.data.events import Events
from benchmarks.pnn import section_6
from benchmarks.pnn.section_6 import BOTH, EXPERIMENT, HELD_OUT, JET_SCALES, MIXTURE, NOMINAL, SHOWN_NOMINAL
from benchmarks.pnn.tested import summary
from benchmarks.published import MASSES
from pnn_tf import auc_error
from tests.benchmarks.silent import Silent

TINY = replace(
    EXPERIMENT.scales["smoke"],
    **{"epochs": 4, "units": (16,), "batch_size": 256, "learning_rate": 0.02, "dropout": 0.0},
    **{"map_masses": (500.0, 1000.0, 3)},
)


def events(n_events, seed, scales=JET_SCALES):
    """One feature: 30 (scale - 1) + noise, and twice the mass in TeV more for signal."""
    rng = np.random.default_rng(seed)
    mass, scale = rng.choice([500.0, 750.0, 1000.0], n_events), np.float32(rng.choice(scales, n_events))
    label = np.arange(n_events) % 2
    x = 30 * (scale - 1) + rng.normal(size=n_events) + label * mass / 500
    return Events(x[:, None], np.stack([mass, scale], 1), label, parameter_names=("mass", "jet energy scale"))


@pytest.mark.slow
def test_networks_are_told_and_trained_on_what_they_are_called(monkeypatch):
    nominal = events(8000, 3, scales=(1.0,))
    nominal = replace(nominal, theta=nominal.theta[:, :1], parameter_names=("mass",))
    samples, display = section_6.Samples(nominal, events(8000, 1), events(6000, 2), {}), Silent()
    rows = {name: section_6.make_row(TINY, samples, name, 1, display) for name in EXPERIMENT.names(TINY)}
    assert display.work == pytest.approx(4)
    both = rows[BOTH]
    assert len(both["points"]) == 15 and {scale for _, scale in both["points"]} == set(JET_SCALES)
    for (mass, _), tested in zip(both["points"], both["tested"], strict=True):
        # At one scale the feature alone is the best score: Phi(d / sqrt 2) for unit Gaussians a distance d apart.
        expected = {500: 0.760, 750: 0.856, 1000: 0.921}[mass]
        error = auc_error(tested["auc"], tested["n_signal"], tested["n_background"])
        assert tested["auc"] == pytest.approx(expected, abs=4 * error)
    assert [len(row["tested"]) for row in rows.values()] == [15] * 4
    # Three fifths of the events, less a quarter for validation.
    assert rows[HELD_OUT]["n_train"] == pytest.approx(0.75 * 0.6 * 8000, rel=0.05)
    assert rows[NOMINAL]["told_nominal"] is None and both["map"]["truth"] == (750.0, 1.0)
    assert np.shape(both["map"]["auc"]) == (3, 3)


@pytest.fixture
def rows():
    """All networks alike, but BOTH has a point more at the scales 0.9 and 1.1 where it is told them."""
    generator = np.random.default_rng(2)
    tested = summary(500, generator.normal(1, 1, 200), generator.normal(0, 1, 200))
    better = {**tested, "auc": tested["auc"] + 0.01}
    better |= {of: [value + 0.01 for value in tested[of]] for of in ("signal", "background")}
    points = [(mass, scale) for scale in JET_SCALES for mass in MASSES]
    alike = {"seed": 1, "points": points, "tested": [tested] * 25, "told_nominal": None}
    told = {"told_nominal": alike["tested"]}
    told["tested"] = [better if scale in (0.9, 1.1) else tested for _, scale in points]
    return [{"row": BOTH} | alike | told, *({"row": name} | alike for name in (HELD_OUT, NOMINAL, MIXTURE))]


def test_claims_and_tables_are_made_of_the_rows(rows):
    found = [claim.measure(rows)[""].value for claim in EXPERIMENT.claims]
    assert found == pytest.approx([1, 0, 1, 0, -1, 0])
    by_scale, by_point = section_6.tables({"rows": rows})
    auc = 100 * rows[1]["tested"][0]["auc"]
    lines = {name: [cell.ours for cell in cells] for name, cells in by_scale.lines}
    assert list(lines) == [BOTH, SHOWN_NOMINAL, HELD_OUT, NOMINAL, MIXTURE]
    assert lines[BOTH] == pytest.approx([auc + 1, auc, auc, auc, auc + 1, auc + 0.4])
    assert lines[SHOWN_NOMINAL] == pytest.approx([auc] * 6)
    assert [[cell.ours for cell in cells] for _, cells in by_point.lines] == [pytest.approx([1, 0, 0, 0, 1])] * 5
