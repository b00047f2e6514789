"""Two parameters on a small sample: what each network is told and trained on, and what the section makes of rows."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.data.events import Events
from benchmarks.pnn import section_6
from benchmarks.pnn.section_6_section import BOTH, HELD_OUT, MIXTURE, NOMINAL, SHOWN_NOMINAL, section
from pnn_tf import auc_error
from tests.benchmarks.silent import Silent

JET_SCALES = (0.9, 0.95, 1.0, 1.05, 1.1)
TINY = replace(
    section_6.SCALES["smoke"],
    epochs=4,
    units=(16,),
    batch_size=256,
    learning_rate=0.02,
    dropout=0.0,
    truth=(750.0, 1.0),
    map_masses=(500.0, 1000.0, 3),
    map_scales=(0.9, 1.1, 3),
)


def events(n_events, seed, scales=JET_SCALES):
    """One feature: 30 (scale - 1) + noise, and twice the mass in TeV more for signal."""
    rng = np.random.default_rng(seed)
    mass, scale = rng.choice([500.0, 750.0, 1000.0], n_events), np.float32(rng.choice(scales, n_events))
    label = np.arange(n_events) % 2
    x = 30 * (scale - 1) + rng.normal(size=n_events) + label * mass / 500
    return Events(x[:, None], np.stack([mass, scale], 1), label, parameter_names=("mass", "jet energy scale"))


@pytest.fixture(scope="module")
def record():
    nominal = events(8000, 3, scales=(1.0,))
    samples = section_6.Samples(
        replace(nominal, theta=nominal.theta[:, :1], parameter_names=("mass",)),
        events(8000, 1),
        events(6000, 2),
        {"name": "lines", "n_train": 8000, "n_test": 6000},
    )
    rows = list(section_6.run(TINY, samples, seeds=(1,), display=Silent()))
    return {"rows": rows, "data": samples.data, "configuration": {"n_train": 8000, "epochs": 4}}


def test_only_a_network_that_is_told_the_scale_separates_at_all_of_them(record):
    rows = {row["row"]: row for row in record["rows"]}
    assert list(rows) == [BOTH, HELD_OUT, NOMINAL, MIXTURE]
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
    assert rows[NOMINAL]["told_nominal"] is None and rows[BOTH]["map"]["truth"] == (750.0, 1.0)
    assert np.shape(rows[BOTH]["map"]["auc"]) == (3, 3)


def test_the_section_holds_what_the_rows_hold(record):
    whole = section(record)
    table = dict(whole.tables[0][1].rows)
    assert set(table) == {BOTH, SHOWN_NOMINAL, HELD_OUT, NOMINAL, MIXTURE}
    both = next(row for row in record["rows"] if row["row"] == BOTH)
    auc = {tuple(point): tested["auc"] for point, tested in zip(both["points"], both["tested"], strict=True)}
    at_nominal = [value for (_, scale), value in auc.items() if scale == 1.0]
    assert table[BOTH][2].ours == pytest.approx(100 * np.mean(at_nominal))
    assert table[BOTH][-1].ours == pytest.approx(100 * np.mean(list(auc.values())))
    assert len(whole.figures) == 1 and len(whole.findings) == 4
    # With a single feature all networks order events alike.
    assert "1.10: neither better nor worse" in whole.findings[0].text
    # At the scales 0.9 and 1.1 one point more for the first network, which is then worse where it is told the nominal.
    better = copy.deepcopy(record["rows"])
    for (_, scale), tested in zip(better[0]["points"], better[0]["tested"], strict=True):
        if scale in (0.9, 1.1):
            for field in ("signal", "background"):
                tested[field] = [value + 0.01 for value in tested[field]]
    gain, _, told_nominal, _ = section(record | {"rows": better}).findings
    assert gain.points.ours == pytest.approx(1, abs=1e-3)  # placements are rounded to six digits
    assert "0.90 and 1.10: better in this one training. At the nominal scale, where" in gain.text
    assert told_nominal.points.ours == pytest.approx(-1, abs=1e-3)
    # Half of the rows: a table, and no finding that compares with what is not there.
    half = section(record | {"rows": record["rows"][:2]})
    assert not half.findings and len(half.tables[0][1].rows) == 3
