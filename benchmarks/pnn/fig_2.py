"""PNN Fig. 2: a Gaussian signal around theta on a uniform background, and a network's response between its thetas.

Baldi et al., "Parameterized neural networks for high-energy physics" (2016), section 3. The network is trained at five
values of theta and looked at there and at the four between them. The best classifier of this toy is known
(`benchmarks.data.toy`): the network's accuracy, and the place and width of its response, stand beside the exact ones.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import norm

import pnn_tf
from benchmarks.claims import Claim, below, over_seeds
from benchmarks.data.toy import CUT, HIGH, LOW, WIDTH, bayes_accuracy, bayes_auc, bayes_posterior, load_toy
from benchmarks.experiment import Experiment
from benchmarks.pnn.recipes import Shallow, fit
from benchmarks.pnn.tested import EQUAL
from benchmarks.samples import Samples, events_fingerprint
from benchmarks.style import BLUE, INK, VERMILION, style
from benchmarks.tables import Quantity, Table, long, percent, pick, table
from benchmarks.terminal import Display

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
    recipe, test = replace(config, units=(int(name.split()[0]),)), samples.test
    model, _, _, n_train, _ = fit(recipe, samples.train, name, seed, display, best=False, conditioning="concat")
    thetas = np.unique(test.theta).tolist()
    row = {"units": recipe.units[0], "thetas": thetas, "seen": [theta in config.thetas for theta in thetas]}
    row |= {"accuracy": [], "auc": [], "x": X.round(4).tolist(), "response": [], "edges": []}
    for theta in thetas:
        own = test.select(test.theta[:, 0] == theta)
        score, response = (pnn_tf.predict_scores(model, features, theta) for features in (own.features, X[:, None]))
        row["accuracy"].append(float(np.mean((score > 0.5) == own.label)))
        row["auc"].append(pnn_tf.roc_auc(own.label, score))
        row["response"].append(np.float64(response).round(4).tolist())
        row["edges"].append(edges_around(X, response, theta))
    return row | {"n_train": n_train, "n_test": config.n_test}


def edges_around(x: np.ndarray, response: np.ndarray, theta: float) -> list[float] | None:
    """Ends of the interval around theta in which the response is above 0.5, minus theta; None where it is not at theta.

    The response (n,) at increasing x (n,), which reach beyond theta, is interpolated linearly.

    >>> edges_around(np.array([0.0, 1, 2, 3, 4]), np.array([0.0, 0, 1, 0.75, 0]), theta=2.0)
    [-0.5, 1.3333]
    """
    above, at = response > 0.5, int(np.argmin(np.abs(x - theta)))
    if not above[at]:
        return None
    i = np.flatnonzero(above[1:] != above[:-1])  # it crosses between i and i + 1
    crossings = x[i] + (0.5 - response[i]) / (response[i + 1] - response[i]) * (x[i + 1] - x[i])
    ends = np.array([x[0], *crossings, x[-1]])
    return [round(float(end - theta), 4) for end in (ends[ends <= x[at]][-1], ends[ends >= x[at]][0])]


def exact(row: Mapping) -> dict:
    """What a row would be of the best classifier."""
    response = [bayes_posterior(row["x"], theta) for theta in row["thetas"]]
    n = len(response)
    found = {"accuracy": [bayes_accuracy()] * n, "auc": [bayes_auc()] * n, "edges": [[-CUT, CUT]] * n}
    return {**row, "row": BEST, "response": response, **found}


def some(row: Mapping, field: str, seen: bool) -> np.ndarray:
    """A list of a row at the trained theta, or at the unseen; edges are at theta where the response is below 0.5."""
    values = [value for value, at_seen in zip(row[field], row["seen"], strict=True) if at_seen == seen]
    return np.array([(0.0, 0.0) if value is None else value for value in values])


def accuracy(row: Mapping, seen: bool) -> float:
    """Mean accuracy over trained or over unseen theta, per cent."""
    return 100 * some(row, "accuracy", seen).mean()


def accuracy_error(row: Mapping, of: tuple[bool, ...]) -> float:
    """Standard error of a sum of accuracies at theta `of` which are seen, in points, near the best accuracy."""
    variance = bayes_accuracy() * (1 - bayes_accuracy()) / row["n_test"]
    return 100 * math.sqrt(sum(variance / row["seen"].count(seen) for seen in of))


def off(row: Mapping) -> np.ndarray:
    """How far each crossing of 0.5 at unseen theta is from the exact one."""
    return np.abs(some(row, "edges", False) - (-CUT, CUT))


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
    shapes = {which: Quantity(partial(shape, seen=which == "trained"), decimals=3) for which in ("trained", "unseen")}
    frame = long(rows, shapes, at=["height", "left crossing", "right crossing"])
    frame["row"] = frame["row"].where(frame["row"] == BEST, frame["row"] + ", " + frame["quantity"])
    yield table(
        "The response around theta: its height there, and where it crosses 0.5, relative to theta; means over the "
        "trained and over the unseen theta, beside the exact values.",
        "response",
        frame,
    )


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """The densities, and the response against x at each theta, a panel for each width."""
    rows = record["rows"]
    names, first, x = list(dict.fromkeys(row["row"] for row in rows)), rows[0], np.array(rows[0]["x"])
    with style():
        figure = Figure(figsize=(8.2, 2.0 + 2.3 * len(names)))
        above, *panels = figure.subplots(1 + len(names), 1, sharex=True)
        above.plot(x, norm.pdf(x[:, None], some(first, "thetas", True), WIDTH), color=BLUE)
        above.axhline(1 / (HIGH - LOW), color=INK)
        above.set(title=r"Training samples: signal at each $\theta$, and uniform background", ylabel="density")
        for axes, name in zip(panels, names, strict=True):
            for row in pick(rows, row=name):
                for seen, colour, label in ((True, BLUE, "trained"), (False, VERMILION, "unseen")):
                    lines = axes.plot(x, some(row, "response", seen).T, color=colour, alpha=0.8)
                    lines[0].set_label(rf"{label} $\theta$")
            lines = axes.plot(x, np.transpose(exact(first)["response"]), ":", color=INK, lw=1)
            lines[0].set_label(BEST)
            axes.set(title=f"Network of {name}", ylabel=r"output $f(x, \theta)$", ylim=(0, 1))
        for axes in (above, *panels):
            axes.grid()
        axes.set(xlabel="$x$", xlim=(-3.5, 3.5))
        by_label = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))  # one of each
        figure.legend(by_label.values(), by_label, loc="outside lower center", ncols=3)
    yield (
        "Above, the densities that training samples are drawn from. Below, the network's output as a function of x, a "
        "line a seed; dotted, the exact posterior.",
        figure,
    )


AS_GOOD = "Accuracy is as good at theta without training data as at theta with"
AS_BEST = "Accuracy is that of the best classifier at theta with training data"
SHAPE = "The response at theta without training data has the same shape: it crosses 0.5 where the exact one does"
IN_X, OURS = {"unit": "in x", "decimals": 3}, {"ours": True}
SAID = (  # what, the number of a row, which accuracies it is made of, by which criterion
    (AS_GOOD, lambda row: accuracy(row, False) - accuracy(row, True), (True, False), EQUAL, {}),
    (f"{SHAPE}, on average", lambda row: off(row).mean(), (), below(WIDTH / 5), IN_X),
    (f"{SHAPE}, each", lambda row: off(row).max(), (), below(WIDTH / 2), IN_X | OURS),
    (AS_BEST, lambda row: accuracy(row, True) - 100 * bayes_accuracy(), (True,), EQUAL, OURS),
)


def claims(name: str, **more) -> Iterator[Claim]:
    """What the paper says of three units, and we of any number."""
    for statement, number, of, criterion, about in SAID:
        measure = over_seeds(number, partial(pick, row=name), partial(accuracy_error, of=of))
        yield Claim(f"{statement} ({name})", measure, criterion, **about | more)


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
    line=lambda row: f"accuracy {accuracy(row, True):.2f} % at trained, {accuracy(row, False):.2f} % at unseen theta",
    tables=tables,
    figures=figures,
    claims=(*claims("3 units"), *claims("10 units", ours=True, scales=("embedded",))),
    departures=(
        "The paper gives no range of the background, and does not say how long it trains: both are ours.",
        "The paper's network has three units; one of ten is ours.",
    ),
)
