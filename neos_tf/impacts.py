"""What a fit makes of its nuisance parameters, and what each of them does to the parameter of interest.

The impact of a nuisance parameter is the shift of the fitted parameter of interest when the nuisance parameter is held
one standard deviation above or below its best fit and all others are fitted again. Post-fit this is its standard
deviation in the fit, pre-fit the width of its constraint.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from neos_tf.fits import Solution, covariance, guarded_sqrt, search_with
from neos_tf.histogram import as_float64
from neos_tf.likelihood import Likelihood
from neos_tf.parameters import Settings, poi_index, settings_of
from neos_tf.templates import TemplateModel
from neos_tf.typing import TensorLike


class Postfit(NamedTuple):
    """The free parameters of a fit. Prints as a table.

    Args:
        names: (n,) of the parameters, in the order of `TemplateModel.parameter_names`.
        pars: (n,) best fit.
        uncertainties: (n,) standard deviations.
        prefit: (n,) widths of the constraints; NaN without one.
        pulls: (n,) distance from what the constraint has measured, in its widths; NaN without constraint.
        widths: (n,) uncertainty in widths of the constraint; NaN without constraint.
        converged: () bool.
    """

    names: tuple[str, ...]
    pars: tf.Tensor
    uncertainties: tf.Tensor
    prefit: tf.Tensor
    pulls: tf.Tensor
    widths: tf.Tensor
    converged: tf.Tensor

    def __str__(self) -> str:
        columns = {
            "best fit": self.pars,
            "uncertainty": self.uncertainties,
            "pre-fit": self.prefit,
            "pull": self.pulls,
            "width": self.widths,
        }
        return _table(self.names, columns)


class Impacts(NamedTuple):
    """Shifts of the fitted parameter of interest. Prints as a table, the largest first.

    Args:
        names: (n,) of the nuisance parameters that are free, in the order of `TemplateModel.parameter_names`.
        postfit_up, postfit_down: (n,) with the parameter held one standard deviation above and below its best fit.
        prefit_up, prefit_down: (n,) with it held one width of its constraint above and below; 0 without constraint.
        converged: (n,) bool, of the four fits.
        poi: () best fit of the parameter of interest.
        poi_uncertainty: () its standard deviation.
        postfit: all free parameters.
    """

    names: tuple[str, ...]
    postfit_up: tf.Tensor
    postfit_down: tf.Tensor
    prefit_up: tf.Tensor
    prefit_down: tf.Tensor
    converged: tf.Tensor
    poi: tf.Tensor
    poi_uncertainty: tf.Tensor
    postfit: Postfit

    @property
    def ranking(self) -> tf.Tensor:
        """(n,) places of the parameters, that of the largest post-fit impact first."""
        return tf.argsort(-tf.maximum(tf.abs(self.postfit_up), tf.abs(self.postfit_down)), stable=True)

    def __str__(self) -> str:
        columns = {
            "post-fit up": self.postfit_up,
            "post-fit down": self.postfit_down,
            "pre-fit up": self.prefit_up,
            "pre-fit down": self.prefit_down,
        }
        return _table(self.names, columns, np.asarray(self.ranking))


@tf.autograph.experimental.do_not_convert
def postfit(likelihood: Likelihood, data: TensorLike, **options: Any) -> Postfit:
    """Fits, and compares each free parameter with its constraint.

    Args:
        likelihood: templates bound to a model.
        data: (n_data,) counts and auxiliary data.
        **options: as `fit`.

    Raises:
        ValueError: as `fit`.
    """
    given, options = settings_of(likelihood.model, options)
    best = search_with(likelihood, data, given, **options)
    return _postfit(likelihood, best, given, _covariance(likelihood, best.pars, data, given.fixed))


@tf.autograph.experimental.do_not_convert
def impacts(likelihood: Likelihood, data: TensorLike, **options: Any) -> Impacts:
    """The impact of each free nuisance parameter on the parameter of interest, pre-fit and post-fit.

    Four fits a parameter, each of which starts where the best fit leads to in first order. Values that are held stay
    within the bounds. Works eagerly and in a graph.

    Args:
        likelihood: templates bound to a model.
        data: (n_data,) counts and auxiliary data.
        **options: as `fit`.

    Raises:
        ValueError: as `fit`; a parameter of interest that is missing or fixed.
    """
    model = likelihood.model
    index = poi_index(likelihood, **options)
    given, options = settings_of(model, options)
    data = as_float64(data)
    best = search_with(likelihood, data, given, **options)
    matrix = _covariance(likelihood, best.pars, data, given.fixed)
    after = _postfit(likelihood, best, given, matrix)

    nuisance = np.flatnonzero(~given.fixed & (np.arange(len(given.fixed)) != index))
    sigma = guarded_sqrt(tf.linalg.diag_part(matrix))
    width = tf.where(tf.math.is_finite(likelihood.constraint_widths), likelihood.constraint_widths, 0)
    held = tf.stack([best.pars + sigma, best.pars - sigma, best.pars + width, best.pars - width])
    held = tf.gather(tf.clip_by_value(held, given.lower, given.upper), nuisance, axis=1)
    refit = _refits(model, tuple(sorted(options.items())))
    places = tf.constant(np.tile(nuisance, 4), tf.int32)
    shifted, converged = refit(
        likelihood.numbers,
        data,
        best.pars,
        matrix,
        places,
        tf.reshape(held, [-1]),
        given._replace(valid=best.converged),
    )
    shifts = tf.reshape(shifted, [4, len(nuisance)]) - best.pars[index]
    unmoved = held == tf.gather(best.pars, nuisance)
    postfit_up, postfit_down, prefit_up, prefit_down = tf.unstack(tf.where(unmoved, tf.zeros_like(shifts), shifts))
    return Impacts(
        tuple(model.parameter_names[i] for i in nuisance),
        postfit_up,
        postfit_down,
        prefit_up,
        prefit_down,
        converged=tf.reduce_all(tf.reshape(converged, [4, len(nuisance)]), axis=0),
        poi=best.pars[index],
        poi_uncertainty=sigma[index],
        postfit=after,
    )


@functools.lru_cache(maxsize=16)
def _refits(model: TemplateModel, options: tuple) -> Callable:
    """Fits with one more parameter held, in turn: (n_fits,) parameter of interest, and whether they converged."""

    @tf.function(autograph=False)
    def refits(numbers, data, pars, matrix, places, values, given):
        likelihood = Likelihood(model, numbers)

        def refit(task):
            place, value = task
            here = tf.range(len(model.initial)) == place
            column = tf.gather(matrix, place, axis=1)
            slope = column / tf.gather(column, place)  # of the other best fits, in first order
            start = tf.where(here, value, pars + slope * (value - tf.gather(pars, place)))
            start = tf.where(given.fixed, given.initial, start)
            held = given._replace(initial=start, fixed=given.fixed | here)
            result = search_with(likelihood, data, held, **dict(options))
            return result.pars[model.poi_index], result.converged

        return tf.map_fn(refit, (places, values), fn_output_signature=(tf.float64, tf.bool))

    return refits


def _postfit(likelihood: Likelihood, best: Solution, given: Settings, matrix: tf.Tensor) -> Postfit:
    free = np.flatnonzero(~given.fixed)
    pars = tf.gather(best.pars, free)
    sigma = tf.gather(guarded_sqrt(tf.linalg.diag_part(matrix)), free)
    width = tf.gather(likelihood.constraint_widths, free)
    width = tf.where(tf.math.is_finite(width), width, float("nan"))
    names = tuple(likelihood.model.parameter_names[i] for i in free)
    pulls = (pars - likelihood.model.centres[free]) / width
    return Postfit(names, pars, sigma, width, pulls, sigma / width, best.converged)


def _covariance(likelihood: Likelihood, pars: tf.Tensor, data: TensorLike, fixed: np.ndarray) -> tf.Tensor:
    """`covariance` with more parameters held: the inverse of a block of the inverse."""
    matrix = covariance(likelihood, pars, data)
    held = np.flatnonzero(fixed & ~likelihood.model.fixed)
    if not len(held):
        return matrix
    block, across = tf.gather(tf.gather(matrix, held), held, axis=1), tf.gather(matrix, held)
    free = (~fixed).astype(float)
    return free[:, None] * free * (matrix - tf.matmul(across, tf.linalg.solve(block, across), transpose_a=True))


def strings(names: Sequence) -> list[str]:
    """Names, which are tensors where they have gone through a graph."""
    return [name if isinstance(name, str) else name.numpy().decode() for name in names]


def _table(names: Sequence, columns: dict, order: Sequence[int] | None = None) -> str:
    """A row a parameter, four significant digits."""
    names = strings(names)
    numbers = [np.asarray(values) for values in columns.values()]
    order = range(len(names)) if order is None else order
    rows = [["", *columns], *([names[i], *(f"{values[i]:.4g}" for values in numbers)] for i in order)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in rows
    )
