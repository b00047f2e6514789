"""How well a network does at hypotheses that it was not trained on, for any events with theta.

Anzalone et al. 2022, section 5.1: leave out one hypothesis, or half of them, or all but one, and look at every
hypothesis of the test events. A scheme makes the trials, `interpolate` trains and tests one, `auc_table` and `curves`
show them; a row is what `interpolate` returns, with a `row` (its name) and a `seed`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypedDict

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import pnn_tf
from benchmarks.data.events import Events
from benchmarks.style import BLUE, GREEN, INK, ORANGE, PURPLE, SKY, VERMILION, style
from benchmarks.tables import Table, long, percent, table, with_average
from benchmarks.training import Recipe, train
from pnn_tf import plots

COLOURS = (BLUE, ORANGE, VERMILION, GREEN, PURPLE, SKY)
Hypotheses = tuple[tuple[float, ...], ...]


class Trial(NamedTuple):
    """A training on some of the hypotheses: what to call it, and which."""

    name: str
    trained_on: Hypotheses


def on_all(hypotheses) -> Trial:
    """The trial that leaves nothing out; hypotheses are (n,) or (n, n_parameters), as in every scheme."""
    return Trial("on all", _points(hypotheses))


def leave_one_out(hypotheses) -> tuple[Trial, ...]:
    """A trial without each hypothesis."""
    points = _points(hypotheses, at_least=2)
    return tuple(Trial(f"without {label(out)}", tuple(p for p in points if p != out)) for out in points)


def leave_half_out(hypotheses) -> tuple[Trial, ...]:
    """Two trials that leave out every other hypothesis in the order given: the first, third, ..., then the rest."""
    points = _points(hypotheses, at_least=2)
    return _on(points[1::2]), _on(points[::2])


def ends_only(hypotheses) -> Trial:
    """The trial on the first and the last hypothesis alone."""
    points = _points(hypotheses, at_least=2)
    return _on((points[0], points[-1]))


def one_only(hypotheses) -> tuple[Trial, ...]:
    """A trial on each single hypothesis, which extrapolates to all others."""
    return tuple(_on((point,)) for point in _points(hypotheses))


def label(hypothesis: Sequence[float]) -> str:
    """A hypothesis in words.

    >>> label((500.0,)), label((500.0, 0.1))
    ('500', '(500, 0.1)')
    """
    numbers = [f"{value:g}" for value in hypothesis]
    return numbers[0] if len(numbers) == 1 else f"({', '.join(numbers)})"


def training_events(events: Events, trained_on: Hypotheses, *, background=None, seed: int = 0) -> Events:
    """The signal of some hypotheses, and the whole background with a theta from these alone.

    With the theta that background has in the sample, the network would meet the held-out ones with background alone;
    see `pnn_tf.hold_out`. It is assigned once, so that validation events drawn from these have it too.

    Args:
        events: signal of these hypotheses and of others, and background.
        trained_on: (n,) or (n, n_parameters) hypotheses that are not held out.
        background: a pnn_tf strategy for the theta of the background; None for `pnn_tf.Identical(trained_on)`.
        seed: of the assignment.

    Raises:
        ValueError: a hypothesis that no signal event has.
    """
    there, trained_on = _points(events.hypotheses), _points(trained_on)
    missing = [label(point) for point in trained_on if point not in there]
    if missing:
        raise ValueError(
            f"Expected trained_on out of the hypotheses of the signal, {', '.join(map(label, there))}. "
            f"Received: {', '.join(missing)}."
        )
    held_out = [point for point in there if point not in trained_on]
    if held_out:
        events = events.select(pnn_tf.hold_out(events.theta, events.label, held_out))
    strategy = background or pnn_tf.Identical(trained_on, sampled=False)
    of_background = events.label == 0
    theta = events.theta.copy()
    theta[of_background] = strategy.draw(np.count_nonzero(of_background), (seed, 0), events.features[of_background])
    return replace(events, theta=theta)


class Interpolation(TypedDict):
    """A network trained on some hypotheses and tested at all; lists are per hypothesis, in the order of `hypotheses`.

    `auc`, its standard error `error` from the finite test sample, and `validation_auc` lie in [0, 1] and are of the
    epoch with the best `validation_auc`, which is `best_epoch`. `n_train` counts training events without validation.
    """

    trained_on: list[list[float]]
    hypotheses: list[list[float]]
    auc: list[float]
    error: list[float]
    validation_auc: float
    best_epoch: int
    n_train: int


def interpolate(
    recipe: Recipe,
    events: Events,
    test: Events,
    trained_on: Hypotheses,
    *,
    conditioning: str | None,
    background=None,
    seed: int,
    on_epoch: Callable[[int, float], None],
) -> Interpolation:
    """Trains a network on some hypotheses, and tests it at all that the test events have.

    Args:
        recipe: the settings of the training.
        events: for training and validation, from which the other hypotheses are taken out.
        test: signal of each hypothesis is held against all the background of these.
        trained_on: (n,) or (n, n_parameters) hypotheses that are not held out.
        conditioning: "affine", "concat", or None for a network that is not told theta.
        background: as in `training_events`.
        seed: as in `benchmarks.training.train`, and of the background's theta.
        on_epoch: told the number of the epoch, from 1, and the validation AUC.
    """
    followed = []

    def follow(epoch: int, auc: float) -> None:
        followed.append(auc)
        on_epoch(epoch, auc)

    kept = training_events(events, trained_on, background=background, seed=seed)
    trained = train(recipe, kept, conditioning=conditioning, seed=seed, on_epoch=follow)
    trained.model.set_weights(trained.best_weights)
    results = pnn_tf.evaluate_hypotheses(trained.model, test.features, test.theta, test.label)
    return Interpolation(
        trained_on=[list(point) for point in _points(trained_on)],
        hypotheses=[list(result.theta) for result in results],
        auc=[float(result.auc) for result in results],
        error=[pnn_tf.auc_error(result.auc, result.n_signal, result.n_background) for result in results],
        validation_auc=float(max(followed)),
        best_epoch=trained.best_epoch,
        n_train=trained.n_train,
    )


def held_out(row: Mapping) -> np.ndarray:
    """(n_hypotheses,) bool, which of a row's hypotheses the network was not trained on."""
    return np.array([point not in row["trained_on"] for point in row["hypotheses"]])


def auc_table(caption: str, rows: Sequence[Mapping], corner: str = "AUC in %") -> Table:
    """AUC in per cent at each hypothesis and on average, a line for each name."""
    labels = list(map(label, rows[0]["hypotheses"]))
    return table(caption, corner, with_average(long(rows, {"auc": percent("auc")}, at=labels)))


class Point(NamedTuple):
    """An AUC at one hypothesis, and its standard error, in [0, 1]."""

    theta: tuple[float, ...]
    auc: float
    auc_error: float


def curves(
    panels: Mapping[str, Mapping[str, Sequence[Mapping]]], axis: str, colours: Mapping[str, str] | None = None
) -> Figure:
    """AUC against the hypothesis, averaged over seeds: hypotheses held out are open squares, the others full circles.

    Args:
        panels: for each title, the rows (one a seed) of each line's name.
        axis: what the hypotheses are, with unit.
        colours: of the names; those without get one that is free, up to six in all.
    """
    names = dict.fromkeys(name for lines in panels.values() for name in lines)
    colours = {name: colour for name, colour in (colours or {}).items() if name in names}
    free = [colour for colour in COLOURS if colour not in colours.values()]
    colours |= dict(zip((name for name in names if name not in colours), free, strict=False))
    n_columns = min(len(panels), 3)
    n_lines = -(-len(panels) // n_columns)
    with style():
        figure = Figure(figsize=(3.3 * n_columns + 0.3, 2.8 * n_lines + 0.5))
        parts = figure.subfigures(n_lines, n_columns, squeeze=False).ravel()[: len(panels)]
        for part, (title, lines) in zip(parts, panels.items(), strict=True):
            results = {name: _mean_points(group) for name, group in lines.items()}
            trained_on = {name: group[0]["trained_on"] for name, group in lines.items()}
            plots.auc(results, trained_on, label=axis, colours=colours, legend=False, figure=part)
            part.axes[0].set_title(title)
        limits = [part.axes[0].get_ylim() for part in parts]
        for part in parts:
            part.axes[0].set_ylim(np.min(limits), np.max(limits))
        handles = [Line2D([], [], color=colours[name], label=name) for name in names] + [
            Line2D([], [], color=INK, marker="o", ls="", ms=5, label="trained on"),
            Line2D([], [], color=INK, marker="s", ls="", ms=7, mfc="none", mew=1.6, label="held out"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 5))
    return figure


def _mean_points(group: Sequence[Mapping]) -> list[Point]:
    """Means over rows that differ in the seed."""
    auc, error = (np.mean([row[field] for row in group], axis=0) for field in ("auc", "error"))
    return list(map(Point, group[0]["hypotheses"], auc, error))


def _points(hypotheses, at_least: int = 1) -> Hypotheses:
    points = np.asarray(hypotheses, np.float32)  # the precision of events, in which they are looked for
    points = points[:, None] if points.ndim == 1 else points
    if len(points) < at_least:
        raise ValueError(f"Expected at least {at_least} hypotheses, to hold some out. Received: {len(points)}.")
    return tuple(map(tuple, points.tolist()))


def _on(points: Hypotheses) -> Trial:
    *first, last = map(label, points)
    return Trial(f"on {', '.join(first)} and {last}" if first else f"on {last}", points)
