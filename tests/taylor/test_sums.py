"""Sums of parts are those of the whole, whatever the parts."""

import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import taylor
from taylor import importance_sums, mean_abs_coefficients
from taylor.sums import prepared, sums_of
from tests.problems import DenseNetwork

NETWORK = DenseNetwork()
N_EVENTS = 600  # one chunk for each of two cores, as small_chunks are
X = NETWORK.events(N_EVENTS)
WEIGHT = np.random.default_rng(3).exponential(size=N_EVENTS)
LEFT = X[:, 1] < 0
OPTIONS = {"bootstrap": 12, "seed": 5, "signed": True}
CUTS = [(1,), (7, 8, 250), (128, 256, 300)]
EXACT = {"rtol": 1e-10}  # what is promised


@pytest.fixture(scope="module")
def model():
    return NETWORK.model()


@pytest.fixture(scope="module")
def single():
    """In float32, where sums in the precision of the network gave means that differed by 6e-9 to 6e-8."""
    keras.utils.set_random_seed(1)
    hidden = [layers.Dense(20, "tanh", dtype="float32"), layers.Dense(1, "sigmoid", dtype="float32")]
    return keras.Sequential([keras.Input((3,), dtype="float32"), *hidden])


def part(model, rows, **keywords):
    regions = {"left": LEFT[rows]}
    keywords = {"first_event": rows.start, "regions": regions, **OPTIONS, **keywords}
    return importance_sums(model, X[rows], weight=WEIGHT[rows], **keywords)


def assert_same(one, other):
    assert one.n_events == other.n_events
    for name in ("mean", "error", "signed", "signed_error", "replicas"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), **EXACT)
    assert list(one.regions) == list(other.regions)
    for name in one.regions:
        assert_same(one.regions[name], other.regions[name])


def test_any_parts_give_the_whole(model, uncompiled, small_chunks):
    whole = mean_abs_coefficients(model, X, weight=WEIGHT, regions={"left": LEFT}, **OPTIONS)
    for cuts in CUTS:
        parts = [part(model, slice(a, b)) for a, b in zip((0, *cuts), (*cuts, N_EVENTS), strict=True)]
        assert_same(sum(parts).importance(), whole)
        assert_same(parts[-1].merge(parts[:-1]).importance(), whole)
    assert sum(parts).spans == ((0, N_EVENTS),)


def test_parts_of_a_network_in_float32_do_too(single, small_chunks):
    """As it is compiled: with few events in a part, in one loop over blocks, and in two chunks of several."""
    cuts = (1, 40)
    parts = [part(single, slice(a, b)) for a, b in zip((0, *cuts), (*cuts, N_EVENTS), strict=True)]
    assert_same(sum(parts).importance(), part(single, slice(0, N_EVENTS)).importance())


def test_a_part_may_be_a_stream(model, uncompiled, small_chunks):
    rows = slice(200, N_EVENTS)
    batches = tf.data.Dataset.from_tensor_slices((X[rows], LEFT[rows], WEIGHT[rows])).batch(150)
    regions = {"regions": lambda x, left: {"left": left}, "first_event": 200}
    of_dataset = importance_sums(model, batches, **regions, **OPTIONS)
    of_generator = importance_sums(model, iter(list(batches)), **regions, **OPTIONS)
    whole = part(model, slice(0, N_EVENTS)).importance()
    for one in (of_dataset, of_generator):
        assert_same((part(model, slice(0, 200)) + one).importance(), whole)


def test_events_are_told_apart_by_their_numbers(model, uncompiled, small_chunks):
    """Every third event elsewhere, as after a selection; and numbers far apart."""
    third = np.arange(N_EVENTS) % 3 == 0
    parts = [
        importance_sums(
            model, X[m], weight=WEIGHT[m], regions={"left": LEFT[m]}, first_event=np.flatnonzero(m), **OPTIONS
        )
        for m in (third, ~third)
    ]
    assert_same(sum(parts).importance(), part(model, slice(0, N_EVENTS)).importance())
    apart = 10**6 * np.arange(20)
    one, same = (part(model, slice(0, 20), first_event=at).of_all.cw for at in (apart, apart.tolist()))
    halves = [part(model, slice(i, i + 10), first_event=apart[i : i + 10]) for i in (0, 10)]
    np.testing.assert_allclose(sum(halves).of_all.cw, one, **EXACT)
    np.testing.assert_array_equal(same, one)


def test_a_region_or_all_of_a_part_may_be_empty(model, uncompiled):
    whole = mean_abs_coefficients(model, X, weight=WEIGHT, regions={"left": LEFT, "late": np.arange(N_EVENTS) >= 250})
    parts = [
        importance_sums(model, X[:250], weight=WEIGHT[:250], regions={"left": LEFT[:250], "late": np.zeros(250, bool)}),
        importance_sums(model, X[:0], names=("x1", "x2", "x3")),
        importance_sums(model, X[250:250], weight=WEIGHT[250:250], bootstrap=0),
        importance_sums(model, iter([])),
        importance_sums(model, tf.data.Dataset.from_tensor_slices((X, LEFT)).batch(5).take(0)),
        importance_sums(model, X[250:], weight=WEIGHT[250:], regions={"late": np.ones(350, bool)}),
        importance_sums(model, X[:300], weight=np.zeros(300)),
    ]
    assert [one.n_events for one in parts] == [250, 0, 0, 0, 0, 350, 0]
    merged = sum(parts)
    assert (merged.n_events, merged.engine, merged.regions["late"].n_events) == (N_EVENTS, "adjoint", 350)
    np.testing.assert_allclose(merged.importance().mean, whole.mean, **EXACT)
    np.testing.assert_allclose(merged.importance().regions["late"].error, whole.regions["late"].error, **EXACT)
    for one, region in ((parts[0], "late"), (parts[1], "all")):
        with pytest.raises(ValueError, match=f"weight other than 0 in region '{region}'. Received: none"):
            one.importance()


def test_each_of_several_outputs_adds_up(uncompiled):
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, "tanh"), layers.Dense(2, "softmax")])
    keywords = {"output": taylor.response.Outputs(0, (1, 0)), "order": 1}

    def of_outputs(x):
        source, of_events = prepared(model, x, keywords)
        return sums_of(source, source.chunks, of_events)[0]

    first, second = of_outputs(X[:50]), of_outputs(X[50:80])
    for k, one, other in zip((1, 0), first, second, strict=True):
        assert one.output == (0, k)
        expected = mean_abs_coefficients(model, X[:80], order=1, output=k).mean
        np.testing.assert_allclose((one + other).importance().mean, expected, rtol=1e-6)  # other products in float32
    with pytest.raises(ValueError, match=r"same output. Received: \(0, 1\) and \(0, 0\)"):
        first[0] + second[1]


def test_they_can_be_sent_and_are_small(model, uncompiled):
    sums = part(model, slice(0, 100))
    sent = pickle.dumps(sums)
    assert len(sent) < 10_000  # two regions, 9 features, 12 replicas
    assert_same(
        (pickle.loads(sent) + part(model, slice(100, 200))).importance(), part(model, slice(0, 200)).importance()
    )


def test_other_copies_for_other_seeds(model, uncompiled):
    one, same, other = (part(model, slice(0, 50), seed=seed).of_all.cw for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


FIRST = slice(0, 20)
OTHERS = [
    ({"order": 1}, "same features"),
    ({"names": ("a", "b", "c")}, "same features"),
    ({"target": "logit"}, "same target"),
    ({"scale": [1.0, 1.0, 2.0]}, r"same scale. Received: None and \(1.0, 1.0, 2.0\)"),
    ({"signed": False}, "same signed"),
    ({"bootstrap": 3}, "same n_replicas. Received: 12 and 3"),
    ({"seed": 6}, "same seed. Received: 5 and 6"),
    ({"first_event": 19}, "different events. Received: the events from number 19 on twice.*its own first_event"),
]


@pytest.mark.parametrize(("arguments", "message"), OTHERS, ids=lambda value: str(value)[:20])
def test_sums_that_do_not_belong_together_are_refused(arguments, message, model, uncompiled):
    one, other = part(model, FIRST), part(model, slice(20, 40), **arguments)
    with pytest.raises(ValueError, match=message):
        one + other


def test_only_sums_are_added(model, uncompiled):
    one = part(model, FIRST)
    for other in (1, "sums"):
        with pytest.raises(TypeError):
            one + other
        with pytest.raises(TypeError):
            other + one
    with pytest.raises(ValueError, match="at least one other"):
        one.merge([])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"first_event": -1}, "number of at least 0"),
        ({"first_event": 0.5}, "increasing numbers of 20 events. Received: float64"),
        ({"first_event": np.arange(19)}, r"increasing numbers of 20 events. Received: int64 of shape \(19,\)"),
        ({"first_event": np.zeros(20, int)}, "increasing numbers of 20 events"),
        ({"median": True}, "not made of sums"),
        ({"weight": np.full(20, np.nan)}, "20 finite weights"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_bad_arguments_are_named(arguments, message, model, uncompiled):
    with pytest.raises(ValueError, match=message):
        importance_sums(model, X[FIRST], **arguments)


def test_faults_are_refused_at_once(model, uncompiled):
    x = X[FIRST].copy()
    x[3] = np.nan
    with pytest.raises(ValueError, match=r"in 1 of 20 events \(the first: 3\)"):
        importance_sums(model, x)
    with pytest.raises(ValueError, match="as a number of at least 0, for a stream"):
        importance_sums(model, iter([x]), first_event=np.arange(20))
