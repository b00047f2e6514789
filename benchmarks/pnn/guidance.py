"""Where users of parametric networks go wrong, each as a check of `pnn_tf` on networks that do and do not.

Under a uniform background mass any value between the hypotheses means background (Anzalone, Diotallevi and Bonacorsi
2022, sections 4.2 and 5.1): `theta_leak`, and what the network makes of it. A cut at a mass selects background near
that mass: `background_sculpting`. Outside of the hypotheses' hull a network extrapolates: `outside_hull`. Few events
have an uncertain AUC: `too_few_events`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import permutations

import numpy as np
from matplotlib.figure import Figure

import pnn_tf
from benchmarks.claims import Claim, Estimate, above, below, over_trainings
from benchmarks.data.events import Events
from benchmarks.data.hepmass_imb import imbalanced
from benchmarks.experiment import Experiment
from benchmarks.pnn.distributions import reconstructed_mass
from benchmarks.pnn.recipes import Source, fit
from benchmarks.samples import Samples
from benchmarks.style import MASS_COLOURS, QUIET, style
from benchmarks.tables import Cell, Quantity, Table, by_seed, long, percent, pick, table
from benchmarks.terminal import Display
from benchmarks.training import QUICK, Recipe
from pnn_tf import plots

IDENTICAL, UNIFORM, UNREGULARISED = TRAINED = "identical", "uniform", "uniform, not regularised"


@dataclass(frozen=True)
class Config(Source, Recipe):
    """The events, the recipe of training, and what is looked at.

    Args:
        conditioning: of all networks.
        grid: masses (GeV) that the network is told: first, last, number.
        efficiency: share of the background that passes the cut.
        n_bins: of the reconstructed mass, from 0 to `mass_end` GeV.
        mass_end: see n_bins.
        error: largest standard error of an AUC to accept.
    """

    conditioning: str = "concat"
    grid: tuple[float, float, int] = (450.0, 1550.0, 89)
    efficiency: float = 0.1
    n_bins: int = 50
    mass_end: float = 2000.0
    error: float = 0.002


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """One network; lists are in the order of `masses` (GeV).

    `auc`, and its standard error `error` from the number of events, are of the last epoch, in [0, 1]. `leak` is a
    `pnn_tf.ThetaLeak` of a batch. `responses` hold the mean score of the signal of a mass, told each mass of `grid`
    (GeV); `sculpting` the `pnn_tf.Sculpting` of a cut at a mass. `too_few` names the masses at which the validation
    part of the imbalanced training sample would have a larger error than that of the configuration: mass, error, signal
    events, signal events needed. `outside` are the masses of `grid` outside of the hypotheses' hull.
    """
    events, test, hypotheses = samples.train, samples.test, samples.train.hypotheses
    background_theta = pnn_tf.Identical(hypotheses)
    if name != IDENTICAL:
        background_theta = pnn_tf.Uniform(hypotheses.min(axis=0), hypotheses.max(axis=0))
    if name == UNREGULARISED:
        config = replace(config, dropout=0.0, kernel_l2=0.0, bias_l2=0.0)
    network = {"conditioning": config.conditioning, "background_theta": background_theta}
    # With the weights of the last epoch, which no validation on identical masses has chosen.
    model = fit(config, events, name, seed, display, best=False, **network).model
    results = pnn_tf.evaluate_hypotheses(model, test.features, test.theta, test.label)
    grid = np.linspace(*config.grid)
    return {
        "masses": [result.theta[0] for result in results],
        "auc": [result.auc for result in results],
        "error": [result.auc_error for result in results],
        "leak": leak(config, events, background_theta, seed),
        "responses": [response(model, test, float(mass), grid) for mass in hypotheses[:, 0]],
        "sculpting": [sculpting(config, model, test, float(mass)) for mass in hypotheses[:, 0]],
        "too_few": too_few(config, events, results),
        "outside": grid[pnn_tf.outside_hull(grid, hypotheses)].tolist(),
    }


def leak(config: Config, events: Events, background_theta, seed: int) -> pnn_tf.ThetaLeak:
    """What theta gives away in a training batch."""
    settings = {"batch_size": config.batch_size, "balance": config.balance, "background_theta": background_theta}
    batches = pnn_tf.balanced_batches(events.features, events.theta, events.label, seed=seed, **settings)
    x, label = next(batches.dataset.as_numpy_iterator())
    return pnn_tf.theta_leak(x["theta"], label)


def response(model, test: Events, mass: float, grid: np.ndarray) -> dict:
    """Mean score of the signal of a mass (GeV), told each mass of the grid."""
    signal = test.features[(test.label == 1) & (test.theta[:, 0] == mass)]
    score = pnn_tf.scan_theta(model, signal, grid).mean(axis=1)
    return {"mass": mass, "grid": grid.tolist(), "score": [round(float(s), 5) for s in score]}


def sculpting(config: Config, model, test: Events, mass: float) -> dict:
    """The background's reconstructed mass before and after a cut on the score at a mass (GeV)."""
    background = test.select(test.label == 0)
    score = pnn_tf.predict_scores(model, background.features, mass)
    reconstructed = reconstructed_mass(background, config.sample)
    edges = np.linspace(0, config.mass_end, config.n_bins + 1)
    cut = {"efficiency": config.efficiency, "bins": edges}
    found = pnn_tf.background_sculpting(score, reconstructed, background.label, **cut)
    before, after = (shares.round(6).tolist() for shares in (found.before, found.after))
    return {"mass": mass} | found._replace(edges=edges.tolist(), before=before, after=after)._asdict()


def too_few(config: Config, events: Events, results: Sequence) -> list[tuple[float, float, int, int]]:
    """What the AUCs of `results` would be worth on the validation part of HEPMASS-IMB."""
    _, validation = imbalanced(events).split(config.validation_fraction)
    n_background = int(np.count_nonzero(validation.label == 0))
    smaller = []
    for result in results:
        n_signal = int(np.count_nonzero((validation.label == 1) & (validation.theta == result.theta).all(axis=1)))
        smaller.append(result._replace(n_signal=n_signal, n_background=n_background))
    found = pnn_tf.too_few_events(smaller, error=config.error)
    return [(one.theta[0], one.error, one.n_signal, one.n_needed) for one in found]


def fall(row: Mapping) -> float:
    """How far the score of signal falls between hypotheses, at the mass half-way to its neighbours, in [0, 1].

    Relative to the mean of the scores at its own mass and at that neighbour; averaged over masses and neighbours.
    """
    falls = []
    for one, neighbour in permutations(range(len(row["masses"])), 2):
        if abs(one - neighbour) == 1:
            found, other = row["responses"][one], row["masses"][neighbour]
            told = [found["mass"], other, (found["mass"] + other) / 2]
            at_own, at_other, between = np.interp(told, found["grid"], found["score"])
            falls.append(1 - between / ((at_own + at_other) / 2))
    return float(np.mean(falls))


GIVEN_AWAY = percent(lambda row: row["leak"][0], 1)
FALL = percent(fall, 1)
DIVERGENCE = Quantity(lambda row: [s["divergence"] for s in row["sculpting"]], decimals=3)


def tables(record: Mapping) -> Iterator[Table]:
    """What comes of a leak, how a cut shapes the background at each mass, and where events are too few."""
    rows, few = record["rows"], record["rows"][0]["too_few"]
    checks = {"given away (%)": GIVEN_AWAY, "fall between (%)": FALL, "mean AUC (%)": percent("auc")}
    yield table(
        "Share of the background in a training batch whose mass alone gives it away, and what comes of it: how deep "
        "the mean score of the signal falls between hypotheses, the AUC, and how much a cut that passes "
        "{efficiency:.0%} of the background shapes its reconstructed mass.",
        "background mass",
        long(rows, {**checks, "divergence (bits)": DIVERGENCE}),
        columns="quantity",
    )
    yield table(
        "Jensen-Shannon divergence in bits of the background's reconstructed mass before and after a cut at each mass "
        "that passes {efficiency:.0%}: 0 for an unchanged shape, 1 for no overlap.",
        "background mass",
        long(rows, {"divergence": DIVERGENCE}, at="masses"),
        heading="{} GeV",
    )
    columns = ("error (points)", "signal events", "needed")
    lines = tuple((f"{mass:g} GeV", (Cell(100 * error), Cell(n), Cell(needed))) for mass, error, n, needed in few)
    caption = "Masses at which an AUC is not known to {error:.1%} on the validation part of HEPMASS-IMB of this sample."
    yield Table(caption, "too few events", columns, lines, (2, 0, 0))


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """Mean score of signal against the mass that the network is told, a panel a network; and sculpted background."""
    first = {row["row"]: row for row in reversed(record["rows"])}
    with style():
        figure = Figure(figsize=(10.2, 3.6))
        panels = figure.subplots(1, len(first), sharey=True, squeeze=False)[0]
        for axes, name in zip(panels, (name for name in TRAINED if name in first), strict=True):
            masses = first[name]["masses"]
            for found in first[name]["responses"]:
                look = {"color": MASS_COLOURS[round(found["mass"])], "label": f"{found['mass']:g} GeV"}
                axes.plot(found["grid"], found["score"], **look)
            for start, end in ((found["grid"][0], masses[0]), (masses[-1], found["grid"][-1])):
                axes.axvspan(start, end, color=QUIET, alpha=0.2, lw=0)
            for mass in masses:
                axes.axvline(mass, color=QUIET, lw=0.8, ls=":")
            axes.set(title=name.capitalize(), xlabel="mass that the network is told (GeV)")
            axes.set(xlim=(found["grid"][0], found["grid"][-1]), ylim=(0, 1))
        panels[0].set_ylabel("mean score of signal")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=5, title="signal of")
    yield (
        "Mean score of signal, by its true mass (colour), against the mass that the network is told, from "
        "{grid[0]:g} to {grid[1]:g} GeV. Dotted: the hypotheses; grey: outside of their hull, where the network "
        "extrapolates and `predict_scores` warns.",
        figure,
    )
    cuts = pick(record["rows"], row=IDENTICAL)[0]["sculpting"][::2]
    found = {cut["mass"]: {field: np.array(cut[field]) for field in pnn_tf.Sculpting._fields} for cut in cuts}
    with style():
        figure = plots.sculpting(
            {f"{mass:g} GeV": pnn_tf.Sculpting(**of_mass) for mass, of_mass in found.items()},
            label="reconstructed mass of the background (GeV)",
            colours={f"{mass:g} GeV": MASS_COLOURS[round(mass)] for mass in found},
            figure=Figure(figsize=(8.0, 4.0)),
        )
    yield (
        "Background before (grey) and after a cut on the score at three masses: a peak appears where the network is "
        "told to look, also without any signal.",
        figure,
    )


def over(quantity: Quantity, first: str, second: str | None = None) -> Callable[[Sequence[Mapping]], Estimate]:
    """The measure of a claim: a quantity of a row, or by how much it is more than that of another."""

    def of_rows(rows: Sequence[Mapping]) -> Estimate:
        frame = long(rows, {"": quantity})
        found = by_seed(frame, first)
        return over_trainings((found if second is None else found - by_seed(frame, second)).dropna())

    return of_rows


def of_cuts(rows: Sequence[Mapping]) -> dict[str, Estimate]:
    """The divergence after a cut at each mass."""
    frame = long(pick(rows, row=IDENTICAL), {"": DIVERGENCE}, at="masses")
    return {f"{mass:g} GeV": over_trainings(by_seed(frame, IDENTICAL, mass)) for mass in frame["at"].unique()}


ours = partial(Claim, ours=True)
share = partial(ours, unit="%", decimals=1)
CLAIMS = (
    share("A uniform background mass gives most background away", over(GIVEN_AWAY, UNIFORM), above(50), chance=False),
    share("Background masses like the signal's give none away", over(GIVEN_AWAY, IDENTICAL), below(1), chance=False),
    share(
        "Between hypotheses the score of signal falls: with a uniform background mass more than with an identical one",
        over(FALL, UNIFORM, IDENTICAL),
        above(0),
    ),
    share(
        "With a uniform background mass it falls more without dropout and L2 than with them",
        over(FALL, UNREGULARISED, UNIFORM),
        above(0),
    ),
    ours("A cut at any mass shapes the background's reconstructed mass", of_cuts, above(0.05), unit="bits"),
)
EXPERIMENT = Experiment(
    id="pnn-guidance",
    where="where users go wrong",
    summary="where users go wrong: theta that gives the class away, sculpting, too few events",
    introduction=(
        "What to check before a parametric network is trusted, by functions of pnn_tf: networks that are told the "
        "mass, trained on {data[n_train]:,} {data[name]} events with the background's mass drawn from the hypotheses, "
        "or uniformly between them, with and without regularisation (the pitfall of Anzalone et al., sections 4.2 and "
        "5.1)."
    ),
    scales={
        "smoke": Config(epochs=2, n_train=20_000, n_test=6000, grid=(500.0, 1500.0, 9), **QUICK),
        "embedded": Config(epochs=10, **QUICK),
        "paper": Config(sample="hepmass"),
    },
    load=Config.load,
    names=lambda config: TRAINED,
    make_row=make_row,
    line=lambda row: (
        f"mean AUC {100 * np.mean(row['auc']):.2f} %, theta gives {100 * row['leak'][0]:.0f} % of the background away"
    ),
    tables=tables,
    figures=figures,
    claims=CLAIMS,
    departures=("The checks are this project's; the paper of Anzalone et al. describes the first of them.",),
    ours=True,
)
