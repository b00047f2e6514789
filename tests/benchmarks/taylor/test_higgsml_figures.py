"""The figures of the HiggsML experiment draw what the rows say."""

import numpy as np
import pytest

from benchmarks.taylor import higgsml_figures as figures
from benchmarks.taylor.higgsml import by_treatment
from benchmarks.taylor.higgsml_claims import importance, matching, rank, with_input


def test_the_ranking_is_drawn_in_order(rows):
    group = by_treatment(rows)["undefined at the mean"]
    ranking = importance(*group).ranking()
    bars, everything = figures.ranking(group).axes
    assert [label.get_text() for label in bars.get_yticklabels()] == [line.feature for line in ranking[:25]]
    assert [bar.get_width() for bar in bars.patches] == pytest.approx([line.mean for line in ranking[:25]])
    assert [len(points.get_offsets()) for points in everything.collections] == [495]


@pytest.mark.parametrize("n_seeds", [1, 2])
def test_occurrence_counts_along_the_ranking(rows, n_seeds):
    some = rows[: 2 * n_seeds]
    (axes,) = figures.occurrence(by_treatment(some), "DER_mass_vis").axes
    assert sum(line.get_linewidth() == 0.7 for line in axes.get_lines()) == 2 * 2 * n_seeds  # treatments, kinds, seeds
    (place, share), (_, of_angles) = (
        np.array(line.get_data()) for line in axes.get_lines() if line.get_label().endswith(", undefined at the mean")
    )
    expected = np.cumsum(matching(with_input("DER_mass_vis"), *some[::2]))
    assert expected.iloc[-1] == 31  # alone, squared, and with 29 others
    assert np.allclose(share[1:] * 31, expected) and share[0] == 0 and list(place) == list(range(496))
    if n_seeds == 1:
        assert np.flatnonzero(of_angles)[0] == rank(figures.FIRST_ANGLE, rows[0])


def test_contours_enclose_the_peak_of_each_class(samples):
    (axes,) = figures.contours(samples.data["contours"]).axes
    assert axes.get_xlabel() == "DER_mass_vis (GeV)" and axes.get_ylabel() == "DER_pt_ratio_lep_tau"
    background, signal = axes.collections
    for contour, centre in ((background, 150), (signal, 100)):
        # 500 and 1000 events 25 GeV wide in bins of 8 GeV, smoothed: the peak is somewhere within 20 GeV.
        assert contour.get_paths()[-1].vertices[:, 0].mean() == pytest.approx(centre, abs=20)


def test_rejections_are_read_off_the_roc(rows):
    everything, kept, *_ = figures.roc(by_treatment(rows)).axes[0].get_lines()
    assert everything.get_ydata()[49] == pytest.approx(1 / 0.5**3)
    assert kept.get_ydata()[49] == pytest.approx(1 / (1.1 * 0.5**3))
