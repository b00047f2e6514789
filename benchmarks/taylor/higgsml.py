"""TAYLOR, section 4: which inputs and relations a network on HiggsML rests on, and whether the first few suffice.

Wunsch, Friese, Wolf and Quast, arXiv:1803.08782, Figs. 3, 4 and 5. A network is trained on all inputs, its features of
the first and second order are ranked by <|t|> over the test events, and the inputs behind the upper 5 % of features are
trained on again. -999 stands for "undefined"; both treatments of it have a row. Without HiggsML the same is done with
HEPMASS-like events, to which nothing that the paper says of DER_mass_vis applies.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import pnn_tf
from benchmarks.data import Standardiser, rescale_weights
from benchmarks.data.higgsml import UNDEFINED
from benchmarks.experiment import Experiment
from benchmarks.published import FIRST_ANGLE, FIRST_ORDER, TAYLOR_HIGGSML, TAYLOR_HIGGSML_RANKS
from benchmarks.samples import Samples
from benchmarks.tables import Quantity, Table, long, percent, pick, table
from benchmarks.taylor.higgsml_claims import N_TOP, PEAK, claims_on, error_of_auc, importance, n_top, rank
from benchmarks.taylor.higgsml_figures import contours, occurrence, ranking, roc
from benchmarks.taylor.higgsml_samples import load_samples
from benchmarks.taylor.training import Recipe, epochs_shown, train
from benchmarks.terminal import Display
from taylor import mean_abs_coefficients, select_features

ROW_NAMES = {"mean": "undefined at the mean", "keep": "undefined at -999", "none": "nothing undefined"}
EFFICIENCIES = np.arange(1, 101) / 100  # of the signal, at which the ROC curves are kept
NETWORKS = ("all inputs", "kept inputs")


@dataclass(frozen=True)
class Config(Recipe):
    """The recipe of training, and what is particular to this experiment.

    Args:
        sample: "higgsml", "file" or "hepmass-like"; see `load_samples`.
        n_train: the most training events, validation included.
        n_test: the most test events.
        treatments: of undefined values, one a row: "mean", standardised by the defined values and then set to their
            mean; "keep", -999 like any other value; "none" for a sample without.
        bootstrap: replicas of the test events, for the uncertainty of ranks.
        fraction: share of the features whose inputs the second network has.
    """

    sample: str = "higgsml"
    n_train: int | None = 100_000
    n_test: int | None = 100_000
    treatments: tuple[str, ...] = ("mean", "keep")
    bootstrap: int = 100
    fraction: float = 0.05


EMBEDDED = Config(sample="hepmass-like", treatments=("none",))


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """One treatment with one seed.

    `epochs` and what `judged` returns have an entry for each of NETWORKS; those with event weights are None without.
    `mean`, `error`, `rank_low` and `rank_high` have an entry for each feature of the first and second order of
    `inputs`, in the order of `taylor.FeatureSet.complete`.
    """
    events, names = samples[:2], samples.train.names
    undefined = UNDEFINED if name == ROW_NAMES["mean"] else None
    inputs = [Standardiser.fit(samples.train.features, undefined=undefined)(e.features) for e in events]

    def network(columns: Sequence[int]):
        x, test_x = (of_events[:, columns] for of_events in inputs)
        title = f"{name}, seed {seed}: {len(columns)} inputs"
        model, validation_loss = train(
            config, x, samples.train.label, seed=seed, callbacks=[epochs_shown(display, title)]
        )
        display.advance(1 / 2, title)
        scores = (pnn_tf.predict_scores(model, some, theta=0.0) for some in (x, test_x))
        return model, {"epochs": len(validation_loss), **judged(samples, *scores)}

    model, of_all = network(range(len(names)))
    found = mean_abs_coefficients(model, inputs[1], names=names, bootstrap=config.bootstrap, seed=seed)
    kept = select_features(found, fraction=config.fraction)
    _, of_kept = network(sorted(kept.indices))
    low, high = found.rank_interval.tolist()
    return {
        "inputs": list(names),
        "kept": list(kept.names),
        "n_train": len(samples.train),
        "n_test": len(samples.test),
        "n_signal": int(np.count_nonzero(samples.test.label)),
        **{field: None if value is None else [value, of_kept[field]] for field, value in of_all.items()},
        "engine": found.engine,
        "mean": rounded(found.mean, 5),
        "error": rounded(found.error, 3),
        "rank_low": low,
        "rank_high": high,
    }


def judged(samples: Samples, train_score: np.ndarray, score: np.ndarray) -> dict:
    """AUCs, significances and ROC curve of a network.

    `ams` is that of the best cut on the test events, `ams_unbiased` that of the cut that is best on the training
    events; both are None without event weights, and so is `auc_weighted`. `roc` holds the efficiency of background at
    the signal's EFFICIENCIES, weighted where there are weights.
    """
    of_test = pnn_tf.Ranking(samples.test.label, score)
    weight, found = None, dict.fromkeys(("auc_weighted", "ams", "ams_unbiased"))
    if (samples.test.weight != 1).any():
        weight = rescale_weights(samples.test).weight
        ams = pnn_tf.ams(*of_test.passing(weight))
        of_train = pnn_tf.Ranking(samples.train.label, train_score)
        of_cut = pnn_tf.ams(*of_train.passing(rescale_weights(samples.train).weight))
        n_passing = np.count_nonzero(of_test.cuts >= of_train.cuts[np.argmax(of_cut)])
        unbiased = float(ams[n_passing - 1]) if n_passing else 0.0
        found = {"auc_weighted": of_test.auc(weight), "ams": float(ams.max()), "ams_unbiased": unbiased}
    signal, background = (passing / passing[-1] for passing in of_test.passing(weight))
    return {"auc": of_test.auc(), **found, "roc": rounded(np.interp(EFFICIENCIES, signal, background), 4)}


def rounded(values: np.ndarray, digits: int) -> list[float]:
    """To so many significant digits, which keeps records small."""
    return [float(f"{value:.{digits}g}") for value in values]


def by_treatment(rows: Sequence[Mapping]) -> dict[str, list[Mapping]]:
    """The rows of each treatment, one a seed."""
    return {name: pick(rows, row=name) for name in dict.fromkeys(row["row"] for row in rows)}


PERFORMANCE = {
    "inputs": Quantity(lambda row: [len(row["inputs"]), len(row["kept"])], decimals=1),
    "weighted AUC (%)": percent("auc_weighted"),
    "AUC (%)": percent("auc"),
    "AMS, best cut": Quantity("ams"),
    "AMS, cut of training": Quantity("ams_unbiased"),
    "epochs": Quantity("epochs", decimals=0, spread=False),
}
PUBLISHED = (
    *(("inputs", NETWORKS[0], 30), ("inputs", NETWORKS[1], TAYLOR_HIGGSML.n_inputs)),
    *(("weighted AUC (%)", network, TAYLOR_HIGGSML.auc) for network in NETWORKS),
    ("AMS, best cut", NETWORKS[0], TAYLOR_HIGGSML.ams),
)


def tables(record: Mapping) -> Iterator[Table]:
    """Both networks, the ranks that the paper states, the first features, and how sure a ranking is."""
    rows, peak = record["rows"], record["data"]["contours"]["x"][0]
    groups, is_higgsml = by_treatment(rows), peak == PEAK
    there = {name: quantity for name, quantity in PERFORMANCE.items() if rows[0].get(quantity.value, True)}
    paper = pd.DataFrame(PUBLISHED if is_higgsml else (), columns=["quantity", "at", "paper"])
    frame = long(rows, there, NETWORKS, paper)
    frame["row"] += ": " + frame["at"]
    yield table("AUC and significance with all inputs and with those kept.", "network", frame, columns="quantity")

    stated = TAYLOR_HIGGSML_RANKS if is_higgsml else (f"{peak}, {peak}", peak, FIRST_ORDER, FIRST_ANGLE)
    ranks = {what: Quantity(lambda row, what=what: rank(what, row) - np.array([0, 1]), decimals=1) for what in stated}
    paper = pd.DataFrame(TAYLOR_HIGGSML_RANKS.items() if is_higgsml else (), columns=["quantity", "paper"])
    frame = long(rows, ranks, ("from 1", "from 0"), paper)
    frame["at"] = frame["row"] + ", " + frame["at"]
    yield table("Ranks that the paper states, counted from 1 and from 0.", "rank", frame, lines="quantity")

    name, group = next(iter(groups.items()))
    top = {
        "<|t|>": Quantity("mean", decimals=4),
        "error": Quantity("error", decimals=4, spread=False),
        "rank of a seed": Quantity(lambda row: importance(row).ranks, decimals=1),
        "rank, low": Quantity("rank_low", decimals=1, spread=False),
        "rank, high": Quantity("rank_high", decimals=1, spread=False),
    }
    first = {line.rank: f"{line.rank}  {line.feature}" for line in importance(*group).ranking()[:N_TOP]}
    frame = long(group, top, at=importance(*group).ranks).sort_values("at", kind="stable")
    frame = frame.assign(feature=frame["at"].map(first)).dropna(subset="feature")
    caption = (
        f"The first {N_TOP} of {len(rows[0]['mean'])} features, by <|t|> averaged over the seeds: {name}. The error is "
        "that of one seed from its finite test sample, the interval of 68 % of its rank is that of the bootstrap."
    )
    yield table(caption, "feature", frame, lines="feature", columns="quantity")

    of_seeds = {name: pd.DataFrame([importance(row).ranks for row in group]).std() for name, group in groups.items()}
    sure = {
        f"of the first {N_TOP} with {peak}": Quantity(partial(n_top, peak), decimals=1),
        "rank, interval": Quantity(lambda row: np.median(np.subtract(row["rank_high"], row["rank_low"])), decimals=0),
        "rank, seeds": Quantity(lambda row: of_seeds[row["row"]].median(), decimals=0, spread=False),
        "error of the AUC": Quantity(error_of_auc),
    }
    caption = (
        "How sure the ranking is, medians over all features: width of the interval of 68 % of the rank from the "
        "bootstrap, and standard deviation of the rank over seeds. Last, the error of the unweighted AUC, points."
    )
    yield table(caption, "ranking", long(rows, sure), columns="quantity")


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """TAYLOR Figs. 3, 4, 5, and the ROC curves."""
    groups, counts = by_treatment(record["rows"]), record["data"]["contours"]
    (name, group), peak = next(iter(groups.items())), counts["x"][0]
    yield f"<|t|> along the ranking, mean and standard deviation over seeds: {name}. TAYLOR Fig. 3.", ranking(group)
    yield (
        "The events in the plane of a pair of inputs: signal red, background blue; lines at 10, 30, 50, 70 and 90 % of "
        "the highest density of the class, without event weights. TAYLOR Fig. 4.",
        contours(counts),
    )
    yield (
        f"How many of the features with a primitive φ, and of those with {peak}, have come up to each rank; seeds "
        "thin, their mean ranking thick. TAYLOR Fig. 5.",
        occurrence(groups, peak),
    )
    yield "ROC curves with all inputs and with those kept, mean over the seeds, weighted if events are.", roc(groups)


EXPERIMENT = Experiment(
    id="taylor-higgsml",
    where="Figs. 3 to 5",
    summary="Ranking of the features of HiggsML, and a network of the first few inputs",
    introduction=(
        "Mean absolute Taylor coefficients of a network on {data[name]} events: {data[n_train]:,} for training and "
        "validation, {data[n_test]:,} for the test, {seeds}. Published numbers, and claims of the paper, are those of "
        "Wunsch, Friese, Wolf and Quast, arXiv:1803.08782, on HiggsML. HEPMASS-like events, a simulated resonance with "
        "m_wwbb, its mass, in the part of DER_mass_vis, only show the method."
    ),
    scales={
        "smoke": replace(EMBEDDED, n_train=4000, n_test=2000, epochs=2, bootstrap=10),
        "embedded": EMBEDDED,
        "paper": Config(),
        "file": Config(sample="file"),
    },
    load=lambda config, path=None: load_samples(config.sample, config.n_train, config.n_test, path),
    names=lambda config: [ROW_NAMES[treatment] for treatment in config.treatments],
    make_row=make_row,
    line=lambda row: f"AUC {row['auc'][0]:.2%}, {row['auc'][1]:.2%} with {len(row['kept'])} of the inputs",
    tables=tables,
    figures=figures,
    claims=tuple(claims_on(ROW_NAMES)),
    departures=(
        "The paper has 100,000 HiggsML events for training and as many for the test. HEPMASS-like events are simulated "
        "for this project, a resonance at 1000 GeV and the background that carries its mass. Of a user's file a third "
        "is drawn at random for the test; fewer training events make a lower AUC and another ranking.",
        "Batches of {batch_size} and a learning rate of {learning_rate:g}, on which the paper is silent. Weights are "
        "those after the last step. The cross-entropy and <|t|> have no event weights.",
        "The paper does not say what it does with -999. Standardised by the defined values and set to their mean is "
        "the first choice here; left at -999, the angles of missing jets tell how many jets there are.",
        "The AUC is compared with the weighted one: the paper does not say which of them 0.92 is.",
        "AMS has weights rescaled to the whole set and b_r = 10. That of the best cut on the test events is biased "
        "upwards, all the more on few events; the other takes the cut that is best on the training events.",
    ),
)
