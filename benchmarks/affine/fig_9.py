"""AFFINE Figs. 9 and 10: the last hidden layer of five individual networks and of a parametric one, mapped by t-SNE.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, section 5.2. An event goes through the individual network of its
mass, or with its mass through the parametric one; background has the mass it was given. The paper looks at the picture.
Here the 10 nearest neighbours of an event in the layer itself also guess its mass and its class, and a control is
added: five networks that are told no mass, each trained on a random fifth of all events, so that what tells them apart
has nothing to do with mass.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypedDict

import keras
import numpy as np
from sklearn.manifold import TSNE
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits

from benchmarks.affine.representation_section import CONTROL, INDIVIDUAL, PARAMETRIC, plot, section
from benchmarks.data.events import Events
from benchmarks.rows import in_turn
from benchmarks.samples import Samples, load_samples
from benchmarks.terminal import Display
from benchmarks.training import QUICK, Recipe, show_epochs, train

__all__ = ["SCALES", "Config", "Row", "load", "one_line", "plot", "run", "section"]


@dataclass(frozen=True)
class Config(Recipe):
    """The recipe of training, and the map.

    Args:
        sample: "hepmass-like", simulated and part of the checkout, or "hepmass", the official files by download.
        n_train: training events drawn from the sample, validation included; None for all.
        n_test: test events drawn; None for all.
        n_points: test events that are mapped.
        perplexity: of t-SNE.
        n_neighbours: neighbours that guess.
        n_folds: parts of the cross-validation of the guess.
    """

    sample: str = "hepmass-like"
    n_train: int | None = None
    n_test: int | None = None
    n_points: int = 2000
    perplexity: float = 30.0
    n_neighbours: int = 10
    n_folds: int = 5


SCALES = {
    "smoke": Config(epochs=2, n_train=20_000, n_test=10_000, n_points=500, **QUICK),
    "embedded": Config(epochs=10, **QUICK),
    "paper": Config(sample="hepmass"),
}


class Row(TypedDict):
    """The last hidden layer of one kind of network with one seed; lists are per event.

    `x` and `y` are the event's place in the map, `kind` is twice the index of its mass in `masses` (GeV), plus its
    label. The accuracies, in [0, 1], are those of the neighbours' guess in the layer itself, not in the map:
    `class_accuracy` of the label and `mass_accuracy` of the mass over all events, `mass_accuracy_background` of the
    mass over the background, in which it says nothing of the event.
    """

    row: str
    seed: int
    masses: list[float]
    x: list[float]
    y: list[float]
    kind: list[int]
    class_accuracy: float
    mass_accuracy: float
    mass_accuracy_background: float
    n_train: list[int]
    wall_s: float


def load(config: Config) -> Samples:
    """Reads the events of a configuration."""
    return load_samples(config.sample, config.n_train, config.n_test)


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """Trains the networks of a row, and maps their last hidden layer."""
    events = samples.test.draw(config.n_points)  # the same in every row
    hypotheses = samples.test.hypotheses
    mass = np.searchsorted(hypotheses[:, 0], events.theta[:, 0])
    parts = list(_parts(samples.train, hypotheses, name))
    layer, n_train = np.empty((len(events), config.units[-1])), []

    on_epoch = show_epochs(display, f"{name}, seed {seed}", 0.8 / config.epochs / len(parts))
    for number, part in enumerate(parts):
        # Networks of one seed would start from the same weights, and stay alike.
        own_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0] >> 1)
        conditioning = "concat" if name == PARAMETRIC else None
        trained = train(config, part, conditioning=conditioning, seed=own_seed, on_epoch=on_epoch)
        trained.model.set_weights(trained.best_weights)
        through_it = (mass == number) | (len(parts) == 1)
        layer[through_it] = last_hidden_layer(trained.model, events.select(through_it))
        n_train.append(trained.n_train)
    display.advance(0.1, f"{name}, seed {seed}: t-SNE")
    with threadpool_limits(1):  # sums of several threads are not the same twice, and the map magnifies that
        place = TSNE(perplexity=config.perplexity, init="pca", random_state=seed).fit_transform(layer)
    guessed_mass = guess(config, layer, mass, seed)
    guessed_label = guess(config, layer, events.label, seed)
    display.advance(0.1, f"{name}, seed {seed}: mapped")
    return {
        "masses": hypotheses[:, 0].tolist(),
        "x": place[:, 0].round(1).tolist(),
        "y": place[:, 1].round(1).tolist(),
        "kind": (2 * mass + events.label).tolist(),
        "class_accuracy": float(np.mean(guessed_label == events.label)),
        "mass_accuracy": float(np.mean(guessed_mass == mass)),
        "mass_accuracy_background": float(np.mean((guessed_mass == mass)[events.label == 0])),
        "n_train": n_train,
    }


run = in_turn(lambda config: [INDIVIDUAL, PARAMETRIC, CONTROL], make_row)


def _parts(events: Events, hypotheses: np.ndarray, name: str) -> Iterator[Events]:
    """The training events of each network of a row."""
    if name == PARAMETRIC:
        yield events
    elif name == INDIVIDUAL:
        for hypothesis in hypotheses:
            yield events.select((events.theta == hypothesis).all(axis=1))
    else:
        rest = events
        for n_left in range(len(hypotheses), 1, -1):
            rest, part = rest.split(1 / n_left)
            yield part
        yield rest


def last_hidden_layer(model: keras.Model, events: Events) -> np.ndarray:
    """(n_events, n_units) what a parametric network hands to its score."""
    hidden = keras.Model(model.input, model.get_layer("score").input)
    return np.asarray(hidden({"features": events.features, "theta": events.theta}, training=False))


def guess(config: Config, layer: np.ndarray, target: np.ndarray, seed: int) -> np.ndarray:
    """(n_events,) what the nearest neighbours of each event say, which are looked for in the other folds."""
    folds = StratifiedKFold(config.n_folds, shuffle=True, random_state=seed)
    return cross_val_predict(KNeighborsClassifier(config.n_neighbours), layer, target, cv=folds)


def one_line(row: Row) -> str:
    """What a log says of a finished row."""
    return (
        f"{row['row']}, seed {row['seed']}: neighbours guess {100 * row['mass_accuracy']:.1f} % of the masses, "
        f"{100 * row['class_accuracy']:.1f} % of the classes"
    )
