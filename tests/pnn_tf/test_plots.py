"""Figures of pnn_tf: what is drawn are the numbers of the results."""

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

import pnn_tf
from pnn_tf import plots

MASSES = 500.0, 1000.0, 1500.0  # GeV


def results(base):
    return [pnn_tf.HypothesisResult((m,), base + m / 1e4, None, 200, 900) for m in MASSES]


def drawn(axes, marker):
    """(n, 2) points of all lines with a marker."""
    lines = [line for line in axes.lines if line.get_marker() == marker]
    return np.concatenate([line.get_xydata() for line in lines] or [np.zeros((0, 2))])


def labels(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def bars(axes):
    """Half the height of each error bar, in the order of drawing."""
    return np.concatenate([[np.ptp(s[:, 1]) / 2 for s in bar.lines[2][0].get_segments()] for bar in axes.containers])


def test_auc_has_open_squares_where_nothing_was_trained():
    several = {"all": results(0.8), "ends": results(0.7)}
    figure = plots.auc(several, {"ends": [500, 1500]}, label="mass (GeV)")
    (axes,) = figure.axes
    assert axes.get_xlabel() == "mass (GeV)"
    np.testing.assert_allclose(drawn(axes, "s"), [[1000, 80]])
    np.testing.assert_allclose(drawn(axes, "o"), [*((m, 80 + m / 100) for m in MASSES), (500, 75), (1500, 85)])
    np.testing.assert_allclose(bars(axes), [100 * one.auc_error for of_name in several.values() for one in of_name])
    assert labels(figure) == ["all", "ends", "trained there", "held out"]


def test_auc_of_one_network_needs_no_legend_and_of_two_parameters_names_them():
    assert plots.auc(results(0.8)).legends == []
    two = [one._replace(theta=(*one.theta, 0.9)) for one in results(0.8)]
    (axes,) = plots.auc(two, [(500, 0.9)]).axes
    np.testing.assert_allclose(drawn(axes, "s")[:, 0], [1, 2])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["(500, 0.9)", "(1000, 0.9)", "(1500, 0.9)"]


def test_differences_are_in_points_and_their_bars_stand_apart():
    found = {
        name: {m: pnn_tf.Difference(value * m / 1e6, 0.001) for m in MASSES} for name, value in (("a", 1), ("b", 2))
    }
    figure = plots.differences(found, {"b": [500]})
    (axes,) = figure.axes
    a, b = drawn(axes, "o"), drawn(axes, "s")
    np.testing.assert_allclose([*a[:3, 1], a[3, 1], *b[:, 1]], [0.05, 0.1, 0.15, 0.1, 0.2, 0.3])
    np.testing.assert_allclose(bars(axes), 0.1)
    assert len({*a[:, 0], *b[:, 0]}) == 6
    np.testing.assert_allclose(drawn(plots.differences(found["a"]).axes[0], "o"), [(m, m / 1e4) for m in MASSES])


def test_roc_is_rejection_or_efficiency_of_arrays_and_of_lists():
    curve = pnn_tf.roc_curve([1, 0, 1, 0], [0.9, 0.5, 0.4, 0.1])
    stored = pnn_tf.RocCurve(curve.signal.tolist(), curve.background.tolist())
    figure = plots.roc({"fresh": curve, "stored": stored})
    fresh, old = figure.axes[0].lines
    np.testing.assert_allclose(fresh.get_xydata(), old.get_xydata())
    some = curve.background > 0
    np.testing.assert_allclose(fresh.get_xydata(), np.transpose([curve.signal[some], 1 / curve.background[some]]))
    assert figure.axes[0].get_yscale() == "log" and labels(figure) == ["fresh", "stored"]
    (line,) = plots.roc(curve, rejection=False).axes[0].lines
    assert np.trapezoid(line.get_ydata(), line.get_xdata()) == pytest.approx(0.75)


def test_sculpting_draws_densities():
    observable = np.arange(1000.0)
    cuts = {
        name: pnn_tf.background_sculpting(-np.abs(observable - m), observable, np.zeros(1000), bins=[0, 200, 600, 1000])
        for name, m in (("at 300 GeV", 300.2), ("at 800 GeV", 800.2))
    }
    figure = plots.sculpting(cuts, label="mass (GeV)")
    before, *after = figure.axes[0].patches
    for patch, shares in zip(
        (before, *after), (cuts["at 300 GeV"].before, *(c.after for c in cuts.values())), strict=True
    ):
        values, edges, _ = patch.get_data()
        np.testing.assert_allclose(values * np.diff(edges), shares)
    assert labels(figure) == ["all background", "at 300 GeV: 10 % passes", "at 800 GeV: 10 % passes"]


def test_calibration_draws_distances_beside_chance():
    one = pnn_tf.Agreement(0.02, 400.0, 0.3)
    tests = [pnn_tf.HoldOut(m, one, one._replace(ks=0.01)) for m in reversed(MASSES)]
    figure = plots.calibration({"linear": tests})
    signal, background = figure.axes
    np.testing.assert_allclose(signal.lines[0].get_xydata(), [(m, 2) for m in MASSES])
    np.testing.assert_allclose(background.lines[0].get_ydata(), 1)
    np.testing.assert_allclose(signal.lines[1].get_ydata(), 135.8 / 20, rtol=1e-4)
    assert labels(figure) == ["linear", "chance, 95 %"]


def test_densities_with_events():
    label, logit = np.repeat([1, 0], 4), np.array([0.1, 0.9, 2.1, 3.0, -1.0, 0.1, 0.9, 2.9])
    found = pnn_tf.events_in_bins(label, 1 / (1 + np.exp(-logit)), np.repeat([2.0, 1.0], 4), n_bins=4)
    np.testing.assert_allclose(found.edges, [-1, 0, 1, 2, 3], atol=1e-12)
    np.testing.assert_allclose(found.background, [0.25, 0.5, 0, 0.25])
    assert found.n_signal == found.n_background == 4
    with pytest.raises(ValueError, match="none of label 1"):
        pnn_tf.events_in_bins([1, 0], [0.5, 0.5], [0, 1])
    calibrated = pnn_tf.Densities(np.array([-1.0, 1.0, 3.0]), np.array([0.0, 0.5, 0.0]), np.array([0.4, 0.1, 0.1]))
    figure = plots.densities(calibrated, found._replace(edges=2 * found.edges))
    (axes,) = figure.axes
    np.testing.assert_allclose(axes.lines[0].get_xydata(), np.transpose(calibrated[:2]))
    points = np.array([line.get_xydata() for line in axes.lines if line.get_marker() == "o"][1])
    np.testing.assert_allclose(points, [(-1, 0.125), (1, 0.25), (5, 0.125)], atol=1e-12)  # where there are events
    np.testing.assert_allclose(bars(axes)[1], np.sqrt(0.5 * 0.5 / 4) / 2)
    assert labels(figure) == ["signal", "background", "test events"]


def test_figures_stand_side_by_side_in_the_users_style():
    with matplotlib.rc_context({"text.color": "red"}):
        settings = dict(matplotlib.rcParams)
        figure = Figure(figsize=(9, 4), layout="constrained")
        left, right = figure.subfigures(1, 2)
        assert plots.auc({"a": results(0.8), "b": results(0.7)}, [500], colours={"b": "black"}, figure=left) is left
        plots.auc(results(0.8), figure=right)
        assert len(figure.axes) == 2 and labels(left)[:2] == ["a", "b"]
        assert left.legends[0].get_lines()[1].get_color() == "black"
        assert left.legends[0].get_lines()[-1].get_color() == "red"
        assert dict(matplotlib.rcParams) == settings


@pytest.mark.parametrize("draw", [plots.auc, plots.differences, plots.roc, plots.sculpting, plots.calibration])
def test_nothing_to_draw_is_refused(draw):
    for nothing in ({}, {"a": []} if draw is not plots.differences else {"a": {}}):
        with pytest.raises(ValueError, match="Expected"):
            draw(nothing)
