"""Where pyhf keeps the numbers of a model, and how tensors take their place. The only file that imports pyhf.

pyhf sorts samples, channels and parameters, and arranges their numbers in arrays. A model of the same specification
with positions in place of numbers goes through that as well; the arrays that come out say which number stands where. An
evaluation works on shallow copies of pyhf's model whose arrays are gathered from a tensor of all numbers. pyhf computes
in TensorFlow only meanwhile; the backend that the user has set is left as it was.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from neos_tf.specification import Numbered

try:
    import pyhf
    import tensorflow_probability as tfp
    from pyhf.tensor import manager
    from pyhf.tensor.numpy_backend import numpy_backend as NumpyBackend
    from pyhf.tensor.tensorflow_backend import tensorflow_backend as TensorflowBackend
except ImportError as error:
    raise ImportError(
        "neos_tf needs pyhf and its TensorFlow backend: `pip install 'pyhf>=0.7.6,<0.8' tensorflow-probability "
        "tf_keras`."
    ) from error

if not pyhf.__version__.startswith("0.7."):
    raise ImportError(
        f"Expected pyhf 0.7.6 or a later 0.7, the last with a TensorFlow backend. Received: pyhf {pyhf.__version__}. "
        "`pip install 'pyhf>=0.7.6,<0.8'`."
    )


class Poisson(tfp.distributions.Poisson):
    """TensorFlow Probability's, but for its logarithm: that has no gradient where nothing is expected nor observed."""

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        rate = tf.where(self.rate < 0, tf.cast(float("nan"), self.rate.dtype), self.rate)
        return tf.math.xlogy(x, rate) - rate - tf.math.lgamma(x + 1)


class DifferentiableBackend(TensorflowBackend):
    """pyhf's, but for derivatives that TensorFlow's own do not have: of empty bins, and of a join, twice, under XLA."""

    def poisson_dist(self, rate: tf.Tensor) -> Poisson:
        return Poisson(self.astensor(rate))

    def concatenate(self, sequence: Sequence[tf.Tensor], axis: int = 0) -> tf.Tensor:
        @tf.custom_gradient
        def joined(*tensors):
            def pieces(upstream):
                stops = np.cumsum([tensor.shape[axis] for tensor in tensors])
                places = [slice(stop - tensor.shape[axis], stop) for tensor, stop in zip(tensors, stops, strict=True)]
                return [upstream[place] if axis == 0 else upstream[..., place] for place in places]

            return tf.concat(tensors, axis=axis), pieces

        return joined(*sequence)


TENSORFLOW, NUMPY = DifferentiableBackend(precision="64b"), NumpyBackend(precision="64b")


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
        ValueError: a parameter of interest that the model does not have.
    """

    def __init__(
        self,
        spec: dict,
        numbered: Numbered,
        poi: str | None,
        measurement: str | None,
        modifier_settings: Mapping | None,
        floor: float | None,
    ):
        with numpy_backend():
            self._spec, self._poi = _model_spec({**spec, "channels": numbered.numbers}, measurement, poi)
            self._settings = {} if modifier_settings is None else {"modifier_settings": modifier_settings}
            self._floor = floor
            self.pyhf_model = self._structure()
            arranged = self._structure(channels=numbered.positions)
        self._channels = {channel["name"]: channel for channel in numbered.positions}
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
                self._structures[n_points] = self._structure(batch_size=n_points)
        with _backend(TENSORFLOW, default=True):
            model = self._filled(self._structures[n_points], numbers, n_points)
        with _backend(TENSORFLOW):
            yield model

    def auxdata(self, numbers: tf.Tensor) -> tf.Tensor:
        """(n_auxdata,) in pyhf's order."""
        pieces = [tf.zeros(0, tf.float64)]
        for name in self._config.auxdata_order:
            measured = np.asarray(self._config.param_set(name).auxdata, float)
            pieces.append(self._shapesys_factors(numbers, name) if name in self._by_kind["shapesys"] else measured)
        return tf.concat(pieces, axis=0)

    def widths(self, numbers: tf.Tensor) -> tf.Tensor:
        """(n_parameters,) standard deviations of the constraints in pyhf's order; infinite without one."""
        pieces = []
        for name in self._config.par_order:
            parameters = self._config.param_set(name)
            if not parameters.constrained:
                pieces.append(np.full(parameters.n_parameters, np.inf))
            elif name in self._by_kind["shapesys"]:
                pieces.append(tf.math.rsqrt(self._shapesys_factors(numbers, name)))
            elif name in self._by_kind["staterror"]:
                pieces.append(self._staterror_sigmas(numbers, name))
            else:
                pieces.append(np.asarray(parameters.width(), float))
        return tf.concat(pieces, axis=0)

    @cached_property
    def centres(self) -> np.ndarray:
        """(n_parameters,) values that the constraints have measured, in pyhf's order; the initial one without any."""
        pieces = []
        for name in self._config.par_order:
            parameters = self._config.param_set(name)
            normal = parameters.constrained and parameters.pdf_type == "normal"
            poisson = parameters.constrained and not normal
            pieces.append(
                parameters.auxdata
                if normal
                else [1.0] * parameters.n_parameters
                if poisson
                else parameters.suggested_init
            )
        return np.concatenate(pieces).astype(float)

    def specification(self, numbers: np.ndarray) -> dict:
        """The specification of pyhf's model with these numbers."""

        def filled(node):
            if isinstance(node, dict):
                return {
                    key: filled(value) if key in ("data", "hi", "lo", "hi_data", "lo_data") else value
                    for key, value in node.items()
                }
            return None if node is None else numbers[np.asarray(node, int)].tolist()

        channels = copy.deepcopy(list(self._channels.values()))
        for channel in channels:
            for sample in channel["samples"]:
                sample["modifiers"] = [filled(modifier) for modifier in sample["modifiers"]]
                sample["data"] = filled(sample["data"])
        return {**copy.deepcopy(self._spec), "channels": channels}

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
        measurements = np.asarray(getattr(constraints, f"_{kind}_data"), int) + self._config.nmaindata
        return np.stack([np.asarray(constraints._access_field[0], int), measurements], axis=1)

    @property
    def _config(self) -> Any:
        return self.pyhf_model.config

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

    def _structure(self, channels: list[dict] | None = None, batch_size: int | None = None) -> pyhf.Model:
        spec = self._spec if channels is None else {**self._spec, "channels": channels}
        try:
            model = pyhf.Model(spec, batch_size=batch_size, poi_name=self._poi, validate=False, **self._settings)
        except pyhf.exceptions.InvalidModel as error:
            raise ValueError(
                f"Expected poi to be one of the model's scalar parameters. Received: poi={self._poi!r}. {error}"
            ) from error
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
        if self._by_kind["staterror"]:
            gaussian = constraints.constraints_gaussian = copy.copy(constraints.constraints_gaussian)
            constrained = structure.constraint_model.constraints_gaussian.access_field[0]  # of the first point
            gaussian.sigmas = tf.tile(tf.gather(self.widths(numbers), constrained)[None], (n_points, 1))
        if self._by_kind["shapesys"]:
            poisson = constraints.constraints_poisson = copy.copy(constraints.constraints_poisson)
            factors = [
                self._shapesys_factors(numbers, name)
                for name in self._config.auxdata_order
                if self._config.param_set(name).pdf_type == "poisson"
            ]
            poisson.batched_factors = tf.tile(tf.concat(factors, axis=0)[None], (n_points, 1))
        return model

    def _staterror_sigmas(self, numbers: tf.Tensor, name: str) -> tf.Tensor:
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

    def _shapesys_factors(self, numbers: tf.Tensor, name: str) -> tf.Tensor:
        """(yield / uncertainty)^2, the counts of the auxiliary measurement; 1 where either is 0."""
        ((_, sample, modifier),) = self._by_kind["shapesys"][name]
        yields = tf.gather(numbers, np.array(sample["data"], int))
        errors = tf.gather(numbers, np.array(modifier["data"], int))
        there = (yields > 0) & (errors > 0)
        return tf.where(there, (tf.where(there, yields, 1) / tf.where(there, errors, 1)) ** 2, 1)


def numpy_backend() -> AbstractContextManager[None]:
    """pyhf computes in NumPy meanwhile."""
    return _backend(NUMPY)


@contextmanager
def _backend(tensorlib: Any, default: bool = False) -> Iterator[None]:
    """Another backend for a while. No event is triggered, so that no model of the user's is touched."""
    before = dict(manager.state)
    manager.state["current"] = (tensorlib, before["current"][1])
    if default:
        manager.state["default"] = manager.state["current"]
    try:
        yield
    finally:
        manager.state.update(before)


def _model_spec(spec: dict, measurement: str | None, poi: str | None) -> tuple[dict, str | None]:
    """Specification of the model, with the parameters of a workspace's measurement, and the parameter of interest."""
    if "measurements" not in spec:
        return {key: spec[key] for key in ("channels", "parameters") if key in spec}, poi
    workspace = pyhf.Workspace({"observations": [], "version": "1.0.0", **spec}, validate=False)
    chosen = workspace.get_measurement(measurement_name=measurement)
    parameters = {"channels": spec["channels"], "parameters": chosen["config"]["parameters"]}
    return parameters, chosen["config"]["poi"] or None
