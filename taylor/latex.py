r"""The ranking as a table for LaTeX with the package booktabs, values rounded to two digits of their errors."""

import math
import re
import unicodedata
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from taylor.result import TaylorImportance

COMMANDS = {character: rf"\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}
CAPITALS = "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"  # that LaTeX has


def table(importance: "TaylorImportance", n: int | None, caption: str | None, label: str | None) -> str:
    """As `TaylorImportance.to_latex`."""
    lines, first = importance.ranking(n), importance.by_rank[:n]
    columns = [("r", "Rank", [str(line.rank) for line in lines])]
    if importance.replicas is not None:
        ends = [dict.fromkeys((line.rank_low, line.rank_high)) for line in lines]
        columns.append(("c", r"68\,\%", ["--".join(map(str, of_line)) for of_line in ends]))
    names = [escaped(name) for name in importance.features.names]
    columns.append(("l", "Feature", [", ".join(names[i] for i in line.inputs) for line in lines]))
    columns.append(("c", r"$\langle |t| \rangle$", _values(importance.mean, importance.error, first)))
    for heading, name, error in (("Median", "median", "error"), (r"$\langle t \rangle$", "signed", "signed_error")):
        values = getattr(importance, name)
        if values is not None:
            of_error = getattr(importance, error)
            columns.append(("c", heading, _values(values, of_error, first, shown=name != "median")))
    if importance.spread is not None:
        columns.append(("c", "Spread", _values(importance.spread, importance.spread, first, shown=False)))
    for name, region in importance.regions.items():
        columns.append(("c", escaped(name), _values(region.mean, region.error, first)))
    alignment, headings, cells = zip(*columns, strict=True)
    rows = [" & ".join(row) + r" \\" for row in zip(*cells, strict=True)]
    tabular = [
        rf"\begin{{tabular}}{{{''.join(alignment)}}}",
        r"\toprule",
        " & ".join(headings) + r" \\",
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    if caption is not None or label is not None:
        captions = [] if caption is None else [rf"\caption{{{caption}}}"]
        labels = [] if label is None else [rf"\label{{{label}}}"]
        tabular = [r"\begin{table}", r"\centering", *captions, *labels, *tabular, r"\end{table}"]
    return "\n".join([r"% \usepackage{booktabs}", *tabular, ""])


def escaped(name: str) -> str:
    r"""A name as LaTeX prints it; what stands between two dollar signs is mathematics already.

    >>> print(escaped("DER_mass"), escaped("$p_T$ (100%)"), escaped("Δη_jj"))
    DER\_mass $p_T$ (100\%) $\Delta $$\eta $\_jj
    """
    parts = re.split(r"(?<!\\)\$", " ".join(name.split()))
    if len(parts) % 2 == 0:  # a dollar sign without its partner
        return "".join(_of_text(character) for character in " ".join(name.split()))
    of_parts = (
        "".join(_greek(character) or character for character in part) if i % 2 else "".join(map(_of_text, part))
        for i, part in enumerate(parts)
    )
    return "$".join(of_parts)


def rounded(value: float, error: float) -> tuple[str, str, int]:
    """A value and its error to two digits of the error, and the power of ten that is taken out of both.

    Without an error, or with 0, the value has four digits.

    >>> rounded(0.123456, 0.00996)
    ('0.123', '0.010', 0)
    >>> rounded(1.23456e-7, 2.1e-9)
    ('1.235', '0.021', -7)
    """
    if not math.isfinite(value):
        return "--", "--", 0
    has_error = math.isfinite(error) and error > 0
    powers = ([_exponent(value, 3)] if value else []) + ([_exponent(error, 1)] if has_error else [])
    power = max(powers, default=0)
    taken_out = power if not -4 < power < 5 else 0
    value, error = value / 10.0**taken_out, error / 10.0**taken_out
    last = 1 - _exponent(error, 1) if has_error else 3 - (power - taken_out)
    digits = max(last, 0)
    value = round(value, last) + 0.0  # no minus sign before a zero
    return f"{value:.{digits}f}", f"{round(error, last):.{digits}f}" if has_error else "0", taken_out


def _exponent(value: float, digits: int) -> int:
    """The power of ten of a number that is rounded to `digits` digits after the first."""
    return int(f"{value:.{digits}e}".split("e")[1])


def _values(values: np.ndarray, errors: np.ndarray, first: np.ndarray, shown: bool = True) -> list[str]:
    cells = []
    for value, error in zip(values[first].tolist(), errors[first].tolist(), strict=True):
        value, error, power = rounded(value, error)
        number = rf"{value} \pm {error}" if shown else value
        if power:
            number = (rf"({number})" if shown else number) + rf" \times 10^{{{power}}}"
        cells.append("--" if value == "--" else f"${number}$")
    return cells


def _of_text(character: str) -> str:
    command = _greek(character)
    return f"${command}$" if command else COMMANDS.get(character, character)


def _greek(character: str) -> str | None:
    """The command for a Greek letter in mathematics."""
    words = unicodedata.name(character, "").split()
    if len(words) != 4 or words[0] != "GREEK" or words[2] != "LETTER":
        return None
    letter = {"LAMDA": "LAMBDA"}.get(words[3], words[3]).capitalize()
    if words[1] == "CAPITAL":
        return rf"\{letter} " if letter in CAPITALS else None
    return rf"\{letter.lower()} " if letter != "Omicron" else None
