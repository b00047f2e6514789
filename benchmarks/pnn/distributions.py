"""Distributions of features for background and each mass: what Figs. 4 (top), 5 and 6 of PNN draw."""

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.data.events import Events
from benchmarks.data.hepmass_like import physical
from benchmarks.style import INK, MASS_COLOURS

N_BINS = 50
SHOWN = (0.002, 0.99)  # quantiles between which bins are laid
FEW = 20  # a feature with at most so many values has one bin each
IN_GEV = ("_pt", "met", "m_jj", "m_jjj", "m_lv", "m_jlv", "m_wwbb")  # ends of names


def in_units(events: Events, feature: str, sample: str) -> np.ndarray:
    """(n_events,) a feature in GeV, radians or counts where the constants are known, else standardised, as it is."""
    if sample != "hepmass-like":
        return events.features[:, events.names.index(feature)]
    values = physical(events, feature).astype(np.float32)
    return values.round() if feature == "n_jets" or feature.endswith("btag") else values


def axis_label(feature: str, units: bool) -> str:
    """A feature with what it is measured in.

    >>> axis_label("met", True), axis_label("n_jets", True), axis_label("met_phi", True), axis_label("met_phi", False)
    ('met (GeV)', 'n_jets', 'met_phi (rad)', 'met_phi (standardised)')
    """
    gev_or_rad = "GeV" if feature.endswith(IN_GEV) else "rad" if feature.endswith("phi") else ""
    unit = gev_or_rad if units else "standardised"
    return f"{feature} ({unit})" if unit else feature


def distribution(events: Events, feature: str, sample: str) -> dict:
    """Shares of the background and of each mass (GeV) in bins of a feature; of all events, of which some lie outside.

    `feature` is its name, `edges` (n_bins + 1) are in its unit; `signal` has a list for each of `masses`.
    """
    values, masses = in_units(events, feature, sample), events.hypotheses[:, 0].tolist()
    edges, signal = bin_edges(values), events.label == 1
    parts = [values[~signal], *(values[signal & (events.theta[:, 0] == mass)] for mass in masses)]
    background, *signal = (
        [float(f"{share:.4g}") for share in np.histogram(part, edges)[0] / len(part)] for part in parts
    )
    edges = [float(f"{edge:.6g}") for edge in edges]
    return {"feature": feature, "edges": edges, "masses": masses, "background": background, "signal": signal}


def bin_edges(values: np.ndarray) -> np.ndarray:
    """Edges of N_BINS equal bins over the bulk of the values, or midway between the values where these are few."""
    distinct = np.unique(values[:100_000])
    if len(distinct) <= FEW:
        middle = (distinct[1:] + distinct[:-1]) / 2
        return np.concatenate([[2 * distinct[0] - middle[0]], middle, [2 * distinct[-1] - middle[-1]]])
    return np.linspace(*np.quantile(values, SHOWN), N_BINS + 1)


def draw(axes, found: Mapping, masses: Sequence[float], units: bool) -> None:
    """Draws a `distribution`: background filled, the signal of some masses (GeV) as lines."""
    edges = found["edges"]
    axes.stairs(found["background"], edges, fill=True, color=INK, alpha=0.2, label="background")
    for mass in masses:
        signal = found["signal"][found["masses"].index(mass)]
        axes.stairs(signal, edges, color=MASS_COLOURS[int(mass)], lw=1.5, label=f"signal, {mass:g} GeV")
    axes.set(xlabel=axis_label(found["feature"], units), ylim=(0, None))
    axes.grid(axis="y")
