"""What a network can be trained on: expected limits, discovery, uncertainties, cross-entropy, and sums of them.

Simpson and Heinrich, arXiv:2203.05570, sections 3 and 4. A loss says what it makes of a likelihood, whose templates are
histograms of the summary statistic, or of the statistic itself, or of both. All are to be minimised.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from neos_tf.fits import covariance, guarded_sqrt
from neos_tf.inference import cls, discovery_significance
from neos_tf.likelihood import Likelihood
from neos_tf.limits import upper_limits
from neos_tf.parameters import parameters_with_poi, poi_index


class LossValue(NamedTuple):
    """Value () of a loss, and () bool whether every fit for it converged."""

    value: tf.Tensor
    converged: tf.Tensor


class Loss:
    """A loss offers one of these methods or both, and says which; their results are added."""

    uses_likelihood = True
    uses_scores = False

    def of_likelihood(self, likelihood: Likelihood) -> LossValue:
        """The part that depends on the histograms."""
        raise NotImplementedError

    def of_scores(self, scores: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """() the part that depends on the summary statistic (n_events, 1) of each event of each sample, in [0, 1]."""
        raise NotImplementedError

    def get_config(self) -> dict:
        return asdict(self)  # type: ignore[call-overload]  # of the dataclasses that losses are

    @classmethod
    def from_config(cls, config: dict) -> "Loss":
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in config.items()})


@keras.saving.register_keras_serializable(package="neos_tf")
@dataclass(frozen=True)
class CLsLoss(Loss):
    """Median expected CLs of a signal, or its logarithm.

    The logarithm has the same minimum; CLs itself has no gradient left where it is small, as 1e-7.

    Args:
        poi_test: signal strength to exclude.
        log: take the logarithm.
    """

    poi_test: float = 1.0
    log: bool = True

    def of_likelihood(self, likelihood: Likelihood) -> LossValue:
        result = cls(likelihood, poi_test=self.poi_test)
        return LossValue(result.log_expected if self.log else tf.exp(result.log_expected), result.converged)


@keras.saving.register_keras_serializable(package="neos_tf")
@dataclass(frozen=True)
class UpperLimitLoss(Loss):
    """Median expected upper limit on the signal strength, or its logarithm.

    Args:
        level: as for `upper_limit`.
        log: take the logarithm, whose gradient does not depend on the signal's cross-section.
    """

    level: float = 0.05
    log: bool = True

    def of_likelihood(self, likelihood: Likelihood) -> LossValue:
        limits, converged = upper_limits(likelihood, None, self.level, n_sigma=(0.0,))
        return LossValue(tf.math.log(limits[0]) if self.log else limits[0], converged)


@keras.saving.register_keras_serializable(package="neos_tf")
@dataclass(frozen=True)
class DiscoveryLoss(Loss):
    """Minus the median expected significance of a signal.

    Args:
        poi_asimov: signal strength that is there.
    """

    poi_asimov: float = 1.0

    def of_likelihood(self, likelihood: Likelihood) -> LossValue:
        result = discovery_significance(likelihood, poi_asimov=self.poi_asimov)
        return LossValue(-result.significance, result.converged)


@keras.saving.register_keras_serializable(package="neos_tf")
@dataclass(frozen=True)
class POIVarianceLoss(Loss):
    """Variance of the parameter of interest, from the Fisher information: INFERNO, de Castro and Dorigo 2019.

    Args:
        poi_asimov: signal strength of the Asimov data at which it is taken.
        log: take the logarithm, whose gradient is of order one in whatever units the parameter is.
        unconstrained: as for `covariance`.
    """

    poi_asimov: float = 1.0
    log: bool = False
    unconstrained: tuple[str, ...] = ()

    def of_likelihood(self, likelihood: Likelihood) -> LossValue:
        variance = _variance(likelihood, self.poi_asimov, poi_index(likelihood), self.unconstrained)
        return _finite(tf.math.log(variance) if self.log else variance)


@keras.saving.register_keras_serializable(package="neos_tf")
@dataclass(frozen=True)
class POIUncertaintyLoss(Loss):
    """Standard deviation of the parameter of interest; arguments as `POIVarianceLoss`."""

    poi_asimov: float = 1.0
    unconstrained: tuple[str, ...] = ()

    def of_likelihood(self, likelihood: Likelihood) -> LossValue:
        variance = _variance(likelihood, self.poi_asimov, poi_index(likelihood), self.unconstrained)
        return _finite(guarded_sqrt(variance))


@keras.saving.register_keras_serializable(package="neos_tf")
@dataclass(frozen=True)
class ConstraintLoss(Loss):
    """(1 - sigma)^2 of a nuisance parameter with unit constraint: is it left as well known as it was?

    Args:
        parameter: its name, one of `TemplateModel.parameter_names`.
        poi_asimov: signal strength of the Asimov data at which sigma is taken.
        unconstrained: as for `covariance`.
    """

    parameter: str
    poi_asimov: float = 1.0
    unconstrained: tuple[str, ...] = ()

    def of_likelihood(self, likelihood: Likelihood) -> LossValue:
        names = likelihood.model.parameter_names
        if self.parameter not in names:
            raise ValueError(f"Expected parameter to be one of {', '.join(names)}. Received: {self.parameter!r}.")
        index = names.index(self.parameter)
        if likelihood.model.fixed[index]:
            raise ValueError(f"Expected a parameter that is free. Received: {self.parameter!r}, which is fixed.")
        variance = _variance(likelihood, self.poi_asimov, index, self.unconstrained)
        return _finite((1 - guarded_sqrt(variance)) ** 2)


@keras.saving.register_keras_serializable(package="neos_tf")
@dataclass(frozen=True)
class EmptyBinPenalty(Loss):
    """Sum over bins of (1 - expected / least)^2, where fewer than `least` events are expected.

    Args:
        least: expected events, at the initial parameters.
    """

    least: float = 1.0

    def of_likelihood(self, likelihood: Likelihood) -> LossValue:
        expected = likelihood.expected_data(likelihood.model.initial, include_auxdata=False)
        return _finite(tf.reduce_sum(tf.nn.relu(1 - expected / self.least) ** 2))


@keras.saving.register_keras_serializable(package="neos_tf")
@dataclass(frozen=True)
class BCELoss(Loss):
    """Binary cross-entropy, averaged over all events of the samples named.

    With the variations of the background among `background` it is the paper's baseline with systematic augmentation.

    Args:
        signal: samples with label 1.
        background: samples with label 0.
    """

    signal: tuple[str, ...] = ("signal",)
    background: tuple[str, ...] = ("background",)

    uses_likelihood = False
    uses_scores = True

    def of_scores(self, scores: Mapping[str, tf.Tensor]) -> tf.Tensor:
        missing = [name for name in (*self.signal, *self.background) if name not in scores]
        if missing:
            raise ValueError(f"Expected events of {', '.join(missing)} in each batch. Received: {', '.join(scores)}.")
        label = [tf.ones_like(scores[name]) for name in self.signal]
        label += [tf.zeros_like(scores[name]) for name in self.background]
        score = [scores[name] for name in (*self.signal, *self.background)]
        return tf.reduce_mean(keras.ops.binary_crossentropy(tf.concat(label, axis=0), tf.concat(score, axis=0)))


@keras.saving.register_keras_serializable(package="neos_tf")
class WeightedLoss(Loss):
    """Weighted sum of losses, a0 CLs + a1 sigma_mu + a2 (1 - sigma_gamma)^2 + ... in section 4.

    Args:
        terms: weight of each loss, as {CLsLoss(log=False): 1.0, POIUncertaintyLoss(): 0.1}.

    Raises:
        ValueError: no term.
    """

    def __init__(self, terms: Mapping[Loss, float]):
        if not terms:
            raise ValueError("Expected at least one loss among terms. Received: none.")
        self.terms = dict(terms)
        self.uses_likelihood = any(loss.uses_likelihood for loss in self.terms)
        self.uses_scores = any(loss.uses_scores for loss in self.terms)

    def of_likelihood(self, likelihood: Likelihood) -> LossValue:
        parts = [(loss.of_likelihood(likelihood), a) for loss, a in self.terms.items() if loss.uses_likelihood]
        converged = tf.reduce_all([part.converged for part, _ in parts])
        return LossValue(tf.add_n([a * part.value for part, a in parts]), converged)

    def of_scores(self, scores: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return tf.add_n([a * loss.of_scores(scores) for loss, a in self.terms.items() if loss.uses_scores])

    def get_config(self) -> dict[str, Any]:
        return {"terms": [[keras.saving.serialize_keras_object(loss), a] for loss, a in self.terms.items()]}

    @classmethod
    def from_config(cls, config: dict) -> "WeightedLoss":
        return cls({keras.saving.deserialize_keras_object(loss): a for loss, a in config["terms"]})


def _variance(likelihood: Likelihood, poi_asimov: float, index: int, unconstrained: tuple[str, ...]) -> tf.Tensor:
    pars = parameters_with_poi(likelihood, poi_asimov)
    return covariance(likelihood, pars, unconstrained=unconstrained)[index, index]


def _finite(value: tf.Tensor) -> LossValue:
    return LossValue(value, tf.math.is_finite(value))
