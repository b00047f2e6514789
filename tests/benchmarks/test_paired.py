"""How a report tells a difference of AUCs."""

from benchmarks.paired import INDISTINCT, cell, verdict
from pnn_tf.compare import Difference


def test_a_verdict_needs_two_standard_errors():
    verdicts = [verdict(Difference(value, 0.001, 3)) for value in (0.0021, -0.0021, 0.0019, -0.0019)]
    assert verdicts == ["better", "worse", INDISTINCT, INDISTINCT]
    assert verdict(Difference(0.0021, 0.001)) == "better in this one training"
    assert verdict(Difference(0.0, 0.0)) == INDISTINCT  # of a classifier and itself


def test_a_cell_is_in_points():
    assert cell(Difference(-0.005, 0.002)) == (-0.5, 0.2, None)
