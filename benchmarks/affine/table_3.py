"""AFFINE Table 3: AUC at each mass on HEPMASS for a single network, five individual ones, and eight parametric ones.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, section 6.3. The parametric networks differ in how theta enters
(concatenated once, or in affine layers), in the distribution of the background's theta (the signal's masses, or
uniform between them) and in its assignment (fixed in the sample, or sampled anew in each batch).
"""

from collections.abc import Iterator, Mapping
from functools import partial

from benchmarks.affine import per_mass
from benchmarks.affine.networks import SCALES, Setup, rows_of
from benchmarks.affine.texts import CIRCUMSTANCES, DEPARTURES, INDIVIDUAL, PAPER
from benchmarks.claims import above, below
from benchmarks.experiment import Experiment
from benchmarks.published import AFFINE_TABLE_3 as PUBLISHED
from benchmarks.tables import Table, percent

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
SINGLE, INDIVIDUALS = ["Single-NN"], ["Individual-NNs"]
UNIFORM, IDENTICAL = ([name for name, s in SETUPS.items() if s.background == kind] for kind in ("uniform", "identical"))
PNN, AFFINE = ([name for name in IDENTICAL if name.startswith(kind)] for kind in ("pNN", "Affine"))
claim = partial(per_mass.claim, paper=PUBLISHED)


def tables(record: Mapping) -> Iterator[Table]:
    """AUC beside the paper's, and averages of the rest."""
    rows = record["rows"]
    caption = "AUC in per cent at the epoch with the best validation AUC, with the paper's."
    yield per_mass.comparison(caption, rows, PUBLISHED)
    fields = {"AUC, epoch kept": "auc", "AUC, last epoch": "auc_last", "AMS ratio": "significance"}
    caption = "Averages over the masses: the epoch kept, the last epoch, the significance ratio (AMS), and the cost."
    yield per_mass.averages(caption, rows, {n: percent(field) for n, field in fields.items()} | per_mass.COSTS)


EXPERIMENT = Experiment(
    id="affine-table-3",
    where="Table 3",
    summary="AUC per mass of single, individual, parametric and affine networks on HEPMASS",
    introduction=f"Area under the ROC curve at each mass of the resonance, on {CIRCUMSTANCES}. Published: {PAPER}.",
    scales=SCALES,
    **rows_of(SETUPS),
    tables=tables,
    figures=lambda record: [(per_mass.AT_EACH_MASS, per_mass.dot_plot(next(tables(record))))],
    claims=(
        claim("Affine networks beat a single one, told no mass", AFFINE, SINGLE, above(0)),
        claim("Affine networks beat five individual ones", AFFINE, INDIVIDUALS, above(0)),
        claim("Affine networks beat those that concatenate the mass", AFFINE, PNN, above(0)),
        *(
            claim("Uniform background masses are worse than identical", UNIFORM, IDENTICAL, below(0), mass=500, **more)
            for more in ({}, per_mass.LAST)
        ),
    ),
    departures=(
        *DEPARTURES,
        INDIVIDUAL,
        "The significance ratio takes every distinct score as a cut; the paper's Table 3 has none.",
    ),
)
