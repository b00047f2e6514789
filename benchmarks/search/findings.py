"""What is asked of a trained network: limits, what they rest on, a signal that is there, and whether pyhf agrees."""

from typing import NamedTuple

import keras
import numpy as np
import pyhf
import tensorflow as tf
from scipy.stats import norm

import neos_tf
import pnn_tf
import taylor
from benchmarks.search.events import Part, Sample
from benchmarks.search.measurement import Scorer, make_templates
from neos_tf.inference import DiscoveryScan

EXCLUDED = norm.isf(0.05) ** 2  # q~_mu above which 1 - Phi(sqrt(q)) is below 0.05


class Limits(NamedTuple):
    """Expected upper limits on the cross-section at one mass, pb; None where a fit did not converge.

    Args:
        expected: (5,) -2, -1 standard deviations, median, 1, 2.
        without_statistics: median, if the simulation had no end.
        without_scale: median, if the jet energy scale were known as well.
        without_systematics: median, if everything were known.
        sigma_scale: uncertainty of the jet energy scale after a fit to the background, in units of that before.
        auc: of signal and background.
        n_merged, n_floored: as of `Templates`.
    """

    expected: list[float] | None
    without_statistics: float | None
    without_scale: float | None
    without_systematics: float | None
    sigma_scale: float | None
    auc: float
    n_merged: int
    n_floored: int


def limits(score: Scorer, train: Sample, test: Sample, mass: float) -> Limits:
    """On test events, in bins of training events."""
    templates = make_templates(score, train, test, mass)
    expected = neos_tf.upper_limit(templates.likelihood)
    endless = templates.without_statistics
    systematics = [name for name in endless.model.parameter_names if name != "mu"]
    sigmas = neos_tf.uncertainties(templates.likelihood, background_and(0.0, templates.likelihood))
    sigma = sigmas[templates.likelihood.model.parameter_names.index("jes")]
    parts = test.signal(mass), test.background()
    auc = pnn_tf.roc_auc(
        np.repeat([1, 0], [len(part.weight) for part in parts]),
        np.concatenate([score(part.features, mass) for part in parts]),
        np.concatenate([part.weight for part in parts]),
    )
    return Limits(
        expected.expected.numpy().tolist() if expected.converged else None,
        without_statistics=_median(endless),
        without_scale=_median(endless, "jes"),
        without_systematics=_median(endless, *systematics),
        sigma_scale=float(sigma) if np.isfinite(sigma) else None,
        auc=float(auc),
        n_merged=templates.n_merged,
        n_floored=templates.n_floored,
    )


def _median(likelihood, *known):
    limit = neos_tf.upper_limit(likelihood, fixed=known)
    return float(limit.expected[2]) if limit.converged else None


def background_and(mu: float, likelihood: neos_tf.Likelihood) -> np.ndarray:
    """(n_parameters,) nominal parameters with a signal of mu pb."""
    return np.where(np.array(likelihood.model.parameter_names) == "mu", mu, likelihood.model.initial)


def difference_from_pyhf(likelihood: neos_tf.Likelihood) -> float | None:
    """Relative difference of our median expected limit from pyhf's on the written workspace; None if there is none.

    pyhf's is a step of Newton's method away from ours, by its CLs there and 0.1 % above. Its fits start from the
    background alone: from its own start they end 1e-5 away.
    """
    limit = neos_tf.upper_limit(likelihood)
    if not limit.converged:
        return None
    start = background_and(0.0, likelihood)
    observed = likelihood.expected_data(start, include_auxdata=False)
    workspace = pyhf.Workspace(likelihood.workspace(observed, **likelihood.model.pyhf_options))
    mus = float(limit.expected[2]) * np.array([1.0, 1.001])
    backend, optimizer = pyhf.get_backend()
    try:
        pyhf.set_backend("numpy", pyhf.optimize.scipy_optimizer(tolerance=1e-10))
        model = workspace.model()
        given = {"init_pars": start.tolist(), "return_expected": True, "test_stat": "qtilde"}
        cls = [float(pyhf.infer.hypotest(mu, workspace.data(model), model, **given)[1]) for mu in mus]
    finally:
        pyhf.set_backend(backend, optimizer)
    slope = np.diff(np.log(cls))[0] / np.diff(np.log(mus))[0]
    return float(abs(np.log(0.05 / cls[0]) / slope))


def coverage(likelihood: neos_tf.Likelihood, n_toys: int, seed: int) -> float:
    """Share of pseudo-experiments whose 95 % limit (CLs+b) lies below the cross-section that is there.

    That is twice the median expected limit, where CLs and CLs+b exclude alike. Fits that do not converge, of both
    hypotheses, count as if each had excluded besides.
    """
    mu = 2 * float(neos_tf.upper_limit(likelihood).expected[2])
    toys = neos_tf.toy_cls(
        likelihood, likelihood.expected_data(background_and(mu, likelihood)), mu, n_toys=n_toys, seed=seed
    )
    return float(np.mean(toys.signal > EXCLUDED) + toys.n_unconverged / n_toys)


def injected(score: Scorer, train: Sample, test: Sample, counts: np.ndarray, cross_section: float) -> DiscoveryScan:
    """A scan of all masses of pseudo-data, drawn once event by event: every mass bins the same events.

    Args:
        score: of the events.
        train, test: the samples.
        counts: (n_events,) how often each test event is in the data.
        cross_section: expected of the resonance, pb.
    """
    scans, there = [], counts > 0
    for mass in test.masses:
        templates = make_templates(score, train, test, mass)
        bins = np.digitize(score(test.nominal.features[there], mass), templates.edges[1:-1])
        observed = np.bincount(bins, counts[there], templates.n_bins)
        likelihood = templates.likelihood
        scans.append(neos_tf.discovery_scan([likelihood], likelihood.data(observed), cross_section))
    return DiscoveryScan(*(tf.concat(values, axis=0) for values in zip(*scans, strict=True)))


def draw_counts(test: Sample, mass: float, cross_section: float, seed: int) -> np.ndarray:
    """(n_events,) Poisson numbers: SM top pairs, and a resonance of one mass with a cross-section in pb."""
    events = test.nominal
    factor = np.where(events.label == 0, 1.0, np.where(events.theta[:, 0] == mass, cross_section, 0.0))
    return np.random.default_rng(seed).poisson(factor * events.weight)


def importance(score: Scorer, test: Sample, n_events: int) -> taylor.ImportanceOverTheta:
    """Taylor importance of the score at each mass, over the background, features in units of their deviation."""
    background = test.background()
    features = background.features[expected_rows(background, n_events)]
    mean, std = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    inputs = {"features": keras.Input((features.shape[1],), name="features"), "theta": score.network.input["theta"]}
    physical = keras.layers.Rescaling(std, mean, name="physical")(inputs["features"])
    network = keras.Model(inputs, score.network({"features": physical, "theta": inputs["theta"]}))
    theta = np.array([[mass, *score.further] for mass in test.masses])
    return taylor.importance_over_theta(network, (features - mean) / std, theta, names=test.nominal.names)


def expected_rows(part: Part, n_events: int) -> np.ndarray:
    """(n_events,) rows drawn by their weight: a sample as data would be, without weights."""
    return np.random.default_rng(0).choice(len(part.weight), n_events, p=part.weight / part.weight.sum())


def importance_to_scale(score: Scorer, test: Sample, mass: float, n_events: int) -> taylor.VariationImportance:
    """What each feature contributes to the change of the logit of the background with the jet energy scale."""
    rows = expected_rows(test.background(), n_events)
    parts = [test.background(name).features[rows] for name in (None, "jes_up", "jes_down")]
    theta = np.tile(np.float32([mass, *score.further]), (len(parts[0]), 1))
    nominal, up, down = ({"features": features, "theta": theta} for features in parts)
    settings = {"names": test.nominal.names, "inputs": "features", "target": "logit"}
    return taylor.importance_to_variation(score.network, nominal, up, down, order=1, **settings)
