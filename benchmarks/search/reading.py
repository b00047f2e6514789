"""What the record of the search says: its tables and claims."""

from collections.abc import Iterator, Mapping

import numpy as np

from benchmarks.claims import Claim, Estimate, Missing, above, below, over_trainings, within
from benchmarks.search.networks import CROSS_ENTROPY, LIMIT_TRAINED, TRAININGS
from benchmarks.simulation.top_pairs import TEST_MASSES
from benchmarks.tables import Cell, Table, pick, table_of

CHECKS, INJECTION, IMPORTANCE = "pyhf and coverage", "a signal at 850 GeV", "importance"  # rows beside the trainings
TRIALS = "trials of "  # beginning of the names of rows
COMPARED = (CROSS_ENTROPY, LIMIT_TRAINED)
INJECTED_MASS, INJECTED = 850.0, 7.0  # GeV, pb
SCALE_MASS = 1000.0  # GeV, at which the effect of the jet energy scale is looked at


def medians(rows, name: str, field: str = "expected") -> dict[float, dict[int, float]]:
    """By mass, and by seed, the median limit of a training, pb, or another field; without what did not converge."""
    found: dict[float, dict[int, float]] = {}
    for row in pick(rows, row=name):
        for mass, value in zip(row["masses"], row[field], strict=True):
            of_seed = {} if value is None else {row["seed"]: value[2] if field == "expected" else value}
            found.setdefault(mass, {}).update(of_seed)
    return found


def trainings(rows) -> list[str]:
    """Those that a record has."""
    return [name for name in TRAININGS if any(row["row"] == name for row in rows)]


def tables(record: Mapping) -> Iterator[Table]:
    rows = record["rows"]
    there = trainings(rows)

    def over_masses(name, field, factor=1.0):
        return {f"{mass:g}": cell(values, factor) for mass, values in medians(rows, name, field).items()}

    for caption, field, factor, decimals in QUANTITIES if there else ():
        lines = {name: over_masses(name, field, factor) for name in there}
        yield table_of(caption, "training", lines, decimals=decimals)
    known = {"as it is": "without_statistics", "scale known": "without_scale", "all known": "without_systematics"}
    both = [name for name in COMPARED if name in there]
    if both:
        yield table_of(
            "What systematic uncertainties cost without that of the simulation: median expected limits, pb.",
            "training, what is known",
            {f"{name}, {what}": over_masses(name, field) for name in both for what, field in known.items()},
            decimals=3,
        )
    trials = [row for row in rows if row["row"].startswith(TRIALS)]
    if trials:
        yield table_of(
            "Trials that settings were chosen by: mean logarithm of the limits at the training masses, on training "
            "events that were held out.",
            "training, setting",
            {
                f"{row['row'].removeprefix(TRIALS)}, {row['setting']} {', '.join(map('{:g}'.format, row['values']))}": {
                    f"value {i + 1}": Cell(np.nan if mean is None else mean)
                    for i, mean in enumerate(row["mean_log_limit"])
                }
                for row in trials
            },
            decimals=3,
        )


QUANTITIES = (  # caption, field, factor, decimals
    (
        "Median expected upper limit on the cross-section of the resonance, pb, at each mass in GeV: mean over {seeds} "
        "± standard deviation, on the same test events.",
        *("expected", 1.0, 3),
    ),
    ("The same, if the simulation had no end.", "without_statistics", 1.0, 3),
    (
        "Uncertainty of the jet energy scale after a fit to the background, in per cent of that before, which is 3 %.",
        *("sigma_scale", 100.0, 0),
    ),
    ("AUC at each mass, per cent.", "auc", 100.0, 2),
)


def cell(values: Mapping[int, float], factor: float = 1.0) -> Cell:
    """Mean and standard deviation over seeds; a dash for none."""
    numbers = factor * np.array(list(values.values()))
    if not len(numbers):
        return Cell(np.nan)
    return Cell(float(numbers.mean()), float(numbers.std(ddof=1)) if len(numbers) > 1 else None)


def gap(statement: str, name: str, of: str, criterion, masses=None, **keywords) -> Claim:
    """By how many per cent the limit of a training is above that of another, on average over masses or at each.

    Missing where one of them has no limit at a mass that is asked for.
    """

    def measure(rows):
        first, second = medians(rows, name), medians(rows, of)
        by_mass = {
            mass: {
                seed: 100 * np.log(limit / second[mass][seed]) for seed, limit in found.items() if seed in second[mass]
            }
            for mass, found in first.items()
            if masses is None or mass in masses
        }
        if without := [f"{mass:g} GeV" for mass, values in by_mass.items() if not values]:
            raise Missing(f"no limits at {', '.join(without)}")
        if masses is not None:
            return {f"{mass:g} GeV": over_trainings(list(values.values())) for mass, values in by_mass.items()}
        seeds = set.intersection(*(set(values) for values in by_mass.values()))
        return over_trainings([np.mean([values[seed] for values in by_mass.values()]) for seed in sorted(seeds)])

    return Claim(statement, measure, criterion, unit="%", ours=True, decimals=1, **keywords)


def read_off(statement: str, row: str, value, criterion, **keywords) -> Claim:
    """A number, or several by name, of one of the checks."""

    def measure(rows):
        return value(pick(rows, row=row)[0])

    return Claim(statement, measure, criterion, ours=True, chance=False, **keywords)


def agreement(row) -> dict[str, Estimate]:
    if None in row["pyhf"].values():
        raise Missing("a limit did not converge")
    return {f"{mass} GeV": Estimate(1e6 * value) for mass, value in row["pyhf"].items()}


def covered(row) -> dict[str, Estimate]:
    error = 100 * np.sqrt(0.05 * 0.95 / row["n_toys"])
    return {f"{mass} GeV": Estimate(100 * share, error) for mass, share in row["coverage"].items()}


def found_at(row) -> dict[str, Estimate]:
    """Significance at the mass that is injected, which scatters by 1 from one pseudo experiment to another."""
    place = row["masses"].index(INJECTED_MASS)
    return {name: Estimate(row[name]["significance"][place], 1.0) for name in COMPARED}


CLAIMS = (
    gap(
        "Trained on the limit itself, the network excludes more on average over all masses",
        CROSS_ENTROPY,
        LIMIT_TRAINED,
        above(0),
    ),
    gap(
        "It does at every mass",
        CROSS_ENTROPY,
        LIMIT_TRAINED,
        above(0),
        masses=TEST_MASSES,
    ),
    gap(
        "It does at 500 GeV, where uncertainties are larger than the statistical one",
        CROSS_ENTROPY,
        LIMIT_TRAINED,
        above(0),
        masses=(500.0,),
    ),
    gap(
        "Trained on the limit from scratch, it excludes as much as after cross-entropy",
        "limit from scratch",
        LIMIT_TRAINED,
        within(2.0),
    ),
    gap("INFERNO's variance is as good a loss as the limit", "variance (INFERNO)", LIMIT_TRAINED, within(2.0)),
    gap(
        "INFERNO's variance excludes less than the limit at high masses",
        "variance (INFERNO)",
        LIMIT_TRAINED,
        above(0),
        masses=(1250.0, 1375.0, 1500.0),
    ),
    gap("Augmentation with the variations helps", CROSS_ENTROPY, "augmented", above(0)),
    gap("To be told the jet energy scale helps", CROSS_ENTROPY, "told the scale", above(0)),
    gap("To be decorrelated from the jet energy scale helps", CROSS_ENTROPY, "decorrelated", above(0)),
    read_off(
        "pyhf has the same limits on the workspaces: relative difference",
        CHECKS,
        agreement,
        below(1.0),
        unit="1e-6",
        decimals=3,
    ),
    read_off("The 95 % limit excludes what is there in 5 % of pseudo-experiments", CHECKS, covered, within(2.0, 5.0)),
    read_off(
        f"A signal of {INJECTED:g} pb at {INJECTED_MASS:g} GeV, which no training has seen, is found: standard "
        "deviations",
        INJECTION,
        found_at,
        above(3.0),
        unit="",
    ),
)
