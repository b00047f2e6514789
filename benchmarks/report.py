"""The report: a page that needs nothing else and opens with all claims and verdicts; the same as Markdown."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import jinja2

from benchmarks.claims import VERDICTS, Judged
from benchmarks.data.storage import write_whole
from benchmarks.experiment import PAPERS, Experiment, Section, all_experiments
from benchmarks.style import duration, number, to_svg
from benchmarks.tables import Cell, Table

TINTED_FULLY = 3.0  # points of difference to the paper at which a cell's tint is strongest


class Part(NamedTuple):
    """A paper in the report: its short name, its title, what records say of it, and experiments without a record."""

    paper: str
    title: str
    sections: list[Section]
    missing: list[Experiment]


def write_report(path, sections: Sequence[Section]) -> None:
    """Writes the page of what records say."""
    with write_whole(path) as temporary:
        temporary.write_text(render(sections), encoding="utf-8")


def render(sections: Sequence[Section]) -> str:
    """The page as text: style sheet and figures are inside, there is no script and no link out."""
    return _filled("report.html.j2", sections, autoescape=True)


def render_markdown(sections: Sequence[Section]) -> str:
    """Claims, introductions and tables as one page of Markdown."""
    return re.sub(r"\n{3,}", "\n\n", _filled("results.md.j2", sections, autoescape=False)).strip() + "\n"


def counts(sections: Iterable[Section]) -> dict[str, Counter]:
    """How many claims have which verdict: of each paper that has some by its short name, and of our own as "ours"."""
    found = {paper: Counter() for paper in (*(short for short, _ in PAPERS.values()), "ours")}
    for section in sections:
        for judged in section.claims:
            found["ours" if judged.claim.ours else section.experiment.paper][judged.verdict] += 1
    return {name: verdicts for name, verdicts in found.items() if verdicts or name == "ours"}


def parts(sections: Sequence[Section]) -> list[Part]:
    """The parts of the page, each with its experiments in the order of the paper."""
    there = {section.experiment.id for section in sections}
    experiments = all_experiments()
    return [
        Part(
            short,
            title,
            [section for section in sections if section.experiment.paper == short],
            [e for e in experiments if e.paper == short and e.id not in there],
        )
        for short, title in PAPERS.values()
    ]


def _filled(template: str, sections: Sequence[Section], autoescape: bool) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "svg": to_svg,
        "number": number,
        "duration": duration,
        "anchor": anchor,
        "markdown_table": markdown_table,
        "line": lambda fields: f"| {' | '.join(str(field).replace('|', chr(92) + '|') for field in fields)} |",
        "ours": ours,
    }
    environment.globals |= {"tint": tint, "verdicts": VERDICTS}
    return environment.get_template(template).render(parts=parts(sections), counts=counts(sections))


def anchor(title: str) -> str:
    """What a heading is linked by, in a page and on GitHub.

    >>> anchor("AFFINE Table 5: AUC (in %)")
    'affine-table-5-auc-in-'
    """
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def ours(judged: Judged) -> str:
    """The number that a verdict rests on, with its error where it has one."""
    claim, estimate = judged.claim, judged.estimate
    if estimate is None:
        return "\N{EN DASH}"
    error = f" ± {number(estimate.error, claim.decimals)}" if estimate.error else ""
    return f"{number(estimate.value, claim.decimals)}{error}"


def markdown_table(table: Table) -> str:
    """The table with our numbers, and the paper's in brackets where it has some."""
    has_paper = any(cell.paper is not None for _, cells in table.lines for cell in cells)
    corner = f"{table.corner}: ours (paper)" if has_paper else table.corner
    lines = [[corner, *table.columns], ["---"] * (len(table.columns) + 1)]
    for name, cells in table.lines:
        described = zip(cells, table.decimals, strict=True)
        lines.append([name, *(_in_brackets(cell, decimals) for cell, decimals in described)])
    escaped = ([field.replace("|", r"\|") for field in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)


def _in_brackets(cell: Cell, decimals: int) -> str:
    paper = "" if cell.paper is None else f" ({number(cell.paper, decimals)})"
    return f"{number(cell.ours, decimals)}{paper}"


def tint(cell: Cell) -> str:
    """The CSS class and strength of a cell's background: how far ours is above or below the paper."""
    if cell.difference is None:
        return ""
    strength = min(abs(cell.difference) / TINTED_FULLY, 1.0)
    direction = "above" if cell.difference > 0 else "below"
    return f'class="{direction}" style="--strength: {30 * strength:.0f}%"'
