"""Figures of taylor: what is drawn are the numbers of the results."""

from types import SimpleNamespace

import numpy as np
import pytest

import taylor
from taylor import plots

FEATURES = taylor.FeatureSet.complete(("mass", "pt", "eta"), 2)


def importance(seed=1):
    mean = np.random.default_rng(seed).exponential(size=len(FEATURES))
    return taylor.TaylorImportance(FEATURES, mean, mean / 20, 100, "adjoint")


def labels(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_ranking_is_bars_in_order_with_the_colour_of_the_order():
    one = importance()
    figure = plots.ranking(one, 6, colours={2: "black"})
    (axes,) = figure.axes
    lines = one.ranking()[:6]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [line.feature for line in lines]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([line.mean for line in lines])
    black = [bar.get_facecolor() == (0, 0, 0, 1) for bar in axes.patches]
    assert black == [line.order == 2 for line in lines]
    (bars,) = axes.collections
    assert [np.ptp(s[:, 0]) / 2 for s in bars.get_segments()] == pytest.approx([line.error for line in lines])
    assert labels(figure) == ["order 1", "order 2"]


def test_ranking_shows_others_on_the_lines_of_the_first():
    regions = {"all": importance(1), "signal": importance(2)}
    figure = plots.ranking(regions)
    (axes,) = figure.axes
    assert len(axes.patches) == len(FEATURES)  # fewer than asked for
    (points,) = [line for line in axes.lines if line.get_marker() == "D"]
    expected = [regions["signal"].of(*line.inputs).mean for line in regions["all"].ranking()]
    np.testing.assert_allclose(points.get_xdata(), expected)
    assert labels(figure) == ["all, order 1", "all, order 2", "signal"]
    other = taylor.TaylorImportance(taylor.FeatureSet.complete(("x",), 1), np.ones(1), np.ones(1), 1, "adjoint")
    with pytest.raises(ValueError, match="the same features"):
        plots.ranking({"a": regions["all"], "b": other})


def test_pairs_are_a_symmetric_matrix_without_those_that_were_not_analysed():
    one = importance()
    figure = plots.pairs(one)
    matrix = figure.axes[0].images[0].get_array()
    for i in range(3):
        for j in range(3):
            assert matrix[i, j] == one.of(i, j).mean
    chosen = taylor.FeatureSet.chosen(("mass", "pt", "eta"), ["mass", ("mass", "pt")])
    few = taylor.TaylorImportance(chosen, np.array([1.0, 2.0]), np.zeros(2), 1, "adjoint")
    assert np.ma.filled(plots.pairs(few).axes[0].images[0].get_array(), -1).tolist() == [
        [-1, 2, -1],
        [2, -1, -1],
        [-1, -1, -1],
    ]
    first = taylor.TaylorImportance(taylor.FeatureSet.complete(("x",), 1), np.ones(1), np.ones(1), 1, "adjoint")
    with pytest.raises(ValueError, match="second order"):
        plots.pairs(first)


def test_pairs_of_many_inputs_are_those_of_the_largest():
    features = taylor.FeatureSet.complete(tuple(f"x{i}" for i in range(60)), 2)
    mean = np.zeros(len(features))
    for pair in ((3, 50), (7, 7)):
        mean[features.columns[pair]] = 1.0
    (axes, _) = plots.pairs(taylor.TaylorImportance(features, mean, mean, 1, "adjoint"), n=3).axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["x3", "x7", "x50"]
    assert axes.images[0].get_array().tolist() == [[0, 0, 1], [0, 1, 0], [1, 0, 0]]


def test_by_output_is_a_row_an_output_and_a_column_an_input():
    classes = {"signal": importance(1), "top": importance(2)}
    axes, scale = plots.by_output(classes).axes
    first = np.stack([one.mean[:3] for one in classes.values()])
    np.testing.assert_allclose(axes.images[0].get_array(), first)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["mass", "pt", "eta"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["signal", "top"]

    result = SimpleNamespace(names=tuple(classes), importances=tuple(classes.values()))  # as of importance_of_outputs
    axes, scale = plots.by_output(result, normalise=True).axes
    np.testing.assert_allclose(axes.images[0].get_array(), 100 * first / first.sum(axis=1, keepdims=True))
    assert scale.get_ylabel() == "share of the output (%)"

    chosen = plots.by_output(classes, features=["mass, eta", "pt"]).axes[0].images[0].get_array()
    assert chosen.tolist() == [[one.of(0, 2).mean, one.of(1).mean] for one in classes.values()]
    largest = plots.by_output(classes, n=1).axes[0].get_xticklabels()[0].get_text()
    assert largest == ("mass", "pt", "eta")[np.argmax(first.max(axis=0))]
    with pytest.raises(ValueError, match=r"one of the 9 analysed features.*'phi'"):
        plots.by_output(classes, features=["phi"])
    with pytest.raises(ValueError, match="the same features"):
        plots.by_output({})


def test_ranking_has_the_spread_of_networks_as_an_outer_bar():
    merged = importance(1).merge([importance(2), importance(3)])
    (axes,) = plots.ranking(merged).axes
    inner, outer = ([np.ptp(s[:, 0]) / 2 for s in bars.get_segments()] for bars in axes.collections)
    columns = merged.by_rank
    np.testing.assert_allclose(inner, merged.error[columns])
    np.testing.assert_allclose(outer, np.hypot(merged.error, merged.spread)[columns])


@pytest.mark.parametrize(("ends", "marked"), [(2, [20]), (3, [])])
def test_course_marks_an_earlier_network_that_a_training_ends_with(ends, marked):
    records = [
        SimpleNamespace(step=10 * i, importance=importance(i), metrics={"auc": 0.5}, ends_here=i == ends)
        for i in range(4)
    ]
    for axes in plots.course(records).axes:
        assert [line.get_xdata()[0] for line in axes.lines if line.get_color() == plots.GREY] == marked


def test_course_draws_the_largest_at_the_end_and_the_metrics():
    records = [taylor.MonitorRecord(10 * i, 0, importance(i), {"auc": 0.5 + i / 10, "loss": 1.0}) for i in range(4)]
    figure = plots.course(records, n=2)
    above, auc, loss = figure.axes
    largest = records[-1].importance.ranking()[:2]
    for line, feature in zip(above.lines, largest, strict=True):
        np.testing.assert_allclose(line.get_xdata(), [0, 10, 20, 30])
        np.testing.assert_allclose(line.get_ydata(), [r.importance.of(*feature.inputs).mean for r in records])
    band = above.collections[0].get_paths()[0].vertices[:, 1]
    assert max(band) == pytest.approx(max(1.05 * r.importance.of(*largest[0].inputs).mean for r in records))
    np.testing.assert_allclose(auc.lines[0].get_ydata(), [0.5, 0.6, 0.7, 0.8])
    assert loss.get_ylabel() == "loss" and labels(figure) == [line.feature for line in largest]

    several = plots.course({"a": records, "b": records[:2]}, features=["mass", "mass, pt"], metrics=[])
    assert len(several.axes) == 1 and labels(several) == ["mass", "mass, pt", "a", "b"]
    with pytest.raises(ValueError, match=r"Expected one of the 9 analysed features.*'pt, mass'"):
        plots.course(records, features=["pt, mass"])
    with pytest.raises(ValueError, match="Expected records"):
        plots.course([])


def test_over_theta_draws_those_that_are_large_anywhere():
    theta = np.array([[1000.0, 0.9], [500.0, 0.9], [1500.0, 0.9]])
    result = taylor.ImportanceOverTheta(theta, tuple(map(importance, range(3))))
    figure = plots.over_theta(result, n=2, label="mass (GeV)")
    (axes,) = figure.axes
    columns = np.argsort(-result.mean.max(axis=0))[:2]
    for line, column in zip(axes.lines, columns, strict=True):
        np.testing.assert_allclose(line.get_xdata(), [500, 1000, 1500])
        np.testing.assert_allclose(line.get_ydata(), result.mean[[1, 0, 2], column])
    assert axes.get_xlabel() == "mass (GeV)" and labels(figure) == [FEATURES.labels[i] for i in columns]
    grid = taylor.ImportanceOverTheta(theta + np.array([[0, 0], [0, 0.1], [0, 0]]), result.importances)
    with pytest.raises(ValueError, match="only parameter 0 varies"):
        plots.over_theta(grid)


def a_variation():
    rng = np.random.default_rng(3)
    contribution, error = rng.normal(size=len(FEATURES)), rng.exponential(size=len(FEATURES))
    change = contribution.sum() + 0.2 - 0.3
    estimates = {"contribution": contribution, "error": error, "share_error": error / 3, "mean_abs": abs(contribution)}
    rest = {"remainder": 0.2, "remainder_error": 0.01, "beyond_marginals": -0.3, "beyond_marginals_error": 0.02}
    return taylor.VariationImportance(
        FEATURES, change=change, change_error=0.1, **estimates, **rest, n_events=100, engine="adjoint"
    )


def test_variation_is_signed_bars_whose_sum_is_the_last():
    one = a_variation()
    (axes,) = plots.variation(one, 4).axes
    lines = one.ranking()[:4]
    names = [line.feature for line in lines] + ["5 more, their sum", "remainder", "beyond marginals", "change"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == names
    widths = [bar.get_width() for bar in axes.patches]
    assert widths[:4] == pytest.approx([line.contribution for line in lines])
    assert widths[-3:] == pytest.approx([0.2, -0.3, one.change])
    assert sum(widths[:-1]) == pytest.approx(one.change)
    assert [bool(bar.get_hatch()) for bar in axes.patches] == [False] * 4 + [True] * 3 + [False]
    errors = [np.ptp(c.get_segments()[0][:, 0]) / 2 for c in axes.collections]
    assert errors == pytest.approx([*(line.error for line in lines), 0, 0.01, 0.02, 0.1])


def test_variation_in_per_cent_has_the_errors_of_the_shares():
    one = a_variation()
    (axes,) = plots.variation(one, 4, relative=True).axes
    lines = one.ranking()[:4]
    assert [bar.get_width() for bar in axes.patches[:4]] == pytest.approx([100 * line.share for line in lines])
    errors = [np.ptp(c.get_segments()[0][:, 0]) / 2 for c in axes.collections][:4]
    assert errors == pytest.approx([100 * line.share_error for line in lines])
    assert axes.patches[-1].get_width() == pytest.approx(100)
