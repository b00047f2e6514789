"""The constraints of a model's parameters: what was measured of each, and how well.

A shapesys counts (yield / uncertainty)^2 events, a staterror knows its factor to the relative uncertainty of a bin.
Both follow the numbers of the templates, unless the settings of the parameter say otherwise (auxdata, factors, sigmas).
"""

from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf


class Constraints:
    """Of the parameters of a pyhf model.

    Args:
        config: that of pyhf's model.
        positions: channels of its specification, with positions in place of numbers.
        parameters: settings of its specification.
    """

    def __init__(self, config: Any, positions: list[dict], parameters: list[dict]):
        self._config = config
        self._channels = {channel["name"]: channel for channel in positions}
        self._settings = {settings["name"]: settings for settings in parameters}

    def auxdata(self, numbers: tf.Tensor) -> tf.Tensor:
        """(n_auxdata,) in pyhf's order."""
        pieces = [
            self._counts(numbers, name)
            if name in self._by_kind["shapesys"] and not self._sets(name, "auxdata")
            else np.asarray(self._config.param_set(name).auxdata, float)
            for name in self._config.auxdata_order
        ]
        return tf.concat([tf.zeros(0, tf.float64), *pieces], axis=0)

    def widths(self, numbers: tf.Tensor) -> tf.Tensor:
        """(n_parameters,) standard deviations in pyhf's order; infinite without a constraint."""
        pieces = []
        for name in self._config.par_order:
            parameters = self._config.param_set(name)
            if not parameters.constrained:
                pieces.append(np.full(parameters.n_parameters, np.inf))
            elif name in self._by_kind["shapesys"]:
                pieces.append(tf.math.rsqrt(self._factors(numbers, name)))
            elif name in self._by_kind["staterror"] and not self._sets(name, "sigmas"):
                pieces.append(self._relative_errors(numbers, name))
            else:
                pieces.append(np.asarray(parameters.width(), float))
        return tf.concat(pieces, axis=0)

    def factors(self, numbers: tf.Tensor) -> tf.Tensor | None:
        """Expected counts of the Poisson constraints at a parameter of 1, in pyhf's order; None without any."""
        names = [name for name in self._config.auxdata_order if self._config.param_set(name).pdf_type == "poisson"]
        return tf.concat([self._factors(numbers, name) for name in names], axis=0) if names else None

    def without_uncertainty(self, numbers: np.ndarray) -> list[str]:
        """Names of free parameters of bins with a yield and no uncertainty; pyhf fixes them, here their width is 1."""
        found = []
        for name, places in {**self._by_kind["shapesys"], **self._by_kind["staterror"]}.items():
            zero: list[bool] = []
            for channel in dict.fromkeys(owner for owner, _, _ in places):
                here = [(sample["data"], modifier["data"]) for owner, sample, modifier in places if owner == channel]
                yields, errors = numbers[np.array(here, int)].swapaxes(0, 1)
                zero += list((yields.sum(axis=0) > 0) & ~errors.any(axis=0))
            fixed = self._config.param_set(name).suggested_fixed
            found += [f"{name}[{i}]" for i, (at, held) in enumerate(zip(zero, fixed, strict=True)) if at and not held]
        return found

    @cached_property
    def centres(self) -> np.ndarray:
        """(n_parameters,) values that have been measured, in pyhf's order; the initial one without a constraint."""
        pieces = []
        for name in self._config.par_order:
            parameters = self._config.param_set(name)
            if not parameters.constrained:
                pieces.append(parameters.suggested_init)
            elif parameters.pdf_type == "normal":
                pieces.append(parameters.auxdata)
            else:
                pieces.append(np.divide(parameters.auxdata, parameters.factors))
        return np.concatenate(pieces).astype(float)

    @property
    def has_staterrors(self) -> bool:
        return bool(self._by_kind["staterror"])

    @cached_property
    def _by_kind(self) -> dict:
        """(channel, sample, modifier), with positions, by name of the parameter, of shapesys and of staterror."""
        found: dict[str, dict[str, list[tuple]]] = {"shapesys": {}, "staterror": {}}
        for name in self._config.channels:
            for sample in self._channels[name]["samples"]:
                for modifier in sample["modifiers"]:
                    if modifier["type"] in found:
                        found[modifier["type"]].setdefault(modifier["name"], []).append((name, sample, modifier))
        return found

    def _sets(self, name: str, key: str) -> bool:
        return key in self._settings.get(name, {})

    def _relative_errors(self, numbers: tf.Tensor, name: str) -> tf.Tensor:
        """sqrt(sum of squared uncertainties) / sum of yields, over the samples of a channel; 1 where it would be 0."""
        sigmas = []
        places = self._by_kind["staterror"][name]
        for channel in dict.fromkeys(owner for owner, _, _ in places):
            here = [(sample, modifier) for owner, sample, modifier in places if owner == channel]
            yields = tf.gather(numbers, np.array([sample["data"] for sample, _ in here], int))
            errors = tf.gather(numbers, np.array([modifier["data"] for _, modifier in here], int))
            total, variance = tf.reduce_sum(yields, axis=0), tf.reduce_sum(errors**2, axis=0)
            there = (total > 0) & (variance > 0)
            sigma = tf.sqrt(tf.where(there, variance, 1)) / tf.where(there, total, 1)
            sigmas.append(tf.where(there, sigma, 1))
        return tf.concat(sigmas, axis=0)

    def _factors(self, numbers: tf.Tensor, name: str) -> tf.Tensor:
        if self._sets(name, "factors"):
            return tf.constant(self._config.param_set(name).factors, tf.float64)
        return self._counts(numbers, name)

    def _counts(self, numbers: tf.Tensor, name: str) -> tf.Tensor:
        """(yield / uncertainty)^2, the counts of the auxiliary measurement; 1 where either is 0."""
        ((_, sample, modifier),) = self._by_kind["shapesys"][name]
        yields = tf.gather(numbers, np.array(sample["data"], int))
        errors = tf.gather(numbers, np.array(modifier["data"], int))
        there = (yields > 0) & (errors > 0)
        return tf.where(there, (tf.where(there, yields, 1) / tf.where(there, errors, 1)) ** 2, 1)
