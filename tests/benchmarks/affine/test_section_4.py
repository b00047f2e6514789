"""Sections 4.2 and 4.3: the leak of a rule that a network could learn, and what the section says."""

from dataclasses import asdict

import keras
import numpy as np
import pytest

import pnn_tf
from benchmarks import record as records
from benchmarks.affine import section_4, section_4_section
from benchmarks.affine.section_4_section import BINNED, RULES, SETUPS
from benchmarks.published import AFFINE_TABLE_5


@pytest.fixture(scope="module")
def knows_the_hypotheses():
    """A network that only looks whether it is shown one of the five masses: score 1/2 if so, less if not."""
    features = keras.Input((3,), name="features")
    theta = keras.Input((1,), name="theta")
    distance = keras.ops.abs(theta / 250 - keras.ops.round(theta / 250))
    return keras.Model({"features": features, "theta": theta}, keras.ops.sigmoid(-distance))


def test_uniform_masses_leak_wholly_into_such_a_network(samples, knows_the_hypotheses):
    test = samples.test
    uniform = section_4.theta_by(pnn_tf.Uniform(500.0, 1500.0, sampled=False), test, seed=1)
    assert np.array_equal(uniform[test.label == 1], test.theta[test.label == 1])
    masses = {"identical": section_4.theta_by(None, test, seed=1), "uniform": uniform}
    measured = section_4._measure(masses, knows_the_hypotheses, test, test.hypotheses)
    assert measured["joint_auc_identical"] == [0.5] and measured["joint_auc_uniform"] == [1.0]
    assert measured["auc"] == [0.5] * 5 and len(measured["significance"]) == 5


@pytest.fixture
def record(rows_of_table_5, samples):
    """A made-up run: the rows that Table 5 has are the paper's, the others are one of these."""
    record = records.new_record("affine-section-4", "smoke", asdict(section_4.SCALES["smoke"]), samples.data)
    plain = {row["seed"]: row for row in rows_of_table_5 if row["row"] == "pNN identical (fixed)"}
    there = {(row["row"], row["seed"]): row for row in rows_of_table_5}
    for seed in (1, 2):
        for name in SETUPS:
            row = there.get((name, seed), plain[seed])
            joint = {f"joint_auc_{rule}{suffix}": [0.9] for rule in RULES for suffix in ("", "_last")}
            if name == BINNED:
                joint |= {"joint_auc_binned": [0.95], "joint_auc_binned_last": [0.9 + 0.01 * seed]}
                joint |= {"auc": [value - 0.1 for value in row["auc"]]}
            record["rows"].append(row | joint | {"row": name})
    return record


def test_the_section_is_made_of_the_rows(record):
    section = section_4.section(record)
    findings = {finding.heading: finding for finding in section.findings}
    kept, last = (findings[f"Binned masses, at the {epoch}"] for epoch in ("epoch kept", "last epoch"))
    assert kept.points.ours == pytest.approx(-10) and kept.points.paper is None
    assert "has 95.00 % where the one on identical masses has 90.00 %: a leak of +5.00 ± 0.00" in kept.text
    assert "+1.50 ± 0.71" in last.text
    balance = findings["Full balance"].points
    expected = np.mean(AFFINE_TABLE_5["pNN (full) identical (fixed)"].auc) - np.mean(
        AFFINE_TABLE_5["pNN identical (fixed)"].auc
    )
    assert balance.ours == pytest.approx(expected) and balance.paper == pytest.approx(expected)
    uniform = findings["Uniform masses"].points
    assert uniform.paper == pytest.approx((76.67 + 72.20 - 76.71 - 76.71) / 2)
    leaks = dict(section.tables[1][1].rows)
    assert [cell.ours for cell in leaks[BINNED]] == pytest.approx([90, 90, 95, 90, 90, 91.5])
    assert dict(section.tables[0][1].rows)[BINNED][0].paper is None


def test_the_figure_has_a_dot_for_each_rule(record):
    axes = section_4_section.joint_plot(record["rows"]).axes[0]
    at = list(SETUPS).index(BINNED)
    assert [line.get_xdata()[at] for line in axes.get_lines()] == pytest.approx([90, 90, 91.5])
    assert [label.get_text() for label in axes.get_yticklabels()] == list(SETUPS)
