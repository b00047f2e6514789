"""Where pyhf keeps the numbers of a model, and how tensors take their place.

pyhf sorts samples, channels and parameters, and arranges their numbers in arrays. A model of the same specification
with positions in place of numbers goes through that as well; the arrays that come out say which number stands where. An
evaluation works on shallow copies of pyhf's model whose arrays are gathered from a tensor of all numbers.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from types import EllipsisType
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from neos_tf.backend import TENSORFLOW, computing_in, numpy_backend, pyhf, words_of_pyhf
from neos_tf.constraints import Constraints
from neos_tf.specification import Numbered, with_numbers
from neos_tf.workspaces import (
    interpolation_codes,
    measurement_of,
    require_options,
    require_same_fixed,
    set_poi,
    workspace_of,
)


class Structure(NamedTuple):
    """What makes the rates of a model of its numbers and parameters.

    Args:
        nominal: (n_samples, n_bins) positions of the numbers of each sample; 0 where a channel does not have it.
        histosys, normsys: by index of the parameter, (3, n_samples, n_bins) positions of low, nominal and high.
        histosys_code, normsys_code: how these are interpolated.
        factors: of each other modifier, (n_samples, n_bins) index of the parameter that multiplies; -1 for none.
        gaussian, poisson: (n, 2) index of each parameter with such a constraint, and of its measurement in the data.
    """

    nominal: np.ndarray
    histosys: dict[int, np.ndarray]
    normsys: dict[int, np.ndarray]
    histosys_code: str
    normsys_code: str
    factors: list[np.ndarray]
    gaussian: np.ndarray
    poisson: np.ndarray


class Arrangement:
    """pyhf's model of a specification, and the places of its numbers.

    Args:
        spec: specification or workspace, whose channels are in `numbered`.
        numbered: its channels, with numbers and with positions.
        poi, measurement, modifier_settings, floor: as for `TemplateModel.from_spec`.

    Raises:
        ValueError: a specification that pyhf refuses; a parameter of interest, a measurement or an interpolation code
            that there is not.
    """

    def __init__(
        self,
        spec: dict,
        numbered: Numbered,
        poi: str | EllipsisType | None,
        measurement: str | None,
        modifier_settings: Mapping | None,
        floor: float | None,
    ):
        self._floor = floor
        usual = interpolation_codes(modifier_settings) == interpolation_codes(None)
        self._settings = {} if usual else {"modifier_settings": modifier_settings}
        self.options = self._settings if floor is None else {**self._settings, "clip_bin_data": floor}
        self._measurement = measurement_of(spec, measurement)
        self._parameters = self._measurement["config"]["parameters"]
        with numpy_backend():
            self.pyhf_model = self._structure(numbered.numbers, validate=True)
            arranged = self._structure(numbered.positions)
        set_poi(self.pyhf_model.config, self._measurement["config"]["poi"], poi)
        self._numbered = numbered
        self.constraints = Constraints(self.pyhf_model.config, numbered.positions, self._parameters)
        self._nominal = arranged.main_model._nominal_rates.astype(int)
        appliers = arranged.main_model.modifiers_appliers
        self._interpolated = {
            kind: np.asarray(getattr(appliers[kind], f"_{kind}_histoset"), int)
            for kind in ("histosys", "normsys")
            if appliers[kind].param_viewer.index_selection
        }
        self._structures: dict[int, pyhf.Model] = {}

    @contextmanager
    def computing(self, numbers: tf.Tensor, n_points: int) -> Iterator[pyhf.Model]:
        """pyhf's model of these numbers, for batches of n_points points, and pyhf computing in TensorFlow meanwhile."""
        if n_points not in self._structures:
            with numpy_backend():
                self._structures[n_points] = self._structure(self._numbered.numbers, batch_size=n_points)
        with computing_in(TENSORFLOW, default=True):
            model = self._filled(self._structures[n_points], numbers, n_points)
        with computing_in(TENSORFLOW):
            yield model

    def channels(self, numbers: np.ndarray) -> list[dict]:
        """Those of a specification, with these numbers."""
        return with_numbers(self._numbered.positions, numbers)

    def workspace(self, numbers: np.ndarray, observations: np.ndarray, options: Mapping) -> dict:
        """See `Likelihood.workspace`."""
        require_options(options, self.options)
        channels = self.channels(numbers)
        with numpy_backend():
            require_same_fixed(self._structure(channels), self.pyhf_model)
        return workspace_of(self.pyhf_model.config, channels, observations, self._measurement)

    @cached_property
    def structure(self) -> Structure:
        """For the closed form."""
        appliers = self.pyhf_model.main_model.modifiers_appliers
        interpolated: dict[str, dict[int, np.ndarray]] = {"histosys": {}, "normsys": {}}
        for kind, positions in self._interpolated.items():
            parameters = appliers[kind].param_viewer.indices_concatenated
            interpolated[kind] = {int(i): np.moveaxis(at, 1, 0) for i, at in zip(parameters, positions, strict=True)}
        factors = []
        for kind in ("normfactor", "lumi", "shapefactor", "shapesys", "staterror"):
            applier = appliers[kind]
            if not applier.param_viewer.index_selection:
                continue
            masks = np.asarray(getattr(applier, f"_{kind}_mask"), bool)[:, :, 0]
            scalar = kind in ("normfactor", "lumi")
            parameters = applier.param_viewer.indices_concatenated[:, None] if scalar else applier._access_field[:, 0]
            factors += [
                np.where(mask, index, -1) for mask, index in zip(masks, np.asarray(parameters, int), strict=True)
            ]
        constraints = self.pyhf_model.constraint_model
        return Structure(
            self._nominal[0, :, 0],
            **interpolated,
            histosys_code=appliers["histosys"].interpcode,
            normsys_code=appliers["normsys"].interpcode,
            factors=factors,
            gaussian=self._constrained(constraints.constraints_gaussian, "normal"),
            poisson=self._constrained(constraints.constraints_poisson, "poisson"),
        )

    def _constrained(self, constraints: Any, kind: str) -> np.ndarray:
        if not constraints.has_pdf():
            return np.zeros((0, 2), int)
        measurements = np.asarray(getattr(constraints, f"_{kind}_data"), int) + self.pyhf_model.config.nmaindata
        return np.stack([np.asarray(constraints._access_field[0], int), measurements], axis=1)

    def _structure(self, channels: list[dict], batch_size: int | None = None, validate: bool = False) -> pyhf.Model:
        spec = {"channels": channels, "parameters": self._parameters}
        with words_of_pyhf():
            model = pyhf.Model(spec, batch_size=batch_size, poi_name=None, validate=validate, **self._settings)
        model.main_model.clip_bin_data = self._floor
        return copy.deepcopy(model)  # a copy does not follow when the user changes pyhf's backend

    def _filled(self, structure: pyhf.Model, numbers: tf.Tensor, n_points: int) -> pyhf.Model:
        model, main = copy.copy(structure), copy.copy(structure.main_model)
        model.main_model = main
        main.nominal_rates = tf.tile(tf.gather(numbers, self._nominal), (1, 1, n_points, 1))
        main.modifiers_appliers = dict(main.modifiers_appliers)
        for kind, positions in self._interpolated.items():
            applier = copy.copy(main.modifiers_appliers[kind])
            applier.interpolator = type(applier.interpolator)(tf.gather(numbers, positions), subscribe=False)
            main.modifiers_appliers[kind] = applier
        model.constraint_model = constraints = copy.copy(structure.constraint_model)
        if self.constraints.has_staterrors:
            gaussian = constraints.constraints_gaussian = copy.copy(constraints.constraints_gaussian)
            constrained = structure.constraint_model.constraints_gaussian.access_field[0]  # of the first point
            gaussian.sigmas = tf.tile(tf.gather(self.constraints.widths(numbers), constrained)[None], (n_points, 1))
        factors = self.constraints.factors(numbers)
        if factors is not None:
            poisson = constraints.constraints_poisson = copy.copy(constraints.constraints_poisson)
            poisson.batched_factors = tf.tile(factors[None], (n_points, 1))
        return model
