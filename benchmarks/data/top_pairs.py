"""Top-pair events of a search, measured by any detector when they are read: the embedded particle level.

The file holds simulated collisions, thinned out (`benchmarks.simulation.thinning`), as a perfect detector would see
them. To read them is to measure them: features, selection and event weights follow from the detector that is asked for,
with the same random numbers for the same object, so that a systematic variation has the same events, one by one.

An event takes about 39 bytes. Momenta and masses are stored in steps of their logarithm (0.5 and 3 %), angles in steps
of 0.01: far below what the detector resolves.
"""

import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.data import storage
from benchmarks.data.events import Events
from benchmarks.data.hepmass import FEATURE_NAMES, PROCESS_NAMES
from benchmarks.data.hepmass_like import COMMAND, EMBEDDED
from benchmarks.simulation.detector import Detector, Measured, leading_two, selected, smear, tag_probability, two_tags
from benchmarks.simulation.particles import N_JETS, ParticleLevel
from benchmarks.simulation.reconstruction import features

RECIPE = "top_pairs.json"

# Top pairs at 13 TeV, NNLO + NNLL for a top mass of 172.5 GeV (Czakon and Mitov 2014, as recommended by the LHC top
# working group), pb; the errors add scale and parton densities with alpha_s in quadrature.
CROSS_SECTION = 831.76
CROSS_SECTION_UP, CROSS_SECTION_DOWN = np.hypot(19.77, 35.06), np.hypot(29.20, 35.06)
# One W to e or mu, the other to quarks; branching fractions of the Particle Data Group.
LEPTON_AND_JETS = 2 * (0.1071 + 0.1063) * 0.6741

NOMINAL = Detector()


def _jets(scale: float) -> Detector:
    return replace(NOMINAL, jet_scale=tuple(scale * number for number in NOMINAL.jet_scale))


def _resolution(scale: float) -> Detector:
    return replace(NOMINAL, jet_resolution=tuple(scale * number for number in NOMINAL.jet_resolution))


def _tags(b: float, c: float, light: float) -> Detector:
    return replace(
        NOMINAL,
        b_efficiency=tuple(b * number for number in NOMINAL.b_efficiency),
        c_efficiency=tuple(c * number for number in NOMINAL.c_efficiency),
        light_efficiency=light * NOMINAL.light_efficiency,
    )


# One standard deviation each: the jet energy scale by 3 %, its resolution by 10 %, the soft missing momentum by 2 GeV,
# the b-tag by 5 % for b, 10 % for c and 30 % for light jets, together.
DETECTORS = {
    "jes_up": _jets(1.03),
    "jes_down": _jets(0.97),
    "jer_up": _resolution(1.1),
    "jer_down": _resolution(0.9),
    "soft_met_up": replace(NOMINAL, soft_met=12.0),
    "soft_met_down": replace(NOMINAL, soft_met=8.0),
}
TAGGERS = {"btag_up": _tags(1.05, 1.1, 1.3), "btag_down": _tags(0.95, 0.9, 0.7)}
CROSS_SECTIONS = {"xsec_up": 1 + CROSS_SECTION_UP / CROSS_SECTION, "xsec_down": 1 - CROSS_SECTION_DOWN / CROSS_SECTION}
VARIATIONS = (*DETECTORS, *TAGGERS, *CROSS_SECTIONS)


@dataclass(frozen=True)
class Collisions:
    """Stored events of one split.

    Args:
        particles: the particle level.
        n_collisions: (n_events,) how many collisions each stands for.
        per_pb: (n_events,) expected collisions, for one event of cross-section x luminosity, that one stands for.
    """

    particles: ParticleLevel
    n_collisions: np.ndarray
    per_pb: np.ndarray

    def every(self, n: int) -> "Collisions":
        """Every n-th event, which stands for n."""
        rows = slice(None, None, n)
        return Collisions(self.particles.select(rows), n * self.n_collisions[rows], self.per_pb[rows])


def load_top_pairs(
    split: str = "train",
    variation: str | Detector | None = None,
    *,
    masses: tuple[float, ...] | None = None,
    luminosity: float = 1.0,
    every: int = 1,
    seed: int = 0,
    folder: Path = EMBEDDED,
) -> Events:
    """SM top pairs, and resonances that decay to them, as one detector measures them.

    Whatever the variation, row by row the events are the same collisions; one that is not selected has weight 0. The
    weights are expected events, of a resonance with a cross-section of 1 pb, so that their sum changes with the
    acceptance. They contain the probability to have two b-tags.

    Args:
        split: "train" or "test"; they share no collision.
        variation: one of `VARIATIONS`, one standard deviation of a systematic uncertainty; or a detector; None for the
            nominal one. That of the b-tag changes weights alone, that of the cross-section those of SM top pairs.
        masses: of the resonance, GeV; all that the split has if None.
        luminosity: in 1/fb.
        every: measure every so many of the collisions alone, which then stand for all.
        seed: of the measurement.
        folder: where the files are.

    Returns:
        Events with the 27 features of HEPMASS, in GeV and radians. SM top pairs have a mass drawn from `masses`.

    Raises:
        FileNotFoundError: the files are not there.
        ValueError: an unknown split, variation or mass; a luminosity that is not positive; a damaged file.
    """
    recipe = read_top_pairs_recipe(folder)
    if split not in recipe["files"]:
        raise ValueError(f"Expected split to be one of {tuple(recipe['files'])}. Received: split={split!r}.")
    if not (isinstance(variation, Detector) or variation in (None, *VARIATIONS)):
        raise ValueError(f"Expected variation to be one of {VARIATIONS}, a Detector or None. Received: {variation!r}.")
    if not 0 < luminosity < np.inf:
        raise ValueError(f"Expected a luminosity above 0, in 1/fb. Received: luminosity={luminosity}.")
    there = tuple(float(mass) for mass in recipe["files"][split]["n_signal"])
    masses = there if masses is None else tuple(map(float, np.atleast_1d(masses)))
    if unknown := set(masses) - set(there):
        raise ValueError(f"Expected masses of {split!r} among {there} GeV. Received: {sorted(unknown)}.")
    collisions = _read(folder, split).every(every)
    detector = DETECTORS.get(variation, variation if isinstance(variation, Detector) else NOMINAL)
    x, weight = _measure(collisions, detector, TAGGERS.get(variation), seed)
    mass = collisions.particles.mass
    background = mass == 0
    weight *= 1000 * luminosity * np.where(background, CROSS_SECTION, 1.0) * LEPTON_AND_JETS
    weight[background] *= CROSS_SECTIONS.get(variation, 1.0)
    theta = np.where(background, np.random.default_rng([seed, 3]).choice(masses, len(mass)), mass)
    events = Events(x, theta, ~background, weight, names=FEATURE_NAMES, process_names=PROCESS_NAMES)
    return events.select(background | np.isin(mass, masses))


def read_top_pairs_recipe(folder: Path = EMBEDDED) -> dict:
    """How the collisions were made: settings, counts and checksums; FileNotFoundError if they are not there."""
    path = folder / RECIPE
    if not path.exists():
        raise FileNotFoundError(f"The top-pair events lack {path}. Make them with `{COMMAND}`.")
    return json.loads(path.read_text())


def write_top_pairs(splits: dict[str, Collisions], settings: dict, folder: Path = EMBEDDED) -> dict:
    """Write the collisions and the recipe.

    Args:
        splits: by name, such as "train".
        settings: what the simulation was told, to be kept in the recipe.
        folder: where to; files there are replaced.

    Returns:
        The recipe, as `read_top_pairs_recipe` will return it.
    """
    recipe = {"what": "simulated top pairs at particle level, thinned out", "settings": settings, "files": {}}
    for split, collisions in splits.items():
        path = folder / f"top_pairs_{split}.parquet"
        with storage.write_whole(path) as temporary:
            pq.write_table(_encode(collisions), temporary, compression="brotli", compression_level=9, version="2.6")
        mass = collisions.particles.mass
        recipe["files"][split] = {
            "name": path.name,
            "n_bytes": path.stat().st_size,
            "sha256": storage.checksum(path),
            "n_background": int(np.count_nonzero(mass == 0)),
            "n_signal": {f"{value:g}": int(np.count_nonzero(mass == value)) for value in np.unique(mass[mass > 0])},
            "per_pb": {f"{value:g}": float(collisions.per_pb[mass == value][0]) for value in np.unique(mass)},
        }
    with storage.write_whole(folder / RECIPE) as temporary:
        temporary.write_text(json.dumps(recipe, indent=1) + "\n")
    return recipe


def _measure(collisions, detector, tagger, seed):
    """Features of all events, and weights: 0 where one is not selected, with the tags of `tagger` if there is one."""
    particles = collisions.particles
    objects = smear(particles, detector, np.random.default_rng([seed, 0]))
    probability = tag_probability(objects, detector)
    uniform = np.random.default_rng([seed, 1]).random(probability.shape)
    tag = tags_given_two(probability, np.take_along_axis(uniform, objects.order, axis=1))
    everything = np.arange(len(particles))
    measured = Measured(objects.lepton, objects.met, objects.jets, leading_two(tag), everything)
    x = features(measured, np.random.default_rng([seed, 2]))
    weight = np.where(selected(objects, particles.isolation, detector), two_tags(probability), 0.0)
    weight = weight * collisions.n_collisions * collisions.per_pb
    if tagger is not None:
        weight *= _tag_weight(probability, tag_probability(objects, tagger), tag)
    return x, weight


def tags_given_two(probability: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Tags (n_events, n_jets) given that there are at least two, jet by jet; the same random number is the same jet's.

    Args:
        probability: (n_events, n_jets) of each jet to be tagged.
        uniform: (n_events, n_jets) in [0, 1).
    """
    n_events, n_jets = probability.shape
    enough = np.zeros((n_jets + 1, 3, n_events))  # probability that the jets from the k-th on have 0, 1, 2 tags or more
    enough[:, 0], none, one = 1.0, np.ones(n_events), np.zeros(n_events)
    for k in range(n_jets - 1, -1, -1):
        p = probability[:, k]
        none, one = none * (1 - p), one * (1 - p) + none * p
        enough[k, 1], enough[k, 2] = 1 - none, np.maximum(1 - none - one, 0)  # never -1e-17
    missing, rows = np.full(n_events, 2), np.arange(n_events)
    tag = np.zeros(probability.shape, bool)
    for k in range(n_jets):
        with_tag = probability[:, k] * enough[k + 1, np.maximum(missing - 1, 0), rows]
        either = enough[k, missing, rows]
        tag[:, k] = uniform[:, k] * either < with_tag
        missing -= tag[:, k] & (missing > 0)
    return tag


def _tag_weight(probability, other, tag):
    """(n_events,) how much more likely the tags (n_events, n_jets) are with other probabilities of the same shape."""
    ratio = np.where(tag, other / np.where(tag, probability, 1.0), (1 - other) / (1 - probability))
    return np.prod(ratio, axis=1)


MIN_PT, PT_STEP, ANGLE_STEP, MASS_STEP = 5.0, 0.005, 0.01, 0.03  # GeV; of logarithms, radians, logarithms


def _encode(collisions: Collisions) -> pa.Table:
    particles = collisions.particles
    columns = {
        "mass": particles.mass.astype(np.float16),
        "n_collisions": collisions.n_collisions.astype(np.float32),
        "met_x": np.round(particles.met[:, 0]).astype(np.int16),
        "met_y": np.round(particles.met[:, 1]).astype(np.int16),
    }
    objects = [("lepton", particles.lepton)]
    objects += [(f"jet{k}", particles.jets[:, k]) for k in range(N_JETS)]
    for name, values in objects:
        pt = np.log(np.maximum(values[:, 0], MIN_PT) / MIN_PT) / PT_STEP
        columns[f"{name}_pt"] = np.round(pt).astype(np.uint16)
        columns[f"{name}_eta"] = np.round(values[:, 1] / ANGLE_STEP).astype(np.int16)
        columns[f"{name}_phi"] = np.round(values[:, 2] / ANGLE_STEP).astype(np.int16)
    for k in range(N_JETS):
        columns[f"jet{k}_mass"] = np.round(np.log1p(particles.jets[:, k, 3]) / MASS_STEP).astype(np.uint8)
        columns[f"jet{k}_flavour"] = particles.jet_flavour[:, k]
    return pa.table(columns)


@lru_cache(maxsize=2)
def _read(folder: Path, split: str) -> Collisions:
    file = read_top_pairs_recipe(folder)["files"][split]
    path = folder / file["name"]
    if not path.exists() or storage.checksum(path) != file["sha256"]:
        raise ValueError(
            f"{path} is missing or damaged: its SHA-256 is not the one in {RECIPE}. Restore both from the repository, "
            f"or make them with `{COMMAND}`."
        )
    table = pq.read_table(path)
    stored = {name: table[name].to_numpy() for name in table.column_names}

    def momentum(name):
        pt = np.where(stored[f"{name}_pt"] > 0, MIN_PT * np.exp(PT_STEP * stored[f"{name}_pt"]), 0.0)
        return [pt, ANGLE_STEP * stored[f"{name}_eta"], ANGLE_STEP * stored[f"{name}_phi"]]

    jets = [
        np.stack([*momentum(f"jet{k}"), np.expm1(MASS_STEP * stored[f"jet{k}_mass"])], axis=1) for k in range(N_JETS)
    ]
    mass = stored["mass"].astype(np.float64)
    particles = ParticleLevel(
        lepton=np.stack(momentum("lepton"), axis=1),
        isolation=np.zeros(len(mass)),  # thinning has kept isolated leptons alone
        met=np.stack([stored["met_x"], stored["met_y"]], axis=1).astype(np.float64),
        jets=np.stack(jets, axis=1),
        jet_flavour=np.stack([stored[f"jet{k}_flavour"] for k in range(N_JETS)], axis=1),
        mass=mass,
    )
    per_pb = np.zeros(len(mass))
    for value, share in file["per_pb"].items():
        per_pb[mass == float(value)] = share
    return Collisions(particles, stored["n_collisions"].astype(np.float64), per_pb)
