"""What AFFINE's networks are made of: Table 2, Figs. 1 and 6, and their parameters, from rows alone."""

from collections.abc import Iterator, Mapping, Sequence

from matplotlib.figure import Figure

from benchmarks.affine.architecture_diagrams import mechanisms, networks
from benchmarks.comparison import Cell, Comparison, Finding, Section
from benchmarks.published import AFFINE_PARAMETERS, AFFINE_TABLE_2


def section(record: dict) -> Section:
    """Everything for the report."""
    rows = list({row["row"]: row for row in record["rows"]}.values())  # a seed changes nothing here
    by_name = {row["row"]: row["layers"] for row in rows}
    figures = [
        (
            "Fig. 6: the layers of each network, with their units and, beneath, their parameters. Dropout after each "
            "block is left out. The single network has theta among its inputs, and ignores it.",
            networks(rows),
        )
    ]
    caption = (
        "Parameters of each network, beside those of the code of the paper's authors, and how many of them multiply "
        "theta or are added to such a product."
    )
    tables = [(caption, _parameters(rows))]
    if "Affine" in by_name:
        tables.append(("Table 2: the affine network, layer by layer.", _layers(by_name["Affine"])))
    if {"pNN", "Affine"} <= set(by_name):
        caption = (
            "Fig. 1: the two ways in which theta is let in, with the units of the vectors and the parameters of the "
            "maps where it first enters the networks."
        )
        figures.append((caption, mechanisms(by_name["pNN"], by_name["Affine"])))
    return Section(
        title="AFFINE Table 2 and Figs. 1 and 6",
        introduction=(
            "The networks that all experiments of Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424, have in "
            "common, read from the layers that are trained. Nothing is trained here."
        ),
        findings=tuple(_findings(rows)),
        tables=tuple(tables),
        figures=tuple(figures),
        departures=(
            "The equations of the paper have no biases in the two maps of an affine layer; its networks, and the "
            "parameters counted here, do.",
            "Theta is divided by a constant inside the network, so that it is given in physical units.",
        ),
    )


def plot(rows: Sequence[Mapping]) -> Figure:
    """Fig. 6."""
    return networks(list({row["row"]: row for row in rows}.values()))


def _parameters(rows: Sequence[Mapping]) -> Comparison:
    lines = tuple(
        (row["row"], (Cell(row["n_parameters"], paper=AFFINE_PARAMETERS[row["row"]]), Cell(_of_theta(row))))
        for row in rows
    )
    return Comparison("network", ("parameters", "of theta"), lines, (0, 0))


def _of_theta(row: Mapping) -> int:
    """Parameters through which theta enters: affine layers, or the lines of the first kernel after a concatenation."""
    layers = {layer["name"]: layer for layer in row["layers"]}
    concat = [layer["name"] for layer in row["layers"] if layer["kind"] == "ConcatConditioning"]
    n_affine = sum(layer["n_parameters"] for layer in row["layers"] if layer["kind"] == "AffineConditioning")
    after = [layer["units"] for layer in row["layers"] if set(layer["inputs"]) & set(concat)]
    return n_affine + layers["theta"]["units"] * sum(after)


def _layers(layers: Sequence[Mapping]) -> Comparison:
    """Units beside the paper's, parameters; layers that have none are left out, but dropout is in the paper's table."""
    widths = dict(zip((f"dense_{i}" for i in range(1, 5)), AFFINE_TABLE_2, strict=True))
    lines = []
    for layer in layers:
        if layer["kind"] in ("Dense", "AffineConditioning"):
            paper = widths.get(layer["name"].replace("affine", "dense"), 1)
            lines.append(
                (f"{layer['kind']} {layer['name']}", (Cell(layer["units"], paper=paper), Cell(layer["n_parameters"])))
            )
    return Comparison("layer", ("units", "parameters"), tuple(lines), (0, 0))


def _findings(rows: Sequence[Mapping]) -> Iterator[Finding]:
    for row in rows:
        paper = AFFINE_PARAMETERS[row["row"]]
        same = "the same as" if row["n_parameters"] == paper else "not those of"
        yield Finding(row["row"], f"{row['n_parameters']:,} parameters, {same} the authors' code with its {paper:,}.")
    n = {row["row"]: row["n_parameters"] for row in rows}
    if {"pNN", "Affine"} <= set(n):
        yield Finding(
            "What affine layers cost",
            f"{n['Affine'] - n['pNN']:,} parameters more than in a network that is shown theta by concatenation, "
            f"{100 * (n['Affine'] / n['pNN'] - 1):.1f} % of it.",
        )
