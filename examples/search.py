"""A search for a resonance of unknown mass, from simulated events to limits, workspaces and a network that is served.

    python -m examples.search --out search

Two networks are compared: one trained to classify, and the same trained on after that on the expected limit itself,
with all systematic uncertainties. Whatever is finished is kept in the folder, and a run that was stopped goes on from
there. `search/search.html` shows it all. docs/search.md walks through it; `examples/own_ntuples.py` is a shorter one
for events of your own.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import pyhf
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

import neos_tf
import neos_tf.plots
import pnn_tf
from benchmarks.data import storage
from benchmarks.record import plain
from benchmarks.search import figures, findings
from benchmarks.search.events import Samples, load_samples
from benchmarks.search.limits import EXPERIMENT, of_importance, of_injection
from benchmarks.search.measurement import TAILS, Scorer, Templates, make_templates
from benchmarks.search.networks import CROSS_ENTROPY, LIMIT_TRAINED, trained
from benchmarks.search.reading import INJECTED, INJECTED_MASS
from benchmarks.style import style, to_svg

SHOWN = 1000.0  # GeV, the mass whose fit is looked at
NETWORKS = (CROSS_ENTROPY, LIMIT_TRAINED)


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("search"), help="folder of the results (default: search)")
    parser.add_argument("--scale", choices=("smoke", "embedded"), default="embedded", help="smoke: does it run?")
    parser.add_argument("--seed", type=int, default=42)
    options = parser.parse_args(arguments)
    config, out, console = EXPERIMENT.scales[options.scale], options.out, Console()
    out.mkdir(parents=True, exist_ok=True)

    console.print("1. Events, measured nominally and under eight variations of the detector")
    samples = load_samples(config.every)
    console.print(f"   {samples.data['name']}")
    events = {"events": samples.data["fingerprint"], "bins": TAILS}
    claim(out, plain({"scale": options.scale, "seed": options.seed, **events, **asdict(config)}))

    console.print("2. Networks: trained to classify, then on the expected limit")
    networks = {
        name: kept_network(
            out / f"{name}.keras", lambda name=name: trained(name, samples.train, config.settings, options.seed)
        )
        for name in NETWORKS
    }

    console.print("3. Histograms of test events at each mass, pyhf workspaces, expected limits")
    masses = samples.test.masses
    templates = {
        name: {mass: make_templates(network, samples.train, samples.test, mass) for mass in masses}
        for name, network in networks.items()
    }
    for name, of_masses in templates.items():
        for mass, of_mass in of_masses.items():
            write_workspace(of_mass, out / "workspaces" / f"{name}_{mass:g}.json")
    limits = {
        name: {mass: expected_limit(of_mass) for mass, of_mass in of_masses.items()}
        for name, of_masses in templates.items()
    }
    console.print(table_of_limits(limits, templates))

    console.print("4. A pseudo experiment with a resonance; what the networks rest on")
    injection = kept_json(out / "injection.json", lambda: of_injection(config, samples, networks, options.seed))
    importance = kept_json(out / "importance.json", lambda: of_importance(config, samples, networks, options.seed))

    console.print("5. Figures, and the network as a SavedModel")
    shown = templates[LIMIT_TRAINED][SHOWN]
    with style():
        drawn = {
            "limits": ("Expected upper limits on the cross-section", limit_figure(limits)),
            "templates": (f"Templates at {SHOWN:g} GeV and their variations", template_figure(shown)),
            **fit_figures(shown, limits[LIMIT_TRAINED][SHOWN]),
            "scan": (f"p-values of pseudo-data with {INJECTED:g} pb at {INJECTED_MASS:g} GeV", figures.scan(injection)),
            "importance": ("What the score rests on, against the mass", figures.importance(importance)),
            "to_scale": ("What a jet energy scale of +3 % does to the score", figures.to_scale(importance)),
        }
        (out / "figures").mkdir(exist_ok=True)
        for name, (_, figure) in drawn.items():
            figure.savefig(out / "figures" / f"{name}.png", dpi=130, transparent=False)
    write_page(out / "search.html", samples, drawn)
    grid = np.linspace(min(masses), max(masses), 41)
    network = networks[LIMIT_TRAINED].network
    pnn_tf.export_savedmodel(network, out / "served", theta_grid=grid, theta_names=["mass"], theta_units=["GeV"])
    console.print(
        f"{out / 'search.html'}\n{out / 'served'}: scores at any mass\n{out / 'workspaces'}: for pyhf, cabinetry"
    )


def claim(out: Path, settings: dict) -> None:
    """ValueError if the folder holds the results of other settings."""
    path = out / "settings.json"
    there = json.loads(path.read_text()) if path.exists() else settings
    if other := [name for name, value in settings.items() if there.get(name) != value]:
        wanted = ", ".join(f"{name} {settings[name]} instead of {there.get(name)}" for name in other)
        raise ValueError(f"{out} holds other results. Received: {wanted}. Take another --out.")
    with storage.write_whole(path) as temporary:
        temporary.write_text(json.dumps(settings))


def kept_network(path: Path, train: Callable[[], Scorer]) -> Scorer:
    """The network in a file, or a new one, which is kept there."""
    if path.exists():
        return Scorer(keras.models.load_model(path))
    score = train()
    temporary = path.with_name(f"part-{path.name}")  # Keras wants the ending
    score.network.save(temporary)
    temporary.replace(path)
    return score


def kept_json(path: Path, make: Callable[[], dict]) -> dict:
    """What a file has, or what is made now and kept there."""
    if not path.exists():
        made = make()
        with storage.write_whole(path) as temporary:
            temporary.write_text(json.dumps(made))
    return json.loads(path.read_text())


def write_workspace(templates: Templates, path: Path) -> None:
    """With the background as data; pyhf's schema has accepted it."""
    likelihood = templates.likelihood
    observed = likelihood.expected_data(findings.background_and(0.0, likelihood), include_auxdata=False)
    workspace = pyhf.Workspace(likelihood.workspace(observed, **likelihood.model.pyhf_options))
    with storage.write_whole(path) as temporary:
        temporary.write_text(json.dumps(workspace, indent=1))


def expected_limit(templates: Templates) -> neos_tf.UpperLimit:
    """NaN where a fit did not converge."""
    limit = neos_tf.upper_limit(templates.likelihood)
    return limit if limit.converged else limit._replace(expected=np.full(5, np.nan))


def table_of_limits(limits, templates) -> Table:
    table = Table(
        "mass (GeV)", *limits, "merged, floored", title="Median expected limit at 95 %, pb (-1 sigma, +1 sigma)"
    )
    for mass in limits[CROSS_ENTROPY]:
        cells = []
        for name in limits:
            _, low, median, high, _ = np.asarray(limits[name][mass].expected)
            cells.append("not converged" if np.isnan(median) else f"{median:.3g} ({low:.3g}, {high:.3g})")
        changed = [f"{templates[name][mass].n_merged}, {templates[name][mass].n_floored}" for name in limits]
        table.add_row(f"{mass:g}", *cells, "; ".join(changed))
    return table


def limit_figure(limits) -> Figure:
    masses = list(limits[LIMIT_TRAINED])
    found = list(limits[LIMIT_TRAINED].values())
    labels = {"label": figures.MASS, "ylabel": "95 % upper limit (pb)"}
    figure = neos_tf.plots.limits(masses, found, observed=False, **labels)
    classifier = [np.asarray(limit.expected)[2] for limit in limits[CROSS_ENTROPY].values()]
    (axes,) = figure.axes
    axes.plot(masses, classifier, color=figures.COLOURS[CROSS_ENTROPY], ls=":", marker="s", ms=4)
    axes.annotate("dotted: trained to classify", (0.97, 0.95), xycoords="axes fraction", ha="right", va="top")
    return figure


def template_figure(templates: Templates) -> Figure:
    figure = neos_tf.plots.templates(templates.likelihood, ["jes", "jer", "btag", "xsec"], label="bin of the score")
    for axes, process in zip(figure.axes, ("signal", "background"), strict=False):
        axes.set(yscale="log", ylim=(0.3 * templates.numbers[process].min(), None))
    return figure


def fit_figures(templates: Templates, limit: neos_tf.UpperLimit) -> dict[str, tuple[str, Figure]]:
    """Of pseudo-data with a signal as large as the limit, if there is one: before and after the fit, pulls, impacts."""
    likelihood = templates.likelihood
    if not np.isfinite(limit.expected[2]):
        return {}
    truth = findings.background_and(float(limit.expected[2]), likelihood)
    mean = likelihood.expected_data(truth, include_auxdata=False)
    data = likelihood.data(np.random.default_rng(1).poisson(mean))
    impacts = neos_tf.impacts(likelihood, data)
    pars = neos_tf.fit(likelihood, data).pars
    fit = before_and_after(likelihood, data, pars)
    return {
        "fit": ("Pseudo-data with a signal at the limit, before and after the fit", fit),
        "pulls": ("Pulls of that fit", neos_tf.plots.pulls(impacts.postfit)),
        "impacts": ("Impacts on the signal", neos_tf.plots.ranking(impacts, n_largest=10)),
    }


def before_and_after(likelihood: neos_tf.Likelihood, data, pars) -> Figure:
    """Data over what is expected of the background, before the fit, and of background and signal after it."""
    n_bins = sum(likelihood.model.channels.values())
    before = likelihood.expected_data(findings.background_and(0.0, likelihood), include_auxdata=False)
    after = likelihood.expected_data(pars, include_auxdata=False)
    x, observed = np.arange(1, n_bins + 1), np.asarray(data[:n_bins])
    figure = Figure(figsize=(6.4, 4.6))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    above.step(x, before, where="mid", color=figures.BLUE, label="before: background")
    above.step(x, after, where="mid", color=figures.VERMILION, label="after: background and signal")
    above.errorbar(x, observed, np.sqrt(observed), fmt="o", ms=4, color=figures.INK, label="pseudo-data")
    above.set(yscale="log", ylabel="events")
    above.legend()
    below.step(x, after / before, where="mid", color=figures.VERMILION)
    below.errorbar(x, observed / before, np.sqrt(observed) / before, fmt="o", ms=4, color=figures.INK)
    below.axhline(1, color=figures.BLUE)
    below.set(xlabel="bin of the score", ylabel="over before", xticks=x)
    return figure


def write_page(path: Path, samples: Samples, drawn: dict[str, tuple[str, Figure]]) -> None:
    """One HTML page with all figures."""
    parts = [f"<h2>{title}</h2>\n<figure>{to_svg(figure)}</figure>" for title, figure in drawn.values()]
    look = "body {font-family: sans-serif; max-width: 60em; margin: 2em auto} svg {max-width: 100%; height: auto}"
    head = f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>A search</title><style>{look}</style>'
    body = f"<h1>A search for a resonance of unknown mass</h1><p>{samples.data['name']}</p>"
    with storage.write_whole(path) as temporary:
        temporary.write_text("\n".join([head, body, *parts, "</html>"]), encoding="utf-8")


if __name__ == "__main__":
    main()
