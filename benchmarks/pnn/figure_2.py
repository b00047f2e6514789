"""PNN Fig. 2: a Gaussian signal around theta on a uniform background, and a network's response between its thetas.

Baldi et al., "Parameterized neural networks for high-energy physics" (2016), section 3. The network is trained at five
values of theta and looked at there and at the four between them. The best classifier of this toy is known
(`benchmarks.data.toy`): the network's accuracy, and the place and width of its response, stand beside the exact ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np

import pnn_tf
from benchmarks.data.events import Events
from benchmarks.data.toy import HIGH, LOW, load_toy
from benchmarks.pnn.figure_2_section import one_line, plot, section
from benchmarks.pnn.recipes import Shallow
from benchmarks.rows import in_turn
from benchmarks.samples import Samples, events_fingerprint
from benchmarks.terminal import Display
from benchmarks.training import show_epochs, train

__all__ = ["SCALES", "Config", "Row", "load", "one_line", "plot", "run", "section"]

X = np.linspace(LOW, HIGH, 201)  # where the response is kept


@dataclass(frozen=True)
class Config(Shallow):
    """The recipe of training, and what is particular to the toy.

    Args:
        widths: numbers of hidden units; a row each.
        thetas: values of theta that are trained on.
        unseen: values that are not.
        n_train: events at each trained theta, half of them signal, validation included.
        n_test: test events at each theta, half of them signal.
        theta_scale: 1, for theta as it is.
    """

    theta_scale: tuple[float, ...] = (1.0,)
    widths: tuple[int, ...] = (3,)
    thetas: tuple[float, ...] = (-2.0, -1.0, 0.0, 1.0, 2.0)
    unseen: tuple[float, ...] = (-1.5, -0.5, 0.5, 1.5)
    n_train: int = 100_000
    n_test: int = 100_000


# One event a step takes minutes for what batches of 128, with a rate for their smaller noise, reach in seconds.
QUICK = {"batch_size": 128, "learning_rate": 0.1, "widths": (3, 10), "n_train": 20_000}
SCALES = {
    "smoke": Config(**QUICK | {"epochs": 3, "n_train": 8000, "n_test": 4000}),
    "embedded": Config(**QUICK),
    "paper": Config(),
}


class Row(TypedDict):
    """A network of one width with one seed, after the last epoch; lists are per theta, in the order of `thetas`.

    `seen` says which theta were trained on. `accuracy` (at a cut of 0.5) and `auc` lie in [0, 1]. `response` is the
    output at each point of `x`. `edges` are the ends, relative to theta, of the interval around theta in which the
    response is above 0.5; None where it is nowhere. `n_train` is without validation, `n_test` at each theta.
    """

    row: str
    seed: int
    units: int
    thetas: list[float]
    seen: list[bool]
    accuracy: list[float]
    auc: list[float]
    x: list[float]
    response: list[list[float]]
    edges: list[list[float] | None]
    n_train: int
    n_test: int
    wall_s: float


def load(config: Config) -> Samples:
    """Draws the events of a configuration."""
    train_events = load_toy(config.thetas, config.n_train, seed=0)
    test = load_toy(tuple(sorted(config.thetas + config.unseen)), config.n_test, seed=1)
    data = {"name": "Gaussian on uniform", "n_train": len(train_events), "n_test": len(test)}
    return Samples(train_events, test, data | {"fingerprint": events_fingerprint(train_events, test)})


def _make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    units = int(name.split()[0])
    trained = train(
        replace(config, units=(units,)),
        samples.train,
        conditioning="concat",
        seed=seed,
        on_epoch=show_epochs(display, f"{name}, seed {seed}", 1 / config.epochs),
    )
    model = trained.model
    thetas = np.unique(samples.test.theta).tolist()
    scores = [_of_theta(model, samples.test, theta) for theta in thetas]
    response = [pnn_tf.predict_scores(model, X[:, None], theta) for theta in thetas]
    return {
        "units": units,
        "thetas": thetas,
        "seen": [theta in config.thetas for theta in thetas],
        "accuracy": [float(np.mean((score > 0.5) == label)) for label, score in scores],
        "auc": [pnn_tf.roc_auc(label, score) for label, score in scores],
        "x": X.round(4).tolist(),
        "response": [np.round(values, 4).tolist() for values in np.float64(response)],
        "edges": [edges_around(X, values, theta) for values, theta in zip(response, thetas, strict=True)],
        "n_train": trained.n_train,
        "n_test": config.n_test,
    }


def _row_names(config: Config) -> Sequence[str]:
    return [f"{units} units" for units in config.widths]


run = in_turn(_row_names, _make_row)


def _of_theta(model, test: Events, theta: float) -> tuple[np.ndarray, np.ndarray]:
    events = test.select(test.theta[:, 0] == theta)
    return events.label, pnn_tf.predict_scores(model, events.features, theta)


def edges_around(x: np.ndarray, response: np.ndarray, theta: float) -> list[float] | None:
    """Ends of the interval around theta in which the response is above 0.5, minus theta; None where it is not at theta.

    Args:
        x: (n,) increasing, evenly spaced.
        response: (n,) at x, interpolated linearly between.
        theta: a point within x.

    >>> edges_around(np.array([0.0, 1, 2, 3, 4]), np.array([0.0, 0, 1, 0.75, 0]), theta=2.0)
    [-0.5, 1.3333]
    """
    at = int(np.argmin(np.abs(x - theta)))
    above = response > 0.5
    if not above[at]:
        return None
    below = np.flatnonzero(~above)
    ends = []
    for side in (below[below < at][-1:], below[below > at][:1]):
        if not len(side):
            ends.append(x[0] if not ends else x[-1])
            continue
        outer, inner = side[0], side[0] + (1 if side[0] < at else -1)
        share = (0.5 - response[outer]) / (response[inner] - response[outer])
        ends.append(x[outer] + share * (x[inner] - x[outer]))
    return [round(float(end - theta), 4) for end in ends]
