"""The figures of the search, read back from their axes."""

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks.search.figures import COLOURS, figures, limit_curve
from benchmarks.search.networks import CROSS_ENTROPY, LIMIT_TRAINED, TRAININGS
from tests.benchmarks.search.conftest import BANDS, MASSES, median

MASS = "mass of the resonance (GeV)"
OTHERS = [name for name in TRAININGS if name != CROSS_ENTROPY]


def drawn(record):
    return [figure for _, figure in figures(record)]


def without(record, *names_seeds_masses):
    for row in record["rows"]:
        for name, seed, mass in names_seeds_masses:
            if (row["row"], row["seed"]) == (name, seed):
                row["expected"][MASSES.index(mass)] = None
    return record


def line(axes, label):
    (found,) = (line for line in axes.get_lines() if line.get_label() == label)
    return np.asarray(found.get_xdata(), float), np.asarray(found.get_ydata(), float)


def points(axes, label):
    """x, y and errors of an errorbar."""
    (found,) = (container for container in axes.containers if container.get_label() == label)
    x, y = found.lines[0].get_data()
    (segments,) = (bars.get_segments() for bars in found.lines[2])
    return np.asarray(x, float), np.asarray(y, float), np.array([np.ptp(segment[:, 1]) / 2 for segment in segments])


def test_every_figure_has_a_caption_and_labelled_axes(record):
    captions = [caption for caption, _ in figures(record)]
    assert len(set(captions)) == 4 and all(caption.endswith(".") for caption in captions)
    (limits, ratios), (scan,), (left, right), (to_scale,) = (figure.axes for figure in drawn(record))
    assert [axes.get_xlabel() for axes in (ratios, scan, left, right)] == [MASS] * 4
    assert "(pb)" in limits.get_ylabel() and limits.get_yscale() == scan.get_yscale() == "log"
    for axes in (ratios, scan, left):
        assert axes.get_ylabel()
    assert to_scale.get_xlabel() and [label.get_text() for label in to_scale.get_yticklabels()]
    assert set(COLOURS) == set(TRAININGS) and len(set(COLOURS.values())) == len(COLOURS)


def test_limits_are_means_over_seeds_and_ratios_those_of_each_seed(record):
    figure = drawn(record)[0]
    above, below = figure.axes
    for name, label in (
        (LIMIT_TRAINED, "trained on the limit, expected"),
        (CROSS_ENTROPY, "trained to classify, expected"),
    ):
        x, y = line(above, label)
        assert x.tolist() == list(MASSES)
        np.testing.assert_allclose(y, [np.mean([median(name, seed, mass) for seed in (1, 2)]) for mass in MASSES])
    band = next(collection for collection in above.collections if "2" in collection.get_label())
    heights = band.get_paths()[0].vertices[:, 1]
    means = [np.mean([median(LIMIT_TRAINED, seed, mass) for seed in (1, 2)]) for mass in MASSES]
    assert (heights.min(), heights.max()) == pytest.approx((BANDS[0] * min(means), BANDS[4] * max(means)))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == OTHERS
    for place, name in enumerate(OTHERS):
        x, y, error = points(below, name)
        ratios = np.array([[median(name, s, m) / median(CROSS_ENTROPY, s, m) for s in (1, 2)] for m in MASSES])
        if name == "augmented":  # with one seed at 1500 GeV
            ratios[-1, 1] = ratios[-1, 0]
        np.testing.assert_allclose(x - np.array(MASSES), 4 * (place - 2.5))  # beside each other
        np.testing.assert_allclose(y, ratios.mean(axis=1))
        np.testing.assert_allclose(error, ratios.std(axis=1, ddof=1), atol=1e-12)


def test_a_mass_that_did_not_converge_is_not_drawn(record):
    missing = [
        (LIMIT_TRAINED, 1, 850.0),
        (LIMIT_TRAINED, 2, 850.0),
        (CROSS_ENTROPY, 1, 1000.0),
        (CROSS_ENTROPY, 2, 1000.0),
    ]
    above, below = drawn(without(record, *missing))[0].axes
    x, y = line(above, "trained on the limit, expected")
    assert x[np.isnan(y)].tolist() == [850.0]
    assert line(above, "trained to classify, expected")[0].tolist() == [mass for mass in MASSES if mass != 1000]
    x, y, _ = points(below, LIMIT_TRAINED)
    assert len(x) == len(MASSES) - 2 and np.isfinite(y).all()
    x, _, _ = points(below, "augmented")
    assert len(x) == len(MASSES) - 1


def test_a_mass_at_which_no_seed_has_both_limits_is_not_drawn(record):
    below = limit_curve(without(record, (LIMIT_TRAINED, 1, 850.0), (CROSS_ENTROPY, 2, 850.0))["rows"]).axes[1]
    assert len(points(below, LIMIT_TRAINED)[0]) == len(MASSES) - 1


def test_the_scan_has_p_values_of_both_and_the_mass_that_is_there(record):
    (axes,) = drawn(record)[1].axes
    for name, lowest in ((CROSS_ENTROPY, 1e-4), (LIMIT_TRAINED, 1e-5)):
        x, y = line(axes, f"{name}, observed")
        assert (x[np.argmin(y)], y.min()) == (850.0, pytest.approx(lowest))
        assert set(line(axes, f"{name}, expected")[1]) == {1e-3}
    levels = {float(found.get_ydata()[0]) for found in axes.get_lines() if list(found.get_xdata()) == [0, 1]}
    # 1e-5 is 4.3 standard deviations.
    assert sorted(levels, reverse=True) == pytest.approx(norm.sf([1, 2, 3, 4, 5]))
    assert any(list(found.get_xdata()) == [850, 850] for found in axes.get_lines())
    assert axes.get_ylim()[0] < 1e-5


def test_importance_is_drawn_for_both_in_the_same_colours(record):
    both = drawn(record)[2].axes
    assert [axes.get_title("left") for axes in both] == [CROSS_ENTROPY, LIMIT_TRAINED]
    assert both[0].get_lines()[0].get_label() == "m_wwbb"
    for axes, of_met in zip(both, (0.1, np.nan), strict=True):
        np.testing.assert_array_equal(line(axes, "met")[1], [of_met] * len(MASSES))
        assert line(axes, "met")[0].tolist() == list(MASSES)
    colours = [{found.get_label(): found.get_color() for found in axes.get_lines()} for axes in both]
    assert colours[0] == colours[1]


def test_what_only_the_second_network_rests_on_is_drawn_too(record):
    _, second = drawn(record)[2].axes
    assert "jet1_pt" in [found.get_label() for found in second.get_lines()]


def test_effects_of_the_scale_are_bars_of_each_input(record):
    (axes,) = drawn(record)[3].axes
    shown = [label.get_text() for label in axes.get_yticklabels()]
    assert shown[:2] == ["m_wwbb", "met"]
    for bars, values in zip(axes.containers, ([0.2, -0.01], [0.05, 0.0]), strict=True):
        assert [bar.get_width() for bar in bars][:2] == pytest.approx(values)
    assert [bars.get_label() for bars in axes.containers] == [CROSS_ENTROPY, LIMIT_TRAINED]
