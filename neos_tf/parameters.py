"""Where a fit starts, what bounds it, and what it holds: the model's own settings with those of the user."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from neos_tf.histogram import as_float64
from neos_tf.likelihood import Likelihood
from neos_tf.templates import TemplateModel
from neos_tf.typing import TensorLike

SETTINGS = ("init", "bounds", "fixed")  # options of `fit` that are about parameters


class Settings(NamedTuple):
    """What a fit is given of each parameter.

    Args:
        initial: (n_parameters,) where it starts; where `fixed`, the value that is held.
        lower, upper: (n_parameters,) bounds.
        fixed: (n_parameters,) bool.
        valid: () bool, whether the values that the user holds are within the bounds.
    """

    initial: tf.Tensor
    lower: np.ndarray
    upper: np.ndarray
    fixed: np.ndarray
    valid: tf.Tensor


def settings(
    model: TemplateModel,
    *,
    fixed_poi: TensorLike | None = None,
    init: TensorLike | Mapping | None = None,
    bounds: TensorLike | Mapping | None = None,
    fixed: TensorLike | Sequence[str] | Mapping | None = None,
) -> Settings:
    """The settings of a model, with those that are given in their place; arguments as of `fit`.

    Raises:
        ValueError: unknown names, another shape, bounds that leave no room, a value to be held outside of the bounds,
            a parameter of interest that is given twice or missing.
    """
    n_parameters = len(model.initial)
    initial, lower, upper, held = tf.constant(model.initial), model.lower.copy(), model.upper.copy(), model.fixed.copy()
    if isinstance(init, Mapping):
        initial = _replaced(model, initial, init, "init")
    elif init is not None:
        initial = as_float64(init)
        if initial.shape != (n_parameters,):
            raise ValueError(_expected("init", f"of shape ({n_parameters},)", f"shape {initial.shape}"))
    if isinstance(bounds, Mapping):
        for name, pair in bounds.items():
            lower[_places(model, name, "bounds")], upper[_places(model, name, "bounds")] = pair
    elif bounds is not None:
        if np.shape(bounds) != (n_parameters, 2):
            raise ValueError(_expected("bounds", f"of shape ({n_parameters}, 2)", f"shape {np.shape(bounds)}"))
        lower, upper = np.array(bounds, float).T
    if not np.all(lower <= upper):
        name = model.parameter_names[int(np.argmin(lower <= upper))]
        raise ValueError(_expected("bounds", "(lower, upper), with lower <= upper", f"others for {name!r}"))
    if isinstance(fixed, Mapping):
        initial = _replaced(model, initial, {name: at for name, at in fixed.items() if at is not None}, "fixed")
    names = _names(fixed)
    if names is not None:
        for name in names:
            held[_places(model, name, "fixed")] = True
    elif fixed is not None:
        if np.shape(fixed) != (n_parameters,) or np.asarray(fixed).dtype != bool:
            what = f"names, values by name, or bool of shape ({n_parameters},)"
            raise ValueError(_expected("fixed", what, f"{np.asarray(fixed).dtype} of shape {np.shape(fixed)}"))
        held = np.array(fixed)
    if fixed_poi is not None:
        index = _poi_index(model)
        if held[index] and not model.fixed[index]:
            raise ValueError(f"Expected {model.poi_name!r} in fixed or as the tested value. Received: both.")
        initial, held[index] = _with(model, initial, [index], fixed_poi, "fixed_poi"), True
    own = model.fixed & (initial == model.initial)
    inside = ((initial >= lower) & (initial <= upper)) | ~held | own
    _check(model, tf.get_static_value(initial), tf.get_static_value(inside), lower, upper)
    return Settings(initial, lower, upper, held, tf.reduce_all(inside))


def settings_of(
    model: TemplateModel, options: Mapping[str, Any], fixed_poi: TensorLike | None = None
) -> tuple[Settings, dict[str, Any]]:
    """The settings among the options of `fit`, and the other options."""
    given = settings(model, fixed_poi=fixed_poi, **{key: options.get(key) for key in SETTINGS})
    return given, {key: value for key, value in options.items() if key not in SETTINGS}


def poi_index(likelihood: Likelihood, **options: TensorLike | Mapping | None) -> int:
    """The place of the parameter of interest, which is free.

    Args:
        likelihood: templates bound to a model.
        **options: of `fit`, whose `fixed` counts as well.

    Raises:
        ValueError: there is none, or it is fixed.
    """
    index = _poi_index(likelihood.model)
    if settings(likelihood.model, fixed=options.get("fixed")).fixed[index]:
        raise ValueError(
            f"Expected a parameter of interest that is free. Received: {likelihood.model.poi_name!r}, which is fixed. "
            'Take it out of fixed=, or set its "fixed" to false in the specification.'
        )
    return index


def parameters_with_poi(likelihood: Likelihood, poi: TensorLike, **options: TensorLike | Mapping | None) -> tf.Tensor:
    """(n_parameters,) the initial parameters, but for that of interest, and those that `init` and `fixed` hold."""
    model = likelihood.model
    given = settings(model, init=options.get("init"), fixed=options.get("fixed"))
    held = tf.where(given.fixed, given.initial, model.initial)
    return _with(model, held, [_poi_index(model)], poi, "poi")


def _poi_index(model: TemplateModel) -> int:
    if model.poi_index is None:
        raise ValueError("Expected a model with a parameter of interest. Received: none. Give poi= to from_spec.")
    return model.poi_index


def _names(fixed: TensorLike | Sequence[str] | Mapping | None) -> list[str] | None:
    """Those that are fixed, if that is how they are given."""
    if isinstance(fixed, str):
        return [fixed]
    if isinstance(fixed, Mapping | Sequence | set | frozenset) and all(isinstance(name, str) for name in fixed):
        return list(fixed)
    return None


def _places(model: TemplateModel, name: str, argument: str) -> list[int]:
    """Of the parameter of that name, or of all those of the modifier of that name."""
    names = model.parameter_names
    places = [i for i, known in enumerate(names) if known == name or known.startswith(f"{name}[")]
    if not places:
        raise ValueError(_expected(argument, f"names out of {', '.join(names)}", repr(name)))
    return places


def _replaced(model: TemplateModel, initial: tf.Tensor, values: Mapping, argument: str) -> tf.Tensor:
    for name, value in values.items():
        initial = _with(model, initial, _places(model, name, argument), value, f"{argument}[{name!r}]")
    return initial


def _with(model: TemplateModel, initial: tf.Tensor, places: list[int], value: TensorLike, argument: str) -> tf.Tensor:
    value = as_float64(value)
    if value.shape != () and (len(places) == 1 or value.shape != (len(places),)):
        raise ValueError(_expected(argument, "as one number", f"shape {value.shape}"))
    columns = np.eye(len(model.initial))[places]
    spread = tf.reduce_sum(columns * tf.reshape(value, [-1, 1]), axis=0)
    return tf.where(columns.any(axis=0), spread, initial)


def _check(
    model: TemplateModel, initial: np.ndarray | None, inside: np.ndarray | None, lower: np.ndarray, upper: np.ndarray
) -> None:
    """Values that are known before a graph runs."""
    if initial is not None and inside is not None and not np.all(inside):
        index = int(np.argmin(inside))
        name = model.parameter_names[index]
        raise ValueError(
            f"Expected {name!r} to be held within its bounds, {lower[index]:g} to {upper[index]:g}. Received: "
            f"{initial[index]:g}. Give bounds={{{name!r}: (lower, upper)}}."
        )


def _expected(argument: str, expected: str, received: str) -> str:
    return f"Expected {argument} {expected}. Received: {received}."
