"""The ranking as a table: columns for files and data frames, text for a terminal, HTML for a notebook."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from taylor.features import FeatureSet

if TYPE_CHECKING:
    import pandas

    from taylor.result import TaylorImportance

N_SHOWN = 20  # features that are printed
OPTIONAL = "median", "signed", "signed_error", "spread"  # fields that are None if they were not asked for
NUMBERS = {  # heading and format of what is printed
    "mean": ("<|t|>", "8.4g"),
    "error": ("error", "8.2g"),
    "median": ("median", "8.4g"),
    "signed": ("<t>", "8.4g"),
    "signed_error": ("error", "8.2g"),
    "spread": ("spread", "8.2g"),
}


def columns(importance: "TaylorImportance") -> dict[str, Sequence]:
    """The ranking by columns: the fields of RankedFeature that there are, then those of regions, as `mean_signal`."""
    ranking = importance.ranking()
    by_name = dict(zip(ranking[0]._fields, zip(*ranking, strict=True), strict=True))
    named: dict[str, Sequence] = {
        name: column for name, column in by_name.items() if name not in OPTIONAL or column[0] is not None
    }
    for region_name, region in importance.regions.items():
        for name in NUMBERS:
            values = getattr(region, name)
            if values is not None:
                named[f"{name}_{region_name}"] = values[importance.by_rank].tolist()
    return named


def frame(table: Mapping[str, Sequence] | Sequence[NamedTuple]) -> "pandas.DataFrame":
    """Columns by name, or lines, as a data frame."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("to_frame needs pandas: `pip install pandas`. Without it, use ranking().") from error
    return pd.DataFrame(table)


def text(importance: "TaylorImportance") -> str:
    """The first features as lines."""
    return "\n".join([_title(importance), *aligned(_shown(importance)), *more(importance.features)])


def html(importance: "TaylorImportance") -> str:
    """The first features as a table."""
    return html_table(_title(importance), _shown(importance), *more(importance.features))


def aligned(shown: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """Lines of a table from headings and cells; a column is as wide as its widest cell, words stand to the left."""
    styles = []
    for heading, cells in shown:
        side = "<" if heading == "feature" else ">"
        styles.append(f"{side}{max(map(len, (heading, *cells)))}")
    rows = zip(*((heading, *cells) for heading, cells in shown), strict=True)
    return ["  ".join(map(format, row, styles)).rstrip() for row in rows]


def html_table(title: str, shown: Sequence[tuple[str, Sequence[str]]], *below: str) -> str:
    """A plain table of HTML from headings and cells, with a caption and lines below."""

    def row(kind: str, cells: Iterable[str]) -> str:
        left = ' style="text-align: left"'
        words = [heading == "feature" for heading, _ in shown]
        return "<tr>{}</tr>".format(
            "".join(
                f"<{kind}{left if word else ''}>{escape(cell.strip())}</{kind}>"
                for word, cell in zip(words, cells, strict=True)
            )
        )

    headings, cells = zip(*shown, strict=True)
    body = "\n".join(row("td", of_row) for of_row in zip(*cells, strict=True))
    after = "".join(f"\n<p>{escape(line)}</p>" for line in below)
    return (
        f"<table>\n<caption>{escape(title)}</caption>\n<thead>{row('th', headings)}</thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>{after}"
    )


def _title(importance: "TaylorImportance") -> str:
    networks = f", mean of {importance.n_networks} networks" if importance.n_networks > 1 else ""
    return (
        f"Mean absolute Taylor coefficients of {len(importance.features):,} features over {importance.n_events:,} "
        f"events{networks}"
    )


def more(features: FeatureSet) -> list[str]:
    """What stands below if not all features are shown."""
    n = len(features) - N_SHOWN
    return [f"and {n:,} more"] if n > 0 else []


def _shown(importance: "TaylorImportance") -> list[tuple[str, list[str]]]:
    """Headings and cells of the first features."""
    lines = importance.ranking(N_SHOWN)
    shown = [
        ("rank", [f"{line.rank:4}" for line in lines]),
        ("feature", [line.feature for line in lines]),
        ("order", [f"{line.order:5}" for line in lines]),
        *_numbers(importance, importance, ("mean", "error")),
    ]
    if importance.replicas is not None:
        shown.append(("rank, 68 %", [f"{line.rank_low:>4} to {line.rank_high:<2}" for line in lines]))
    shown += _numbers(importance, importance, OPTIONAL)
    for name, region in importance.regions.items():
        (_, means), error = _numbers(region, importance, ("mean", "error"))
        shown += [(name, means), error]
    return shown


def _numbers(one: "TaylorImportance", ranked: "TaylorImportance", names: Sequence[str]) -> list:
    first = ranked.by_rank[:N_SHOWN]
    there = [(*NUMBERS[name], getattr(one, name)) for name in names if getattr(one, name) is not None]
    return [(heading, [format(value, style) for value in values[first]]) for heading, style, values in there]
