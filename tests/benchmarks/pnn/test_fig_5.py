"""PNN Figs. 5 and 6 on Gaussian samples: physical units, separations, panels."""

from dataclasses import asdict
from statistics import NormalDist

import numpy as np
import pytest

from benchmarks import record as records
from benchmarks.data.events import Events
from benchmarks.data.hepmass import FEATURE_NAMES
from benchmarks.data.hepmass_like import read_recipe
from benchmarks.pnn import figure_5
from benchmarks.pnn.distributions import separation
from tests.benchmarks.silent import Silent

CONFIG = figure_5.Config(sample="hepmass")


@pytest.fixture(scope="module")
def row(samples):
    (row,) = figure_5.run(CONFIG, samples, seeds=(1,), display=Silent())
    return row


def test_physical_features_have_the_recipes_mean_and_whole_counts():
    events = Events(np.zeros((1, 27)), [500], [1], names=FEATURE_NAMES)
    found = dict(zip(FEATURE_NAMES, figure_5.physical(events, "hepmass-like").features[0], strict=True))
    mean = dict(zip(FEATURE_NAMES, read_recipe()["mean"], strict=True))
    assert found["jet1_pt"] == pytest.approx(mean["jet1_pt"], rel=1e-6)  # float32
    assert found["n_jets"] == round(mean["n_jets"])
    assert figure_5.physical(events, "hepmass") is events


def test_the_separation_is_that_of_two_gaussians(row):
    found = {distribution["feature"]: distribution for distribution in row["distributions"]}
    assert tuple(found) == FEATURE_NAMES and (row["n_signal"], row["n_background"]) == (2000, 2000)
    for mass in (500.0, 1500.0):
        # A distance d of unit Gaussians leaves 2 Phi(d / 2) - 1. Each of 50 bins of 400 signal events adds noise that
        # counts in absolute value, about 50 sqrt(2 / pi) sqrt(1 / (50 * 400)) / 2 = 0.14 where shapes are equal.
        expected = 2 * NormalDist().cdf(mass / 2000) - 1
        assert expected - 0.05 < separation(found["m_wwbb"], mass) < expected + 0.14
    assert separation(found["jet3_phi"], 1500.0) < 0.2


def test_the_section_names_what_separates(row, samples):
    record = records.new_record("pnn-fig-5", "smoke", asdict(CONFIG), samples.data) | {"rows": [row]}
    section = figure_5.section(record)
    assert {name for name, _ in section.tables[0][1].rows[:2]} == {"jet1_pt", "m_wwbb"}
    assert len(section.tables[0][1].rows) == 27
    against_mass, levels, floor = section.findings
    assert "so it is here" in against_mass.text
    assert "at 1500 GeV jet1_pt" in levels.text and "and m_wwbb" in levels.text
    phi = max(c.ours for name, cells in section.tables[0][1].rows if name.endswith("phi") for c in cells)
    assert f"by more than {phi:.2f}," in floor.text
    low, high = (figure for _, figure in section.figures)
    assert len(low.axes) == len(figure_5.SHOWN) and len(high.axes) == 5
    assert high.axes[-1].get_xlabel() == "m_wwbb (standardised)"


def test_units_are_those_of_the_feature():
    row = {"physical": True}
    assert [figure_5.unit(name, row) for name in ("met", "met_phi", "jet2_pt", "m_jlv", "n_jets", "jet1_eta")] == [
        "GeV",
        "rad",
        "GeV",
        "GeV",
        "",
        "",
    ]
