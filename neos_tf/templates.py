"""A pyhf model whose templates are tensors.

The structure of the model is built by pyhf once, from numbers; `neos_tf.arrangement` fills tensors into copies of it,
and pyhf's TensorFlow backend does the computing.
"""

import copy
import warnings
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from neos_tf import arrangement
from neos_tf.closed_form import ClosedForm
from neos_tf.histogram import as_float64
from neos_tf.specification import number
from neos_tf.typing import TensorLike

AGREEMENT = 1e-10  # relative, between two ways to sum some hundred terms in float64


class TemplateModel:
    """Structure of a HistFactory model; `bind` gives it templates. Made by `from_spec`.

    Attributes:
        templates: `Template`s by name, all that can be given to `bind`.
        template_names: those that have no numbers in the specification, and must be given to `bind`.
        parameter_names: (n_parameters,) as in pyhf, one a bin where a modifier has one parameter a bin.
        poi_name, poi_index: the parameter of interest; None if there is none.
        initial, lower, upper: (n_parameters,) float64, where fits start and their bounds.
        centres: (n_parameters,) float64, what the constraints have measured; the initial value where there is none.
        fixed: (n_parameters,) bool.
        channels: number of bins by name, in pyhf's order.
        observations: (n_bins,) observed counts of all channels in pyhf's order; None if the specification has none.
        floor: smallest expected count of a bin; None for none.
        pyhf_model: the model in NumPy, with the numbers of the specification.
        closed_form: of -2 ln L with two derivatives, in which fits are searched; None if it differs from pyhf.
    """

    def __init__(
        self,
        spec: dict,
        *,
        poi: str | None = "mu",
        n_bins: int | Mapping[str, int] | None = None,
        floor: float | None = None,
        measurement: str | None = None,
        modifier_settings: Mapping | None = None,
    ):
        if floor is not None and not floor > 0:
            raise ValueError(f"Expected floor above 0. Received: floor={floor}.")
        self._config = {
            "spec": spec,
            "poi": poi,
            "n_bins": n_bins,
            "floor": floor,
            "measurement": measurement,
            "modifier_settings": modifier_settings,
        }
        numbered = number(spec["channels"], n_bins)
        self.templates, self.floor = numbered.templates, floor
        self.template_names = tuple(template.name for template in self.templates.values() if template.required)
        self._arrangement = arrangement.Arrangement(spec, numbered, poi, measurement, modifier_settings, floor)
        self.pyhf_model = self._arrangement.pyhf_model
        config = self.pyhf_model.config
        self.poi_name, self.poi_index = config.poi_name, config.poi_index
        self.parameter_names = tuple(config.par_names)
        self.channels = {name: config.channel_nbins[name] for name in config.channels}
        self.initial, self.fixed = np.array(config.suggested_init(), float), np.array(config.suggested_fixed(), bool)
        self.lower, self.upper = np.array(config.suggested_bounds(), float).T
        self.centres = self._arrangement.centres
        observed = {observation["name"]: observation["data"] for observation in spec.get("observations", [])}
        self.observations = np.concatenate([observed[name] for name in self.channels]) if observed else None
        with tf.init_scope():
            self._check()
            self.closed_form = self._closed_form()

    @classmethod
    def from_spec(
        cls,
        spec: dict,
        *,
        poi: str | None = "mu",
        n_bins: int | Mapping[str, int] | None = None,
        floor: float | None = None,
        measurement: str | None = None,
        modifier_settings: Mapping | None = None,
    ) -> "TemplateModel":
        """A model from a pyhf model specification or workspace.

        In place of the numbers of a sample, of a variation, of an uncertainty or of a factor, a name may stand: that of
        a template to be given to `bind`. The same name in several places means the same template. Templates that have
        numbers are named by the way to them, and may be given as well.

        Args:
            spec: {"channels": [...]}, or a workspace with "measurements" and "observations".
            poi: parameter of interest; None for none. A workspace's measurement has its own.
            n_bins: of channels in which only names stand, by channel or one for all.
            floor: expected counts below it are raised to it, with gradient zero. It changes the likelihood of empty
                bins, where observed events have a likelihood of 0 without it, and no gradient.
            measurement: which one of a workspace; the first if None.
            modifier_settings: as for `pyhf.Model`, the interpolation codes.

        Raises:
            ValueError: a modifier that is not supported, a parameter of interest that is missing, unknown n_bins.
            RuntimeError: a pyhf that is not 0.7.x, or whose values differ from ours.

        >>> signal = {"name": "signal", "data": "s", "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
        >>> background = {"name": "background", "data": [50.0, 60.0], "modifiers": []}
        >>> model = TemplateModel.from_spec({"channels": [{"name": "c", "samples": [signal, background]}]})
        >>> model.template_names, model.bind({"s": [5.0, 10.0]}).expected_data([2.0]).numpy()
        (('s',), array([60., 80.]))
        """
        return cls(
            spec, poi=poi, n_bins=n_bins, floor=floor, measurement=measurement, modifier_settings=modifier_settings
        )

    def get_config(self) -> dict:
        """The arguments of `from_spec`."""
        return copy.deepcopy(self._config)

    def bind(self, templates: Mapping[str, tf.Tensor] | None = None) -> "Likelihood":
        """The likelihood of given templates.

        Args:
            templates: (n_bins,) expected counts, or () factors, by name; at least those of `template_names`.

        Raises:
            ValueError: names that are missing or unknown, another shape.
        """
        templates = dict(templates or {})
        missing = [name for name in self.template_names if name not in templates]
        unknown = [name for name in templates if name not in self.templates]
        if missing or unknown:
            raise ValueError(
                f"Expected templates for {', '.join(self.template_names) or 'none'}, and if wished for any of "
                f"{', '.join(name for name in self.templates if name not in self.template_names) or 'none'}. "
                f"Received: {', '.join(templates) or 'none'}; missing: {', '.join(missing) or 'none'}."
            )
        pieces = [tf.constant([0.0, 1.0], tf.float64)]
        for template in self.templates.values():
            values = as_float64(templates.get(template.name, template.numbers))
            if not values.shape.is_compatible_with(template.shape):
                raise ValueError(
                    f"Expected template {template.name!r} of shape {template.shape}. Received: shape {values.shape}."
                )
            pieces.append(tf.reshape(values, [template.n_values]))
        return Likelihood(self, tf.concat(pieces, axis=0))

    def _check(self) -> None:
        """Compares with pyhf in NumPy, off the initial parameters, so that another pyhf fails here and not silently."""
        points = np.stack([self.initial, np.clip(1.05 * self.initial + 0.1, self.lower, self.upper)])
        with arrangement.numpy_backend():
            data = self.pyhf_model.expected_data(points[0]) + 0.5
            expected = np.concatenate([self.pyhf_model.logpdf(point, data) for point in points])
        numbers = {name: self.templates[name].numbers for name in self.template_names}
        received = self.bind(numbers).logpdf(points, data).numpy()
        if not np.allclose(received, expected, rtol=AGREEMENT, atol=AGREEMENT, equal_nan=True):
            raise RuntimeError(
                f"Expected log-densities {expected}, as pyhf computes in NumPy. Received: {received}. neos_tf is made "
                "for pyhf 0.7.6: `pip install 'pyhf>=0.7.6,<0.8'`."
            )

    def _closed_form(self) -> ClosedForm | None:
        """The closed form, if it gives pyhf's rates and differences of -2 ln L at the points of `_check`."""
        made = ClosedForm(self._arrangement.structure, len(self.initial), self._arrangement.widths, self.floor)
        points = np.stack([self.initial, np.clip(1.05 * self.initial + 0.1, self.lower, self.upper)])
        with arrangement.numpy_backend():
            data = self.pyhf_model.expected_data(points[0]) + 0.5
            rates = [self.pyhf_model.expected_data(point, include_auxdata=False) for point in points]
            densities = [self.pyhf_model.logpdf(point, data)[0] for point in points]
        with np.errstate(invalid="ignore"):  # both are -infinity if nothing is expected in a bin
            rise = -2 * np.subtract(densities[1], densities[0])
        numbers = self.bind({name: self.templates[name].numbers for name in self.template_names}).numbers
        at, received = made(numbers, tf.constant(data)), [made.rates(numbers, tf.constant(point)) for point in points]
        difference = at(tf.constant(points[1])).value - at(tf.constant(points[0])).value
        # The densities of pyhf have rounding of all counts times their logarithms.
        within = AGREEMENT * (1 + np.sum(data))
        if np.allclose(received, rates, rtol=AGREEMENT, atol=AGREEMENT, equal_nan=True) and np.allclose(
            difference, rise, rtol=AGREEMENT, atol=within, equal_nan=True
        ):
            return made
        warnings.warn(
            f"Expected rates {rates}, as pyhf computes in NumPy. Received from the closed form: "
            f"{[rate.numpy() for rate in received]}. Fits are searched in pyhf's own graph, which is slow.",
            stacklevel=4,
        )
        return None


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

    def expected_data(self, pars: TensorLike, include_auxdata: bool = True) -> tf.Tensor:
        """(n_data,) or (n_points, n_data), the Asimov data of `pars`; without auxiliary data (n_bins,)."""
        return self._at(pars, lambda pyhf_model, points: pyhf_model.expected_data(points, include_auxdata))

    def rates(self, pars: TensorLike) -> tf.Tensor:
        """(n_samples, n_bins) expected counts of each sample, in pyhf's order, or (n_points, n_samples, n_bins)."""
        return self._at(pars, lambda model, points: model.main_model.expected_data(points, return_by_sample=True))

    @property
    def auxdata(self) -> tf.Tensor:
        """(n_auxdata,) what the constraints of the parameters have measured."""
        return self.model._arrangement.auxdata(self.numbers)

    @property
    def constraint_widths(self) -> tf.Tensor:
        """(n_parameters,) standard deviation of each parameter's constraint; infinite where it has none."""
        return self.model._arrangement.widths(self.numbers)

    def specification(self) -> dict:
        """The model specification with the numbers of this likelihood, for pyhf: limits, plots. Not within a graph."""
        return self.model._arrangement.specification(self.numbers.numpy())

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
        observations = self.model.observations if observations is None else observations
        if observations is None:
            raise ValueError("Expected observations, as the specification has none. Received: None.")
        return tf.concat([as_float64(observations), self.auxdata], axis=0)

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
