"""The report: one HTML page that needs nothing else, with tables, figures, findings and where the numbers come from.

And the main table as Markdown, for a README.
"""

from pathlib import Path

import jinja2

from benchmarks.comparison import Cell, Comparison, Section
from benchmarks.data.storage import write_whole
from benchmarks.style import to_svg

TINTED_FULLY = 3.0  # points of difference to the paper at which a cell's tint is strongest


def write_report(path, sections: list[tuple[dict, Section]]) -> None:
    """Writes the page of these records and what their experiments say of them."""
    with write_whole(path) as temporary:
        temporary.write_text(render(sections), encoding="utf-8")


def render(sections: list[tuple[dict, Section]]) -> str:
    """The page as text: style sheet and figures are inside, there is no script and no link out."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"svg": to_svg, "number": number, "duration": duration}
    environment.globals |= {"tint": tint}
    return environment.get_template("report.html.j2").render(sections=sections)


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
    r"""A number with a true minus sign and thousands set apart.

    >>> number(-0.04, 2) == "\N{MINUS SIGN}0.04"
    True
    """
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
