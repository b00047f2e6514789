"""Tables: what stands in them are the numbers of the result, whatever the names are."""

import csv
import html
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from taylor import FeatureSet, TaylorImportance

NAMES = ("DER_mass", "<pt> & co", "$p_T$")
FEATURES = FeatureSet.complete(NAMES, 1)


def importance(**changes):
    fields = {"mean": np.array([0.2, 0.3, 0.05]), "error": np.array([0.01, 0.02, 0.003])}
    return TaylorImportance(**({"features": FEATURES, "n_events": 1234, "engine": "adjoint"} | fields | changes))


def full():
    """Every optional number, and a region."""
    optional = {
        "median": np.array([0.1, 0.4, 0.05]),
        "signed": np.array([-0.2, 0.1, 0.0]),
        "signed_error": np.array([0.02, 0.03, 0.004]),
        "spread": np.array([0.05, 0.01, 0.002]),
    }
    region = importance(mean=np.array([1.0, 2.0, 3.0]), error=np.array([0.1, 0.2, 0.3]), median=np.ones(3))
    return importance(**optional, n_networks=5, regions={"signal <b>": region})


def test_it_prints_what_there_is():
    assert str(full()) == (
        "Mean absolute Taylor coefficients of 3 features over 1,234 events, mean of 5 networks\n"
        "rank  feature    order     <|t|>     error    median       <t>     error    spread  signal <b>     error\n"
        "   1  <pt> & co      1       0.3      0.02       0.4       0.1      0.03      0.01           2       0.2\n"
        "   2  DER_mass       1       0.2      0.01       0.1      -0.2      0.02      0.05           1       0.1\n"
        "   3  $p_T$          1      0.05     0.003      0.05         0     0.004     0.002           3       0.3"
    )


def test_files_and_frames_have_the_old_columns_first_then_the_optional_then_those_of_regions(tmp_path):
    full().to_csv(tmp_path / "table.csv")
    with open(tmp_path / "table.csv", newline="", encoding="utf-8") as file:
        heading, *rows = csv.reader(file)
    assert heading == [
        *("rank", "feature", "order", "mean", "error", "rank_low", "rank_high"),
        *("median", "signed", "signed_error", "spread"),
        *("mean_signal <b>", "error_signal <b>", "median_signal <b>"),
    ]
    second = ["2", "DER_mass", "1", "0.2", "0.01", "", "", "0.1", "-0.2", "0.02", "0.05", "1.0", "0.1", "1.0"]
    assert rows[1] == second
    pytest.importorskip("pandas")
    frame = full().to_frame()
    assert [name for name in frame.columns if name != "inputs"] == heading
    assert frame["inputs"].tolist() == [(1,), (0,), (2,)]
    assert frame["error_signal <b>"].tolist() == [0.2, 0.1, 0.3]


class Cells(HTMLParser):
    """Rows of cells, and every tag that is open at the end."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1].append(data)


def test_a_notebook_shows_the_same_table():
    cells = Cells(full()._repr_html_())
    assert cells.open == []
    assert len(cells.rows) == 1 + 3
    assert cells.rows[0][:5] == ["rank", "feature", "order", "<|t|>", "error"]
    assert cells.rows[1][:3] == ["1", "<pt> & co", "1"]
    assert "<b>" not in full()._repr_html_()
    long = importance(features=FeatureSet.complete(("a",) * 25, 1), mean=np.arange(25.0), error=np.ones(25))
    assert "and 5 more" in html.unescape(long._repr_html_())


def rows_of(latex):
    """Cells of the rows of a tabular that TeX would take: braces, dollars and numbers of cells match."""
    body = re.search(r"\\begin\{tabular\}\{(\w+)\}\n(.*)\\end\{tabular\}", latex, re.DOTALL)
    alignment, lines = body[1], body[2].splitlines()
    assert [lines[0], lines[2], lines[-1]] == [r"\toprule", r"\midrule", r"\bottomrule"]
    rows = []
    for line in (lines[1], *lines[3:-1]):
        assert line.endswith(r" \\")
        plain = re.sub(r"\\[&%$#_{}]", "", line)
        assert plain.count("$") % 2 == 0
        assert plain.count("{") == plain.count("}")
        words = "".join(re.sub(r"\\[a-zA-Z]+(\{\})?", "", plain).split("$")[::2])  # without mathematics and commands
        assert not set("%#_^~{}<>|") & set(words), words
        rows.append(re.split(r"(?<!\\) & ", line.removesuffix(r" \\")))
        assert len(rows[-1]) == len(alignment)
    return rows


def test_latex_has_values_to_two_digits_of_their_errors_and_escaped_names():
    heading, *rows = rows_of(full().to_latex())
    assert heading == [
        *("Rank", "Feature", r"$\langle |t| \rangle$", "Median", r"$\langle t \rangle$", "Spread"),
        r"signal \textless{}b\textgreater{}",
    ]
    assert rows[0] == [
        *("1", r"\textless{}pt\textgreater{} \& co", r"$0.300 \pm 0.020$", "$0.400$", r"$0.100 \pm 0.030$"),
        *("$0.010$", r"$2.00 \pm 0.20$"),
    ]
    assert rows[1][:3] == ["2", r"DER\_mass", r"$0.200 \pm 0.010$"]
    assert rows[1][4] == r"$-0.200 \pm 0.020$"
    assert rows[2][1:3] == ["$p_T$", r"$0.0500 \pm 0.0030$"]


def test_latex_shows_intervals_of_ranks_where_there_are_replicas():
    replicas = np.array([[0.2, 0.3, 0.0], [0.3, 0.2, 0.0], [0.4, 0.3, 0.0]])
    heading, *rows = rows_of(importance(replicas=replicas).to_latex())
    assert heading[1] == r"68\,\%"
    assert [row[1] for row in rows] == ["1--2", "1--2", "3"]


def test_latex_stands_in_a_table_if_it_has_a_caption_or_a_label(tmp_path):
    text = importance().to_latex(tmp_path / "table.tex", n=1, caption="Features.", label="tab:features")
    assert (tmp_path / "table.tex").read_text(encoding="utf-8") == text
    assert text.splitlines() == [
        r"% \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        r"\caption{Features.}",
        r"\label{tab:features}",
        r"\begin{tabular}{rlc}",
        r"\toprule",
        r"Rank & Feature & $\langle |t| \rangle$ \\",
        r"\midrule",
        r"1 & \textless{}pt\textgreater{} \& co & $0.300 \pm 0.020$ \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    assert len(rows_of(importance().to_latex(n=None))) == 1 + 3
