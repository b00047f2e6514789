"""Distributions of features for background and each mass: what Figs. 4 (top), 5 and 6 of PNN draw."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict

import numpy as np

from benchmarks.data.events import Events
from benchmarks.data.hepmass_like import read_recipe
from benchmarks.style import INK, MASS_COLOURS

N_BINS = 50
SHOWN = (0.002, 0.99)  # quantiles between which bins are laid
FEW = 20  # a feature with at most so many values has one bin each
M_WWBB = "m_wwbb"  # the feature that is the reconstructed mass
# Its mean and standard deviation in HEPMASS before standardisation, GeV. The official files do not have them: these are
# of 140 000 events, printed at github.com/angarmin/hepmass.
HEPMASS_M_WWBB = (1005.874941, 560.295364)
IN_GEV = ("_pt", "met", "m_jj", "m_jjj", "m_lv", "m_jlv", "m_wwbb")  # ends of names


class Distribution(TypedDict):
    """Shares of the events in each bin, [0, 1]; those outside the edges are in none.

    `signal` has a list for each of `masses`, GeV.
    """

    feature: str
    edges: list[float]
    masses: list[float]
    background: list[float]
    signal: list[list[float]]


def physical(events: Events, sample: str) -> Events:
    """The events with features in GeV, radians and counts where the constants are known, else as they are."""
    if sample != "hepmass-like":
        return events
    recipe = read_recipe()
    features = events.features.astype(np.float64) * recipe["std"] + recipe["mean"]
    whole = [i for i, name in enumerate(events.names) if name == "n_jets" or name.endswith("btag")]
    features[:, whole] = features[:, whole].round()
    return replace(events, features=features)


def reconstructed_mass(events: Events, sample: str) -> np.ndarray:
    """(n_events,) in GeV."""
    values = physical(events, sample).features[:, events.names.index(M_WWBB)]
    mean, std = (0.0, 1.0) if sample == "hepmass-like" else HEPMASS_M_WWBB
    return values * std + mean


def axis_label(feature: str, in_units: bool) -> str:
    """A feature with what it is measured in.

    >>> axis_label("met", True), axis_label("n_jets", True), axis_label("met_phi", False)
    ('met (GeV)', 'n_jets', 'met_phi (standardised)')
    """
    gev_or_rad = "GeV" if feature.endswith(IN_GEV) else "rad" if feature.endswith("phi") else ""
    unit = gev_or_rad if in_units else "standardised"
    return f"{feature} ({unit})" if unit else feature


def distribution(events: Events, feature: str, edges: np.ndarray) -> Distribution:
    """Of one feature, in the bins given by (n_bins + 1,) edges in its unit."""
    values = events.features[:, events.names.index(feature)]
    masses = events.hypotheses[:, 0].tolist()
    parts = [values[events.label == 0]]
    parts += [values[(events.label == 1) & (events.theta[:, 0] == mass)] for mass in masses]
    background, *signal = (
        [float(f"{share:.4g}") for share in np.histogram(part, edges)[0] / len(part)] for part in parts
    )
    edges = [float(f"{edge:.6g}") for edge in edges]
    return Distribution(feature=feature, edges=edges, masses=masses, background=background, signal=signal)


def bin_edges(values: np.ndarray) -> np.ndarray:
    """Edges of N_BINS equal bins over the bulk of the values, or midway between the values where these are few."""
    distinct = np.unique(values[:100_000])
    if len(distinct) <= FEW:
        middle = (distinct[1:] + distinct[:-1]) / 2
        return np.concatenate([[2 * distinct[0] - middle[0]], middle, [2 * distinct[-1] - middle[-1]]])
    return np.linspace(*np.quantile(values, SHOWN), N_BINS + 1)


def separation(found: Distribution, mass: float) -> float:
    """Half the summed difference of the shares: the largest efficiency minus background efficiency of any selection.

    Only bins count; 0 for equal shapes, 1 for shapes that do not overlap.
    """
    signal = found["signal"][found["masses"].index(mass)]
    inside = np.abs(np.array(signal) - found["background"]).sum()
    outside = abs(sum(signal) - sum(found["background"]))
    return float(inside + outside) / 2


def draw(axes, found: Distribution, masses: Sequence[float], in_units: bool) -> None:
    """Background filled, the signal of some masses (GeV) as lines; per bin, as shares of the events of each."""
    edges = found["edges"]
    axes.stairs(found["background"], edges, fill=True, color=INK, alpha=0.2, label="background")
    for mass in masses:
        signal = found["signal"][found["masses"].index(mass)]
        axes.stairs(signal, edges, color=MASS_COLOURS[int(mass)], lw=1.5, label=f"signal, {mass:g} GeV")
    axes.set_xlabel(axis_label(found["feature"], in_units))
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
