"""The report: one HTML page that needs nothing else, with tables, figures, findings and where the numbers come from.

And the same as Markdown with the main tables alone.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path

import jinja2

from benchmarks.comparison import Cell, Comparison, Section
from benchmarks.data.storage import write_whole
from benchmarks.style import to_svg

TINTED_FULLY = 3.0  # points of difference to the paper at which a cell's tint is strongest

PARTS = {  # by the first word of an experiment's id, in the order of the page
    "pnn": "Parametric networks: Baldi et al. 2016",
    "affine": "Affine parametric networks: Anzalone et al. 2022",
    "taylor": "What networks rest on: Wunsch et al. 2018",
    "neos": "Networks trained on the measurement: Simpson and Heinrich 2022",
}


def write_report(path, sections: list[tuple[dict, Section]]) -> None:
    """Writes the page of these records and what their experiments say of them."""
    with write_whole(path) as temporary:
        temporary.write_text(render(sections), encoding="utf-8")


def render(sections: list[tuple[dict, Section]]) -> str:
    """The page as text: style sheet and figures are inside, there is no script and no link out."""
    return _environment(autoescape=True).get_template("report.html.j2").render(parts=_parts(sections))


def render_markdown(sections: list[tuple[dict, Section]]) -> str:
    """Introductions, main tables and findings as one page of Markdown."""
    text = _environment(autoescape=False).get_template("results.md.j2").render(parts=_parts(sections))
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _environment(autoescape: bool) -> jinja2.Environment:
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
    }
    environment.globals |= {"tint": tint}
    return environment


def _parts(sections: Sequence[tuple[dict, Section]]) -> list[tuple[str, list]]:
    """Titles of the parts that have a section, and their sections, ordered by experiment."""
    parts: dict[str, list] = {}
    order = list(PARTS)
    for record, section in sorted(sections, key=lambda pair: order.index(_part(pair[0]))):
        parts.setdefault(PARTS[_part(record)], []).append((record, section))
    return list(parts.items())


def _part(record: dict) -> str:
    return record["experiment"].partition("-")[0]


def anchor(title: str) -> str:
    """What a heading is linked by, in a page and on GitHub.

    >>> anchor("AFFINE Table 5: AUC (in %)")
    'affine-table-5-auc-in-'
    """
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def markdown_table(comparison: Comparison) -> str:
    """The table with our numbers, and the paper's in brackets where it has some."""
    has_paper = any(cell.paper is not None for _, cells in comparison.rows for cell in cells)
    corner = f"{comparison.corner}: ours (paper)" if has_paper else comparison.corner
    lines = [[corner, *comparison.columns], ["---"] * (len(comparison.columns) + 1)]
    for name, cells in comparison.rows:
        described = zip(cells, comparison.decimals, strict=True)
        lines.append([name, *(_in_brackets(cell, decimals) for cell, decimals in described)])
    escaped = ([field.replace("|", r"\|") for field in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)


def _in_brackets(cell: Cell, decimals: int) -> str:
    paper = "" if cell.paper is None else f" ({number(cell.paper, decimals)})"
    return f"{number(cell.ours, decimals)}{paper}"


def number(value: float, decimals: int, signed: bool = False) -> str:
    r"""A number with a true minus sign and thousands set apart; an en dash where it is NaN.

    >>> number(-0.04, 2) == "\N{MINUS SIGN}0.04"
    True
    """
    if math.isnan(value):
        return "\N{EN DASH}"
    return f"{value:{'+' if signed else ''},.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> duration(75), duration(7500)
    ('1 min 15 s', '2 h 5 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def tint(cell: Cell) -> str:
    """The CSS class and strength of a cell's background: how far ours is above or below the paper."""
    if cell.difference is None:
        return ""
    strength = min(abs(cell.difference) / TINTED_FULLY, 1.0)
    direction = "above" if cell.difference > 0 else "below"
    return f'class="{direction}" style="--strength: {30 * strength:.0f}%"'
