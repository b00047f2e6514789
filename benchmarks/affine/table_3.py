"""AFFINE Table 3: AUC at each mass on HEPMASS for a single network, five individual ones, and eight parametric ones.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, section 6.3. The parametric networks differ in how theta enters
(concatenated once, or in affine layers), in the distribution of the background's theta (the signal's masses, or
uniform between them) and in its assignment (fixed in the sample, or sampled anew in each batch).
"""

from collections.abc import Iterator, Mapping

from matplotlib.figure import Figure

from benchmarks.affine import networks, per_mass
from benchmarks.affine.networks import Config, Setup
from benchmarks.affine.per_mass import Contrast
from benchmarks.affine.texts import CIRCUMSTANCES, DEPARTURES
from benchmarks.claims import Claim, above, below
from benchmarks.experiment import Experiment
from benchmarks.published import AFFINE_TABLE_3
from benchmarks.tables import Table, percent
from benchmarks.training import QUICK

SETUPS = {
    "Single-NN": Setup(None),
    "Individual-NNs": Setup(None, individual=True),
    "pNN uniform (fixed)": Setup("concat", "uniform", "fixed"),
    "Affine uniform (fixed)": Setup("affine", "uniform", "fixed"),
    "pNN uniform (sampled)": Setup("concat", "uniform", "sampled"),
    "Affine uniform (sampled)": Setup("affine", "uniform", "sampled"),
    "pNN identical (fixed)": Setup("concat", "identical", "fixed"),
    "Affine identical (fixed)": Setup("affine", "identical", "fixed"),
    "pNN identical (sampled)": Setup("concat", "identical", "sampled"),
    "Affine identical (sampled)": Setup("affine", "identical", "sampled"),
}
AFFINE = ("Affine identical (fixed)", "Affine identical (sampled)")
UNIFORM, IDENTICAL = (
    tuple(name for name, setup in SETUPS.items() if setup.background == kind) for kind in ("uniform", "identical")
)
OVER_SINGLE = Contrast(AFFINE, ["Single-NN"])
OVER_INDIVIDUAL = Contrast(AFFINE, ["Individual-NNs"])
OVER_PNN = Contrast(AFFINE, ["pNN identical (fixed)", "pNN identical (sampled)"])
OF_UNIFORM = Contrast(UNIFORM, IDENTICAL, mass=500)


def tables(record: Mapping) -> Iterator[Table]:
    """AUC beside the paper's, and averages of the rest."""
    rows = record["rows"]
    yield per_mass.comparison(
        "AUC in per cent at the epoch with the best validation AUC, with the paper's.", rows, AFFINE_TABLE_3
    )
    yield per_mass.averages(
        "Averages over the masses: the epoch kept, the last epoch, the significance ratio (AMS), and the cost.",
        rows,
        {
            "AUC, epoch kept": percent("auc"),
            "AUC, last epoch": percent("auc_last"),
            "AMS ratio": percent("significance"),
            **per_mass.COSTS,
        },
    )


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """AUC at each mass, and the paper's."""
    main, *_ = tables(record)
    yield (
        "AUC at each mass. Each panel has its own scale; a line joins this run and the paper.",
        per_mass.dot_plot(main),
    )


EXPERIMENT = Experiment(
    id="affine-table-3",
    where="Table 3",
    summary="AUC per mass of single, individual, parametric and affine networks on HEPMASS",
    introduction=(
        f"Area under the ROC curve at each mass of the resonance, on {CIRCUMSTANCES}. The published numbers are those "
        "of Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, on HEPMASS."
    ),
    scales={
        "smoke": Config(epochs=2, n_train=20_000, n_test=10_000, **QUICK),
        "embedded": Config(epochs=10, **QUICK),
        "paper": Config(sample="hepmass"),
    },
    load=networks.load,
    names=lambda config: SETUPS,
    make_row=lambda config, samples, name, *rest: networks.make_row(config, samples, SETUPS[name], name, *rest),
    line=networks.line,
    tables=tables,
    figures=figures,
    claims=(
        Claim(
            "Affine networks beat a single network that is told no mass, in mean AUC",
            OVER_SINGLE.measure(),
            above(0),
            OVER_SINGLE.published(AFFINE_TABLE_3),
        ),
        Claim(
            "Affine networks beat five individual networks, in mean AUC",
            OVER_INDIVIDUAL.measure(),
            above(0),
            OVER_INDIVIDUAL.published(AFFINE_TABLE_3),
        ),
        Claim(
            "Affine networks beat parametric ones that concatenate the mass, in mean AUC",
            OVER_PNN.measure(),
            above(0),
            OVER_PNN.published(AFFINE_TABLE_3),
        ),
        Claim(
            "Uniform background masses cost AUC at 500 GeV, against identical ones",
            OF_UNIFORM.measure(),
            below(0),
            OF_UNIFORM.published(AFFINE_TABLE_3),
        ),
        Claim(
            "So they do at the last epoch, which no validation on identical masses has chosen",
            OF_UNIFORM.measure("auc_last"),
            below(0),
            ours=True,
        ),
    ),
    departures=(
        *DEPARTURES,
        "The significance ratio takes every distinct score as a cut; the paper's Table 3 has none.",
    ),
)
