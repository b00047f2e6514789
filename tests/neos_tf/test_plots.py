"""Figures of neos_tf: what is drawn are the numbers of the results."""

import keras
import numpy as np
import pytest

import neos_tf
from neos_tf import plots

TEMPLATES = {
    "signal": [1.0, 2.0, 4.0],
    "background": [50.0, 20.0, 0.0],
    "background_up": [55.0, 24.0, 1.0],
    "background_down": [45.0, 18.0, 0.0],
}


def labels(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def values(axes):
    return [patch.get_data().values for patch in axes.patches]


def test_templates_of_a_likelihood_with_their_variations():
    likelihood = neos_tf.correlated_background(3, floor=1e-3).bind(TEMPLATES)
    figure = plots.templates(likelihood, edges=[0, 0.2, 0.6, 1])
    signal, background, signal_ratio, background_ratio = figure.axes
    assert [signal.get_title(), background.get_title()] == ["signal", "background"]
    np.testing.assert_allclose(values(signal), [TEMPLATES["signal"]])
    names = ("background", "background_up", "background_down")
    np.testing.assert_allclose(values(background), [TEMPLATES[name] for name in names])
    np.testing.assert_allclose(values(background_ratio), [[1.1, 1.2, np.nan], [0.9, 0.9, np.nan]])
    assert values(signal_ratio) == []
    np.testing.assert_allclose(background.patches[0].get_data().edges, [0, 0.2, 0.6, 1])
    assert labels(figure) == ["correlated_bkg_uncertainty", "up", "down"]


def test_templates_of_a_specification_with_channels_factors_and_absolute_uncertainties():
    modifiers = [
        {"name": "xsec", "type": "normsys", "data": {"hi": 1.2, "lo": 0.9}},
        {"name": "stat", "type": "staterror", "data": [3.0, 0.0]},
        {"name": "more", "type": "shapesys", "data": [4.0, 1.0]},
        {"name": "mu", "type": "normfactor", "data": None},
    ]
    one = {"name": "a", "data": [10.0, 20.0], "modifiers": modifiers}
    other = {"name": "b", "data": [5.0], "modifiers": []}
    specification = {
        "channels": [
            {"name": "SR", "samples": [one, {**one, "name": "b", "modifiers": []}]},
            {"name": "CR", "samples": [other]},
        ]
    }
    figure = plots.templates(specification, colours={"xsec": "black"})
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["SR: a", "SR: b", "", "", "CR: b", ""]
    _, band, up, down = figure.axes[0].patches
    np.testing.assert_allclose(band.get_data().values, [15, 21])
    np.testing.assert_allclose(band.get_data().baseline, [5, 19])
    np.testing.assert_allclose(up.get_data().values, [12, 24])
    np.testing.assert_allclose(down.get_data().values, [9, 18])
    assert labels(figure) == ["xsec", "up", "down", "statistical"]
    assert len(plots.templates(specification, []).axes[0].patches) == 2
    with pytest.raises(ValueError, match=r"Expected variations out of xsec\. Received: jes"):
        plots.templates(specification, ["jes"])
    with pytest.raises(ValueError, match="Expected edges of 1 bins for channel 'CR'"):
        plots.templates(specification, edges=[0, 0.5, 1])
    assert plots.templates(specification, edges={"SR": [0, 0.5, 1]}).axes[-1].get_xlabel() == "bin"


HISTORY = {
    "loss": [3.0, 2.0, 1.0],
    "val_loss": [3.5, 2.5, 1.5],
    "val_cls": [0.5, 0.05, 0.005],
    "val_sigma_mu": [1, 0.9, 0.8],
}


def test_course_of_one_training_however_it_is_given():
    fitted = keras.callbacks.History()
    fitted.history = HISTORY
    epochs = [{name: of_name[i] for name, of_name in HISTORY.items()} for i in range(3)]
    for given in (HISTORY, fitted, epochs, [HISTORY], {"": HISTORY}, {"": epochs}):
        figure = plots.course(given)
        loss, cls, _ = figure.axes
        assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "median expected CLs", "uncertainty of mu"]
        np.testing.assert_allclose([line.get_ydata() for line in loss.lines], [HISTORY["loss"], HISTORY["val_loss"]])
        np.testing.assert_allclose(cls.lines[0].get_xydata(), [(1, 0.5), (2, 0.05), (3, 0.005)])
        assert [axes.get_yscale() for axes in figure.axes] == ["linear", "log", "linear"]
        assert labels(figure) == ["training", "validation"]


def test_course_of_several_trainings_is_their_mean_on_the_scale_of_the_axis():
    trainings = [{"cls": [0.4, 0.01], "sigma_mu": [1.0, 0.9]}, {"cls": [0.1, 0.04], "sigma_mu": [1.2, 0.9]}]
    figure = plots.course(
        {"neos": trainings, "BCE": trainings[0]}, first_epoch=0, colours={"BCE": "black"}, labels={"cls": "CLs"}
    )
    cls, sigma = figure.axes
    np.testing.assert_allclose(cls.lines[0].get_xydata(), [(0, 0.2), (1, 0.02)])  # geometric means
    np.testing.assert_allclose(sigma.lines[0].get_ydata(), [1.1, 0.9])
    spread = np.std([1.0, 1.2], ddof=1)
    band = sigma.collections[0].get_paths()[0].vertices[:, 1]
    assert max(band) == pytest.approx(1.1 + spread) and len(sigma.collections) == 1
    assert cls.lines[1].get_color() == "black" and cls.get_ylabel() == "CLs" and labels(figure) == ["neos", "BCE"]


def test_course_leaves_out_what_is_infinite_and_refuses_what_is_not_there():
    (axes,) = plots.course({"cls": [0.5, float("inf"), 0.001]}).axes
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.5, np.nan, 0.001])
    assert axes.get_yscale() == "log"
    with pytest.raises(ValueError, match=r"Expected metrics out of loss, cls, sigma_mu\. Received: auc"):
        plots.course(HISTORY, ["auc"])
    for nothing in ([], {}, {"a": []}):
        with pytest.raises(ValueError, match="Expected"):
            plots.course(nothing)


@pytest.fixture(scope="module")
def found():
    """Impacts of two parameters, one of which has no constraint."""
    numbers = [[0.2, -1.0], [-0.3, 0.9], [0.25, 0.0], [-0.35, 0.0]]
    after = neos_tf.Postfit(
        ("a", "b", "mu"), [0.5, 1.1, 2.0], [0.8, 0.1, 0.7], [1, np.nan, np.nan], *2 * [[0.5, np.nan, np.nan]], True
    )
    return neos_tf.Impacts(("a", "b"), *numbers, [True, True], 2.0, 0.7, after._replace(widths=[0.8, np.nan, np.nan]))


def test_ranking_has_the_largest_impact_above(found):
    left, right = plots.ranking(found).axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["b", "a"]
    assert left.get_ylim()[0] > left.get_ylim()[1] and left.get_ylim() == right.get_ylim()
    assert [bar.get_width() for bar in right.patches] == [0.0, 0.25, -1.0, 0.2, 0.0, -0.35, 0.9, -0.3]
    assert len(plots.ranking(found, n_largest=1).axes[1].patches) == 4


def test_pulls_are_those_of_parameters_with_constraint(found):
    (axes,) = plots.pulls(found.postfit).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a"]
    (bar,) = axes.containers
    (segment,) = bar.lines[2][0].get_segments()
    np.testing.assert_allclose(segment[:, 0], [0.5 - 0.8, 0.5 + 0.8])
    with pytest.raises(ValueError, match=r"names out of a\. Received: b"):
        plots.pulls(found.postfit, names=["b"])
