"""Where pyhf keeps the numbers of a model, and how tensors take their place.

pyhf sorts samples, channels and parameters, and arranges their numbers in arrays. A model of the same specification
with positions in place of numbers goes through that as well; the arrays that come out say which number stands where. An
evaluation works on shallow copies of pyhf's model whose arrays are gathered from a tensor of all numbers.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import EllipsisType

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
        if self.constraints.staterrors.parameters.size:
            gaussian = constraints.constraints_gaussian = copy.copy(constraints.constraints_gaussian)
            constrained = structure.constraint_model.constraints_gaussian.access_field[0]  # of the first point
            gaussian.sigmas = tf.tile(tf.gather(self.constraints.widths(numbers), constrained)[None], (n_points, 1))
        if constraints.constraints_poisson.has_pdf():
            poisson = constraints.constraints_poisson = copy.copy(constraints.constraints_poisson)
            poisson.batched_factors = tf.tile(self.constraints.factors(numbers)[None], (n_points, 1))
        return model
