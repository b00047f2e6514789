"""What the interpolation of AFFINE's networks says: Figs. 7, 8 and 12, and the losses in numbers, from rows alone."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from benchmarks.affine.departures import circumstances, of_recipe, of_size
from benchmarks.comparison import Cell, Comparison, Finding, Section, cell
from benchmarks.interpolation import curves, held_out, label, table
from benchmarks.published import AFFINE_FIG_8
from benchmarks.rows import by_name
from benchmarks.style import KIND_COLOURS, ORANGE

AXIS = "mass (GeV)"
UNIFORM = {True: "pNN uniform, regularised", False: "pNN uniform, not regularised"}
ENDS, BETWEEN = [[500.0], [1500.0]], [[750.0], [1250.0]]


def section(record: dict) -> Section:
    """Everything for the report."""
    rows = record["rows"]
    captions = (
        (
            "Fig. 7: without one mass, and trained on all. Error bars, here and below: the standard error from the "
            "finite test sample, much of it common to all networks.",
            _without_one(rows),
        ),
        ("Fig. 8: trained on one mass alone, and on all.", _one_alone(rows)),
        (
            "Fig. 12: trained on two masses, (a) and (b) on the balanced sample with background at the same two, (c) "
            "on HEPMASS-IMB.",
            _on_two(rows),
        ),
    )
    tables = [("AUC in per cent at the epoch with the best validation AUC.", table(rows, "AUC in %, trained"))]
    if missed := _missed(rows):
        lines = tuple((title, (loss,)) for title, loss in missed.items())
        tables.append(
            (
                "AUC lost at a mass by training without it, in points.",
                Comparison("trained", ("loss (points)",), lines, (2,)),
            )
        )
    if lost := _lost(rows):
        tables.append(("What training on one mass alone costs in the mean AUC over all masses.", lost))
    return Section(
        title="AFFINE Figs. 7, 8 and 12",
        introduction=(
            f"Networks at masses that they were not trained on, on {circumstances(record)}. The signal of a mass held "
            "out is left out; the whole background stays, at the masses that remain. Anzalone, Diotallevi and "
            "Bonacorsi, arXiv:2202.00424, show this as figures, with bounds in the text."
        ),
        findings=tuple(_findings(rows)),
        tables=tuple(tables),
        figures=tuple((caption, curves(panels, AXIS, colours)) for caption, (panels, colours) in captions if panels),
        departures=tuple(_departures(record["configuration"])),
    )


def plot(rows: Sequence[Mapping]) -> Figure:
    """Fig. 7: AUC without one mass, beside that of the network trained on all."""
    panels, colours = _without_one(rows)
    return curves(panels, AXIS, colours)


def _without_one(rows):
    panels = {
        f"without {label(group[0]['hypotheses'][held_out(group[0]).argmax()])} GeV": group
        for group in _groups(rows)
        if held_out(group[0]).sum() == 1
    }
    return _beside_all(rows, panels, "pNN without it")


def _one_alone(rows):
    panels = {
        f"{label(group[0]['trained_on'][0])} GeV alone": group
        for group in _groups(rows)
        if len(group[0]["trained_on"]) == 1
    }
    return _beside_all(rows, panels, "pNN on it alone")


def _beside_all(rows, groups: Mapping, name: str):
    """Panels with the network trained on all beneath, and the colours of both."""
    every = [("pNN on all", group) for group in _groups(rows) if not held_out(group[0]).any()]
    panels = {title: dict([*every, (name, group)]) for title, group in groups.items()}
    return panels, {"pNN on all": KIND_COLOURS["pNN"], name: ORANGE}


def _on_two(rows):
    panels = {}
    for letter, pair in (("a", ENDS), ("b", BETWEEN)):
        title = f"({letter}) {' and '.join(map(label, pair))} GeV"
        for network in ("pNN", "Affine"):
            for group in _groups(rows, network):
                if group[0]["trained_on"] == pair:
                    panels.setdefault(title, {})[network] = group
    for group in _groups(rows, imbalanced=True):
        name = UNIFORM[group[0]["regularised"]] if group[0]["uniform"] else "pNN"
        panels.setdefault("(c) 500 and 1500 GeV, imbalanced", {})[name] = group
    return panels, KIND_COLOURS


def _groups(rows: Sequence[Mapping], network: str = "pNN", imbalanced: bool = False) -> list[list[Mapping]]:
    """The rows of each setup of a network, one a seed."""
    chosen = [row for row in rows if row["network"] == network and row["imbalanced"] == imbalanced]
    return list(by_name(chosen).values())


def _lost(rows) -> Comparison | None:
    """Loss of the mean AUC of networks on one mass, against the network on all; the paper's are bounds."""
    lines = [
        (f"{mass} GeV alone", tuple(cell([getattr(loss, field) for loss in losses]) for field in Loss._fields))
        for mass, losses in _losses(rows).items()
    ]
    return Comparison("trained on", ("loss (%)", "loss (points)"), tuple(lines), (1, 1)) if lines else None


class Loss(NamedTuple):
    """A loss of the mean AUC, relative in per cent and in points: the paper does not say which its numbers are."""

    per_cent: float
    points: float


def _losses(rows) -> dict[str, list[Loss]]:
    """For each mass, the loss of the network on it alone, one a seed that has both networks."""
    mean = {(row["row"], row["seed"]): fmean(row["auc"]) for row in rows}
    every = next((group[0]["row"] for group in _groups(rows) if not held_out(group[0]).any()), None)
    losses = {}
    for group in _groups(rows):
        pairs = [(mean[row["row"], row["seed"]], mean.get((every, row["seed"]))) for row in group]
        loss = [
            Loss(100 * (1 - alone / with_all), 100 * (with_all - alone))
            for alone, with_all in pairs
            if with_all is not None
        ]
        if len(group[0]["trained_on"]) == 1 and loss:
            losses[label(group[0]["trained_on"][0])] = loss
    return losses


def _findings(rows) -> Iterator[Finding]:
    yield from _interpolation(_missed(rows))
    if losses := {mass: Loss(*map(fmean, zip(*of_seeds, strict=True))) for mass, of_seeds in _losses(rows).items()}:
        yield from _extrapolation(losses)
    panels = _on_two(rows)[0]
    for title, lines in panels.items():
        if {"pNN", "Affine"} <= set(lines):
            yield Finding(
                f"Affine minus pNN, {title[4:]}",
                "Mean AUC at the three masses that neither was trained on.",
                _difference(lines["Affine"], lines["pNN"]),
            )
        elif set(UNIFORM.values()) <= set(lines):
            yield from _regularisation(*(lines[UNIFORM[regularised]] for regularised in (True, False)))


def _missed(rows) -> dict[str, Cell]:
    """For each mass held out alone, what is lost there against the network trained on all, in points."""
    return {
        title: _difference(lines["pNN on all"], lines["pNN without it"])
        for title, lines in _without_one(rows)[0].items()
        if "pNN on all" in lines
    }


def _interpolation(losses: Mapping[str, Cell]) -> Iterator[Finding]:
    """Fig. 7: how much is lost at the mass held out; there must be two to be compared."""
    if len(losses) < 2:
        return
    worst = max(losses, key=lambda mass: losses[mass].ours)
    others = [loss.ours for mass, loss in losses.items() if mass != worst]
    yield Finding(
        "Without one mass",
        f"AUC lost at the mass held out is largest {worst}; the paper's hardest is 500 GeV. "
        f"Elsewhere it is {min(others):.2f} to {max(others):.2f} points.",
        losses[worst],
    )


def _extrapolation(losses: Mapping[str, Loss]) -> Iterator[Finding]:
    """Fig. 8: the paper's two bounds."""
    lightest, *others = losses
    first = losses[lightest]
    text = (
        f"The paper: trained on 500 GeV alone, the mean AUC falls by more than {AFFINE_FIG_8.lightest:.0f} %, by at "
        f"most {AFFINE_FIG_8.others:.0f} % on any other mass. Here it falls by {first.per_cent:.1f} % "
        f"({first.points:.1f} points) on {lightest} GeV, so the first statement "
        f"{_holds(loss > AFFINE_FIG_8.lightest for loss in first)}"
    )
    if others:
        worst = max(losses[mass] for mass in others)
        text += (
            f"; and by at most {worst.per_cent:.1f} % ({worst.points:.1f} points) on the others, so the second "
            f"{_holds(loss <= AFFINE_FIG_8.others for loss in worst)}"
        )
    yield Finding("On one mass alone", f"{text}.")


def _holds(readings: Iterable[bool]) -> str:
    """Whether a bound holds, read in per cent and in points."""
    per_cent, points = readings
    if per_cent == points:
        return "holds" if points else "does not hold"
    return f"holds if it means {'per cent' if per_cent else 'points'}, else not"


def _regularisation(with_it: Sequence[Mapping], without: Sequence[Mapping]) -> Iterator[Finding]:
    """Fig. 12c."""
    validation = [100 * fmean(row["validation_auc"] for row in group) for group in (with_it, without)]
    between = [
        100 * fmean(np.mean(np.array(row["auc"])[held_out(row)]) for row in group) for group in (with_it, without)
    ]
    yield Finding(
        "Without regularisation",
        "Mean AUC at the masses held out, without dropout and L2 penalties minus with them, on HEPMASS-IMB with "
        "uniform background masses. The paper sees such a network classify its validation events almost perfectly and "
        f"fail to interpolate. Here the validation AUC is {validation[1]:.2f} % without and {validation[0]:.2f} % "
        f"with, the AUC between the masses {between[1]:.2f} and {between[0]:.2f} %.",
        _difference(without, with_it),
    )


def _difference(group: Sequence[Mapping], reference: Sequence[Mapping]) -> Cell:
    """AUC of one setup minus that of another, in points, at the masses that either was not trained on."""
    out = held_out(group[0]) | held_out(reference[0])
    by_seed = [{row["seed"]: np.mean(np.array(row["auc"])[out]) for row in rows} for rows in (group, reference)]
    return cell([100 * (by_seed[0][seed] - by_seed[1][seed]) for seed in by_seed[0] if seed in by_seed[1]])


def _departures(config: Mapping) -> Iterator[str]:
    if config["sample"] != "hepmass":
        yield (
            "The events are HEPMASS-like: simulated for this project after the description of HEPMASS, with a spin-2 "
            "resonance as the signal. The training sample is far smaller than the 7 million events of HEPMASS, and "
            "HEPMASS-IMB is made of it in the same proportions: few signal events remain at the highest mass."
        )
    yield from of_size(config)
    yield from of_recipe(config)
    yield (
        "The paper does not say what becomes of the background of a mass held out. Here all of it stays, and draws its "
        "mass once from those that remain, validation events included."
    )
    yield "In Fig. 12c uniform masses are drawn once, between the two masses trained on, for validation events too."
    yield "The epoch with the best validation AUC is kept, as in the code of the paper's authors."
