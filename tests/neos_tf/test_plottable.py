import numpy as np
import pytest

from neos_tf import TemplateModel
from neos_tf.plottable import Histogram
from tests.neos_tf.workspaces import MU, sample, specification, staterror

hist = pytest.importorskip("hist")
EDGES = [0.0, 0.2, 0.5, 1.0]


@pytest.fixture(scope="module")
def model():
    background = sample("background", "b", staterror("c", "b_error"))
    return TemplateModel.from_spec(specification(c=[sample("signal", "s", MU), background]), n_bins=3)


def filled(storage="weight"):
    """Two events of weight 3 in the first bin, one of 0.5 in the last, and one beyond the edges."""
    histogram = hist.Hist(hist.axis.Variable(EDGES), storage=storage)
    return histogram.fill([0.1, 0.15, 0.9, 1.7], weight=[3.0, 3.0, 0.5, 9.0])


def test_histogram_gives_counts_and_their_uncertainty(model):
    likelihood = model.bind({"s": filled("double"), "b": filled()})
    numbers = likelihood.numbers.numpy()
    found = {name: numbers[template.places] for name, template in model.templates.items()}
    assert np.array_equal(found["s"], [6, 0, 0.5]) and np.array_equal(found["b"], [6, 0, 0.5])
    np.testing.assert_allclose(found["b_error"], [np.sqrt(18), 0, 0.5], rtol=1e-15)


def test_uncertainty_that_is_given_goes_before(model):
    likelihood = model.bind({"s": [1.0, 2.0, 3.0], "b": filled(), "b_error": [1.0, 1.0, 1.0]})
    assert np.array_equal(likelihood.numbers.numpy()[model.templates["b_error"].places], [1, 1, 1])


def test_histogram_without_variances_leaves_the_uncertainty_to_the_user(model):
    with pytest.raises(ValueError, match="missing: b_error"):
        model.bind({"s": filled(), "b": filled("double")})


@pytest.mark.parametrize(
    ("histogram", "message"),
    [
        (hist.Hist.new.Reg(3, 0, 1).Reg(2, 0, 1).Weight(), "'b' of 2 axes, (Kind.)?COUNT"),
        (hist.Hist.new.Reg(3, 0, 1).Mean(), "'b' of 1 axes, (Kind.)?MEAN"),
        (hist.Hist.new.Reg(4, 0, 1).Weight(), r"'b' of shape \(3,\). Received: shape \(4,\)"),
    ],
)
def test_other_histograms_are_refused(model, histogram, message):
    with pytest.raises(ValueError, match=message):
        model.bind({"s": [1.0, 2.0, 3.0], "b": histogram})


def test_templates_become_histograms_and_come_back(model):
    likelihood = model.bind({"s": [1.0, 2.0, 3.0], "b": filled()})
    histograms = likelihood.histograms(EDGES)
    assert list(histograms) == ["s", "b"] and histograms["s"].variances() is None
    background = hist.Hist(histograms["b"])
    assert np.array_equal(background.axes[0].edges, EDGES)
    assert np.array_equal(background.values(), filled().values())
    np.testing.assert_allclose(background.variances(), filled().variances(), rtol=1e-15)
    np.testing.assert_allclose(model.bind(histograms).numbers, likelihood.numbers, rtol=1e-15)
    assert np.array_equal(hist.Hist(histograms["s"]).values(), [1, 2, 3])
    with pytest.raises(ValueError, match=r"edges of 3 bins for template 's'. Received: shape \(3,\)"):
        likelihood.histograms(EDGES[1:])
    assert np.array_equal(likelihood.histograms({"s": EDGES, "b": [0, 1, 2, 3]})["b"].axes[0].edges, [0, 1, 2, 3])


def test_histograms_follow_the_protocol():
    typing = pytest.importorskip("uhi.typing.plottable")
    histogram = Histogram([1.0, 2.0, 0.0], [1.0, 0.5, 0.0], EDGES)
    assert isinstance(histogram, typing.PlottableHistogram) and isinstance(
        histogram.axes[0], typing.PlottableAxisGeneric
    )
    assert list(histogram.axes[0]) == [(0.0, 0.2), (0.2, 0.5), (0.5, 1.0)] and len(histogram.axes[0]) == 3
    assert histogram.axes[0] == Histogram([1.0], None, EDGES).axes[0] != hist.axis.Variable(EDGES)
    assert np.array_equal(histogram.counts(), [1, 8, 0])
