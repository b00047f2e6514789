"""The likelihood of parameters, with given templates: what every fit and test statistic is computed from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from neos_tf.histogram import as_float64
from neos_tf.plottable import Histogram, to_histograms
from neos_tf.typing import TensorLike

if TYPE_CHECKING:
    from neos_tf.templates import TemplateModel


class Likelihood:
    """A likelihood of parameters with given templates. Made by `TemplateModel.bind`.

    Every method takes one point (n_parameters,) or a batch of points (n_points, n_parameters), with n_points known.

    Args:
        model: the structure.
        numbers: (n_numbers,) the values of all its templates, in one vector.
    """

    def __init__(self, model: TemplateModel, numbers: tf.Tensor):
        self.model, self.numbers = model, numbers

    def logpdf(self, pars: TensorLike, data: TensorLike) -> tf.Tensor:
        """() or (n_points,) logarithm of the density of data (n_data,), auxiliary data included, at `pars`."""
        return self._at(pars, lambda pyhf_model, points: pyhf_model.logpdf(points, as_float64(data)))

    def constraint_logpdf(self, pars: TensorLike, data: TensorLike) -> tf.Tensor:
        """() or (n_points,) the part of `logpdf` that comes from the constraints of parameters, of the same data."""
        auxdata = as_float64(data)[sum(self.model.channels.values()) :]
        return self._at(pars, lambda pyhf_model, points: pyhf_model.constraint_logpdf(auxdata, points))

    def expected_data(self, pars: TensorLike, include_auxdata: bool = True) -> tf.Tensor:
        """(n_data,) or (n_points, n_data), the Asimov data of `pars`; without auxiliary data (n_bins,)."""
        return self._at(pars, lambda pyhf_model, points: pyhf_model.expected_data(points, include_auxdata))

    def rates(self, pars: TensorLike) -> tf.Tensor:
        """(n_samples, n_bins) expected counts of each sample, in pyhf's order, or (n_points, n_samples, n_bins)."""
        return self._at(pars, lambda model, points: model.main_model.expected_data(points, return_by_sample=True))

    @property
    def auxdata(self) -> tf.Tensor:
        """(n_auxdata,) what the constraints of the parameters have measured."""
        return self.model._arrangement.constraints.auxdata(self.numbers)

    @property
    def constraint_widths(self) -> tf.Tensor:
        """(n_parameters,) standard deviation of each parameter's constraint; infinite where it has none."""
        return self.model._arrangement.constraints.widths(self.numbers)

    def workspace(self, observations: TensorLike | None = None, **options: Any) -> dict:
        """A pyhf workspace with the numbers of this likelihood, for pyhf, cabinetry and HEPData. Not within a graph.

        It has the measurement, parameter of interest and settings of parameters that the model was made with.
        `pyhf.Workspace(workspace).model(**options)` is the same model.

        Args:
            observations: (n_bins,) observed counts in pyhf's order; those of the specification if None. Asimov data are
                `expected_data(pars, include_auxdata=False)`.
            **options: `model.pyhf_options`. They are asked for since a workspace has no place for them, and pyhf gives
                other numbers without them.

        Raises:
            ValueError: options that are not those of the model; no observations here and none in the specification;
                uncertainties of 0, where pyhf fixes a parameter, in other bins than in the specification.

        >>> from neos_tf import TemplateModel
        >>> signal = {"name": "signal", "data": "s", "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
        >>> model = TemplateModel.from_spec({"channels": [{"name": "c", "samples": [signal]}]}, n_bins=1)
        >>> workspace = model.bind({"s": [5.0]}).workspace([7.0])
        >>> workspace["observations"], workspace["channels"][0]["samples"][0]["data"]
        ([{'name': 'c', 'data': [7.0]}], [5.0])
        """
        observations = self._observations(observations)
        return self.model._arrangement.workspace(self.numbers.numpy(), np.asarray(observations, float), options)

    def histograms(self, edges: Mapping[str, ArrayLike] | ArrayLike) -> dict[str, Histogram]:
        """Templates as histograms with edges and, of those with a staterror or shapesys, variances, by name.

        `hist.Hist(histogram)` is one of hist; uproot writes and mplhep draws them as they are. Not within a graph.

        Args:
            edges: (n_bins + 1,) of all, or by name of the template.

        Raises:
            ValueError: edges of another number of bins.
        """
        return to_histograms(self.model.templates, self.numbers.numpy(), edges)

    @property
    def n_floored(self) -> tf.Tensor:
        """() number of bins that are expected below the floor, at the initial parameters."""
        if self.model.floor is None:
            return tf.zeros((), tf.int32)
        total = tf.reduce_sum(self.rates(self.model.initial), axis=0)
        return tf.math.count_nonzero(total < self.model.floor, dtype=tf.int32)

    def data(self, observations: TensorLike | None = None) -> tf.Tensor:
        """(n_data,) observed counts (n_bins,), those of the specification if None, with the auxiliary data.

        Raises:
            ValueError: no observations here and none in the specification.
        """
        return tf.concat([as_float64(self._observations(observations)), self.auxdata], axis=0)

    def _observations(self, observations: TensorLike | None) -> TensorLike:
        observations = self.model.observations if observations is None else observations
        if observations is None:
            raise ValueError("Expected observations, as the specification has none. Received: None.")
        return observations

    @tf.autograph.experimental.do_not_convert
    def _at(self, pars: TensorLike, compute: Callable) -> tf.Tensor:
        pars = tf.convert_to_tensor(pars, tf.float64)
        n_parameters = len(self.model.parameter_names)
        if pars.shape.rank not in (1, 2) or pars.shape[-1] != n_parameters:
            raise ValueError(
                f"Expected pars of shape ({n_parameters},) or (n_points, {n_parameters}), in the order "
                f"{', '.join(self.model.parameter_names)}. Received: shape {pars.shape}."
            )
        points = pars if pars.shape.rank == 2 else pars[None]
        with self.model._arrangement.computing(self.numbers, n_points=points.shape[0]) as pyhf_model:
            computed = compute(pyhf_model, points)
        return computed if pars.shape.rank == 2 else computed[0]
