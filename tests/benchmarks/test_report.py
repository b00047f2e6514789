"""The page: it opens with the claims, every number is on it, it needs nothing else, and its filters work."""

import math
import re
import shutil
from html.parser import HTMLParser

import pytest
from matplotlib.figure import Figure

from benchmarks import record as records
from benchmarks import report
from benchmarks.claims import FAILS, HOLDS, OPEN, Claim, Estimate, Judged, above
from benchmarks.experiment import Section, find
from benchmarks.style import INK, number, style
from benchmarks.tables import Cell, Table

MINUS = "\N{MINUS SIGN}"
VOID = {"meta", "br", "link", "img", "input"}
TABLE = Table("The caption.", "AUC", ("a", "b"), (("row", (Cell(77.318, 0.123, 80.0), Cell(12345.0))),), (2, 0))


class Structure(HTMLParser):
    """Fails on tags that are not closed in order; collects links and tags."""

    def __init__(self):
        super().__init__()
        self.open, self.links, self.tags, self.ids = [], [], set(), []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.links += [v for k, v in attributes if k in ("src", "href", "xlink:href")]
        self.ids += [v for k, v in attributes if k == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def section_of(experiment, verdict, ours=False, title="A table <of> results"):
    """What a record of an experiment might say, with one claim."""
    record = records.new_record(experiment, "embedded", {"epochs": 7}, {"name": "Events", "fingerprint": "abcdef" * 9})
    versions = {"python": "3.11.0", "tensorflow": "2.99"}
    run = {"date": "2026-01-02T03:04:05+00:00", "wall_s": 75.0, "versions": versions, "device": "a processor, 2 cores"}
    record["runs"] = [run | {"commit": "0123456789abcdef", "dirty": True}]
    claim = Claim("Networks & masses", lambda rows: None, above(0), published=2.0, ours=ours)
    with style():
        figure = Figure()
        figure.subplots().set_title("the title of the panel")
    return Section(
        experiment=find(experiment),
        record=record,
        title=title,
        introduction="An introduction.",
        departures=("It is another sample.",),
        tables=(TABLE,),
        figures=(("The figure.", figure),),
        claims=(Judged(claim, verdict, Estimate(-1.234, 0.5, 3, 0.25)),),
        missing=(),
    )


@pytest.fixture(scope="module")
def sections():
    return [
        section_of("affine-table-3", FAILS),
        section_of("pnn-fig-2", HOLDS, title="An earlier paper"),
        section_of("neos-fig-3", OPEN, ours=True, title="A later one"),
    ]


@pytest.fixture(scope="module")
def page(sections):
    return report.render(sections)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "77.32",
            "±0.12",
            f"80.00 · {MINUS}2.68",
            "12,345",
            f"{MINUS}1.23 ± 0.50",
            "paper 2.00",
            "Networks &amp; masses",
        ),
        *("A table &lt;of&gt; results", "the title of the panel", "The figure.", "It is another sample.", "epochs = 7"),
        *("abcdefabcdef", "1 min 15 s", "tensorflow 2.99", "Commit 0123456789ab, with uncommitted changes"),
    ],
)
def test_it_is_on_the_page(page, text):
    assert text in page


def test_the_page_is_whole_and_needs_nothing_else(page):
    structure = Structure()
    structure.feed(page)
    assert structure.open == [] and "script" not in structure.tags and "svg" in structure.tags
    assert all(link.startswith("#") for link in structure.links)
    assert "url(http" not in page and "@import" not in page


def test_links_lead_somewhere_and_parts_come_in_the_order_of_the_papers(page):
    structure = Structure()
    structure.feed(page[: page.index("<svg")] + page[page.rindex("</svg>") + 6 :])
    assert re.findall(r'<section id="([^"]+)"', page) == ["an-earlier-paper", "a-table-of-results", "a-later-one"]
    linked = {link[1:] for link in structure.links}
    assert linked == {"an-earlier-paper", "a-table-of-results", "a-later-one"} <= set(re.findall(r'id="([^"]+)"', page))


def test_the_claims_come_first_and_are_counted(sections, page):
    assert page.index('class="claims"') < page.index("<section")
    counted = report.counts(sections)
    assert counted["PNN"][HOLDS] == counted["AFFINE"][FAILS] == counted["ours"][OPEN] == 1
    assert sum(counter.total() for counter in counted.values()) == 3
    rows = re.findall(r'<tr data-paper="(\w+)" data-verdict="([^"]+)" data-whose="(\w+)">', page)
    assert rows == [("PNN", HOLDS, "paper"), ("AFFINE", FAILS, "paper"), ("NEOS", OPEN, "ours")]


def test_experiments_without_a_record_are_shown_as_missing(sections, page):
    assert (
        "taylor-fig-1" in page
        and "taylor-fig-1" not in report.render([section_of("taylor-fig-1", HOLDS)]).split("not run")[1]
    )
    assert {e.id for part in report.parts(sections) for e in part.missing}.isdisjoint({"affine-table-3", "pnn-fig-2"})


def test_figures_take_the_colour_of_the_text_and_keep_their_size(page):
    figure = page[page.index("<svg") : page.index("</svg>")]
    assert INK not in figure and "currentColor" in figure
    assert re.search(r'<svg[^>]* width="[\d.]+pt" height="[\d.]+pt"', page)
    assert not re.search(r"figure svg \{[^}]*width", page)


def test_markdown_has_the_claims_and_ours_with_the_paper_in_brackets(sections):
    markdown = report.render_markdown(sections)
    links = re.findall(r"^  - \[.*\]\(#(.*)\)$", markdown, re.MULTILINE)
    assert links == ["an-earlier-paper", "a-table-of-results", "a-later-one"]
    assert f"| Networks & masses | 2.00 | {MINUS}1.23 ± 0.50 points | 0.25 | **does not hold** |" in markdown
    assert "| row | 77.32 (80.00) | 12,345 |" in markdown
    assert "| AFFINE | 0 | 1 | 0 |" in markdown and "| our own | 0 | 0 | 1 |" in markdown


def test_a_markdown_table_says_nothing_of_a_paper_without_numbers_and_keeps_bars():
    table = Table("", "<|t|>", ("a",), (("row", (Cell(5.0),)),), (1,))
    assert report.markdown_table(table).splitlines() == [r"| <\|t\|> | a |", "| --- | --- |", "| row | 5.0 |"]


def test_the_tint_grows_with_the_difference_up_to_a_limit():
    def strength(cell):
        return re.fullmatch(r'class="(above|below)" style="--strength: (\d+)%"', report.tint(cell)).groups()

    assert strength(Cell(81.5, None, 80.0)) == ("above", "15")
    assert strength(Cell(77.0, None, 80.0)) == strength(Cell(50.0, None, 80.0)) == ("below", "30")
    assert report.tint(Cell(77.0)) == ""


def test_a_number_that_is_missing_is_a_dash():
    assert number(math.nan, 2) == "\N{EN DASH}"


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium; .ci/run installs it."""
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("needs chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("headless", "no-sandbox", "disable-gpu", "disable-background-networking", "no-first-run"):
        options.add_argument(f"--{argument}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield driver
    driver.quit()


@pytest.mark.parametrize("width", [1200, 390])
def test_filters_show_the_claims_that_are_asked_for(browser, sections, tmp_path, width):
    report.write_report(tmp_path / "report.html", sections)
    browser.set_window_size(width, 900)
    browser.get((tmp_path / "report.html").as_uri())

    def shown():
        rows = browser.find_elements("css selector", "table.claims tbody tr")
        return [row.get_attribute("data-paper") for row in rows if row.is_displayed()]

    def click(name):
        browser.find_element("css selector", f"label[for={name}]").click()

    assert shown() == ["PNN", "AFFINE", "NEOS"]
    click("paper-affine")
    assert shown() == ["AFFINE"]
    click("verdict-1")  # holds
    assert shown() == []
    click("paper-all")
    assert shown() == ["PNN"]
    click("verdict-all")
    click("whose-ours")
    assert shown() == ["NEOS"]
    overflow = browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0  # wide tables and figures scroll by themselves
