"""Which inputs, and which relations between inputs, the response of a network rests on.

Taylor coefficients of a network's output in its inputs, and their means over events: Wunsch, Friese, Wolf and Quast,
"Identifying the relevant dependencies of the neural network response on characteristics of the input space",
arXiv:1803.08782.
"""

from taylor.between_samples import importance_between_samples
from taylor.coefficients import TaylorCoefficients, taylor_coefficients
from taylor.comparison import ComparedFeature, Comparison
from taylor.features import FeatureSet
from taylor.importance import mean_abs_coefficients
from taylor.monitor import MonitorRecord, TaylorMonitor, read_monitor
from taylor.outputs import ImportanceOfOutputs, importance_of_outputs
from taylor.over_theta import ImportanceOverTheta, importance_over_theta
from taylor.result import RankedFeature, TaylorImportance
from taylor.rules import rule
from taylor.selection import Selection, select_features
from taylor.steps import NoRule
from taylor.sums import ImportanceSums, importance_sums
from taylor.variation import importance_to_variation
from taylor.variation_result import Contribution, VariationImportance

__all__ = [
    "ComparedFeature",
    "Comparison",
    "Contribution",
    "FeatureSet",
    "ImportanceOfOutputs",
    "ImportanceOverTheta",
    "ImportanceSums",
    "MonitorRecord",
    "NoRule",
    "RankedFeature",
    "Selection",
    "TaylorCoefficients",
    "TaylorImportance",
    "TaylorMonitor",
    "VariationImportance",
    "importance_between_samples",
    "importance_of_outputs",
    "importance_over_theta",
    "importance_sums",
    "importance_to_variation",
    "mean_abs_coefficients",
    "read_monitor",
    "rule",
    "select_features",
    "taylor_coefficients",
]
