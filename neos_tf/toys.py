"""p-values from pseudo-experiments ("toys"), for counts too few for asymptotic formulae.

As pyhf's toy calculator: each hypothesis is fitted to the data, counts and auxiliary measurements are drawn from its
density, and the test statistic of each draw takes two fits. A p-value is the share of draws at or above the observed
statistic.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from neos_tf.fits import evaluated, search, search_with
from neos_tf.histogram import as_float64
from neos_tf.inference import q0, qmu
from neos_tf.likelihood import Likelihood
from neos_tf.parameters import settings_of
from neos_tf.templates import TemplateModel
from neos_tf.typing import TensorLike

TIE = 1e-8  # of 1 + the statistic: the same counts come again, and their fits differ in the last digits
PERCENTILES = (2.275013194817921, 15.865525393145708, 50.0, 84.13447460685429, 97.72498680518208)  # -2 to 2 sigma


class ToyCLs(NamedTuple):
    """CLs of a signal strength from pseudo-experiments.

    Args:
        observed: () CLs = CLsb / CLb.
        error: () its statistical standard deviation.
        clsb, clb: () p-values of the hypotheses with and without signal.
        expected: (5,) CLs if there is no signal: -2, -1 standard deviations, median, +1, +2, as of `cls`.
        statistic: () test statistic of the data.
        signal, background: (n_toys,) test statistics under either hypothesis.
        n_unconverged: () int32, pseudo-experiments whose fits did not converge; they count with what was found.
        converged: () bool, of the fits to the data.
    """

    observed: tf.Tensor
    error: tf.Tensor
    clsb: tf.Tensor
    clb: tf.Tensor
    expected: tf.Tensor
    statistic: tf.Tensor
    signal: tf.Tensor
    background: tf.Tensor
    n_unconverged: tf.Tensor
    converged: tf.Tensor


class ToyDiscovery(NamedTuple):
    """p-value of the background hypothesis from pseudo-experiments.

    Args:
        p_value: () share of pseudo-experiments with as much signal as the data or more.
        error: () its statistical standard deviation.
        statistic: () q_0 of the data.
        background: (n_toys,) q_0 without signal.
        n_unconverged, converged: as of `ToyCLs`.
    """

    p_value: tf.Tensor
    error: tf.Tensor
    statistic: tf.Tensor
    background: tf.Tensor
    n_unconverged: tf.Tensor
    converged: tf.Tensor


@tf.autograph.experimental.do_not_convert
def toy_cls(
    likelihood: Likelihood,
    data: TensorLike,
    poi_test: TensorLike = 1.0,
    *,
    n_toys: int = 1000,
    seed: int = 0,
    **options: Any,
) -> ToyCLs:
    """Observed and expected CLs of a signal strength from pseudo-experiments, without gradient; eagerly or in a graph.

    Args:
        likelihood: templates bound to a model.
        data: (n_data,) counts and auxiliary data.
        poi_test: () signal strength that is tested.
        n_toys: pseudo-experiments of each of the two hypotheses.
        seed: of the draws.
        **options: as `fit`.

    Raises:
        ValueError: as `cls`; n_toys below 1.
    """
    data, poi_test = as_float64(data), as_float64(poi_test)
    observed = qmu(poi_test, likelihood, data, **options)
    without = search(likelihood, data, fixed_poi=0.0, **options)
    signal, failed = _statistics(likelihood, observed.fixed_poi.pars, poi_test, n_toys, (seed, 0), options)
    background, failed_too = _statistics(likelihood, without.pars, poi_test, n_toys, (seed, 1), options)
    clsb, clb = _share_above(signal, observed.value), _share_above(background, observed.value)
    each = _share_above(signal, background) / _share_above(background, background)
    return ToyCLs(
        observed=clsb / clb,
        error=tf.sqrt(_error(clsb, n_toys) ** 2 + (clsb / clb * _error(clb, n_toys)) ** 2) / clb,
        clsb=clsb,
        clb=clb,
        expected=tfp.stats.percentile(each, PERCENTILES, interpolation="linear"),
        statistic=observed.value,
        signal=signal,
        background=background,
        n_unconverged=failed + failed_too,
        converged=observed.converged & without.converged,
    )


@tf.autograph.experimental.do_not_convert
def toy_discovery(
    likelihood: Likelihood, data: TensorLike, *, n_toys: int = 1000, seed: int = 0, **options: Any
) -> ToyDiscovery:
    """p-value of the absence of a signal from pseudo-experiments, with q_0; arguments as `toy_cls`."""
    data = as_float64(data)
    observed = q0(likelihood, data, **options)
    drawn, failed = _statistics(likelihood, observed.fixed_poi.pars, None, n_toys, (seed, 0), options)
    p_value = _share_above(drawn, observed.value)
    return ToyDiscovery(p_value, _error(p_value, n_toys), observed.value, drawn, failed, observed.converged)


@tf.autograph.experimental.do_not_convert
def sample_data(likelihood: Likelihood, pars: TensorLike, n_toys: int, seed: tuple[int, int]) -> tf.Tensor:
    """(n_toys, n_data) counts and auxiliary data drawn from the density at `pars` (n_parameters,)."""
    model, config = likelihood.model, likelihood.model.pyhf_model.config
    n_bins = sum(model.channels.values())
    parameters, normal = [], [False] * n_bins
    for name in config.auxdata_order:
        constrained = config.param_set(name)
        parameters += range(config.npars)[config.par_slice(name)]
        normal += [constrained.pdf_type == "normal"] * constrained.n_parameters
    expected = likelihood.expected_data(pars)
    widths = tf.concat(
        [tf.ones(n_bins, tf.float64), tf.gather(likelihood.constraint_widths, np.array(parameters, int))], axis=0
    )
    of_counts, of_measurements = tf.unstack(tf.random.split(tf.constant(seed, tf.int32), 2))
    shape = n_toys, len(normal)
    rates = tf.where(normal, tf.ones_like(expected), expected)
    counts = tf.random.stateless_poisson(shape, of_counts, rates, tf.float64)
    measured = expected + widths * tf.random.stateless_normal(shape, of_measurements, dtype=tf.float64)
    return tf.where(normal, measured, counts)


def _statistics(
    likelihood: Likelihood, pars: tf.Tensor, poi: tf.Tensor | None, n_toys: int, seed: tuple[int, int], options: dict
) -> tuple[tf.Tensor, tf.Tensor]:
    """(n_toys,) q_mu (q_0 if `poi` is None) of data drawn at `pars`, and () how many did not converge."""
    if n_toys < 1:
        raise ValueError(f"Expected n_toys of at least 1. Received: {n_toys}.")
    model = likelihood.model
    given, rest = settings_of(model, options)
    given = given._replace(initial=tf.where(given.fixed, given.initial, pars))
    tested = tf.zeros((), tf.float64) if poi is None else poi
    data = sample_data(likelihood, pars, n_toys, seed)
    statistics, converged = _tested(model, tuple(sorted(rest.items())))(
        likelihood.numbers, data, tested, tf.constant(poi is None), given
    )
    return statistics, tf.math.count_nonzero(~converged, dtype=tf.int32)


@functools.lru_cache(maxsize=16)
def _tested(model: TemplateModel, options: tuple) -> Callable:
    """The test statistics of many data (n_toys, n_data), one after the other, and whether their fits converged.

    Compiled by XLA: for a small model, some 20 seconds once, and then a second for some 9000 fits.
    """
    here = np.arange(len(model.initial)) == model.poi_index

    @tf.function(autograph=False, jit_compile=True)
    def tested(numbers, data, poi, discovery, given):
        likelihood = Likelihood(model, numbers)
        conditional = given._replace(initial=tf.where(here, poi, given.initial), fixed=given.fixed | here)

        def test(one):
            found = [search_with(likelihood, one, settings, **dict(options)) for settings in (given, conditional)]
            best, fixed = evaluated(likelihood, one, *found)
            best_poi = best.pars[model.poi_index]
            value = tf.maximum(fixed.twice_nll - best.twice_nll, 0)
            beyond = tf.where(discovery, best_poi < 0, best_poi > poi)
            value = tf.where(beyond, tf.zeros_like(value), value)
            return value, best.converged & fixed.converged

        return tf.map_fn(test, data, fn_output_signature=(tf.float64, tf.bool))

    return tested


def _share_above(drawn: tf.Tensor, statistic: tf.Tensor) -> tf.Tensor:
    """Of the draws, those at or above one statistic (), or each of many (n,)."""
    ordered, least = tf.sort(drawn), statistic - TIE * (1 + statistic)
    n_below = tf.searchsorted(ordered, tf.reshape(least, [-1]), side="left")
    share = 1 - tf.cast(n_below, tf.float64) / tf.cast(tf.size(drawn), tf.float64)
    return tf.reshape(share, tf.shape(statistic))


def _error(share: tf.Tensor, n_toys: int) -> tf.Tensor:
    """Binomial standard deviation of a share."""
    return tf.sqrt(share * (1 - share) / n_toys)
