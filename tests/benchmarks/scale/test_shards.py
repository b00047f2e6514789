"""The three sums over files: the same whatever the tasks, and those of all events in memory."""

import keras
import numpy as np
import pyarrow.parquet as pq
import pytest

import pnn_tf
import taylor
from benchmarks.scale.shards import FUNCTIONS, HYPOTHESES, WORK, numbers_of, shards


@pytest.fixture(scope="module")
def files():
    with shards(3000, 4) as made:
        yield made


@pytest.fixture(scope="module")
def events(files):
    """All of them, by column."""
    table = pq.read_table(files.files)
    return {name: table[name].to_numpy() for name in table.column_names}


@pytest.fixture(scope="module")
def results(files):
    """Of each sum, with a task a file and with one for all files."""

    def total(work, paths):
        model = files.networks[work]
        return pnn_tf.sum_over_shards(FUNCTIONS[work], paths, columns=files.columns, model=model, workers=0)

    def parts(work):
        first, *others = (total(work, path).value for path in map(str, files.files))
        return first.merge(others)

    return {work: (total(work, files.files).value, parts(work)) for work in WORK}


def in_memory(work, files, events):
    features, label, weight = np.stack([events[n] for n in files.names], 1), events["label"], events["weight"]
    if work == "Taylor":
        network = keras.saving.load_model(files.networks[work])
        of = taylor.mean_abs_coefficients(
            network, features, names=files.names, weight=weight, regions={"signal": label == 1}
        )
        return np.stack([[one.mean, one.error] for one in (of, of.regions["signal"])])
    if work == "scores":
        model = pnn_tf.load_savedmodel(files.networks[work])
        counts = pnn_tf.count_scores(model, features, events["mass"], label, HYPOTHESES, weight=weight)
        return numbers_of(work, counts)
    statistic = keras.saving.load_model(files.networks[work], compile=False)
    score = statistic(features).numpy().ravel().astype(float)
    return np.stack(
        [np.histogram(score[mask], statistic.edges, weights=weight[mask])[0] for mask in (label == 1, label == 0)]
    )


@pytest.mark.parametrize("work", WORK)
def test_results_are_those_of_all_events_in_memory(work, files, events, results):
    whole, merged = (numbers_of(work, value) for value in results[work])
    np.testing.assert_allclose(merged, whole, rtol=1e-10)
    np.testing.assert_allclose(whole, in_memory(work, files, events), rtol=1e-10)


def test_templates_are_bound_to_the_measurement(files, results):
    statistic = keras.saving.load_model(files.networks["templates"], compile=False)
    templates = results["templates"][0].templates(statistic)
    expected = statistic.model.bind(templates).expected_data([2.0, *np.ones(20)], include_auxdata=False)
    assert float(sum(expected)) == pytest.approx(2 * 50 + 1000, rel=1e-12)  # the yields, with a signal strength of 2
