"""TAYLOR Fig. 1: what a network has learnt of four tasks of two Gaussians, beside the best classifier there is.

Wunsch, Friese, Wolf and Quast, arXiv:1803.08782, section 2. A network is trained on each task of Table 1, and the mean
absolute Taylor coefficients of its output are taken over independent test events. The exact posterior of the two
Gaussians is the output that a perfect network would have.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import pnn_tf
from benchmarks.claims import Claim, above, over_seeds, within
from benchmarks.data.gaussians import TASKS, bayes_coefficients, bayes_posterior, gaussian_standardiser, load_gaussians
from benchmarks.experiment import Experiment
from benchmarks.record import fingerprint
from benchmarks.samples import Samples
from benchmarks.style import BLUE, INK, ORANGE, VERMILION, style
from benchmarks.tables import Quantity, Table, long, percent, pick, table
from benchmarks.taylor.training import Recipe, epochs_shown, train
from benchmarks.terminal import Display
from taylor import FeatureSet, mean_abs_coefficients

FEATURES = FeatureSet.complete(("x1", "x2"), 2)
X1, X2, X11, X12, X22 = range(5)
RADII = (2.0, 1.5, 1.0, 0.5)  # of the contours, in standard deviations


@dataclass(frozen=True)
class Config(Recipe):
    """The recipe of training, and the number of events.

    Args:
        n_train: training events of each task, validation included.
        n_test: test events of each task.
    """

    n_train: int = 100_000
    n_test: int = 100_000


def load_samples(tasks: Sequence[str], n_train: int, n_test: int) -> Samples:
    """Draws the events of some tasks, not standardised, the same for all seeds; `train` and `test` hold them by task.

    Raises:
        ValueError: an unknown task, or no events.
    """
    train, test = ({task: load_gaussians(task, n, seed) for task in tasks} for n, seed in ((n_train, 1), (n_test, 2)))
    columns = (column for split in (train, test) for e in split.values() for column in (e.features, e.label))
    data = {"name": "two Gaussians (drawn)", "n_train": n_train, "n_test": n_test, "fingerprint": fingerprint(*columns)}
    return Samples(train, test, data)


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """One task with one seed.

    `mean`, its standard error `error`, and the same of the best classifier on the same events, are those of FEATURES.
    AUCs lie in [0, 1]; `validation_loss` is that of the last epoch.
    """
    task, title = name.removeprefix("task "), f"{name}, seed {seed}"
    events, test = samples.train[task], samples.test[task]
    x, test_x = (gaussian_standardiser(task)(e.features) for e in (events, test))
    model, validation_loss = train(config, x, events.label, seed=seed, callbacks=[epochs_shown(display, title)])
    importance = mean_abs_coefficients(model, test_x, names=test.names)
    bayes = np.abs(bayes_coefficients(task, test.features))
    display.advance(1, title)
    return {
        "task": task,
        "mean": importance.mean.round(6).tolist(),
        "error": importance.error.round(6).tolist(),
        "auc": float(pnn_tf.roc_auc(test.label, pnn_tf.predict_scores(model, test_x, theta=0.0))),
        "bayes_mean": bayes.mean(axis=0).round(6).tolist(),
        "bayes_error": (bayes.std(axis=0) / np.sqrt(len(test))).round(6).tolist(),
        "bayes_auc": float(pnn_tf.roc_auc(test.label, bayes_posterior(task, test.features))),
        "epochs": len(validation_loss),
        "validation_loss": validation_loss[-1],
        "n_train": config.n_gradients(len(events)),
        "n_test": len(test),
    }


def tables(record: Mapping) -> Iterator[Table]:
    """The means of the network above those of the best classifier, and the training."""
    networks = (("network", "", True), ("best classifier", "bayes_", False))
    means = {name: Quantity(f"{of}mean", decimals=3, spread=spread) for name, of, spread in networks}
    aucs = {name: percent(f"{of}auc", spread=spread) for name, of, spread in networks}
    frame = pd.concat([long(record["rows"], means, FEATURES.labels), long(record["rows"], aucs, ["AUC (%)"])])
    frame["line"] = frame["row"] + ", " + frame["quantity"]
    caption = "<|t|> of each feature, to standardised inputs, and the area under the ROC curve."
    yield table(caption, "<|t|>", frame, lines="line")
    training = {
        "epochs": Quantity("epochs", decimals=1, spread=False),
        "validation loss": Quantity("validation_loss", decimals=4, spread=False),
        "events for gradients": Quantity("n_train", decimals=0, spread=False),
        "wall time (s)": Quantity("wall_s", decimals=1, spread=False),
    }
    caption = "Training, mean over the seeds."
    yield table(caption, "training", long(record["rows"], training), columns="quantity")


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """A column a task: contours above, mean coefficients below."""
    groups, angle = {task: pick(record["rows"], task=task) for task in TASKS}, np.linspace(0, 2 * np.pi, 121)
    labels = [label.replace(", ", "\n") for label in FEATURES.labels]
    with style():
        figure = Figure(figsize=(10.4, 5.4))
        upper, lower = figure.subplots(2, len(groups), sharey="row")
        for plane, bars, (task, rows) in zip(upper, lower, groups.items(), strict=True):
            for gaussian, colour in ((TASKS[task].background, BLUE), (TASKS[task].signal, VERMILION)):
                ellipse = np.linalg.cholesky(gaussian.covariance) @ [np.cos(angle), np.sin(angle)]
                for radius in RADII:  # one on another: darker towards the centre
                    curve = gaussian.mean[:, None] + radius * ellipse
                    plane.fill(*curve, facecolor=(colour, 0.15), edgecolor=colour, lw=0.9)
            plane.set(title=f"Task {task}", aspect="equal", xlabel="$x_1$", xlim=(-4, 4), ylim=(-4, 4))
            mean = np.mean([row["mean"] for row in rows], axis=0)
            spread = np.std([row["mean"] for row in rows], axis=0, ddof=1) if len(rows) > 1 else None
            bars.bar(labels, mean, yerr=spread, color=[ORANGE] * 2 + [BLUE] * 3, ecolor=INK, capsize=2)
            bars.plot(labels, rows[0]["bayes_mean"], "D", mfc="white", mec=INK)
            bars.grid(axis="y")
        upper[0].set_ylabel("$x_2$")
        lower[0].set_ylabel(r"$\langle |t| \rangle$")
    yield (
        "Above, the densities of signal (red) and background (blue): lines at 0.5, 1, 1.5 and 2 standard deviations. "
        "Below, <|t|> of features of the first (orange) and the second order (blue) with the standard deviation over "
        "the seeds, and that of the best classifier (diamonds).",
        figure,
    )


def gaps(task: str, of: str, larger: Sequence[int], smaller: Sequence[int]) -> Callable:
    """The measure of a claim: <|t|> of each of the larger features minus that of each of the smaller.

    `of` is "" for the network, "bayes_" for the best classifier. The error is the most that the test sample leaves.
    """
    pairs = {f"({FEATURES.labels[i]}) over ({FEATURES.labels[j]})": (i, j) for i, j in product(larger, smaller)}

    def value(row):
        return {name: row[f"{of}mean"][i] - row[f"{of}mean"][j] for name, (i, j) in pairs.items()}

    return over_seeds(value, partial(pick, task=task), lambda row: 2**0.5 * max(row[f"{of}error"]))


def off_best(row: Mapping) -> dict[str, float]:
    """<|t|> of the network minus that of the best classifier, by feature."""
    return dict(zip(FEATURES.labels, np.subtract(row["mean"], row["bayes_mean"]), strict=True))


T = {"unit": "", "decimals": 3}
ORDERS = (  # what the paper's text says of a task: <|t|> of which features is above that of which others
    ("a", "x1 and x2 are above all pairs", (X1, X2), (X11, X12, X22)),
    ("b", "(x1, x2) is above all others", (X12,), (X1, X2, X11, X22)),
    ("b", "x1 and x2 are large too, above (x1, x1) and (x2, x2)", (X1, X2), (X11, X22)),
    ("c", "x1, x2, (x1, x2) are above (x1, x1), (x2, x2), a and b combined", (X1, X2, X12), (X11, X22)),
    ("d", "(x1, x2) is below all others", (X1, X2, X11, X22), (X12,)),
)
SHARE = over_seeds(lambda row: 100 * row["mean"][X12] / row["mean"][X1], partial(pick, task="a"))
CLAIMS = [Claim("Task a, <|t|>: (x1, x2) is not negligible beside x1", SHARE, above(10), unit="%")]
for task, order, *features in ORDERS:
    network, best = (gaps(task, of, *features) for of in ("", "bayes_"))
    CLAIMS += [
        Claim(f"Task {task}, <|t|>: {order}", network, above(0), **T),
        Claim(f"Task {task}, <|t|> of the best classifier: {order}", best, above(0), **T, ours=True, chance=False),
    ]
for task in TASKS:
    rows = partial(pick, task=task)
    means, auc = over_seeds(off_best, rows), over_seeds(lambda row: 100 * (row["auc"] - row["bayes_auc"]), rows)
    CLAIMS += [
        Claim(f"Task {task}: <|t|> is the best classifier's", means, within(0.05), **T, ours=True),
        Claim(f"Task {task}: AUC is the best classifier's", auc, within(0.5), ours=True),
    ]

EXPERIMENT = Experiment(
    id="taylor-fig-1",
    where="Fig. 1",
    summary="Taylor coefficients of networks on four tasks of two Gaussians",
    introduction=(
        "Mean absolute Taylor coefficients of networks that tell two Gaussians apart, for the four tasks of Table 1: "
        "{n_train:,} events for training and validation, {n_test:,} for the test, {seeds}. Beside them those of the "
        "exact posterior, the best classifier there is, over the same test events. Wunsch, Friese, Wolf and Quast, "
        "arXiv:1803.08782, show the networks' as a figure without numbers."
    ),
    scales={  # the events are drawn, not read: nothing keeps the embedded scale from the paper's size
        "smoke": Config(n_train=4000, n_test=4000, epochs=5, learning_rate=0.01),
        "embedded": Config(),
        "paper": Config(),
    },
    load=lambda config: load_samples(tuple(TASKS), config.n_train, config.n_test),
    names=lambda config: [f"task {task}" for task in TASKS],
    make_row=make_row,
    line=lambda row: f"AUC {row['auc']:.2%}, best classifier {row['bayes_auc']:.2%}, {row['epochs']} epochs",
    tables=tables,
    figures=figures,
    claims=CLAIMS,
    departures=(
        "The paper gives neither batch size nor learning rate: {batch_size} events, and {learning_rate:g} of Adam.",
        "Inputs are standardised by the exact mean and standard deviation of the two Gaussians, not by the sample's.",
        "Every seed trains on the same events: what differs is the split in halves, their order, the initial weights.",
        "t of (x1, x1) is half of the second derivative, that of (x1, x2) the mixed one: each term counts once.",
    ),
)
