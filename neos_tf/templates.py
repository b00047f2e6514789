"""A pyhf model whose templates are tensors.

The structure of the model is built by pyhf once, from numbers; `neos_tf.arrangement` fills tensors into copies of it,
and pyhf's TensorFlow backend does the computing.
"""

import copy
import functools
import warnings
from collections.abc import Mapping, Sequence
from types import EllipsisType
from typing import Any

import numpy as np
import tensorflow as tf

from neos_tf.arrangement import Arrangement
from neos_tf.backend import numpy_backend
from neos_tf.closed_form import ClosedForm
from neos_tf.histogram import as_float64
from neos_tf.likelihood import Likelihood
from neos_tf.plottable import from_histograms
from neos_tf.specification import number, plain
from neos_tf.workspaces import patched

AGREEMENT = 1e-10  # relative, between two ways to sum some hundred terms in float64
ROUNDING = 4 * np.finfo(float).eps  # of one term n log(rate) - rate - log n!; these cancel to order one


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
        pyhf_options: what a workspace has no place for and pyhf's `Workspace.model` takes: `modifier_settings` other
            than pyhf's own, and the floor as `clip_bin_data`.
        pyhf_model: the model in NumPy, with the numbers of the specification.
        closed_form: of -2 ln L with two derivatives, in which fits are searched; None if it differs from pyhf.
    """

    def __init__(
        self,
        spec: dict,
        *,
        poi: str | EllipsisType | None = ...,
        n_bins: int | Mapping[str, int] | None = None,
        floor: float | None = None,
        measurement: str | None = None,
        modifier_settings: Mapping | None = None,
        patchset: dict | None = None,
        patch: str | Sequence[float] | None = None,
    ):
        if floor is not None and not floor > 0:
            raise ValueError(f"Expected floor above 0. Received: floor={floor}.")
        if not isinstance(spec, Mapping):
            raise ValueError(f"Expected a specification or workspace as a dict. Received: {type(spec).__name__}.")
        spec = plain(spec)
        if patchset is not None and patch is not None:
            spec = patched(spec, patchset, patch)
        elif patchset is not None or patch is not None:
            raise ValueError(f"Expected patchset and patch together. Received: one alone, patch={patch!r}.")
        known = ("channels", "observations", "version", "measurements" if "measurements" in spec else "parameters")
        if unknown := [key for key in spec if key not in known]:
            raise ValueError(f"Expected a specification of {', '.join(known)}. Received: {', '.join(unknown)} as well.")
        if "measurements" not in spec and poi is ...:
            poi = "mu"
        numbered = number(spec.get("channels"), n_bins)
        self.templates, self.floor = numbered.templates, floor
        self.template_names = tuple(template.name for template in self.templates.values() if template.required)
        own = [np.ravel(template.numbers) for template in self.templates.values()]  # in the order of their places
        self._numbers = np.concatenate([[0.0, 1.0], *own])
        self._arrangement = Arrangement(spec, numbered, poi, measurement, modifier_settings, floor)
        self.pyhf_model = self._arrangement.pyhf_model
        config = self.pyhf_model.config
        self.poi_name, self.poi_index = config.poi_name, config.poi_index
        self.parameter_names = tuple(config.par_names)
        self.channels = {name: config.channel_nbins[name] for name in config.channels}
        self.initial, self.fixed = np.array(config.suggested_init(), float), np.array(config.suggested_fixed(), bool)
        self.lower, self.upper = np.array(config.suggested_bounds(), float).T
        self.centres = self._arrangement.constraints.centres
        self.pyhf_options = self._arrangement.options
        self.observations = self._observed(spec.get("observations", []))
        self._config = {
            "spec": spec,
            "poi": self.poi_name,
            "n_bins": n_bins,
            "floor": floor,
            "measurement": measurement,
            "modifier_settings": modifier_settings,
        }
        with tf.init_scope():
            self.closed_form = self._checked()

    @classmethod
    def from_spec(
        cls,
        spec: dict,
        *,
        poi: str | EllipsisType | None = ...,
        n_bins: int | Mapping[str, int] | None = None,
        floor: float | None = None,
        measurement: str | None = None,
        modifier_settings: Mapping | None = None,
        patchset: dict | None = None,
        patch: str | Sequence[float] | None = None,
    ) -> "TemplateModel":
        """A model from a pyhf model specification or workspace.

        In place of the numbers of a sample, of a variation, of an uncertainty or of a factor, a name may stand: that of
        a template to be given to `bind`. The same name in several places means the same template. Templates that have
        numbers are named by the way to them, and may be given as well.

        Args:
            spec: {"channels": [...]}, or a workspace with "measurements" and "observations".
            poi: parameter of interest; None for none. If not given, that of the workspace's measurement, none where the
                channels do not have it, as those of a background-only workspace; mu of a specification.
            n_bins: of channels in which only names stand, by channel or one for all.
            floor: expected counts below it are raised to it, with gradient zero. It changes the likelihood of empty
                bins, where observed events have a likelihood of 0 without it, and no gradient.
            measurement: which one of a workspace; the first if None.
            modifier_settings: as for `pyhf.Model`, the interpolation codes. If given, kinds that it leaves out have
                code1 (normsys) and code0 (histosys), as in pyhf.
            patchset, patch: a pyhf patchset, and the name or values of the patch that the workspace is to have, such as
                the signal of one hypothesis on a background-only workspace of HEPData.

        Raises:
            ValueError: a specification that is incomplete, has unknown keys or is refused by pyhf, with its words; a
                modifier that is not supported; unknown n_bins; a poi, measurement or patch that there is not.
            RuntimeError: a pyhf that is not 0.7.x, or whose values differ from ours.

        >>> signal = {"name": "signal", "data": "s", "modifiers": [{"name": "mu", "type": "normfactor", "data": None}]}
        >>> background = {"name": "background", "data": [50.0, 60.0], "modifiers": []}
        >>> model = TemplateModel.from_spec({"channels": [{"name": "c", "samples": [signal, background]}]})
        >>> model.template_names, model.bind({"s": [5.0, 10.0]}).expected_data([2.0]).numpy()
        (('s',), array([60., 80.]))
        """
        return cls(
            spec,
            poi=poi,
            n_bins=n_bins,
            floor=floor,
            measurement=measurement,
            modifier_settings=modifier_settings,
            patchset=patchset,
            patch=patch,
        )

    def get_config(self) -> dict:
        """The arguments of `from_spec`, the patch applied."""
        return copy.deepcopy(self._config)

    def bind(self, templates: Mapping[str, Any] | None = None) -> Likelihood:
        """The likelihood of given templates.

        Args:
            templates: (n_bins,) expected counts, or () factors, by name; at least those of `template_names`. A
                histogram of hist, boost-histogram or uproot gives its counts without those beyond its edges, and the
                roots of its variances to uncertainties (staterror, shapesys) of the template that are not given.

        Raises:
            ValueError: names that are missing or unknown, another shape, histograms of several axes, an uncertainty of
                0 (staterror, shapesys) in a bin of other yield. A graph does not look at values.
        """
        templates = from_histograms(templates or {}, self.templates)
        missing = [name for name in self.template_names if name not in templates]
        unknown = [name for name in templates if name not in self.templates]
        if missing or unknown:
            raise ValueError(
                f"Expected templates for {', '.join(self.template_names) or 'none'}, and if wished for any of "
                f"{', '.join(name for name in self.templates if name not in self.template_names) or 'none'}. "
                f"Received: {', '.join(templates) or 'none'}; missing: {', '.join(missing) or 'none'}."
            )
        pieces, done = [], 0  # what is given, and in between what the specification has
        for template in self.templates.values():
            if template.name not in templates:
                continue
            values = as_float64(templates[template.name])
            if not values.shape.is_compatible_with(template.shape):
                raise ValueError(
                    f"Expected template {template.name!r} of shape {template.shape}. Received: shape {values.shape}."
                )
            pieces += [self._numbers[done : template.start], tf.reshape(values, [template.n_values])]
            done = template.places.stop
        numbers = tf.concat([*pieces, self._numbers[done:]], axis=0)
        known = templates and not tf.is_symbolic_tensor(numbers)
        if known and (zero := self._arrangement.constraints.without_uncertainty(numbers.numpy())):
            raise ValueError(
                f"Expected uncertainties above 0. Received: 0 for {', '.join(zero)}, which pyhf fixes for it. Write an "
                "uncertainty that can be 0 into the specification."
            )
        return Likelihood(self, numbers)

    def _observed(self, observations: list[dict]) -> np.ndarray | None:
        """Those of the channels; a pruned workspace may have others as well."""
        here = [observation for observation in observations if observation["name"] in self.channels]
        observed = {observation["name"]: np.asarray(observation["data"], float) for observation in here}
        if not observations:
            return None
        if {name: len(counts) for name, counts in observed.items()} != self.channels or len(observed) < len(here):
            raise ValueError(
                f"Expected observations of each channel once, with as many bins: {self.channels}. Received: "
                f"{[(observation['name'], len(observation['data'])) for observation in observations]}."
            )
        return np.concatenate([observed[name] for name in self.channels])

    def _checked(self) -> ClosedForm | None:
        """Compares with pyhf in NumPy, off the initial parameters, so that another pyhf fails here and not silently.

        Returns the closed form, if it gives pyhf's rates and differences of -2 ln L.
        """
        points = np.stack([self.initial, np.clip(1.05 * self.initial + 0.1, self.lower, self.upper)])
        with numpy_backend():
            data = self.pyhf_model.expected_data(points[0]) + 0.5
            if np.isnan(data).any():
                raise ValueError(
                    "Expected numbers that pyhf makes expected counts of. Received: NaN, as from a normsys with hi or "
                    "lo of 0 or below."
                )
            densities = np.concatenate([self.pyhf_model.logpdf(point, data) for point in points])
            rates = [self.pyhf_model.expected_data(point, include_auxdata=False) for point in points]
        counts = np.abs(data)
        rounding = ROUNDING * np.sum(1 + counts * np.maximum(np.log(np.maximum(counts, 1)), 1))
        agree = functools.partial(np.allclose, rtol=AGREEMENT, equal_nan=True)
        likelihood = self.bind({name: self.templates[name].numbers for name in self.template_names})
        received = likelihood.logpdf(points, data).numpy()
        if not agree(received, densities, atol=rounding):
            raise RuntimeError(
                f"Expected log-densities {densities}, as pyhf computes in NumPy. Received: {received}. neos_tf is made "
                "for pyhf 0.7.6: `pip install 'pyhf>=0.7.6,<0.8'`."
            )

        constraints = self._arrangement.constraints
        closed_form = ClosedForm(self._arrangement.structure, len(self.initial), constraints.widths, self.floor)
        derive = closed_form(likelihood.numbers, tf.constant(data))
        first, second = (derive(tf.constant(point)).value for point in points)
        found = [closed_form.rates(likelihood.numbers, tf.constant(point)).numpy() for point in points]
        with np.errstate(invalid="ignore"):  # both are -infinity if nothing is expected in a bin
            rise = -2 * np.subtract(densities[1], densities[0])
        if agree(found, rates, atol=AGREEMENT) and agree(second - first, rise, atol=2 * rounding):
            return closed_form
        warnings.warn(
            f"Expected rates {rates} and a rise of -2 ln L by {rise}, as pyhf computes in NumPy. Received from the "
            f"closed form: {found}, {second - first}. Fits are searched in pyhf's own graph, which is slow.",
            stacklevel=4,
        )
        return None
