"""A search in your own ntuples: a parametric network, its templates, upper limits and a pyhf workspace at each mass.

    python -m examples.own_ntuples events.root --out DIR

Change `Settings`, then what `main` does step by step. It is blind: observed are the expected events of the background.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import hist
import keras
import numpy as np
import pyhf
import uproot

import neos_tf
import neos_tf.plots
import pnn_tf
from examples.ntuples import Events, half, match_events, read_events, require_masses

LEAST = 1e-6  # of the events of a process, in a bin that has none or negative ones


class Settings(NamedTuple):
    """What is yours. Events are given as (tree, branch of the weight): expected events, of a signal of 1 pb."""

    columns: Sequence[str] = ("pt", "met", "mtt")  # branches that the network sees
    event: str = "event"  # branch of a number that is unique over all processes and masses
    label: str = "label"  # 1 for signal, 0 for background
    mass: str = "mass"  # of the signal, GeV; the background may have any number
    nominal: tuple[str, str] = ("nominal", "weight")
    variations: Mapping = {
        "jes": {"up": ("jes_up", "weight"), "down": ("jes_down", "weight")},  # measured and selected otherwise
        "btag": {"up": ("nominal", "weight_btag_up"), "down": ("nominal", "weight_btag_down")},  # weighted otherwise
    }
    cross_sections: Mapping = {"xsec": {"hi": 1.06, "lo": 0.94}}  # of the background
    masses: Sequence[float] = (500.0, 750.0, 1000.0)  # GeV, to set limits at
    shares: Sequence[float] = (0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998)  # of background below each inner edge
    n_least: float = 10  # simulated background events, in effect, above the last edge; edges with fewer are left out
    largest: float = 500.0  # pb, where the search for a limit ends
    units: Sequence[int] = (128, 64, 32)
    epochs: int = 20
    seed: int = 1


def main(arguments: Sequence[str] | None = None, settings: Settings | None = None) -> dict[float, neos_tf.UpperLimit]:
    """Limits by mass, in pb."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", help="ROOT files, each with all trees")
    parser.add_argument("--out", type=Path, required=True, help="folder for limits, workspaces and the network")
    parser.add_argument("--histograms", action="store_true", help="write the templates as histograms of ROOT, too")
    given, settings = parser.parse_args(arguments), settings or Settings()
    given.out.mkdir(parents=True, exist_ok=True)

    events = match_events(read_all(given.files, settings))
    train = half(events["nominal"], 0)
    test = {name: half(varied, 1) for name, varied in events.items()}
    require_masses(train, test["nominal"], settings.masses)
    train = train.select(train.weight > 0)  # negative weights are in the templates alone
    network = train_network(train, settings)
    pnn_tf.export_savedmodel(network, given.out / "network", theta_names=["mass"], theta_units=["GeV"])

    background, limits = train.select(train.label == 0), {}
    shares = shares_with_events(background.weight, settings)
    model = neos_tf.TemplateModel.from_spec(specification(settings), n_bins=len(shares) + 1)
    print("Upper limits on the cross-section, pb, if there is no signal: median and 68 %")
    for mass in settings.masses:
        score = pnn_tf.predict_scores(network, background.features, mass)
        edges = neos_tf.quantile_edges(score, shares, background.weight)
        likelihood = model.bind(templates(network, test, mass, edges))
        limits[mass] = limit = neos_tf.upper_limit(likelihood)
        _, low, median, high, _ = limit.expected.numpy()
        text = f"{median:.3g} ({low:.3g} to {high:.3g})" if limit.converged else "not found, and not drawn"
        print(f"{mass:8g} GeV {text}")
        write_workspace(likelihood, given.out / f"workspace_{mass:g}.json")
        if given.histograms:
            write_histograms(likelihood, edges, given.out / f"templates_{mass:g}.root")

    found = [mass for mass in settings.masses if limits[mass].converged]
    if len(found) > 1:
        labels = {"label": "mass (GeV)", "ylabel": "upper limit on the cross-section (pb)"}
        figure = neos_tf.plots.limits(found, [limits[mass] for mass in found], observed=False, **labels)
        figure.savefig(given.out / "limits.pdf")
    return limits


def read_all(files: Sequence[str], settings: Settings) -> dict[str, Events]:
    """The nominal and the varied events, such as "jes_up"."""
    sources = {"nominal": settings.nominal}
    for name, sides in settings.variations.items():
        if set(sides) != {"up", "down"}:
            raise ValueError(
                f"Expected variation {name!r} up and down. Received: {', '.join(sides) or 'none'}. Give the nominal "
                "for a side that there is not."
            )
        sources |= {f"{name}_{side}": source for side, source in sides.items()}
    keys = settings.event, settings.label, settings.mass
    return {
        name: read_events(files, tree, (*keys, weight, *settings.columns)) for name, (tree, weight) in sources.items()
    }


def train_network(events: Events, settings: Settings) -> keras.Model:
    """A parametric network on cross-entropy."""
    masses = np.unique(events.mass[events.label == 1])
    network = pnn_tf.parametric_network(
        len(settings.columns),
        units=settings.units,
        theta_scale=masses.max(),
        theta_points=masses,
        feature_mean=events.features.mean(axis=0, dtype=np.float64),
        feature_variance=events.features.var(axis=0, dtype=np.float64),
        feature_names=settings.columns,
        seed=settings.seed,
    )
    options = {"weight": events.weight, "background_theta": pnn_tf.Identical(masses), "seed": settings.seed}
    batches = pnn_tf.balanced_batches(events.features, events.mass, events.label, **options)
    steps = batches.steps_per_epoch
    network.compile("adam", "binary_crossentropy")
    network.fit(batches.dataset, steps_per_epoch=steps, epochs=settings.epochs, shuffle=False, verbose=0)
    return network


def shares_with_events(weight: np.ndarray, settings: Settings) -> list[float]:
    """Those of Settings.shares that leave enough simulated events above them."""
    n_effective = weight.sum() ** 2 / (weight**2).sum()
    shares = [share for share in settings.shares if (1 - share) * n_effective >= settings.n_least]
    if left_out := settings.shares[len(shares) :]:
        print(f"The last {len(left_out)} bins are merged: below {settings.n_least:g} background events, in effect.")
    return shares


def specification(settings: Settings) -> dict:
    """The pyhf model, with names of templates in place of numbers."""

    def shape(name, variation):
        data = {"hi_data": f"{name}_{variation}_up", "lo_data": f"{name}_{variation}_down"}
        return {"name": variation, "type": "histosys", "data": data}

    def sample(name, *modifiers):
        shapes = [shape(name, variation) for variation in settings.variations]
        statistics = {"name": "simulation", "type": "staterror", "data": f"{name}_error"}
        return {"name": name, "data": name, "modifiers": [*modifiers, *shapes, statistics]}

    mu = {"name": "mu", "type": "normfactor", "data": None}
    factors = [{"name": name, "type": "normsys", "data": data} for name, data in settings.cross_sections.items()]
    channel = {"name": "score", "samples": [sample("signal", mu), sample("background", *factors)]}
    return {"channels": [channel], "parameters": [{"name": "mu", "bounds": [[0.0, settings.largest]], "inits": [1.0]}]}


def templates(network: keras.Model, events: Mapping[str, Events], mass: float, edges: np.ndarray) -> dict:
    """Histograms of the score at one mass, by name: both processes, nominal with its errors, and varied."""
    found = {}
    for process in ("signal", "background"):
        empty = {}
        for variation, own in events.items():
            part = own.select(own.of(mass) if process == "signal" else own.label == 0)
            score = pnn_tf.predict_scores(network, part.features, mass)
            counts = neos_tf.hard_histogram(score, edges, part.weight, outside="fold").numpy()
            name = f"{process}_{variation}"
            if variation == "nominal":
                name, least = process, LEAST * np.abs(part.weight).sum()
                squares = neos_tf.hard_histogram(score, edges, part.weight**2, outside="fold").numpy()
                found[f"{process}_error"] = np.maximum(np.sqrt(squares), least)
            if (counts < least).any():
                empty[variation] = np.flatnonzero(counts < least).tolist()
            found[name] = np.maximum(counts, least)
        if empty:
            print(f"{mass:8g} GeV {process}: no or negative events, raised to {least:.1g}, in bins {empty}")
    return found


def write_workspace(likelihood: neos_tf.Likelihood, path: Path) -> None:
    """As JSON, held against pyhf's schema."""
    model = likelihood.model
    without_signal = np.where(np.arange(len(model.initial)) == model.poi_index, 0.0, model.initial)
    workspace = likelihood.workspace(likelihood.expected_data(without_signal, include_auxdata=False))
    path.write_text(json.dumps(pyhf.Workspace(workspace), indent=1))


def write_histograms(likelihood: neos_tf.Likelihood, edges: np.ndarray, path: Path) -> None:
    """Histograms of hist, in a ROOT file."""
    with uproot.recreate(path) as file:
        for name, histogram in likelihood.histograms(edges).items():
            file[name] = hist.Hist(histogram)


if __name__ == "__main__":
    main()
