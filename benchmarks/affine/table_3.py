"""AFFINE Table 3: AUC at each mass on HEPMASS for a single network, five individual ones, and eight parametric ones.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, section 6.3. The parametric networks differ in how theta enters
(concatenated once, or in affine layers), in the distribution of the background's theta (the signal's masses, or
uniform between them) and in its assignment (fixed in the sample, or sampled anew in each batch).
"""

from collections.abc import Iterator, Sequence

from matplotlib.figure import Figure

from benchmarks.affine import networks, per_mass
from benchmarks.affine.departures import circumstances, departures
from benchmarks.affine.networks import Config, Row, Setup, load, one_line
from benchmarks.comparison import Finding, Section
from benchmarks.published import AFFINE_TABLE_3
from benchmarks.rows import complete, in_turn
from benchmarks.samples import Samples
from benchmarks.terminal import Display
from benchmarks.training import QUICK
from pnn_tf import auc_error

__all__ = ["SCALES", "SETUPS", "load", "one_line", "plot", "run", "section"]

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

SCALES = {
    "smoke": Config(epochs=2, n_train=20_000, n_test=10_000, **QUICK),
    "embedded": Config(epochs=10, **QUICK),
    "paper": Config(sample="hepmass"),
}


def row_names(config: Config) -> tuple[str, ...]:
    """The rows of the table."""
    return tuple(SETUPS)


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """Trains and tests the networks of one row."""
    return networks.make_row(config, samples, SETUPS[name], name, seed, display)


run = in_turn(row_names, make_row)


def plot(rows: list[Row]) -> Figure:
    """AUC at each mass, and the paper's."""
    return per_mass.dot_plot(per_mass.comparison(rows, AFFINE_TABLE_3))


def section(record: dict) -> Section:
    """The table, the figure and what follows from them, computed from the record's rows."""
    rows = record["rows"]
    return Section(
        title="AFFINE Table 3",
        introduction=(
            f"Area under the ROC curve at each mass of the resonance, on {circumstances(record)}. The published "
            "numbers are those of Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, on HEPMASS."
        ),
        findings=tuple(_findings(rows)),
        tables=(
            (
                "AUC in per cent at the epoch with the best validation AUC, with the paper's.",
                per_mass.comparison(rows, AFFINE_TABLE_3),
            ),
            (
                "Averages over the masses: the epoch kept, the last epoch, the significance ratio (AMS), and the cost.",
                per_mass.averages(rows, COLUMNS),
            ),
        ),
        figures=(("AUC at each mass. Each panel has its own scale; a line joins this run and the paper.", plot(rows)),),
        departures=(
            *departures(record, SETUPS),
            "The significance ratio takes every distinct score as a cut; the paper's Table 3 has none.",
        ),
    )


COLUMNS = (
    per_mass.Column("AUC, epoch kept", "auc"),
    per_mass.Column("AUC, last epoch", "auc_last"),
    per_mass.Column("AMS ratio", "significance"),
    *per_mass.COSTS,
)


def _findings(rows: Sequence[Row]) -> Iterator[Finding]:
    """What the paper says of this table, from the seeds with which every row is finished."""
    rows = complete(rows, AFFINE_TABLE_3)
    if not rows:
        return
    affine = ["Affine identical (fixed)", "Affine identical (sampled)"]
    uniform, identical = (
        [name for name, setup in SETUPS.items() if setup.background == kind] for kind in ("uniform", "identical")
    )
    yield Finding(
        "Affine minus single",
        "Mean AUC of the affine networks on identical background masses, against one network that is told no mass.",
        per_mass.contrast(rows, AFFINE_TABLE_3, affine, ["Single-NN"]),
    )
    yield Finding(
        "Affine minus individual",
        "Mean AUC of the same affine networks, against five networks that each know one mass.",
        per_mass.contrast(rows, AFFINE_TABLE_3, affine, ["Individual-NNs"]),
    )
    kept, last = (
        per_mass.contrast(rows, AFFINE_TABLE_3, uniform, identical, mass=500, field=field)
        for field in ("auc", "auc_last")
    )
    yield Finding(
        "Uniform minus identical",
        "AUC at 500 GeV of all parametric networks on uniform background masses, against those on identical ones. With "
        f"the weights of the last epoch, which no validation on identical masses has chosen: {last.ours:+.2f}.",
        kept,
    )
    errors = [100 * auc_error(row["auc"][0], row["n_signal"][0], row["n_background"]) for row in rows]
    gains = [100 * (row["mean_auc"] - row["mean_auc_last"]) for row in rows]
    yield Finding(
        "How sure",
        f"The finite test sample alone leaves a standard error of {max(errors):.2f} points at "
        f"{rows[0]['masses'][0]:.0f} GeV, much of it common to all rows. Keeping the epoch with the best validation "
        f"AUC instead of the last one moves the mean AUC of a row by {min(gains):+.2f} to {max(gains):+.2f} points.",
    )
