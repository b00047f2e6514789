"""What Table 5 of AFFINE says: tables, findings and Figs. 11 and 13, from rows alone."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from benchmarks.affine import per_mass, table_5_figures
from benchmarks.affine.curves import best
from benchmarks.affine.departures import circumstances, departures
from benchmarks.affine.per_mass import points
from benchmarks.affine.table_5_rows import BASELINES, SEPARATED, SEPARATION_MASS, SETUPS
from benchmarks.comparison import Finding, Section, listed
from benchmarks.published import AFFINE_TABLE_5, MASSES
from benchmarks.rows import complete
from pnn_tf import auc_error

UNBALANCED = ("pNN identical (fixed)", "pNN identical (sampled)")
BALANCED = ("pNN (full) identical (fixed)", "pNN (full) identical (sampled)")


def plot(rows: Sequence[Mapping]) -> Figure:
    """AUC at each mass, and the paper's."""
    return per_mass.dot_plot(per_mass.comparison(rows, AFFINE_TABLE_5))


def section(record: dict) -> Section:
    """Everything for the report."""
    rows = record["rows"]
    return Section(
        title="AFFINE Table 5 and Figs. 11 and 13",
        introduction=(
            "Baselines, parametric networks and balanced training where the signal is rare, and rarer at each higher "
            f"mass: {circumstances(record)}. The published numbers are those of Anzalone, Diotallevi and Bonacorsi, "
            "arXiv:2202.00424, on HEPMASS-IMB."
        ),
        findings=tuple(_findings(rows)),
        tables=tuple(_tables(rows)),
        figures=tuple(_figures(rows)),
        departures=(
            *departures(record, SETUPS),
            "The paper's significance ratio is from two histograms of 50 bins, each of the range of its own scores, "
            "divided index by index. It stands beside ours of the same kind and beside the exact one, for which every "
            "distinct score is a cut; the repaired bins are those of one range.",
            "Background has the weight 1/5 in every significance ratio and in precision-recall curves, and no weight "
            "in AUC and ROC curves.",
        ),
    )


def _tables(rows: Sequence[Mapping]) -> Iterator:
    beside = "with the paper's."
    yield (
        f"AUC in per cent at the epoch with the best validation AUC, {beside}",
        per_mass.comparison(rows, AFFINE_TABLE_5),
    )
    yield f"AUC in per cent at the last epoch, {beside}", per_mass.comparison(rows, AFFINE_TABLE_5, "auc_last")
    for field, how in (("significance_authors", "as the authors' code had it"), ("significance", "exact")):
        for epoch, suffix in (("the epoch kept", ""), ("the last epoch", "_last")):
            yield (
                f"Significance ratio in per cent, {how}, at {epoch}, {beside}",
                per_mass.comparison(rows, AFFINE_TABLE_5, f"{field}{suffix}", "significance"),
            )
    yield "Averages over the masses, and the cost.", per_mass.averages(rows, (*per_mass.QUALITY, *per_mass.COSTS))


def _figures(rows: Sequence[Mapping]) -> Iterator[tuple[str, Figure]]:
    yield "AUC at each mass. Each panel has its own scale; a line joins this run and the paper.", plot(rows)
    seed = min(row["seed"] for row in rows)
    of_seed = {row["row"]: row for row in rows if row["seed"] == seed}
    if all(name in of_seed for name in BASELINES):
        yield (
            "Fig. 11, the baselines at each mass. From above: ROC curve, precision-recall curve, and significance "
            f"ratio against the cut, with the best cut as a dot. Background weight 1/5 but in the ROC; seed {seed}.",
            table_5_figures.baselines(of_seed),
        )
    if all(name in of_seed for name in SEPARATED):
        yield (
            f"Fig. 13, two networks at {SEPARATION_MASS} GeV. Left: scores of signal and background, "
            "all signal and all background weighing the same, the significance ratio of a cut (line) and the best cut "
            f"(dashed). Right: ROC and precision-recall curves. Seed {seed}.",
            table_5_figures.separations(of_seed),
        )


def _findings(rows: Sequence[Mapping]) -> Iterator[Finding]:
    """What the paper says of this table, from the seeds with which every row is finished."""
    rows = complete(rows, SETUPS)
    if not rows:
        return
    yield _gain_of_balance(rows)
    yield Finding(
        "pNN minus individual",
        "Mean AUC of the pNN on identical background masses without balance, against five networks that each know one "
        "mass and, but for 500 GeV, few signal events: the paper's low-data regime.",
        per_mass.contrast(rows, AFFINE_TABLE_5, UNBALANCED, ["Individual-NNs"]),
    )
    yield Finding(
        "pNN minus single",
        "Mean AUC of the same networks, against one that is told no mass.",
        per_mass.contrast(rows, AFFINE_TABLE_5, UNBALANCED, ["Single-NN"]),
    )
    affine = [name.replace("pNN", "Affine") for name in BALANCED]
    yield Finding(
        "Affine minus pNN",
        "Mean AUC with full balance on identical background masses.",
        per_mass.contrast(rows, AFFINE_TABLE_5, affine, BALANCED),
    )
    full_uniform, full_identical = (
        [name for name, setup in SETUPS.items() if setup.balance == "full" and setup.background == kind]
        for kind in ("uniform", "identical")
    )
    kept, last = (
        per_mass.contrast(rows, AFFINE_TABLE_5, full_uniform, full_identical, mass=500, field=field)
        for field in ("auc", "auc_last")
    )
    yield Finding(
        "Uniform minus identical",
        "AUC at 500 GeV with full balance, uniform background masses against identical ones. At the last epoch: "
        f"{last.ours:+.2f}.",
        kept,
    )
    cuts = {
        name: [
            best(curve).cut
            for row in rows
            for curve in row["curves"]
            if row["row"] == name and curve["mass"] == SEPARATION_MASS
        ]
        for name in SEPARATED
    }
    if all(cuts.values()):
        yield Finding(
            "Thresholds, Fig. 13",
            "The paper: the two networks opt for rather different thresholds. The cut with the largest significance "
            f"ratio at {SEPARATION_MASS} GeV: "
            + ", ".join(f"{listed(sorted(of_seeds), '.2f')} ({name})" for name, of_seeds in cuts.items())
            + ("." if len(cuts[SEPARATED[0]]) == 1 else ", a number a seed."),
        )
    lowest, highest = (
        100 * max(auc_error(row["auc"][i], row["n_signal"][i], row["n_background"]) for row in rows) for i in (0, -1)
    )
    yield Finding(
        "How sure",
        f"The finite test sample leaves a standard error of the AUC of {lowest:.2f} points at {MASSES[0]} GeV "
        f"and {highest:.2f} at {MASSES[-1]} GeV. What the few training events of the signal at high masses leave to "
        "chance is not in it.",
    )


def _gain_of_balance(rows: Sequence[Mapping]) -> Finding:
    """What the histograms do to the paper's gain of balanced training at the highest mass."""
    mass = MASSES[-1]
    exact, authors, repaired = (
        per_mass.contrast(rows, AFFINE_TABLE_5, BALANCED, UNBALANCED, mass, field, "significance")
        for field in per_mass.SIGNIFICANCES
    )
    auc = per_mass.contrast(rows, AFFINE_TABLE_5, BALANCED, UNBALANCED, mass)
    before, after = (
        float(np.mean([AFFINE_TABLE_5[name].significance[-1] for name in group])) for group in (UNBALANCED, BALANCED)
    )
    n_seeds = len({row["seed"] for row in rows})
    error = (authors.spread or 0) / np.sqrt(n_seeds)
    if abs(authors.ours) >= 2 * error:
        conclusion = (
            f"So different ranges make {authors.ours - repaired.ours:+.2f} of the {authors.ours:+.2f} points, bins as "
            f"such {repaired.ours - exact.ours:+.2f}, and the network itself {exact.ours:+.2f}."
        )
    else:
        conclusion = f"So there is no gain beyond chance, with a standard error of {error:.2f} over {n_seeds} seeds."
    binned, unbinned = (
        np.mean([per_mass.over_seeds(rows, field)[name][:, -1] for name in (*BALANCED, *UNBALANCED)])
        for field in ("significance_authors", "significance")
    )
    return Finding(
        f"Balanced training at {mass} GeV",
        "In the paper, full balance lifts the significance ratio of the pNN on identical background masses from "
        f"{before:.1f} to {after:.1f} %, and its AUC by {auc.paper:+.2f} points. Here the ratio gains "
        f"{points(authors)} points with the authors' bins, {points(repaired)} with bins of one range and "
        f"{points(exact)} if exact, and the AUC {points(auc)}. {conclusion} The bins alone take the ratio of these "
        f"networks from {unbinned:.1f} to {binned:.1f} % on average.",
        authors,
    )
