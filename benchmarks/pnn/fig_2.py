"""PNN Fig. 2: a Gaussian signal around theta on a uniform background, and a network's response between its thetas.

Baldi et al., "Parameterized neural networks for high-energy physics" (2016), section 3. The network is trained at five
values of theta and looked at there and at the four between them. The best classifier of this toy is known
(`benchmarks.data.toy`): the network's accuracy, and the place and width of its response, stand beside the exact ones.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.stats import norm

import pnn_tf
from benchmarks.claims import Claim, Estimate, below, over_trainings
from benchmarks.data.toy import CUT, HIGH, LOW, WIDTH, bayes_accuracy, bayes_auc, bayes_posterior, load_toy
from benchmarks.experiment import Experiment
from benchmarks.pnn.recipes import Shallow
from benchmarks.pnn.tested import EQUAL
from benchmarks.samples import Samples, events_fingerprint
from benchmarks.style import BLUE, INK, VERMILION, style
from benchmarks.tables import Quantity, Table, long, percent, pick, table
from benchmarks.terminal import Display
from benchmarks.training import show_epochs, train

X = np.linspace(LOW, HIGH, 201)  # where the response is kept
BEST = "best classifier"


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


def load(config: Config) -> Samples:
    """Draws the events of a configuration."""
    train_events = load_toy(config.thetas, config.n_train, seed=0)
    test = load_toy(tuple(sorted(config.thetas + config.unseen)), config.n_test, seed=1)
    data = {"name": "Gaussian on uniform", "n_train": len(train_events), "n_test": len(test)}
    return Samples(train_events, test, data | {"fingerprint": events_fingerprint(train_events, test)})


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """A network of one width after the last epoch; lists are per theta, in the order of `thetas`.

    `seen` says which theta were trained on. `accuracy` (at a cut of 0.5) and `auc` lie in [0, 1]. `response` is the
    output at each point of `x`, `edges` as `edges_around`. `n_train` is without validation, `n_test` at each theta.
    """
    units = int(name.split()[0])
    trained = train(
        replace(config, units=(units,)),
        samples.train,
        conditioning="concat",
        seed=seed,
        on_epoch=show_epochs(display, f"{name}, seed {seed}", 1 / config.epochs),
    )
    thetas, test = np.unique(samples.test.theta).tolist(), samples.test
    tests = [test.select(test.theta[:, 0] == theta) for theta in thetas]
    scores = [
        pnn_tf.predict_scores(trained.model, own.features, theta) for own, theta in zip(tests, thetas, strict=True)
    ]
    response = [pnn_tf.predict_scores(trained.model, X[:, None], theta) for theta in thetas]
    return {
        "units": units,
        "thetas": thetas,
        "seen": [theta in config.thetas for theta in thetas],
        "accuracy": [float(np.mean((s > 0.5) == own.label)) for s, own in zip(scores, tests, strict=True)],
        "auc": [pnn_tf.roc_auc(own.label, s) for s, own in zip(scores, tests, strict=True)],
        "x": X.round(4).tolist(),
        "response": [np.round(values, 4).tolist() for values in np.float64(response)],
        "edges": [edges_around(X, values, theta) for values, theta in zip(response, thetas, strict=True)],
        "n_train": trained.n_train,
        "n_test": config.n_test,
    }


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
    below_half = np.flatnonzero(response <= 0.5)
    if at in below_half:
        return None
    left, right = x[0], x[-1]
    for outer in below_half[below_half < at][-1:]:
        left = np.interp(0.5, response[[outer, outer + 1]], x[[outer, outer + 1]])
    for outer in below_half[below_half > at][:1]:
        right = np.interp(0.5, response[[outer, outer - 1]], x[[outer, outer - 1]])
    return [round(float(end - theta), 4) for end in (left, right)]


def exact(row: Mapping) -> dict:
    """What a row would be of the best classifier."""
    response = [bayes_posterior(row["x"], theta) for theta in row["thetas"]]
    n = len(response)
    found = {"accuracy": [bayes_accuracy()] * n, "auc": [bayes_auc()] * n, "edges": [[-CUT, CUT]] * n}
    return {**row, "row": BEST, "response": response, **found}


def some(row: Mapping, field: str, seen: bool) -> np.ndarray:
    """A list of a row at the trained theta, or at the unseen; edges are at theta where the response is below 0.5."""
    return np.array([value or (0.0, 0.0) for value, s in zip(row[field], row["seen"], strict=True) if s is seen])


def accuracy(row: Mapping, seen: bool) -> tuple[float, float]:
    """Mean accuracy over trained or over unseen theta in per cent, and the error that the test events leave."""
    own, best = some(row, "accuracy", seen), bayes_accuracy()
    return 100 * own.mean(), 100 * np.sqrt(best * (1 - best) / (len(own) * row["n_test"]))


def unseen_minus_trained(row: Mapping) -> tuple[float, float]:
    """Difference of the accuracies in points, and its error."""
    (unseen, error), (trained, other) = accuracy(row, False), accuracy(row, True)
    return unseen - trained, np.hypot(error, other)


def minus_best(row: Mapping) -> tuple[float, float]:
    """Accuracy at trained theta minus that of the best classifier in points, and its error."""
    trained, error = accuracy(row, True)
    return trained - 100 * bayes_accuracy(), error


def shape(row: Mapping, seen: bool) -> list[float]:
    """The mean response at theta, and where it crosses 0.5 on either side, relative to theta."""
    at = [np.interp(theta, row["x"], r) for theta, r in zip(row["thetas"], row["response"], strict=True)]
    return [np.mean(some({**row, "at": at}, "at", seen)), *some(row, "edges", seen).mean(axis=0)]


def tables(record: Mapping) -> Iterator[Table]:
    """Accuracy and shape of the response, of networks and of the best classifier."""
    rows = [*record["rows"], exact(record["rows"][0])]
    headings = [f"{t:g}{'' if s else ' (unseen)'}" for t, s in zip(rows[0]["thetas"], rows[0]["seen"], strict=True)]
    numbers = {"accuracy": percent(lambda row: [*row["accuracy"], np.mean(row["auc"])])}
    yield table(
        "Accuracy in per cent at a cut of 0.5. The best classifier's is the same at every theta.",
        "accuracy (%) at theta",
        long(rows, numbers, at=[*headings, "mean AUC (%)"]),
    )
    shapes = [
        {"row": row["row"] if row["row"] == BEST else f"{row['row']}, {which}", "seed": row["seed"]}
        | {"shape": shape(row, which == "trained")}
        for row in rows
        for which in ("trained", "unseen")
    ]
    yield table(
        "The response around theta: its height there, and where it crosses 0.5, relative to theta; means over the "
        "trained and over the unseen theta, beside the exact values.",
        "response",
        long(shapes, {"shape": Quantity("shape", decimals=3)}, at=["height", "left crossing", "right crossing"]),
    )


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """The densities, and the response against x at each theta, a panel for each width."""
    rows = record["rows"]
    names, first, x = list(dict.fromkeys(row["row"] for row in rows)), rows[0], np.array(rows[0]["x"])
    with style():
        figure = Figure(figsize=(8.2, 2.0 + 2.3 * len(names)))
        above, *panels = figure.subplots(1 + len(names), 1, sharex=True, height_ratios=[0.8] + [1] * len(names))
        for theta in (theta for theta, seen in zip(first["thetas"], first["seen"], strict=True) if seen):
            above.plot(x, norm.pdf(x, theta, WIDTH), color=BLUE)
        above.axhline(1 / (HIGH - LOW), color=INK)
        above.annotate("background", (3.4, 1 / (HIGH - LOW)), (0, 3), textcoords="offset points", ha="right")
        above.set(title=r"Training samples: signal at each $\theta$, and background", ylabel="density", ylim=(0, None))
        for axes, name in zip(panels, names, strict=True):
            for row in pick(rows, row=name):
                for seen, response in zip(row["seen"], row["response"], strict=True):
                    axes.plot(x, response, color=BLUE if seen else VERMILION, alpha=0.8)
            axes.plot(x, np.transpose(exact(first)["response"]), ":", color=INK, lw=1, zorder=4)
            axes.set(title=f"Network of {name}", ylabel=r"output $f(x, \theta)$", ylim=(0, 1))
        for axes in (above, *panels):
            axes.grid()
        panels[-1].set(xlabel="$x$", xlim=(-3.5, 3.5))
        looks = {r"trained $\theta$": (BLUE, "-"), r"unseen $\theta$": (VERMILION, "-"), BEST: (INK, ":")}
        handles = [Line2D([], [], color=colour, ls=line, label=name) for name, (colour, line) in looks.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=3)
    yield (
        "Above, the densities that training samples are drawn from. Below, the network's output as a function of x, a "
        "line a seed; dotted, the exact posterior.",
        figure,
    )


def measure(name: str, number: Callable[[Mapping], tuple[float, float]]) -> Callable[[Sequence[Mapping]], Estimate]:
    """The measure of a claim on the rows of a name: the mean of a number, given with the test events' error."""

    def of_rows(rows: Sequence[Mapping]) -> Estimate:
        found = [number(row) for row in pick(rows, row=name)]
        return over_trainings([value for value, _ in found], found[0][1])

    return of_rows


def crossing_off(of: Callable) -> Callable[[Mapping], tuple[float, float]]:
    """How far crossings at unseen theta are from the exact ones, by `of` over all, without error."""
    return lambda row: (of(np.abs(some(row, "edges", False) - (-CUT, CUT))), 0.0)


def claims(name: str, **more) -> Iterator[Claim]:
    """What the paper says of three units, and we of any number."""
    in_x = {"unit": "in x", "decimals": 3}
    for statement, number, criterion, look in (
        ("Accuracy at theta without training data is that at theta with", unseen_minus_trained, EQUAL, {}),
        (
            "The response has the same shape at theta without training data: how far from the exact one it crosses 0.5",
            crossing_off(np.mean),
            below(WIDTH / 5),
            in_x,
        ),
        ("So it does at each of these theta: the largest distance", crossing_off(np.max), below(WIDTH / 2), in_x),
        ("Accuracy at theta with training data is that of the best classifier", minus_best, EQUAL, {}),
    ):
        yield Claim(f"{statement} ({name})", measure(name, number), criterion, **look, **more)


EXPERIMENT = Experiment(
    id="pnn-fig-2",
    where="Fig. 2",
    summary="a toy with a known best classifier: the response at theta that no training has seen",
    introduction=(
        f"Signal is Gaussian around theta with a width of {WIDTH:g}, background uniform between {LOW:g} and {HIGH:g}. "
        "Networks of one hidden layer are trained at theta = -2, -1, 0, 1 and 2, with {n_train:,} events each, and "
        "tested there and half-way between, where they have seen none, with {n_test:,} each; {seeds}. Baldi et al. "
        "(2016) show the response without numbers."
    ),
    scales={
        "smoke": Config(**QUICK | {"epochs": 3, "n_train": 8000, "n_test": 4000}),
        "embedded": Config(**QUICK),
        "paper": Config(),
    },
    load=load,
    names=lambda config: [f"{units} units" for units in config.widths],
    make_row=make_row,
    line=lambda row: (
        f"accuracy {accuracy(row, True)[0]:.2f} % at trained, {accuracy(row, False)[0]:.2f} % at unseen theta"
    ),
    tables=tables,
    figures=figures,
    claims=(*claims("3 units"), *claims("10 units", ours=True, scales=("embedded",))),
    departures=(
        "The paper gives no range of the background, and does not say how long it trains: both are ours.",
        "The paper's network has three units; one of ten is ours.",
    ),
)
