"""Training a network on the sensitivity of the final measurement, systematic uncertainties included.

Simpson and Heinrich, arXiv:2203.05570: histograms with a gradient, fits and test statistics of pyhf models that are
differentiable with respect to the templates, the losses made of them, and a Keras model that trains on these.
"""

from neos_tf.batches import sample_batches
from neos_tf.binning import SoftBins
from neos_tf.builders import correlated_background, uncorrelated_background
from neos_tf.edges import LearnableEdges
from neos_tf.export import export_savedmodel
from neos_tf.fits import covariance, fit, fixed_poi_fit, pulls, twice_nll, uncertainties
from neos_tf.histogram import binned_kde, hard_histogram
from neos_tf.impacts import Impacts, Postfit, impacts, postfit
from neos_tf.inference import cls, discovery_scan, discovery_significance, q0, qmu, qmu_tilde
from neos_tf.likelihood import Likelihood
from neos_tf.limits import UpperLimit, upper_limit
from neos_tf.losses import (
    BCELoss,
    CLsLoss,
    ConstraintLoss,
    DiscoveryLoss,
    EmptyBinPenalty,
    Loss,
    LossValue,
    POIUncertaintyLoss,
    POIVarianceLoss,
    UpperLimitLoss,
    WeightedLoss,
)
from neos_tf.minimise import minimise
from neos_tf.quantiles import QuantileBins, quantile_edges
from neos_tf.selection import SoftCut, soft_cut
from neos_tf.smoothing import smooth_variation
from neos_tf.template_sums import SampleSums, TemplateSums, template_sums
from neos_tf.templates import TemplateModel
from neos_tf.toys import ToyCLs, ToyDiscovery, toy_cls, toy_discovery
from neos_tf.training import SummaryStatistic
from neos_tf.yields import expected_yields

__all__ = [
    "BCELoss",
    "CLsLoss",
    "ConstraintLoss",
    "DiscoveryLoss",
    "EmptyBinPenalty",
    "Impacts",
    "LearnableEdges",
    "Likelihood",
    "Loss",
    "LossValue",
    "POIUncertaintyLoss",
    "POIVarianceLoss",
    "Postfit",
    "QuantileBins",
    "SampleSums",
    "SoftBins",
    "SoftCut",
    "SummaryStatistic",
    "TemplateModel",
    "TemplateSums",
    "ToyCLs",
    "ToyDiscovery",
    "UpperLimit",
    "UpperLimitLoss",
    "WeightedLoss",
    "binned_kde",
    "cls",
    "correlated_background",
    "covariance",
    "discovery_scan",
    "discovery_significance",
    "expected_yields",
    "export_savedmodel",
    "fit",
    "fixed_poi_fit",
    "hard_histogram",
    "impacts",
    "minimise",
    "postfit",
    "pulls",
    "q0",
    "qmu",
    "qmu_tilde",
    "quantile_edges",
    "sample_batches",
    "smooth_variation",
    "soft_cut",
    "template_sums",
    "toy_cls",
    "toy_discovery",
    "twice_nll",
    "uncertainties",
    "uncorrelated_background",
    "upper_limit",
]
