"""The figures of the HiggsML experiment draw what the rows say."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from benchmarks.style import BLUE, ORANGE
from benchmarks.taylor import higgsml_figures as figures
from benchmarks.taylor.higgsml_ranking import by_treatment, containing, first_angle, importance


def test_the_ranking_is_drawn_in_order_and_coloured_by_it(rows):
    group = by_treatment(rows)["undefined at the mean"]
    ranking = importance(group).ranking()
    bars, everything = figures.plot(rows).axes
    assert [label.get_text() for label in bars.get_yticklabels()] == [line.feature for line in ranking[:25]]
    assert [bar.get_width() for bar in bars.patches] == pytest.approx([line.mean for line in ranking[:25]])
    colours = [to_hex(bar.get_facecolor()) for bar in bars.patches]
    assert colours == [ORANGE if line.order == 1 else BLUE for line in ranking[:25]]
    second, first = everything.collections
    assert (len(first.get_offsets()), len(second.get_offsets())) == (30, 465)
    assert everything.get_yscale() == "log"


def test_occurrence_counts_along_the_ranking(rows):
    (axes,) = figures.occurrence(rows[:2], "DER_mass_vis").axes
    lines = {line.get_label(): np.array(line.get_data()) for line in axes.get_lines()}
    ranking = importance(rows[:1])
    rank, share = lines["DER_mass_vis: undefined at the mean"]
    expected = np.cumsum(containing(ranking, ["DER_mass_vis"]))
    assert expected[-1] == 31  # alone, squared, and with 29 others
    assert np.allclose(share[1:] * 31, expected) and share[0] == 0 and list(rank) == list(range(496))
    _, share = lines["a primitive φ: undefined at the mean"]
    assert np.flatnonzero(share)[0] == first_angle(ranking).rank


@pytest.mark.parametrize("n_seeds", [1, 2])
def test_each_seed_has_a_thin_line_if_there_are_several(rows, n_seeds):
    (axes,) = figures.occurrence(rows[: 2 * n_seeds], "DER_mass_vis").axes
    thin = [line for line in axes.get_lines() if line.get_linewidth() == 0.7]
    assert len(thin) == (0 if n_seeds == 1 else 2 * 2 * 2)  # seeds, treatments, kinds of feature


def test_contours_enclose_the_peak_of_each_class(samples):
    counts = samples.data["contours"]
    (axes,) = figures.contours(counts).axes
    assert axes.get_xlabel() == "DER_mass_vis (GeV)" and axes.get_ylabel() == "DER_pt_ratio_lep_tau"
    _, background, _, signal = axes.collections  # filled and lines, of one class and the other
    for contour, centre in ((background, 150), (signal, 100)):
        innermost = contour.get_paths()[-1].vertices[:, 0]
        # 500 and 1000 events 25 GeV wide in bins of 8 GeV, smoothed: the peak is somewhere within 20 GeV.
        assert innermost.mean() == pytest.approx(centre, abs=20)


def test_smoothing_keeps_the_number_of_events():
    counts = np.zeros((9, 9))
    counts[4, 3] = 256
    smooth = figures._smooth(counts)
    assert smooth.sum() == 256
    assert smooth[4].tolist() == [0, 6 * 1, 6 * 4, 6 * 6, 6 * 4, 6 * 1, 0, 0, 0]
