"""What sections 4.2 and 4.3 of AFFINE come to: the rows, tables, findings and the figure."""

from collections.abc import Iterator, Mapping, Sequence

from matplotlib.figure import Figure

from benchmarks.affine import per_mass
from benchmarks.affine.departures import circumstances, departures
from benchmarks.affine.networks import Setup
from benchmarks.affine.per_mass import points
from benchmarks.comparison import Cell, Comparison, Finding, Section, cell
from benchmarks.published import AFFINE_TABLE_5
from benchmarks.rows import complete
from benchmarks.style import BLUE, ORANGE, VERMILION, style

PLAIN = "pNN identical (fixed)"
BINNED = "pNN binned"
STRATEGIES = {
    PLAIN: Setup("concat", "identical", "fixed"),
    "pNN identical (sampled)": Setup("concat", "identical", "sampled"),
    "pNN uniform (fixed)": Setup("concat", "uniform", "fixed"),
    "pNN uniform (sampled)": Setup("concat", "uniform", "sampled"),
    BINNED: Setup("concat", "binned"),
}
RULES = ("identical", "uniform", "binned")  # by which the background of a test gets its masses
BALANCES = {
    "pNN (class) identical (fixed)": Setup("concat", "identical", "fixed", balance="class"),
    "pNN (full) identical (fixed)": Setup("concat", "identical", "fixed", balance="full"),
}
SETUPS = STRATEGIES | BALANCES


def plot(rows: Sequence[Mapping]) -> Figure:
    """AUC at each mass; the paper's where Table 5 has the row."""
    return per_mass.dot_plot(per_mass.comparison(rows, AFFINE_TABLE_5))


def section(record: dict) -> Section:
    """Everything for the report."""
    rows = record["rows"]
    return Section(
        title="AFFINE sections 4.2 and 4.3",
        introduction=(
            "The background's mass by five strategies, and batches with three balances, for a pNN on "
            f"{circumstances(record)}. Binned is the strategy that the paper describes and leaves out: the hypothesis "
            "nearest to the reconstructed mass m_WWbb. The published numbers are those of Table 5 of Anzalone, "
            "Diotallevi and Bonacorsi, arXiv:2202.00424."
        ),
        findings=tuple(_findings(rows)),
        tables=(
            (
                "AUC in per cent at the epoch with the best validation AUC, with the paper's where it has some.",
                per_mass.comparison(rows, AFFINE_TABLE_5),
            ),
            (
                "AUC over all masses together in per cent, with the test background's masses by each rule: a network "
                "that does better by the rule of its training than the first has learned the rule.",
                _joint(rows),
            ),
            ("Averages over the masses, and the cost.", per_mass.averages(rows, (*per_mass.QUALITY, *per_mass.COSTS))),
        ),
        figures=(
            ("AUC at each mass. Each panel has its own scale; a line joins this run and the paper.", plot(rows)),
            (
                "AUC over all masses together at the last epoch, with the test background's masses by each rule.",
                joint_plot(rows),
            ),
        ),
        departures=(
            *departures(record, SETUPS),
            "m_WWbb is brought back to GeV by "
            + (
                "mean and standard deviation of 140,000 events from a public notebook; the official files lack theirs."
                if record["configuration"]["sample"] == "hepmass"
                else "the mean and standard deviation of the sample's recipe."
            ),
            "The paper has no number for the binned masses, nor for class balance alone.",
            "With one background process signal balance is full balance (the paper's footnote 9), and background "
            "balance, which the paper calls meaningless then (footnote 8), is class balance: of each pair one is run.",
        ),
    )


def leak(rows: Sequence[Mapping], name: str, suffix: str = "") -> Cell:
    """What a network gains over the one on identical masses, on background by the rule that it was trained by.

    In points of the AUC over all masses; suffix "_last" for that epoch.
    """
    auc = per_mass.over_seeds(rows, f"joint_auc_{SETUPS[name].background}{suffix}")
    return cell(list((auc[name] - auc[PLAIN])[:, 0]))


def _joint(rows: Sequence[Mapping]) -> Comparison:
    columns = [(rule, epoch) for epoch in ("epoch kept", "last epoch") for rule in RULES]
    table = {name: [] for name in per_mass.over_seeds(rows, "auc")}
    for rule, epoch in columns:
        field = f"joint_auc_{rule}" + ("_last" if epoch == "last epoch" else "")
        for name, values in per_mass.over_seeds(rows, field).items():
            table[name].append(cell(list(values[:, 0])))
    return Comparison(
        "AUC over all masses in %",
        tuple(f"{rule}, {epoch}" for rule, epoch in columns),
        tuple((name, tuple(cells)) for name, cells in table.items()),
        (2,) * len(columns),
    )


def joint_plot(rows: Sequence[Mapping]) -> Figure:
    """A line of dots a network, one for each rule of the test background; means over the seeds."""
    looks = dict(zip(RULES, ((BLUE, "o"), (ORANGE, "s"), (VERMILION, "D")), strict=True))
    with style():
        figure = Figure(figsize=(7.2, 3.6))
        axes = figure.subplots()
        for rule, (colour, marker) in looks.items():
            auc = {name: v.mean() for name, v in per_mass.over_seeds(rows, f"joint_auc_{rule}_last").items()}
            axes.plot(list(auc.values()), range(len(auc)), marker, color=colour, mfc="none", mew=1.6, label=rule)
        axes.set_yticks(range(len(auc)), list(auc))
        axes.set_ylim(len(auc) - 0.5, -0.5)
        axes.set_xlabel("AUC over all masses (%)")
        axes.grid()
        axes.tick_params(left=False)
        figure.legend(loc="outside lower center", ncols=3, title="background's masses in the test")
    return figure


def _findings(rows: Sequence[Mapping]) -> Iterator[Finding]:
    """What the paper says of these choices, from the seeds with which every row is finished."""
    rows = complete(rows, SETUPS)
    if not rows:
        return
    for suffix, field, when in (("", "auc", "at the epoch kept"), ("_last", "auc_last", "at the last epoch")):
        lightest = per_mass.contrast(rows, AFFINE_TABLE_5, [BINNED], [PLAIN], 500, field)
        binned, identical = (
            {name: values.mean() for name, values in per_mass.over_seeds(rows, f"joint_auc_{rule}{suffix}").items()}
            for rule in ("binned", "identical")
        )
        yield Finding(
            f"Binned masses, {when}",
            "Mean AUC with the background at the hypothesis nearest to its m_WWbb, minus that with identical fixed "
            f"masses. At 500 GeV: {points(lightest)} points. Over all masses together, on background at binned masses "
            f"as in its training, the network has {binned[BINNED]:.2f} % where the one on identical masses has "
            f"{binned[PLAIN]:.2f} %: a leak of {points(leak(rows, BINNED, suffix))} points. On background at identical "
            f"masses it has {identical[BINNED]:.2f} against {identical[PLAIN]:.2f} %.",
            per_mass.contrast(rows, AFFINE_TABLE_5, [BINNED], [PLAIN], field=field),
        )
    uniform, identical = (
        [name for name, setup in STRATEGIES.items() if setup.background == kind] for kind in ("uniform", "identical")
    )
    leaks = "; ".join(
        f"{name}: {points(leak(rows, name))}, last epoch {points(leak(rows, name, '_last'))}" for name in uniform
    )
    yield Finding(
        "Uniform masses",
        f"AUC at 500 GeV, uniform minus identical masses, without balance. Leaks over all masses, in points: {leaks}.",
        per_mass.contrast(rows, AFFINE_TABLE_5, uniform, identical, mass=500),
    )
    sampled, fixed = (
        [name for name, setup in STRATEGIES.items() if setup.assignment == kind] for kind in ("sampled", "fixed")
    )
    yield Finding(
        "Sampled minus fixed",
        "Mean AUC, over identical and uniform masses.",
        per_mass.contrast(rows, AFFINE_TABLE_5, sampled, fixed),
    )
    for name, setup in BALANCES.items():
        highest = per_mass.contrast(rows, AFFINE_TABLE_5, [name], [PLAIN], 1500)
        yield Finding(
            f"{setup.balance.capitalize()} balance",
            f"Mean AUC on identical fixed masses, minus that without balance. At 1500 GeV: {points(highest)} points.",
            per_mass.contrast(rows, AFFINE_TABLE_5, [name], [PLAIN]),
        )
