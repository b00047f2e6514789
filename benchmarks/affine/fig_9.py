"""AFFINE Figs. 9 and 10: the last hidden layer of five individual networks and of a parametric one, mapped by t-SNE.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, section 5.2. An event goes through the individual network of its
mass, or with its mass through the parametric one; background has the mass it was given. The paper looks at the picture.
Here the 10 nearest neighbours of an event in the layer itself also guess its mass and its class, and a control is
added: five networks that are told no mass, each trained on a random fifth of all events, so that what tells them apart
has nothing to do with mass.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.manifold import TSNE
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits

from benchmarks.affine.texts import CIRCUMSTANCES, INDIVIDUAL, PAPER, SIMULATED
from benchmarks.claims import Claim, Estimate, above, below, over_trainings
from benchmarks.data.events import Events
from benchmarks.experiment import Experiment
from benchmarks.samples import Samples, Source
from benchmarks.style import BLUE, MASS_COLOURS, VERMILION, style
from benchmarks.tables import Table, by_seed, long, paired, percent, pick, table
from benchmarks.training import QUICK, Recipe, show_epochs, train

INDIVIDUALS, PARAMETRIC, CONTROL = "Individual-NNs", "pNN", "Single-NNs (control)"
CLASSES = {"background": BLUE, "signal": VERMILION}
GUESSED = {
    "mass": percent("mass_accuracy", 1),
    "mass, background alone": percent("mass_accuracy_background", 1),
    "class": percent("class_accuracy", 1),
}


@dataclass(frozen=True)
class Config(Source, Recipe):
    """The recipe of training, the events, and the map.

    Args:
        n_points: test events that are mapped.
        perplexity: of t-SNE.
        n_neighbours: neighbours that guess.
        n_folds: parts of the cross-validation of the guess.
    """

    n_points: int = 2000
    perplexity: float = 30.0
    n_neighbours: int = 10
    n_folds: int = 5


def make_row(config: Config, samples: Samples, name: str, seed: int, display) -> dict:
    """Trains the networks of a row, and maps their last hidden layer.

    Returns:
        Lists per event: its place `x` and `y` in the map, and its `kind`, twice the index of its mass in `masses` (GeV)
        plus its label. In [0, 1], how often neighbours in the layer itself, not in the map, guess right:
        `class_accuracy` the label, `mass_accuracy` the mass, `mass_accuracy_background` the mass of background events
        alone, of which it says nothing. `n_train` of each network.
    """
    events, hypotheses = samples.test.draw(config.n_points), samples.test.hypotheses  # the same in every row
    mass = np.searchsorted(hypotheses[:, 0], events.theta[:, 0])
    parts = list(training_parts(samples.train, hypotheses, name))
    layer, n_train = np.empty((len(events), config.units[-1])), []
    on_epoch = show_epochs(display, f"{name}, seed {seed}", 0.8 / config.epochs / len(parts))
    conditioning = "concat" if name == PARAMETRIC else None
    for number, part in enumerate(parts):
        # Networks of one seed would start from the same weights, and stay alike.
        own_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0] >> 1)
        trained = train(config, part, conditioning=conditioning, seed=own_seed, on_epoch=on_epoch)
        trained.model.set_weights(trained.best_weights)
        through_it = (mass == number) | (len(parts) == 1)
        layer[through_it] = last_hidden_layer(trained.model, events.select(through_it))
        n_train.append(trained.n_train)
    display.advance(0.1, f"{name}, seed {seed}: t-SNE")
    with threadpool_limits(1):  # sums of several threads are not the same twice, and the map magnifies that
        place = TSNE(perplexity=config.perplexity, init="pca", random_state=seed).fit_transform(layer)
    guessed_mass = guess(config, layer, mass, seed) == mass
    guessed_label = guess(config, layer, events.label, seed) == events.label
    display.advance(0.1, f"{name}, seed {seed}: mapped")
    return {
        "masses": hypotheses[:, 0].tolist(),
        "x": place[:, 0].round(1).tolist(),
        "y": place[:, 1].round(1).tolist(),
        "kind": (2 * mass + events.label).tolist(),
        "class_accuracy": float(np.mean(guessed_label)),
        "mass_accuracy": float(np.mean(guessed_mass)),
        "mass_accuracy_background": float(np.mean(guessed_mass[events.label == 0])),
        "n_train": n_train,
    }


def training_parts(events: Events, hypotheses: np.ndarray, name: str) -> Iterator[Events]:
    """The training events of each network of a row."""
    if name == INDIVIDUALS:
        for hypothesis in hypotheses:
            yield events.select((events.theta == hypothesis).all(axis=1))
        return
    for n_left in range(1 if name == PARAMETRIC else len(hypotheses), 1, -1):
        events, part = events.split(1 / n_left)
        yield part
    yield events


def last_hidden_layer(model: keras.Model, events: Events) -> np.ndarray:
    """(n_events, n_units) what a parametric network hands to its score."""
    hidden = keras.Model(model.input, model.get_layer("score").input)
    return np.asarray(hidden({"features": events.features, "theta": events.theta}, training=False))


def guess(config: Config, layer: np.ndarray, target: np.ndarray, seed: int) -> np.ndarray:
    """(n_events,) what the nearest neighbours of each event say, which are looked for in the other folds."""
    folds = StratifiedKFold(config.n_folds, shuffle=True, random_state=seed)
    return cross_val_predict(KNeighborsClassifier(config.n_neighbours), layer, target, cv=folds)


def tables(record: Mapping) -> Iterator[Table]:
    """What neighbours guess."""
    caption = (
        "How often the {n_neighbours} nearest neighbours in the layer guess the mass and the class of an event, in per "
        "cent. By chance: 20 and 50."
    )
    yield table(caption, "guessed", long(record["rows"], GUESSED), columns="quantity")


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """The maps of the first seed, a line of panels for each kind of network."""
    rows = pick(record["rows"], seed=record["rows"][0]["seed"])
    masses = {f"{mass:g} GeV": MASS_COLOURS[mass] for mass in rows[0]["masses"]}
    with style():
        # Points are an image inside the figure: as shapes they would fill megabytes.
        figure = Figure(figsize=(9, 3.9 * len(rows) + 0.6), dpi=200)
        grid = figure.subplots(len(rows), 2, squeeze=False)
        for line, row in zip(grid, rows, strict=True):
            by = {"mass": masses, "class": CLASSES}.items()
            for axes, (what, colours), which in zip(line, by, np.divmod(row["kind"], 2), strict=True):
                of_points = np.take(list(colours.values()), which)
                axes.scatter(row["x"], row["y"], c=of_points, s=5, lw=0, alpha=0.7, rasterized=True)
                axes.set_title(f"{row['row']}, by {what}")
                axes.set_aspect("equal", adjustable="datalim")
                axes.axis("off")
        for axes, colours in zip(grid[-1], (masses, CLASSES), strict=True):
            handles = [Line2D([], [], color=c, marker="o", ls="", label=name) for name, c in colours.items()]
            axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=3, handletextpad=0.2)
    yield (
        "Maps by t-SNE, by mass on the left and by class on the right. Above, the five individual networks (Fig. 9) "
        "and the pNN (Fig. 10). Below, the control: five networks that are told no mass and trained on random fifths "
        "of all events, of which an event's mass chooses one.",
        figure,
    )


def masses_guessed_more(first: str, second: str) -> Callable[[Sequence[Mapping]], Estimate]:
    """From rows, masses that neighbours guess in the layers of one minus in those of another, in points."""
    return lambda rows: over_trainings(paired(long(rows, GUESSED), first, second, quantity="mass"))


def classes_guessed(rows: Sequence[Mapping]) -> dict[str, Estimate]:
    """Classes guessed right, in per cent."""
    frame = long(rows, GUESSED)
    return {name: over_trainings(by_seed(frame, name, quantity="class")) for name in (INDIVIDUALS, PARAMETRIC)}


EXPERIMENT = Experiment(
    id="affine-fig-9",
    where="Figs. 9 and 10",
    summary="last hidden layer of individual and parametric networks, mapped by t-SNE",
    introduction="What networks make of an event in their last hidden layer, for {n_points:,} test events, on "
    f"{CIRCUMSTANCES}. Each event goes through the individual network of its mass, or with its mass through the pNN. "
    f"{PAPER}, show maps alone; the guesses of neighbours and the control are ours.",
    scales={
        "smoke": Config(epochs=2, n_train=20_000, n_test=10_000, n_points=500, **QUICK),
        "embedded": Config(epochs=10, **QUICK),
        "paper": Config(sample="hepmass"),
    },
    load=Config.load,
    names=lambda config: (INDIVIDUALS, PARAMETRIC, CONTROL),
    make_row=make_row,
    line=lambda row: f"neighbours guess {100 * row['mass_accuracy']:.1f} % of the masses",
    tables=tables,
    figures=figures,
    claims=(
        Claim(
            "Events cluster by mass more in individual networks than in a pNN: masses guessed by neighbours",
            masses_guessed_more(INDIVIDUALS, PARAMETRIC),
            above(0),
            decimals=1,
        ),
        Claim(
            "Individual networks cluster by mass no more than five networks that are told none: masses guessed",
            masses_guessed_more(INDIVIDUALS, CONTROL),
            below(1),
            decimals=1,
            ours=True,
        ),
        Claim(
            "In the last hidden layer, neighbours guess the class better than chance",
            classes_guessed,
            above(50),
            unit="%",
            decimals=1,
        ),
    ),
    departures=(
        SIMULATED,
        "The paper does not give its settings of t-SNE: perplexity {perplexity:g}, from the first two principal "
        "components.",
        INDIVIDUAL,
        "Every individual network starts from weights of its own, as do those of the control.",
    ),
)
