"""Parametric neural networks: one classifier for a whole range of theory parameters.

Networks of Baldi et al. 2016 and Anzalone et al. 2022, their balanced training, and what they are judged by.
"""

from pnn_tf.agreement import Agreement, HoldOut, hold_out_test
from pnn_tf.calibrating import calibrate, calibration_grid
from pnn_tf.calibration import Calibration, Densities
from pnn_tf.classes import ClassResult, evaluate_classes, predict_classes
from pnn_tf.cluster import dask_client
from pnn_tf.columns import FeatureNames
from pnn_tf.compare import Difference, compare_auc
from pnn_tf.curves import RocCurve, roc_curve
from pnn_tf.decorrelation import DecorrelatedCrossentropy, squared_distance_correlation
from pnn_tf.discriminants import discriminant
from pnn_tf.dropout import FastDropout
from pnn_tf.evaluation import HypothesisResult, evaluate_hypotheses, hold_out, predict_scores, scan_theta
from pnn_tf.events_in_bins import EventsInBins, events_in_bins
from pnn_tf.export import check_feature_names, export_savedmodel, read_description
from pnn_tf.guidance import Sculpting, TooFew, background_sculpting, too_few_events
from pnn_tf.hull import outside_hull
from pnn_tf.layers import AffineConditioning, ConcatConditioning, ThetaScale
from pnn_tf.leak import ThetaLeak, theta_leak
from pnn_tf.metrics import Ranking, Significance, ams, auc_error, roc_auc, significance_ratio
from pnn_tf.networks import parametric_network
from pnn_tf.onnx_export import export_onnx
from pnn_tf.parquet import LeftOut
from pnn_tf.per_hypothesis import PerHypothesis
from pnn_tf.pipeline import BalancedBatches, balanced_batches
from pnn_tf.resuming import BackupAndResume
from pnn_tf.score_counts import ScoreCounts, count_scores
from pnn_tf.served import load_savedmodel
from pnn_tf.shard_sums import Columns, Total
from pnn_tf.sharded import sharded_batches
from pnn_tf.strata import Stratum
from pnn_tf.streaming import StreamingAUC, StreamingSignificance
from pnn_tf.tasks import sum_over_shards
from pnn_tf.theta import Binned, Identical, Uniform

__all__ = [
    "AffineConditioning",
    "Agreement",
    "BackupAndResume",
    "BalancedBatches",
    "Binned",
    "Calibration",
    "ClassResult",
    "Columns",
    "ConcatConditioning",
    "DecorrelatedCrossentropy",
    "Densities",
    "Difference",
    "EventsInBins",
    "FastDropout",
    "FeatureNames",
    "HoldOut",
    "HypothesisResult",
    "Identical",
    "LeftOut",
    "PerHypothesis",
    "Ranking",
    "RocCurve",
    "ScoreCounts",
    "Sculpting",
    "Significance",
    "Stratum",
    "StreamingAUC",
    "StreamingSignificance",
    "ThetaLeak",
    "ThetaScale",
    "TooFew",
    "Total",
    "Uniform",
    "ams",
    "auc_error",
    "background_sculpting",
    "balanced_batches",
    "calibrate",
    "calibration_grid",
    "check_feature_names",
    "compare_auc",
    "count_scores",
    "dask_client",
    "discriminant",
    "evaluate_classes",
    "evaluate_hypotheses",
    "events_in_bins",
    "export_onnx",
    "export_savedmodel",
    "hold_out",
    "hold_out_test",
    "load_savedmodel",
    "outside_hull",
    "parametric_network",
    "predict_classes",
    "predict_scores",
    "read_description",
    "roc_auc",
    "roc_curve",
    "scan_theta",
    "sharded_batches",
    "significance_ratio",
    "squared_distance_correlation",
    "sum_over_shards",
    "theta_leak",
    "too_few_events",
]
