"""AFFINE Table 3 with other choices: weaker L2 penalties, another start of affine layers, and halves of them.

Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, section 6.3, name two strengths of the L2 penalty on kernels and
on biases, and not which table, or which network, has which. Affine layers start at random, which can end a training
(`benchmarks.affine.start`); here they also start as the identity. The authors' code has layers that only add, or only
multiply by, a function of theta, too: conditional biasing and scaling.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pandas as pd
from matplotlib.figure import Figure

from benchmarks.affine import networks, per_mass
from benchmarks.affine.networks import SCALES, Config
from benchmarks.affine.per_mass import NOISE
from benchmarks.affine.table_3 import AFFINE, INDIVIDUALS, PNN, SETUPS, SINGLE
from benchmarks.affine.texts import CIRCUMSTANCES, DEPARTURES, INDIVIDUAL, PAPER
from benchmarks.claims import Missing, above, below, within
from benchmarks.experiment import Experiment
from benchmarks.published import AFFINE_TABLE_3
from benchmarks.samples import Samples
from benchmarks.tables import Table, long, percent, table, with_average

USUAL, WEAK, IDENTITY = "as in Table 3", "weak L2", "identity"
BIASING, SCALING = "biasing only", "scaling only"
HALVED = "Affine identical (sampled)"  # the network that is also trained with halves of its affine layers
CHANGES = {  # of the recipe
    USUAL: {},
    WEAK: {"kernel_l2": 1e-5, "bias_l2": 1e-6},
    IDENTITY: {"affine_start": "identity"},
}
HALVES = {BIASING: {"conditioning": "shift"}, SCALING: {"conditioning": "scale"}}  # changes of the setup
LABELS = {USUAL: USUAL, WEAK: "weak L2 penalties", IDENTITY: "affine layers from the identity"}
LABELS |= {half: half for half in HALVES}
ROWS = {  # by name, the network of Table 3 and the choice
    f"{network}, {choice}": (network, choice)
    for network, setup in SETUPS.items()
    for choice in CHANGES
    if choice != IDENTITY or setup.conditioning == "affine"
} | {f"{HALVED}, {half}": (HALVED, half) for half in HALVES}


def make_row(config: Config, samples: Samples, name: str, seed: int, display) -> dict:
    """Trains and tests the networks of one row of Table 3 with one choice."""
    network, choice = ROWS[name]
    config = replace(config, **CHANGES.get(choice, {}))
    setup = SETUPS[network]._replace(**HALVES.get(choice, {}))
    row = networks.make_row(config, samples, setup, name, seed, display)
    return {"network": network, "choice": choice, **row}


def named(networks: Sequence[str], choice: str) -> list[str]:
    """Names of rows; a network that a choice does not touch is that of Table 3."""
    return [name if (name := f"{network}, {choice}") in ROWS else f"{network}, {USUAL}" for network in networks]


def change(auc: pd.DataFrame, network: str, choice: str) -> pd.DataFrame:
    """The long frame of what a choice changes for a network, from that of all AUCs; a line a seed and mass."""
    ours, usual = (auc[auc["row"] == f"{network}, {which}"] for which in (choice, USUAL))
    both = ours.merge(usual[["seed", "at", "value"]], on=["seed", "at"], suffixes=("", "_usual"))
    return both.assign(row=network, value=both["value"] - both["value_usual"])


def tables(record: Mapping) -> Iterator[Table]:
    """What each choice changes at each mass, each choice beside the paper, and the halves of affine layers."""
    rows = record["rows"]
    auc = long(rows, {"auc": percent("auc")}, at="masses")
    for choice in (WEAK, IDENTITY):
        changes = pd.concat([change(auc, network, choice) for network, of in ROWS.values() if of == choice])
        if changes.empty:
            raise Missing(f"not finished: any network {LABELS[choice]} and {USUAL}")
        caption = f"AUC with {LABELS[choice]} minus that {USUAL}, at the epoch with the best validation AUC, in points."
        yield table(caption, "change (points)", with_average(changes), heading="{} GeV")
    for choice in CHANGES:
        of_choice = [row | {"row": row["network"]} for row in rows if row["choice"] == choice]
        yield per_mass.comparison(f"AUC in per cent, {LABELS[choice]}, with the paper's.", of_choice, AFFINE_TABLE_3)
    if not any(row["choice"] in HALVES for row in rows):
        raise Missing("not finished: any network with half of its affine layers")
    whole_and_halves = [row for row in rows if row["network"] == HALVED and row["choice"] in (USUAL, *HALVES)]
    yield per_mass.comparison("AUC in per cent, affine layers and either half of them.", whole_and_halves, {})


def figures(record: Mapping) -> Iterator[tuple[str, Figure]]:
    """What each choice changes at each mass."""
    for changes, _ in zip(tables(record), (WEAK, IDENTITY), strict=False):
        yield f"{changes.caption} Panels have own scales.", per_mass.dot_plot(changes)


def claim(statement: str, first: Sequence[str], second: Sequence[str], criterion, choice: str, to=None, field="auc"):
    """A claim of ours about networks with a choice, minus others with another; None for the same."""
    rows = named(first, choice), named(second, to or choice)
    return per_mass.claim(f"{statement} with {LABELS[choice]}", *rows, criterion, {}, field=field, ours=True)


KINDS = {kind: [n for n in SETUPS if n.startswith(kind)] for kind in ("Single-NN", "Individual-NNs", "pNN", "Affine")}
EXPERIMENT = Experiment(
    id="affine-variants",
    where="other choices for Table 3",
    summary="the networks of Table 3 with weaker L2 penalties, and other affine layers",
    introduction="The networks of Table 3, also with a tenth of the L2 penalties, which the paper names too, and with "
    "affine layers that start as the identity, or that only add, or only multiply, on "
    f"{CIRCUMSTANCES}. Published: {PAPER}.",
    scales=SCALES,
    **networks.rows_of(SETUPS) | {"names": lambda config: ROWS, "make_row": make_row},
    tables=tables,
    figures=figures,
    claims=(
        *(claim(f"No change of {kind}", some, some, within(NOISE), WEAK, USUAL) for kind, some in KINDS.items()),
        claim("No change of all networks", list(SETUPS), list(SETUPS), within(NOISE), WEAK, USUAL, "auc_last"),
        *(
            claim("Affine networks are better", KINDS["Affine"], KINDS["Affine"], above(0), IDENTITY, USUAL, field)
            for field in ("auc", "auc_last")
        ),
        claim("No change of an affine network", [HALVED], [HALVED], within(NOISE), BIASING, USUAL),
        claim("An affine network is worse", [HALVED], [HALVED], below(0), SCALING, USUAL),
        *(
            claim(f"Affine beats {what}", AFFINE, others, above(0), choice)
            for what, others in (("the pNN", PNN), ("individual networks", INDIVIDUALS), ("a single network", SINGLE))
            for choice in (WEAK, IDENTITY)
        ),
    ),
    departures=(*DEPARTURES, INDIVIDUAL),
    ours=True,
)
