"""Histograms of parts of the events add up to those of `evaluate`."""

import pickle
from itertools import pairwise

import keras
import numpy as np
import pytest
import tensorflow as tf

from neos_tf import CLsLoss, QuantileBins, SoftCut, SummaryStatistic, TemplateModel, TemplateSums, template_sums
from tests.neos_tf.blobs import EDGES, MODEL, YIELDS, blobs, network, statistic
from tests.neos_tf.workspaces import MU, sample, specification, staterror

CHANNEL = [sample("s", "signal", MU), sample("b", "background", staterror("channel", "background_error"))]
WITH_ERRORS = TemplateModel.from_spec(specification(channel=CHANNEL), n_bins=3)


def parts_of(samples, cuts):
    for start, stop in zip([0, *cuts], [*cuts, None], strict=True):
        rows = slice(start, stop)
        yield {
            name: tuple(a[rows] for a in of) if isinstance(of, tuple) else of[rows]
            for name, of in samples.items()
            if len((of[0] if isinstance(of, tuple) else of)[rows])
        }


@pytest.mark.parametrize("selection", [None, SoftCut(0, -0.5, 0.5)])
@pytest.mark.parametrize("weighted", [False, True])
def test_parts_add_up_to_the_histograms_of_evaluate(weighted, selection):
    samples = blobs(weighted=weighted)
    samples["signal"] = tuple(a[:200] for a in samples["signal"]) if weighted else samples["signal"][:200]
    model = statistic(CLsLoss(), selection=selection)
    whole = template_sums(model, samples)
    one, *others = (template_sums(model, part) for part in parts_of(samples, (7, 100, 250)))  # no signal in the last
    merged = one.merge(pickle.loads(pickle.dumps(others)))
    model.evaluate(tf.data.Dataset.from_tensors(samples), verbose=0)
    expected = model.histograms()
    for name, template in merged.templates(model).items():
        np.testing.assert_allclose(template, expected[name], rtol=1e-12)
        np.testing.assert_allclose(template, whole.templates(model)[name], rtol=1e-12)
    assert merged.samples["signal"].n_events == 200


def test_statistical_errors_are_those_of_the_histogram():
    samples = {name: of for name, of in blobs(weighted=True).items() if name in ("signal", "background")}
    yields = {"signal": 20.0, "background": None}
    model = statistic(CLsLoss(), model=WITH_ERRORS, yields=yields)
    templates = template_sums(model, samples).templates(model)
    x, w = samples["background"]
    score = model(x).numpy().ravel().astype(float)
    np.testing.assert_allclose(templates["background"], np.histogram(score, EDGES, weights=w)[0], rtol=1e-12)
    errors = np.sqrt(np.histogram(score, EDGES, weights=w**2)[0])
    np.testing.assert_allclose(templates["background_error"], errors, rtol=1e-12)


def test_what_preprocessing_has_learnt_by_now_is_used(tmp_path):
    normalization, last, events = keras.layers.Normalization(), network(), blobs(100)
    model = SummaryStatistic(
        keras.Sequential([keras.Input((2,)), normalization, last]), MODEL, EDGES, 0.1, yields=YIELDS
    )
    model.network.save_weights(tmp_path / "first.weights.h5")
    counted = []
    for change in (
        lambda: None,
        lambda: normalization.adapt(5 * events["signal"]),
        lambda: last.set_weights([w - 0.5 for w in last.get_weights()]),
        lambda: model.network.load_weights(tmp_path / "first.weights.h5"),
    ):
        change()
        counted.append(template_sums(model, events).samples["signal"].weights)
        scores = model.network(events["signal"]).numpy().ravel()
        np.testing.assert_array_equal(counted[-1], np.histogram(scores, EDGES)[0])
    assert all((a != b).any() for a, b in pairwise(counted))


def test_histograms_are_traced_once_for_any_number_of_events():
    model = statistic(CLsLoss())
    graphs = []
    for n_events in (20, 30, 41):
        template_sums(model, blobs(n_events))
        graphs.append(model.regions.counting("signal"))
    assert graphs[0] is graphs[1] is graphs[2] and graphs[0].experimental_get_tracing_count() <= 2


def test_what_cannot_be_counted_is_refused():
    samples, model = blobs(20), statistic(CLsLoss())
    with pytest.raises(ValueError, match=r"samples among signal, .*Received: data"):
        template_sums(model, {"data": samples["signal"]})
    with pytest.raises(ValueError, match="1 events of 'signal'"):
        template_sums(model, {"signal": np.where(np.arange(20)[:, None] == 3, np.nan, samples["signal"])})
    few = template_sums(model, {"signal": samples["signal"]})
    with pytest.raises(ValueError, match=r"none of background, background_up, background_down"):
        few.templates(model)
    sums = few.samples["signal"]
    with pytest.raises(ValueError, match=r"with the same bins\. Received: 3 and 2"):
        few + TemplateSums({"signal": sums._replace(weights=sums.weights[1:])})
    with pytest.raises(TypeError):
        few + 1
    with pytest.raises(ValueError, match="edges that do not depend on the batch"):
        template_sums(statistic(CLsLoss(), edges=QuantileBins(3, of="background")), samples)
