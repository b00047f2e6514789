"""PNN, section 6: two parameters, one of which is a nuisance parameter, the jet energy scale.

Baldi, Cranmer, Faucett, Sadowski and Whiteson 2016 suggest networks with several parameters, and with nuisance
parameters among them, without numbers: "typical networks are optimal only for a single specific value used during
training". Here a network is given the mass of the resonance and the jet energy scale, and is held against one trained
at the nominal scale alone, and one trained at all scales without being told. The background depends on the scale too:
it keeps the one that it was measured with, while its mass is assigned.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

import pnn_tf
from benchmarks.affine.texts import OF_START
from benchmarks.claims import Claim, above, below
from benchmarks.data import load_hepmass_like
from benchmarks.data.events import Events
from benchmarks.experiment import Experiment
from benchmarks.pnn.recipes import fit
from benchmarks.pnn.tested import AUC, EQUAL, Tests, difference_table, estimates, evaluate, minus
from benchmarks.published import MASSES
from benchmarks.samples import events_fingerprint
from benchmarks.style import GREEN, INK, ORANGE, QUIET, VERMILION, style
from benchmarks.tables import Table, long, pick, table, with_average
from benchmarks.terminal import Display
from benchmarks.training import QUICK, Recipe
from pnn_tf import plots

BOTH = "mass and scale"
HELD_OUT = "without 0.95, 1.05"  # told mass and scale, and never shown these scales
NOMINAL = "nominal alone"  # told the mass, trained at the nominal scale
MIXTURE = "all, not told"  # told the mass, trained at all scales
SHOWN_NOMINAL = "told scale 1"  # BOTH, told that the scale is nominal where it is not
COLOURS = {BOTH: VERMILION, SHOWN_NOMINAL: QUIET, HELD_OUT: ORANGE, MIXTURE: GREEN}
ORDER = BOTH, SHOWN_NOMINAL, HELD_OUT, NOMINAL, MIXTURE
SCALE = 1  # the column of theta that holds the jet energy scale
JET_SCALES = (0.9, 0.95, 1.0, 1.05, 1.1)


@dataclass(frozen=True)
class Config(Recipe):
    """The recipe of training, and what is particular to two parameters.

    Args:
        conditioning: of all networks.
        n_train: training events of each network, validation included.
        n_test: test events; None for all.
        held_out: jet energy scales that one of the networks never sees.
        truth: mass (GeV) and scale of the events of the map.
        map_masses: masses (GeV) at which the network is shown them: first, last, number.
        map_scales: scales, likewise.
    """

    conditioning: str = "affine"
    affine_start: str = "identity"
    n_train: int = 100_000
    n_test: int | None = None
    held_out: tuple[float, ...] = (0.95, 1.05)
    truth: tuple[float, float] = (750.0, 1.0)
    map_masses: tuple[float, float, int] = (400.0, 1600.0, 49)
    map_scales: tuple[float, float, int] = (0.85, 1.15, 13)
    theta_scale: tuple[float, ...] = (1000.0, 0.1)
    theta_offset: tuple[float, ...] = (0.0, 1.0)


class Samples(NamedTuple):
    """Events at the nominal scale, at all scales, test events at all scales, and what the record says of them."""

    nominal: Events
    train: Events
    test: Events
    data: dict


def load(config: Config) -> Samples:
    """Reads the events of a configuration."""
    nominal, train = (load_hepmass_like("train", variant=v, n_events=config.n_train) for v in (None, "jes"))
    test = load_hepmass_like("test", variant="jes", n_events=config.n_test)
    data = {"name": "HEPMASS-like (simulated) at five jet energy scales", "n_train": len(train), "n_test": len(test)}
    return Samples(nominal, train, test, data | {"fingerprint": events_fingerprint(nominal, train, test)})


def make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    """One network; lists are in the order of `points`, pairs of mass (GeV) and jet energy scale.

    `tested` has the signal of a point against the background at its scale, with the network told both; `told_nominal`
    with the network told the nominal scale, None for networks that are told no scale. `map` is that of `auc_map`, None
    but for BOTH. All of the epoch with the best validation AUC.
    """
    told_scale = name in (BOTH, HELD_OUT)
    events = samples.nominal if name == NOMINAL else samples.train
    if name == HELD_OUT:
        events = events.select(~np.isin(events.theta[:, SCALE], np.float32(config.held_out)))
    if not told_scale:
        events = replace(events, theta=events.theta[:, :SCALE], parameter_names=events.parameter_names[:SCALE])
        config = replace(config, theta_scale=config.theta_scale[:1], theta_offset=config.theta_offset[:1])
    network = {"conditioning": config.conditioning, "nuisances": (SCALE,) if told_scale else ()}
    network["background_theta"] = pnn_tf.Identical(np.unique(events.theta[:, 0]))
    model, _, best_epoch, n_train, _ = fit(config, events, name, seed, display, **network)
    points = [(mass, round(scale, 4)) for mass, scale in sorted(samples.test.hypotheses.tolist(), key=itemgetter(1))]
    at_scale = {scale: samples.test.select(samples.test.theta[:, SCALE] == np.float32(scale)) for _, scale in points}
    tested = [evaluate(model, at_scale[s], m, (m, s) if told_scale else (m,)) for m, s in points]
    told_nominal = [evaluate(model, at_scale[s], m, (m, 1.0)) for m, s in points] if told_scale else None
    return {
        "points": points,
        "tested": tested,
        "told_nominal": told_nominal,
        "map": auc_map(config, model, at_scale[config.truth[1]]) if name == BOTH else None,
        "best_epoch": best_epoch,
        "n_train": n_train,
    }


def auc_map(config: Config, model, test: Events) -> dict:
    """AUC, (n_masses, n_scales) in [0, 1], of the events at `truth`, whose scale `test` has, told others."""
    events = test.select((test.label == 0) | (test.theta[:, 0] == config.truth[0]))
    masses, scales = np.linspace(*config.map_masses), np.linspace(*config.map_scales)
    grid = np.stack(np.meshgrid(masses, scales, indexing="ij"), axis=-1).reshape(-1, 2)
    auc = [pnn_tf.roc_auc(events.label, score) for score in pnn_tf.scan_theta(model, events.features, grid)]
    return {
        "truth": config.truth,
        "masses": masses.tolist(),
        "scales": np.round(scales, 4).tolist(),
        "auc": np.round(auc, 5).reshape(len(masses), len(scales)).tolist(),
    }


def with_shown_nominal(rows: Sequence[Mapping]) -> list[Mapping]:
    """The rows, and those of BOTH as SHOWN_NOMINAL, the same network that was told the nominal scale."""
    shown = [{**row, "row": SHOWN_NOMINAL, "tested": row["told_nominal"]} for row in rows if row["row"] == BOTH]
    return sorted([*rows, *shown], key=lambda row: ORDER.index(row["row"]))


def at(*scales: float, masses: Sequence[float] = MASSES) -> Tests:
    """Of a row, the tests at some jet energy scales and masses (GeV)."""
    return lambda row: [
        [tested for tested, (m, s) in zip(row["tested"], row["points"], strict=True) if s == scale and m in masses]
        for scale in scales
    ]


def tables(record: Mapping) -> Iterator[Table]:
    """AUC of each network at each scale, and what telling the scale gains at each point."""
    rows = with_shown_nominal(record["rows"])
    scales = [f"{scale:.2f}" for _, scale in rows[0]["points"]]
    yield table(
        f"AUC in per cent at each jet energy scale, averaged over the masses. {BOTH!r} is told both; {SHOWN_NOMINAL!r} "
        f"is the same network, told that the scale is 1 where it is not; {HELD_OUT!r} has not seen these scales in "
        f"training. The last two are told the mass alone: {NOMINAL!r} is trained at the nominal scale, {MIXTURE!r} at "
        "all scales.",
        "AUC in %",
        with_average(long(rows, {"auc": AUC}, at=scales)),
    )
    yield difference_table(
        f"AUC of {BOTH!r} minus that of {NOMINAL!r}, in points, at each mass and scale, ± its standard error.",
        "points",
        {f"{m} GeV": {s: minus(rows, BOTH, NOMINAL, at(s, masses=[m])) for s in JET_SCALES} for m in MASSES},
        "{:.2f}",
    )


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """Left, AUC against the scale; right, the map over what the network is told."""
    rows = with_shown_nominal(record["rows"])
    gains = {name: {scale: minus(rows, name, NOMINAL, at(scale)) for scale in JET_SCALES} for name in COLOURS}
    with style():
        figure = Figure(figsize=(10.2, 4.4))
        left, right = figure.subfigures(1, 2)
        look = {"label": "jet energy scale of the events", "colours": COLOURS, "figure": left}
        plots.differences(gains, {HELD_OUT: (0.9, 1.0, 1.1)}, **look)
        left.axes[0].set(title="Mean over the masses", ylabel=f"AUC minus that of {NOMINAL!r} (points)")
        contours(right, pick(rows, row=BOTH)[0])
    yield (
        f"Left: AUC, averaged over the masses, minus that of {NOMINAL!r}, with its standard error; open where a scale "
        "was left out. Right: AUC of signal at the star against the background of its scale, when the network is shown "
        "these events at other masses and scales. On the black line it is 1 point below the best; outside of the hull "
        "of the training points (white line) it extrapolates.",
        figure,
    )


def contours(figure, row: Mapping) -> None:
    """Draws the map of a network, and the points that it was trained at."""
    axes, shown, points = figure.subplots(), row["map"], row["points"]
    masses, scales, auc = np.array(shown["masses"]), np.array(shown["scales"]), 100 * np.array(shown["auc"]).T
    levels = np.linspace(auc.max() - 12, auc.max(), 13)
    filled = axes.contourf(masses, scales, auc, levels=levels, extend="min", cmap="cividis")
    axes.contour(masses, scales, auc, levels=[auc.max() - 1], colors=INK, linewidths=1)
    outside = pnn_tf.outside_hull(np.stack(np.meshgrid(masses, scales), axis=-1).reshape(-1, 2), points)
    axes.contour(masses, scales, outside.reshape(auc.shape), levels=[0.5], colors="white", linewidths=1.2)
    axes.plot(*np.array(points).T, ".", color="white", ms=4)
    axes.plot(*shown["truth"], "*", color=VERMILION, ms=13, mec="white")
    axes.set(xlabel="mass that the network is told (GeV)", ylabel="jet energy scale that it is told")
    axes.set_title("AUC of the events at the star")
    figure.colorbar(filled, ax=axes, label="AUC (%)", format="%.1f")


FAR, BESIDE = at(0.9, 1.1), at(0.95, 1.05)
SAID = {  # of a network against another, where, by which criterion, and whether it is ours
    "beats one trained at the nominal scale, at 0.90 and 1.10": (BOTH, NOMINAL, FAR, above(0), False),
    "= one trained at the nominal scale on five times the events, there": (BOTH, NOMINAL, at(1.0), EQUAL, True),
    "beats one that is not told, trained at all scales, at 0.90 and 1.10": (BOTH, MIXTURE, FAR, above(0), True),
    "= one that is not told, trained at all scales, at the nominal one": (BOTH, MIXTURE, at(1.0), EQUAL, True),
    "is worse if told the nominal one, at 0.90 and 1.10": (SHOWN_NOMINAL, BOTH, FAR, below(0), True),
    "is as good at scales that it never saw, 0.95 and 1.05": (HELD_OUT, BOTH, BESIDE, EQUAL, True),
}
EXPERIMENT = Experiment(
    id="pnn-section-6",
    where="section 6: mass and jet energy scale",
    summary="networks of two parameters, mass and jet energy scale, a nuisance parameter",
    introduction=(
        "A network that is told two parameters, the mass of the resonance and the jet energy scale, a nuisance "
        "parameter on which the background depends too, beside networks that are told the mass alone; each is trained "
        "on {n_train:,} events, {data[name]}, validation included, for {epochs} epochs, and tested on "
        "{data[n_test]:,}; {seeds}. The paper suggests this, without numbers."
    ),
    scales={
        "smoke": Config(
            epochs=2, n_train=20_000, n_test=6000, map_masses=(500, 1500, 3), map_scales=(0.9, 1.1, 3), **QUICK
        ),
        "embedded": Config(epochs=15, **QUICK),
        "paper": Config(epochs=30, **QUICK),  # HEPMASS has one scale: the same events for longer
    },
    load=load,
    names=lambda config: (BOTH, HELD_OUT, NOMINAL, MIXTURE),
    make_row=make_row,
    line=lambda row: f"mean AUC {100 * np.mean([tested['auc'] for tested in row['tested']]):.2f} %",
    tables=tables,
    figures=figures,
    claims=[
        Claim(
            f"A network that is told the jet energy scale {statement}, in mean AUC",
            lambda rows, pair=pair: estimates({"": pair})(with_shown_nominal(rows)),
            criterion,
            ours=ours,
        )
        for statement, (*pair, criterion, ours) in SAID.items()
    ],
    departures=(
        "HEPMASS has one jet energy scale; these events were measured by a detector whose jets were scaled, from the "
        "same collisions as the HEPMASS-like sample.",
        "The jets' momenta, the missing momentum that follows from them, and which events are selected change with the "
        "scale. Variations of 5 and 10 % are large, for the effect to be seen in few events.",
        OF_START,
    ),
)
