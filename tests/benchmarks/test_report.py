"""The page: every number is on it, and it needs nothing else."""

import math
import re
from html.parser import HTMLParser

import pytest
from matplotlib.figure import Figure

from benchmarks import record as records
from benchmarks import report
from benchmarks.comparison import Cell, Comparison, Finding, Section
from benchmarks.style import INK, style

MINUS = "\N{MINUS SIGN}"
VOID = {"meta", "br", "link", "img"}


class Structure(HTMLParser):
    """Fails on tags that are not closed in order; collects links and scripts."""

    def __init__(self):
        super().__init__()
        self.open, self.outward, self.tags = [], [], set()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.outward += [v for k, v in attributes if k in ("src", "href", "xlink:href") and not v.startswith("#")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def pair():
    """A record and its section."""
    record = records.new_record(
        "affine-table-9", "embedded", {"epochs": 7}, {"name": "Events", "fingerprint": "abcdef" * 9}
    )
    record["runs"] = [
        {
            "date": "2026-01-02T03:04:05+00:00",
            "wall_s": 75.0,
            "versions": {"python": "3.11.0", "tensorflow": "2.99"},
            "device": "a processor, 2 cores",
            "commit": "0123456789abcdef",
            "dirty": True,
        }
    ]
    with style():
        figure = Figure()
        figure.subplots().set_title("the title of the panel")
    section = Section(
        title="A table <of> results",
        introduction="An introduction.",
        findings=(Finding("Gain", "What it is.", Cell(-1.234, 0.5, 2.0)), Finding("Doubt", "Some is left.")),
        tables=(
            (
                "The caption.",
                Comparison("AUC", ("a", "b"), (("row", (Cell(77.318, 0.123, 80.0), Cell(12345.0))),), (2, 0)),
            ),
        ),
        figures=(("The figure.", figure),),
        departures=("It is another sample.",),
    )
    return record, section


@pytest.fixture
def page(pair):
    return report.render([pair])


@pytest.mark.parametrize(
    "text",
    [
        *("77.32", "±0.12", f"80.00 · {MINUS}2.68", "12,345", f"{MINUS}1.23", "paper +2.00", "Some is left."),
        *("A table &lt;of&gt; results", "the title of the panel", "The figure.", "It is another sample.", "epochs = 7"),
        *("abcdefabcdef", "1 min 15 s", "tensorflow 2.99", "Commit 0123456789ab, with uncommitted changes"),
    ],
)
def test_it_is_on_the_page(page, text):
    assert text in page


def test_the_page_is_whole_and_needs_nothing_else(page):
    structure = Structure()
    structure.feed(page)
    assert structure.open == [] and structure.outward == []
    assert "script" not in structure.tags and "svg" in structure.tags
    assert "url(http" not in page and "@import" not in page


def test_figures_take_the_colour_of_the_text(page):
    figure = page[page.index("<svg") : page.index("</svg>")]
    assert INK not in figure and "currentColor" in figure


def test_several_sections_come_in_parts_with_links(pair):
    record, section = pair
    other = record | {"experiment": "pnn-fig-9"}, section._replace(title="An earlier paper")
    page = report.render([pair, other])
    links = re.findall(r'<li><a href="#([^"]+)"', page)
    assert links == ["an-earlier-paper", "a-table-of-results"]
    assert re.findall(r'<section id="([^"]+)"', page) == links
    markdown = report.render_markdown([pair, other])
    assert re.findall(r"^  - \[.*\]\(#(.*)\)$", markdown, re.MULTILINE) == links
    assert f"- **Gain**: {MINUS}1.23 ± 0.50 points (paper +2.00). What it is.\n- **Doubt**. Some is" in markdown
    assert "| row | 77.32 (80.00) | 12,345 |" in markdown


def test_markdown_has_ours_and_the_paper_in_brackets():
    table = Comparison("AUC in %", ("a", "b"), (("row", (Cell(77.318, 0.1, 80.0), Cell(5.0))),), (2, 1))
    assert report.markdown_table(table).splitlines() == [
        "| AUC in %: ours (paper) | a | b |",
        "| --- | --- | --- |",
        "| row | 77.32 (80.00) | 5.0 |",
    ]


def test_markdown_says_nothing_of_a_paper_without_numbers_and_keeps_bars():
    table = Comparison("<|t|>", ("a",), (("row", (Cell(5.0),)),), (1,))
    assert report.markdown_table(table).splitlines() == [r"| <\|t\|> | a |", "| --- | --- |", "| row | 5.0 |"]


def test_the_tint_grows_with_the_difference_up_to_a_limit():
    def strength(cell):
        return re.fullmatch(r'class="(above|below)" style="--strength: (\d+)%"', report.tint(cell)).groups()

    assert strength(Cell(81.5, None, 80.0)) == ("above", "15")
    assert strength(Cell(77.0, None, 80.0)) == strength(Cell(50.0, None, 80.0)) == ("below", "30")
    assert report.tint(Cell(77.0)) == ""


def test_a_number_that_is_missing_is_a_dash():
    assert report.number(math.nan, 2) == "\N{EN DASH}"
