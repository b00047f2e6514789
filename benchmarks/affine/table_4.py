"""AFFINE Table 4: networks trained on the signal at 500 and 1500 GeV alone, tested at all five masses; HEPMASS-IMB.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, section 6.3. The background's masses are drawn from the two.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from benchmarks.affine import networks, per_mass
from benchmarks.affine.departures import circumstances, departures
from benchmarks.affine.networks import Config, Row, Setup, load, one_line
from benchmarks.comparison import Finding, Section
from benchmarks.data.hepmass_imb import COUNTS
from benchmarks.published import AFFINE_TABLE_4, MASSES
from benchmarks.rows import complete, in_turn
from benchmarks.samples import Samples
from benchmarks.terminal import Display
from benchmarks.training import QUICK

__all__ = ["SCALES", "SETUPS", "load", "one_line", "plot", "run", "section"]

TRAINED = (500.0, 1500.0)  # GeV
INTERPOLATED = (750, 1000, 1250)

SETUPS = {
    "pNN identical (sampled)": Setup("concat", "identical", "sampled", masses=TRAINED),
    "pNN (full) identical (sampled)": Setup("concat", "identical", "sampled", balance="full", masses=TRAINED),
    "Affine (full) identical (sampled)": Setup("affine", "identical", "sampled", balance="full", masses=TRAINED),
}

SCALES = {
    "smoke": Config(epochs=1, n_train=20_000, n_test=5_000, imbalanced=True, **QUICK),
    "embedded": Config(epochs=15, imbalanced=True, **QUICK),
    "paper": Config(sample="hepmass", imbalanced=True),
}


def row_names(config: Config) -> tuple[str, ...]:
    """The rows of the table."""
    return tuple(SETUPS)


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """Trains the network of one row on two masses, and tests it at all."""
    return networks.make_row(config, samples, SETUPS[name], name, seed, display)


run = in_turn(row_names, make_row)


def plot(rows: Sequence[Row]) -> Figure:
    """AUC at each mass, and the paper's."""
    return per_mass.dot_plot(per_mass.comparison(rows, AFFINE_TABLE_4))


def section(record: dict) -> Section:
    """The tables, the figure and what follows from them, computed from the record's rows."""
    rows = record["rows"]
    return Section(
        title="AFFINE Table 4",
        introduction=(
            "Interpolation: networks trained on the signal at 500 and 1500 GeV alone, on "
            f"{circumstances(record)}. The published numbers are those of Anzalone, Diotallevi and Bonacorsi, "
            "arXiv:2202.00424, on HEPMASS-IMB."
        ),
        findings=tuple(_findings(rows, record["data"])),
        tables=(
            (
                "AUC in per cent at the epoch with the best validation AUC, with the paper's.",
                per_mass.comparison(rows, AFFINE_TABLE_4),
            ),
            *(
                (
                    f"Significance ratio in per cent at the same epoch, {how}, with the paper's.",
                    per_mass.comparison(rows, AFFINE_TABLE_4, field, "significance"),
                )
                for field, how in (("significance_authors", "as the authors' code had it"), ("significance", "exact"))
            ),
            ("Averages over the masses, and the cost.", per_mass.averages(rows, (*per_mass.QUALITY, *per_mass.COSTS))),
        ),
        figures=(
            ("AUC at each mass, of which 750, 1000 and 1250 GeV are interpolated. Panels have own scales.", plot(rows)),
        ),
        departures=(
            *departures(record, SETUPS),
            "Only the signal at 500 and 1500 GeV trains and validates; the background that validates carries one of "
            "the two.",
            "Fig. 12, in a section of its own, trains on the same two masses with the background's drawn once, and for "
            "fewer epochs: its AUCs are others.",
            "The paper's significance ratio is from two histograms of different ranges, see Table 5; for the exact one "
            "every distinct score is a cut.",
        ),
    )


def _findings(rows: Sequence[Row], data: Mapping) -> Iterator[Finding]:
    """What the paper says of this table, from the seeds with which every row is finished."""
    rows = complete(rows, AFFINE_TABLE_4)
    if not rows:
        return
    pnn, balanced, affine = SETUPS
    yield Finding(
        "Affine minus pNN",
        "Mean AUC with full balance. The paper: affine conditioning interpolates better.",
        per_mass.contrast(rows, AFFINE_TABLE_4, [affine], [balanced]),
    )
    for mass in INTERPOLATED:
        yield Finding(
            f"Affine at {mass} GeV",
            "The same at an interpolated mass.",
            per_mass.contrast(rows, AFFINE_TABLE_4, [affine], [balanced], mass),
        )
    yield Finding(
        "Full balance",
        "Mean AUC of the pNN with full balance minus without.",
        per_mass.contrast(rows, AFFINE_TABLE_4, [balanced], [pnn]),
    )
    yield Finding(
        "Few events",
        f"{data['n_signal']['1500']:,} signal events at 1500 GeV and {data['n_signal']['500']:,} at 500 GeV train and "
        f"validate; the paper has {COUNTS[1500]:,} and {COUNTS[500]:,}. What a network does between the two depends on "
        "those few.",
    )
    seen, unseen = ([MASSES.index(mass) for mass in group] for group in (TRAINED, INTERPOLATED))
    spans = [
        f"{name}: {100 * np.mean([np.mean(np.take(row['auc'], group)) for row in rows if row['row'] == name]):.2f} %"
        for group in (seen, unseen)
        for name in SETUPS
    ]
    yield Finding(
        "Trained and interpolated masses",
        f"Mean AUC at the two trained masses: {', '.join(spans[:3])}. At the three interpolated ones: "
        f"{', '.join(spans[3:])}.",
    )
