"""The search: what each training excludes at every mass, what it rests on, and whether the limits are right."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from benchmarks.experiment import Experiment
from benchmarks.search import findings, reading
from benchmarks.search.events import Sample, Samples, load_samples
from benchmarks.search.figures import figures
from benchmarks.search.measurement import make_templates
from benchmarks.search.networks import LIMIT_TRAINED, TRAININGS, Settings, trained
from benchmarks.search.reading import (
    CHECKS,
    COMPARED,
    IMPORTANCE,
    INJECTED,
    INJECTED_MASS,
    INJECTION,
    SCALE_MASS,
    TRIALS,
)

COVERED = (750.0, 1250.0)  # GeV
PYHF_MASSES = (500.0, 850.0, 1500.0)  # GeV


@dataclass(frozen=True)
class Config(Settings):
    """Settings of the trainings, and how much is looked at.

    Args:
        every: take every so many of the collisions alone.
        n_toys: pseudo-experiments for the coverage.
        n_events_importance: background events that importance is averaged over.
        trials: make the trials that settings were chosen by.
    """

    every: int = 1
    n_toys: int = 2000
    n_events_importance: int = 10_000
    trials: bool = True

    @property
    def settings(self) -> Settings:
        return Settings(**{field.name: getattr(self, field.name) for field in fields(Settings)})


def once(config: Config) -> list[str]:
    trials = [f"{TRIALS}{name}" for name in TRAININGS] if config.trials else []
    return [CHECKS, INJECTION, IMPORTANCE, *trials]


def make_row(config: Config, samples: Samples, name: str, seed: int, display) -> dict:
    """One training: its expected limits at every mass, in pb, and what they would be if more were known.

    Fields are lists over `masses` in GeV, as those of `findings.Limits`; None where a fit did not converge. Other rows
    are the checks.
    """
    if name in TRAININGS:
        return of_training(trained(name, samples.train, config.settings, seed), samples, display, name)
    if name.startswith(TRIALS):
        return of_trials(config, samples.train, name.removeprefix(TRIALS), seed, display)
    scorers = {}
    for each in COMPARED:
        scorers[each] = trained(each, samples.train, config.settings, seed)
        display.advance(0.3, f"{name}: {each}")
    of_check = {CHECKS: of_checks, INJECTION: of_injection, IMPORTANCE: of_importance}
    return of_check[name](config, samples, scorers, seed)


def of_training(score, samples, display, name) -> dict:
    found = []
    for mass in samples.test.masses:
        found.append(findings.limits(score, samples.train, samples.test, mass)._asdict())
        display.advance(0.5 / len(samples.test.masses), f"{name}, limit at {mass:g} GeV")
    return {"masses": samples.test.masses, **{field: [one[field] for one in found] for field in found[0]}}


def of_trials(config, train: Sample, name, seed, display) -> dict:
    """For each value, the mean logarithm of the limits at the training masses, on events held out of the training."""
    training = TRAININGS[name]
    part, held_out = train.split(0.3)
    means = []
    for value in training.values:
        settings = replace(config.settings, **{training.setting: value})
        score = trained(name, part, settings, seed)
        limits = [findings.limits(score, part, held_out, mass).expected for mass in train.masses]
        means.append(float(np.mean(np.log([limit[2] for limit in limits]))) if all(limits) else None)
        display.advance(1 / len(training.values), f"trials of {name}: {training.setting} = {value:g}")
    return {"setting": training.setting, "values": list(training.values), "mean_log_limit": means}


def of_checks(config, samples, scorers, seed) -> dict:
    def likelihood(mass):
        return make_templates(scorers[LIMIT_TRAINED], samples.train, samples.test, mass).likelihood

    return {
        "pyhf": {f"{mass:g}": findings.difference_from_pyhf(likelihood(mass)) for mass in PYHF_MASSES},
        "coverage": {f"{mass:g}": findings.coverage(likelihood(mass), config.n_toys, seed) for mass in COVERED},
        "n_toys": config.n_toys,
    }


def of_injection(config, samples, scorers, seed) -> dict:
    counts = findings.draw_counts(samples.test, INJECTED_MASS, INJECTED, seed)
    row = {"masses": samples.test.masses, "cross_section": INJECTED}
    for name, score in scorers.items():
        scan = findings.injected(score, samples.train, samples.test, counts, INJECTED)
        row[name] = {field: np.asarray(values).tolist() for field, values in scan._asdict().items()}
    return row


def of_importance(config, samples, scorers, seed) -> dict:
    row = {"masses": samples.test.masses, "features": {}, "to_scale": {}}
    for name, score in scorers.items():
        over_mass = findings.importance(score, samples.test, config.n_events_importance)
        row["features"][name] = [
            {one.feature: float(one.mean) for one in of_mass.ranking(20)} for of_mass in over_mass.importances
        ]
        to_scale = findings.importance_to_scale(score, samples.test, SCALE_MASS, config.n_events_importance)
        row["to_scale"][name] = {one.feature: one.contribution for one in to_scale.ranking()}
    return row


def line(row: Mapping) -> str:
    """What a log says of a finished row."""
    if "expected" in row:
        return ", ".join(
            f"{mass:g} GeV " + ("not converged" if limit is None else f"{limit[2]:.3g} pb")
            for mass, limit in zip(row["masses"], row["expected"], strict=True)
        )
    if "values" in row:
        means = ("not converged" if mean is None else f"{mean:.3f}" for mean in row["mean_log_limit"])
        tried = zip(row["values"], means, strict=True)
        return f"{row['setting']} " + ", ".join(f"{value:g}: {mean}" for value, mean in tried)
    return ", ".join(f"{name} {value}" for name, value in row.get("coverage", {}).items()) or "done"


EXPERIMENT = Experiment(
    id="search-limits",
    where="a resonance of unknown mass",
    summary="A search for a resonance in top pairs with systematic uncertainties: limits of seven trainings",
    introduction=(
        "One affine network of 27 features and the mass, trained in seven ways, searches for a resonance between 500 "
        "and 1500 GeV in top pairs of 1/fb at 13 TeV, with uncertainties of jet energy scale (3 %), jet energy "
        "resolution (10 %), soft missing momentum (2 GeV), b-tag (5, 10 and 30 % for b, c and light jets), "
        "cross-section (4.8 and 5.5 %) and the number of simulated events. It is trained at 500, 750, 1000, 1250 and "
        "1500 GeV, and measures at these and at masses between that no training has seen, on other collisions "
        "({data[name]}; {seeds}). The score is binned in fixed shares of the training background. Limits are those of "
        "CLs at 95 %."
    ),
    scales={
        "smoke": Config(
            units=(16, 8),
            epochs=1,
            epochs_augmented=1,
            epochs_told=1,
            steps=2,
            steps_from_scratch=2,
            sample_batch=200,
            every=16,
            n_toys=20,
            n_events_importance=500,
            trials=False,
        ),
        "embedded": Config(),
        "paper": Config(),
    },
    load=lambda config: load_samples(config.every),
    names=lambda config: tuple(TRAININGS),
    once=once,
    make_row=make_row,
    line=line,
    tables=reading.tables,
    figures=figures,
    claims=reading.CLAIMS,
    departures=(
        "The network that is told the jet energy scale is shown the nominal one in the measurement: a histogram that "
        "changes with the fitted scale has no place in a pyhf model.",
        "Training on the measurement leaves out the uncertainty of the number of simulated events: a batch is a part.",
    ),
    ours=True,
)
