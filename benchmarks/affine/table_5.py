"""AFFINE Table 5: AUC and significance ratio at each mass on HEPMASS-IMB, with and without balanced training.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, sections 4.3 and 6.3. The significance ratio is measured three
times: exact, with every score a cut; as the authors' code had it at the time of the paper, from histograms of
different ranges; and from histograms of one range, as the code had it later. Figs. 11 and 13 are drawn from the curves
that some of the rows keep.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from benchmarks.affine import curves, networks, per_mass
from benchmarks.affine.networks import IMBALANCED_SCALES, Config, Setup
from benchmarks.affine.per_mass import NOISE
from benchmarks.affine.texts import BALANCED, CIRCUMSTANCES, DEPARTURES, IMBALANCED, INDIVIDUAL, PAPER
from benchmarks.claims import Claim, Estimate, above, below, over_trainings, within
from benchmarks.experiment import Experiment
from benchmarks.published import AFFINE_TABLE_5 as PUBLISHED
from benchmarks.samples import Samples
from benchmarks.tables import Quantity, Table, by_seed, long, paired, percent, pick, table

KINDS = {"pNN": ("concat", "none"), "pNN (full)": ("concat", "full"), "Affine (full)": ("affine", "full")}
SETUPS = {
    "Single-NN": Setup(None),
    "Individual-NNs": Setup(None, individual=True),
    **{
        f"{kind} {background} ({assignment})": Setup(conditioning, background, assignment, balance=balance)
        for background in ("identical", "uniform")
        for assignment in ("fixed", "sampled")
        for kind, (conditioning, balance) in KINDS.items()
    },
}
SINGLE, INDIVIDUALS = ["Single-NN"], ["Individual-NNs"]
BASELINES = (*SINGLE, *INDIVIDUALS, "pNN identical (fixed)")  # of Fig. 11, at each mass
SEPARATED = ("pNN uniform (fixed)", "Affine (full) identical (fixed)")  # of Fig. 13
SEPARATION_MASS = 750  # GeV
PNN, FULL_PNN, FULL_AFFINE = ([f"{kind} identical (fixed)", f"{kind} identical (sampled)"] for kind in KINDS)
IDENTICAL = FULL_PNN + FULL_AFFINE
FULL_UNIFORM = [name.replace("identical", "uniform") for name in IDENTICAL]
claim = partial(per_mass.claim, paper=PUBLISHED)


def make_row(config: Config, samples: Samples, name: str, seed: int, display) -> dict:
    """Trains and tests the networks of one row.

    Rows that the figures need have `curves`, and those of Fig. 13 `separations`, of the epoch kept, each with its
    `mass` in GeV; the lists of the others are empty.
    """
    row = networks.make_row(config, samples, SETUPS[name], name, seed, display, partial(measure, name))
    del row["curves_last"], row["separations_last"]
    return row


def measure(name: str, model, test, hypotheses: np.ndarray) -> dict[str, list]:
    """What a row holds of one network, at each hypothesis; the curves at those that a figure shows."""
    lists = {"curves": [], "separations": []}
    for hypothesis in hypotheses:
        label, score = networks.scores_at(model, test, hypothesis)
        for field, value in networks.at_one_mass(label, score).items():
            lists.setdefault(field, []).append(value)
        mass = float(hypothesis[0])
        in_fig_13 = name in SEPARATED and mass == SEPARATION_MASS
        if name in BASELINES or in_fig_13:
            lists["curves"].append({"mass": mass, **curves.curve_of(label, score)})
        if in_fig_13:
            lists["separations"].append({"mass": mass, **curves.separation(label, score)})
    return lists


def at_separation_mass(row: Mapping, field: str = "curves") -> Mapping:
    """A row's curve, or its separation, at SEPARATION_MASS."""
    return pick(row[field], mass=SEPARATION_MASS)[0]


def best_cuts(rows: Sequence[Mapping]):
    """The long frame of the best cuts at SEPARATION_MASS."""
    cut = {f"best cut at {SEPARATION_MASS} GeV": Quantity(lambda row: curves.best(at_separation_mass(row))[0])}
    return long([row for row in rows if row["row"] in SEPARATED], cut)


def tables(record: Mapping) -> Iterator[Table]:
    """AUC and significance ratio at both epochs beside the paper's, and averages of the rest."""
    rows = record["rows"]
    for field, what in (
        ("auc", "AUC in per cent"),
        ("significance_authors", "Significance ratio in per cent, as the authors' code had it"),
        ("significance", "Significance ratio in per cent, exact"),
    ):
        for suffix, when in (("", "at the epoch with the best validation AUC"), ("_last", "at the last epoch")):
            yield per_mass.comparison(f"{what}, {when}, with the paper's.", rows, PUBLISHED, f"{field}{suffix}")
    yield per_mass.averages("Averages over masses, and the cost.", rows, per_mass.QUALITY | per_mass.COSTS)
    if not (cuts := best_cuts(rows)).empty:
        yield table("The cut with the largest significance ratio, Fig. 13.", "network", cuts, columns="quantity")


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """AUC at each mass and the paper's; Figs. 11 and 13 of the first seed."""
    yield per_mass.AT_EACH_MASS, per_mass.dot_plot(next(tables(record)))
    seed = min(row["seed"] for row in record["rows"])
    kept = {name: pick(record["rows"], row=name, seed=seed)[0] for name in (*BASELINES, *SEPARATED)}
    of_fig_13 = [
        {name: at_separation_mass(kept[name], what) for name in SEPARATED} for what in ("curves", "separations")
    ]
    yield (
        "Fig. 11, the baselines at each mass. From above: ROC curve, precision-recall curve, and significance ratio "
        f"against the cut, with the best cut as a dot. Background weight 1/5 but in the ROC; seed {seed}.",
        curves.baselines({name: kept[name]["curves"] for name in BASELINES}),
    )
    yield (
        f"Fig. 13, two networks at {SEPARATION_MASS} GeV. Left: scores of signal and background, all signal and all "
        "background weighing the same, the significance ratio of a cut (line) and the best cut (dashed). Right: ROC "
        f"and precision-recall curves. Seed {seed}.",
        curves.separations(*of_fig_13),
    )


def cost_of_bins(rows: Sequence[Mapping]) -> Estimate:
    """The ratio in the authors' bins minus the exact one at 1500 GeV, of the networks whose balance is compared."""
    change = percent(lambda row: np.subtract(row["significance_authors"], row["significance"]))
    return over_trainings(by_seed(long(rows, {"change": change}, at="masses"), PNN + FULL_PNN, 1500))


def distance_of_cuts(rows: Sequence[Mapping]) -> Estimate:
    """Distance of the best cuts of the two networks of Fig. 13."""
    return over_trainings(paired(best_cuts(rows), SEPARATED[1], SEPARATED[0]).abs())


EXPERIMENT = Experiment(
    id="affine-table-5",
    where="Table 5, Figs. 11 and 13",
    summary="AUC and significance ratio on HEPMASS-IMB: baselines, networks, background masses, balanced training",
    introduction="Baselines, parametric networks and balanced training where the signal is rare, and rarer at each "
    f"higher mass: {CIRCUMSTANCES}. Published: {PAPER}.",
    scales={name: replace(config, individual_background="all") for name, config in IMBALANCED_SCALES.items()},
    **networks.rows_of(SETUPS) | {"make_row": make_row},
    tables=tables,
    figures=figures,
    claims=(
        claim("Full balance lifts the pNN", FULL_PNN, PNN, above(0), mass=1500, field="significance_authors"),
        *(
            claim("Balance moves the pNN by under a point", FULL_PNN, PNN, within(1), mass=1500, field=field, ours=True)
            for field in ("significance_repaired", "significance")
        ),
        claim("Full balance leaves the pNN as it is", FULL_PNN, PNN, within(NOISE), mass=1500),
        Claim("The authors' bins alone lower pNNs' significance ratio at 1500 GeV", cost_of_bins, below(0), ours=True),
        claim("On HEPMASS-IMB the pNN beats individual networks", PNN, INDIVIDUALS, above(0)),
        claim("On HEPMASS-IMB the pNN beats a single network, told no mass", PNN, SINGLE, above(0)),
        claim("Affine beats the pNN, both in full balance", FULL_AFFINE, FULL_PNN, above(0)),
        *(
            claim("Uniform masses are worse, in full balance", FULL_UNIFORM, IDENTICAL, below(0), mass=500, **more)
            for more in ({}, per_mass.LAST)
        ),
        Claim("Best cuts of pNN and affine differ at 750 GeV", distance_of_cuts, above(0.1), where="Fig. 13", unit=""),
    ),
    departures=(
        *DEPARTURES,
        INDIVIDUAL,
        BALANCED,
        IMBALANCED,
        "The paper's significance ratio is from two histograms of 50 bins, each of the range of its own scores, "
        "divided index by index. It stands beside ours of the same kind and beside the exact one, for which every "
        "distinct score is a cut; the repaired bins are those of one range.",
        "Background has the weight 1/5 in every significance ratio and in precision-recall curves, and no weight in "
        "AUC and ROC curves.",
    ),
)
