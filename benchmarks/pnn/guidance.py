"""Where users of parametric networks go wrong, each as a check of `pnn_tf` on networks that do and do not.

Under a uniform background mass any value between the hypotheses means background (Anzalone, Diotallevi and Bonacorsi
2022, sections 4.2 and 5.1): `theta_leak`, and what the network makes of it. A cut at a mass selects background near
that mass: `background_sculpting`; a penalty prevents it (Kasieczka and Shih 2020): `DecorrelatedCrossentropy`. Outside
of the hypotheses' hull a network extrapolates: `outside_hull`. Few events have an uncertain AUC: `too_few_events`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np
from matplotlib.figure import Figure

import pnn_tf
from benchmarks.affine.networks import M_WWBB, m_wwbb_scale
from benchmarks.claims import Claim, Estimate, Missing, above, below, between, over_seeds, over_trainings
from benchmarks.data.events import Events
from benchmarks.data.hepmass_imb import imbalanced
from benchmarks.experiment import Experiment
from benchmarks.pnn.decorrelated import decorrelated
from benchmarks.pnn.recipes import fit
from benchmarks.samples import Samples, Source
from benchmarks.style import MASS_COLOURS, QUIET, style
from benchmarks.tables import Quantity, Table, by_seed, long, paired, percent, pick, table, table_of
from benchmarks.terminal import Display
from benchmarks.training import QUICK, Recipe
from pnn_tf import plots

IDENTICAL, UNIFORM, UNREGULARISED = TOLD = "identical", "uniform", "uniform, not regularised"
DECORRELATED, AT_ONCE = PENALISED = "identical, decorrelated", "identical, decorrelated over all masses at once"


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
        strength: of the decorrelation from the reconstructed mass at fixed mass.
        strength_at_once: the same over all masses at once.
        plain_epochs: the first of the epochs, without decorrelation.
    """

    conditioning: str = "concat"
    grid: tuple[float, float, int] = (450.0, 1550.0, 89)
    efficiency: float = 0.1
    n_bins: int = 50
    mass_end: float = 2000.0
    error: float = 0.002
    strength: float = 3.0
    strength_at_once: float = 10.0
    plain_epochs: int = 2


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
    if name in (UNIFORM, UNREGULARISED):
        background_theta = pnn_tf.Uniform(hypotheses.min(axis=0), hypotheses.max(axis=0))
    if name == UNREGULARISED:
        config = replace(config, dropout=0.0, kernel_l2=0.0, bias_l2=0.0)
    network = {"conditioning": config.conditioning, "background_theta": background_theta}
    plain = config.plain_epochs if name in PENALISED else config.epochs
    # With the weights of the last epoch, which no validation on identical masses has chosen.
    last = {"best": False, "work": plain / config.epochs}
    model = fit(replace(config, epochs=plain), events, name, seed, display, **last, **network).model
    if name in PENALISED:
        penalty = {AT_ONCE: config.strength_at_once, DECORRELATED: config.strength}[name], name == DECORRELATED
        model = decorrelated(config, model, events, seed, *penalty, epochs=config.epochs - plain)
        display.advance(1 - plain / config.epochs, f"{name}, seed {seed}: decorrelated")
    results = pnn_tf.evaluate_hypotheses(model, test.features, test.theta, test.label)
    batches = config.batches(events, background_theta, seed)
    x, label = next(batches.dataset.as_numpy_iterator())
    grid, masses = np.linspace(*config.grid), hypotheses[:, 0].tolist()
    responses = []
    for mass in masses:
        score = pnn_tf.scan_theta(model, test.features[(test.label == 1) & (test.theta[:, 0] == mass)], grid)
        score = np.float64(score.mean(axis=1)).round(5).tolist()
        responses.append({"mass": mass, "grid": grid.tolist(), "score": score})
    return {
        "masses": [result.theta[0] for result in results],
        "auc": [result.auc for result in results],
        "error": [result.auc_error for result in results],
        "leak": pnn_tf.theta_leak(x["theta"], label),
        "responses": responses,
        "sculpting": [sculpting(config, model, test.select(test.label == 0), mass) for mass in masses],
        "too_few": too_few(config, events, results),
        "outside": grid[pnn_tf.outside_hull(grid, hypotheses)].tolist(),
    }


def sculpting(config: Config, model, background: Events, mass: float) -> dict:
    """The background's reconstructed mass before and after a cut on the score at a mass (GeV)."""
    mean, std = m_wwbb_scale(config.sample)
    reconstructed = background.features[:, background.names.index(M_WWBB)].astype(float) * std + mean
    cut = {"efficiency": config.efficiency, "bins": np.linspace(0, config.mass_end, config.n_bins + 1)}
    score = pnn_tf.predict_scores(model, background.features, mass)
    found = pnn_tf.background_sculpting(score, reconstructed, background.label, **cut)._asdict()
    shares = {field: found[field].round(6).tolist() for field in ("before", "after")}
    return {"mass": mass} | found | {"edges": cut["bins"].tolist()} | shares


def too_few(config: Config, events: Events, results: Sequence) -> list[tuple[float, float, int, int]]:
    """What the AUCs of `results` would be worth on the validation part of HEPMASS-IMB."""
    _, validation = imbalanced(events).split(config.validation_fraction)
    signal = validation.label == 1
    smaller = [
        result._replace(
            n_signal=int(np.count_nonzero(signal & (validation.theta == np.float32(result.theta)).all(axis=1))),
            n_background=int(np.count_nonzero(~signal)),
        )
        for result in results
    ]
    found = pnn_tf.too_few_events(smaller, error=config.error)
    return [(one.theta[0], one.error, one.n_signal, one.n_needed) for one in found]


def fall(row: Mapping) -> float:
    """How far the score of signal falls between hypotheses, at the mass half-way to its neighbours, in [0, 1].

    Relative to the mean of the scores at its own mass and at that neighbour; averaged over masses and neighbours.
    """
    falls = []
    for pair in pairwise(zip(row["masses"], row["responses"], strict=True)):
        ends = [mass for mass, _ in pair]
        for _, found in pair:
            first, between, last = np.interp([ends[0], sum(ends) / 2, ends[1]], found["grid"], found["score"])
            falls.append(1 - between / ((first + last) / 2))
    return float(np.mean(falls))


GIVEN_AWAY = percent(lambda row: row["leak"][0], 1)
FALL = percent(fall, 1)
PASSES = percent(lambda row: [s["efficiency"] for s in row["sculpting"]], 1)
DIVERGENCE = Quantity(lambda row: [s["divergence"] for s in row["sculpting"]], decimals=3)


def tables(record: Mapping) -> Iterator[Table]:
    """What comes of a leak, how a cut shapes the background at each mass, and where events are too few."""
    rows = record["rows"]
    checks = {"given away (%)": GIVEN_AWAY, "fall between (%)": FALL, "mean AUC (%)": percent("auc")}
    yield table(
        "Share of the background in a training batch whose mass alone gives it away, and what comes of it: how deep "
        "the mean score of the signal falls between hypotheses, the AUC, what part of the background really passes a "
        "cut at {efficiency:.0%} (more where scores are equal), and how much that shapes its reconstructed mass.",
        "background mass",
        long(rows, {**checks, "passes (%)": PASSES, "divergence (bits)": DIVERGENCE}),
        columns="quantity",
    )
    yield table(
        "Jensen-Shannon divergence in bits of the background's reconstructed mass before and after a cut at each mass "
        "that passes {efficiency:.0%}: 0 for an unchanged shape, 1 for no overlap.",
        "background mass",
        long(rows, {"divergence": DIVERGENCE}, at="masses"),
        heading="{} GeV",
    )
    if rows[0]["too_few"]:
        yield table_of(
            "Masses at which an AUC is not known to {error:.1%} on the validation part of HEPMASS-IMB of this sample.",
            "too few events",
            {
                f"{mass:g} GeV": {"error (points)": 100 * error, "signal events": n, "needed": needed}
                for mass, error, n, needed in rows[0]["too_few"]
            },
            (2, 0, 0),
        )


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """Mean score of signal against the mass that the network is told, a panel a network; and sculpted background."""
    first = {row["row"]: row for row in reversed(record["rows"])}
    told = [name for name in TOLD if name in first]
    shown = [name for name in (IDENTICAL, DECORRELATED) if name in first]
    if not told or not shown:
        raise Missing(f"not finished: {', '.join(TOLD)}")
    with style():
        figure = Figure(figsize=(10.2, 3.6))
        panels = figure.subplots(1, len(told), sharey=True, squeeze=False)[0]
        for axes, name in zip(panels, told, strict=True):
            for found in first[name]["responses"]:
                look = {"color": MASS_COLOURS[round(found["mass"])], "label": f"{found['mass']:g} GeV"}
                axes.plot(found["grid"], found["score"], **look)
            masses, grid = first[name]["masses"], found["grid"]
            axes.vlines(masses, 0, 1, color=QUIET, lw=0.8, ls=":")
            for outside in ((grid[0], masses[0]), (masses[-1], grid[-1])):
                axes.axvspan(*outside, color=QUIET, alpha=0.2, lw=0)
            axes.set(title=name.capitalize(), xlabel="mass that the network is told (GeV)")
            axes.set(xlim=(grid[0], grid[-1]), ylim=(0, 1))
        panels[0].set_ylabel("mean score of signal")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=5, title="signal of")
    yield (
        "Mean score of signal, by its true mass (colour), against the mass that the network is told, from "
        "{grid[0]:g} to {grid[1]:g} GeV. Dotted: the hypotheses; grey: outside of their hull, where the network "
        "extrapolates and `predict_scores` warns.",
        figure,
    )
    with style():
        figure = Figure(figsize=(10.2, 4.0))
        for part, name in zip(figure.subfigures(1, len(shown), squeeze=False)[0], shown, strict=True):
            found, colours = {}, {}
            for cut in first[name]["sculpting"][::2]:
                mass = f"{cut['mass']:g} GeV"
                found[mass] = pnn_tf.Sculpting(*(np.array(cut[field]) for field in pnn_tf.Sculpting._fields))
                colours[mass] = MASS_COLOURS[round(cut["mass"])]
            plots.sculpting(found, label="reconstructed mass of the background (GeV)", colours=colours, figure=part)
            part.axes[0].set_title(name.capitalize())
    yield (
        "Background before (grey) and after a cut on the score at three masses. A peak appears where the network is "
        "told to look, also without any signal; with a penalty on the distance correlation of the background's score "
        "and reconstructed mass at fixed mass, much less of it is left.",
        figure,
    )


def over(quantity: Quantity, first: str, second: str | None = None) -> Callable[[Sequence[Mapping]], Estimate]:
    """The measure of a claim: a quantity of a row, or by how much it is more than that of another."""

    def of_rows(rows: Sequence[Mapping]) -> Estimate:
        frame = long(rows, {"": quantity})
        return over_trainings(by_seed(frame, first) if second is None else paired(frame, first, second))

    return of_rows


def divergence_of(name: str) -> Callable[[Sequence[Mapping]], Mapping[str, Estimate]]:
    """The measure of a claim: the divergence of a network's cut at each mass."""
    return over_seeds(
        lambda row: {f"{cut['mass']:g} GeV": cut["divergence"] for cut in row["sculpting"]}, partial(pick, row=name)
    )


BITS = {"unit": "bits", "decimals": 3}
PER_CENT = {"unit": "%", "decimals": 1}
NO_CHANCE = {**PER_CENT, "chance": False}
SAID = (  # what, the number, by which criterion
    ("A uniform background mass gives most background away", over(GIVEN_AWAY, UNIFORM), above(50), NO_CHANCE),
    ("Background masses like the signal's give none away", over(GIVEN_AWAY, IDENTICAL), below(1), NO_CHANCE),
    (
        "Between hypotheses the score of signal falls: with a uniform background mass more than with an identical one",
        *(over(FALL, UNIFORM, IDENTICAL), above(0), PER_CENT),
    ),
    (
        "With a uniform background mass it falls more without dropout and L2 than with them",
        *(over(FALL, UNREGULARISED, UNIFORM), above(0), PER_CENT),
    ),
    (
        "A cut at any mass shapes the background's reconstructed mass",
        divergence_of(IDENTICAL),
        above(0.05),
        {"unit": "bits"},
    ),
    (
        "With a penalty on the distance correlation at fixed mass, a cut at no mass does",
        *(divergence_of(DECORRELATED), below(0.05), BITS),
    ),
    (
        "The penalty costs separation, less than ten points of mean AUC",
        *(over(percent("auc"), IDENTICAL, DECORRELATED), between(0, 10), {}),
    ),
    (
        "Over all masses at once the penalty leaves the background more shaped, though it is stronger",
        *(over(DIVERGENCE, AT_ONCE, DECORRELATED), above(0), BITS),
    ),
)
EXPERIMENT = Experiment(
    id="pnn-guidance",
    where="where users go wrong",
    summary="where users go wrong: theta that gives the class away, sculpting, too few events",
    introduction=(
        "What to check before a parametric network is trusted, by functions of pnn_tf: networks that are told the "
        "mass, trained on {data[n_train]:,} {data[name]} events with the background's mass drawn from the hypotheses, "
        "or uniformly between them, with and without regularisation (the pitfall of Anzalone et al., sections 4.2 and "
        "5.1); and with the background's score decorrelated from the reconstructed mass (Kasieczka and Shih, "
        "arXiv:2001.05310), at fixed mass or over all masses at once."
    ),
    scales={
        "smoke": Config(epochs=2, plain_epochs=1, n_train=20_000, n_test=6000, grid=(500.0, 1500.0, 9), **QUICK),
        "embedded": Config(epochs=10, **QUICK),
        "paper": Config(sample="hepmass"),
    },
    load=Config.load,
    names=lambda config: (*TOLD, *PENALISED),
    make_row=make_row,
    line=lambda row: (
        f"mean AUC {100 * np.mean(row['auc']):.2f} %, theta gives {100 * row['leak'][0]:.0f} % of the background away"
    ),
    tables=tables,
    figures=figures,
    claims=[Claim(text, measure, criterion, ours=True, **more) for text, measure, criterion, more in SAID],
    departures=(
        "The checks are this project's; the paper of Anzalone et al. describes the first of them.",
        "The first {plain_epochs} of {epochs} epochs are without the penalty; it acts on batches of {batch_size}.",
    ),
    ours=True,
)
