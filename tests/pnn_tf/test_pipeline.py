from collections import Counter

import keras
import numpy as np
import pytest
from scipy import stats

from pnn_tf import (
    Binned,
    Identical,
    Uniform,
    auc_error,
    balanced_batches,
    parametric_network,
    theta_leak,
)
from tests.problems import GaussianOnUniform

SIZES = {500: 40, 750: 17, 1000: 5}  # signal events by theta


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """A few batches of these tests to a block."""
    monkeypatch.setattr("pnn_tf.pipeline.ROWS_PER_BLOCK", 100)


@pytest.fixture
def events():
    """Unbalanced events whose first feature is their index."""
    signal_theta = np.repeat(list(SIZES), list(SIZES.values()))
    n_background = 90
    n_events = len(signal_theta) + n_background
    features = np.stack([np.arange(n_events), np.linspace(-1, 1, n_events)], axis=1)
    theta = np.concatenate([signal_theta, np.resize(list(SIZES), n_background)])
    label = np.concatenate([np.ones(len(signal_theta)), np.zeros(n_background)])
    order = np.random.default_rng(0).permutation(n_events)
    process = np.where(np.arange(n_events) % 3 == 0, "W+jets", "top")
    return {"features": features[order], "theta": theta[order], "label": label[order]}, process[order]


def take(dataset, n_batches):
    """Index of the event, theta and label of each row of each batch."""
    rows = [
        (x["features"][:, 0], x["theta"][:, 0], y[:, 0]) for x, y, *_ in dataset.take(n_batches).as_numpy_iterator()
    ]
    index, theta, label = map(np.stack, zip(*rows, strict=True))
    return index.astype(int), theta, label


def rows_of(events, index):
    """Position in the arrays of an event's index, which is its first feature."""
    return np.argsort(events["features"][:, 0])[index]


def strata_of(arrays, process, balance):
    """Name of each event's stratum."""
    by_theta, by_process = balance in ("signal", "full"), balance in ("background", "full")
    return np.array(
        [
            "all"
            if balance == "none"
            else f"signal{f' {theta}' if by_theta else ''}"
            if label
            else f"background{f' {name}' if by_process else ''}"
            for theta, label, name in zip(arrays["theta"], arrays["label"], process, strict=True)
        ]
    )


QUOTAS = {
    "none": {"all": (152, 23)},
    "class": {"signal": (62, 11.5), "background": (90, 11.5)},
    "signal": {f"signal {theta}": (size, 23 / 6) for theta, size in SIZES.items()} | {"background": (90, 11.5)},
    "background": {"signal": (62, 11.5), "background W+jets": (30, 5.75), "background top": (60, 5.75)},
    "full": {f"signal {theta}": (size, 23 / 6) for theta, size in SIZES.items()}
    | {"background W+jets": (30, 5.75), "background top": (60, 5.75)},
}


@pytest.mark.parametrize("balance", QUOTAS)
@pytest.mark.parametrize("replacement", [False, True])
def test_every_batch_holds_its_quotas(events, balance, replacement):
    arrays, process = events
    batches = balanced_batches(
        **arrays, process=process, balance=balance, batch_size=23, replacement=replacement, seed=5
    )
    assert {stratum.name: pytest.approx(stratum[1:]) for stratum in batches.strata} == QUOTAS[balance]
    index, theta, label = take(batches.dataset, 30)
    rows = rows_of(arrays, index)
    assert np.array_equal(theta, arrays["theta"][rows])
    assert np.array_equal(label, arrays["label"][rows])
    assert rows.shape == (30, 23)
    stratum = strata_of(arrays, process, balance)[rows]
    for name, (_, quota) in QUOTAS[balance].items():
        counts = np.sum(stratum == name, axis=1)
        assert np.all(abs(counts - quota) < 1)
        assert np.all(abs(np.cumsum(counts) - quota * np.arange(1, 31)) < 2)  # a class and a stratum, one off each


def test_more_hypotheses_than_a_half_can_be_divided_by_come_equally_often():
    n = 300
    rng = np.random.default_rng(1)
    theta, label = np.tile(np.arange(n) + 500.0, 40), np.repeat([1, 0], 20 * n)
    batches = balanced_batches(
        rng.normal(size=(40 * n, 1)), theta, label, background_theta=Identical(np.arange(n) + 500.0)
    )
    taken = [(x["theta"][:, 0], y[:, 0]) for x, y in batches.dataset.take(75).as_numpy_iterator()]
    assert {len(y) for _, y in taken} == {1024}
    counts = np.array([np.bincount(x[y == 1].astype(int) - 500, minlength=n) for x, y in taken])
    assert set(counts.ravel()) == {1, 2}
    # 512 places for 300 hypotheses: after 75 batches each has had 128.
    assert np.all(abs(np.cumsum(counts, axis=0) - 512 / 300 * np.arange(1, 76)[:, None]) < 1)
    assert np.all(counts.sum(axis=0) == 128)
    leak = theta_leak(*(np.concatenate(column) for column in zip(*taken, strict=True)))
    assert leak[:2] == (0, 0)
    assert leak.auc < 0.5 + 4 * auc_error(0.5, 38_400, 38_400)


def test_a_batch_smaller_than_the_strata_takes_them_in_turn(events):
    arrays, _ = events
    _, theta, label = take(balanced_batches(**arrays, batch_size=2).dataset, 30)
    assert np.all(label.sum(axis=1) == 1)
    assert Counter(theta[label == 1]) == {500: 10, 750: 10, 1000: 10}


def test_several_classes_are_balanced_by_class_and_theta():
    rng = np.random.default_rng(0)
    label = rng.choice(4, size=4000, p=[0.5, 0.3, 0.15, 0.05])
    theta = np.where(label == 3, rng.choice([1.0, 2.0, 3.0], 4000), rng.choice([1.0, 2.0], 4000))
    theta[label < 2] = np.nan
    batches = balanced_batches(
        np.stack([np.arange(4000), label], axis=1),
        theta,
        label,
        batch_size=120,
        n_classes=4,
        backgrounds=(0, 1),
        background_theta=Identical([1.0, 2.0, 3.0]),
    )
    names = ["signal 2 1", "signal 2 2", "signal 3 1", "signal 3 2", "signal 3 3", "background 0", "background 1"]
    assert [stratum.name for stratum in batches.strata] == names
    for x, y in batches.dataset.take(5).as_numpy_iterator():
        assert y.shape == (120, 1)
        y = y[:, 0]
        assert np.array_equal(x["features"][:, 1], y)
        assert Counter(y) == {0: 30, 1: 30, 2: 30, 3: 30}
        assert Counter(x["theta"][y == 2, 0]) == {1: 15, 2: 15}
        assert Counter(x["theta"][y == 3, 0]) == {1: 10, 2: 10, 3: 10}
        assert set(x["theta"][y < 2, 0]) == {1, 2, 3}


@pytest.mark.parametrize("balance", ["none", "class", "signal", "background", "full"])
@pytest.mark.parametrize("batch_size", [23, 150])
def test_every_event_comes_once_in_each_pass(events, balance, batch_size):
    arrays, process = events
    batches = balanced_batches(**arrays, process=process, balance=balance, batch_size=batch_size)
    index, _, _ = take(batches.dataset, 80)
    rows = rows_of(arrays, index)
    name = strata_of(arrays, process, balance)
    sequences = {key: rows[name[rows] == key] for key in set(name)}
    assert {s.name: s.size for s in batches.strata} == Counter(name)
    n_orders = Counter()
    for key, sequence in sequences.items():
        size = np.sum(name == key)
        passes = [sequence[start : start + size] for start in range(0, len(sequence) - size + 1, size)]
        assert passes
        for one in passes:
            assert np.array_equal(np.sort(one), np.flatnonzero(name == key))
        n_orders[key] = len({tuple(one) for one in passes}) / len(passes)
        # What is left is the beginning of a further pass.
        assert np.max(np.unique(sequence[len(passes) * size :], return_counts=True)[1], initial=1) == 1
    assert all(share == 1 for key, share in n_orders.items() if np.sum(name == key) > 10)


def test_replacement_draws_each_event_equally_often(events):
    arrays, _ = events
    batches = balanced_batches(**arrays, balance="class", batch_size=100, replacement=True)
    index, _, label = take(batches.dataset, 200)
    for value, size in ((1, 62), (0, 90)):
        counts = np.unique(index[label == value], return_counts=True)[1]
        assert len(counts) == size
        assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("theta", [Uniform(500, 1000), Uniform(500, 1000, sampled=False)])
def test_a_stream_goes_on_identically_from_the_middle_of_an_epoch(events, replacement, theta):
    arrays, _ = events
    arguments = {**arrays, "batch_size": 24, "background_theta": theta, "replacement": replacement, "seed": 11}
    whole = take(balanced_batches(**arguments).dataset, 20)
    resumed = take(balanced_batches(**arguments).dataset_from(13), 7)
    for a, b in zip(whole, resumed, strict=True):
        assert np.array_equal(a[13:], b)
    other_seed = take(balanced_batches(**{**arguments, "seed": 12}).dataset, 20)
    assert not np.array_equal(whole[0], other_seed[0])


def test_two_epochs_differ(events):
    arrays, _ = events
    batches = balanced_batches(**arrays, batch_size=24)
    assert batches.steps_per_epoch == 7  # 152 events
    index, _, _ = take(batches.dataset, 14)
    assert not np.array_equal(index[:7], index[7:])


@pytest.mark.parametrize("sampled", [True, False])
def test_background_gets_theta_from_the_strategy_and_signal_keeps_its_own(events, sampled):
    arrays, _ = events
    batches = balanced_batches(**arrays, batch_size=152, background_theta=Identical([500, 750, 1000], sampled=sampled))
    index, theta, label = take(batches.dataset, 40)
    rows = rows_of(arrays, index)
    signal = label == 1
    assert np.array_equal(theta[signal], arrays["theta"][rows][signal])
    assert np.all(np.isin(theta[~signal], [500, 750, 1000]))
    seen = {row: set(theta[(rows == row) & ~signal]) for row in np.unique(rows[~signal])}
    # In about 34 draws the chance that one of 90 events gets the same value each time is below 1e-12.
    assert all((len(values) > 1) == sampled for values in seen.values())


@pytest.mark.parametrize("sampled", [True, False])
def test_theta_that_the_strategy_replaces_may_be_missing(events, sampled):
    arrays, _ = events
    strategy = Identical([500, 750, 1000], sampled=sampled)
    unknown = {**arrays, "theta": np.where(arrays["label"] == 1, arrays["theta"], np.nan)}
    for one, other in zip(
        *(
            take(balanced_batches(**data, batch_size=50, background_theta=strategy).dataset, 3)
            for data in (arrays, unknown)
        ),
        strict=True,
    ):
        assert np.array_equal(one, other)
    with pytest.raises(ValueError, match=r"theta holds NaN .* in 90 of 152"):
        balanced_batches(**unknown, batch_size=50)
    with pytest.raises(ValueError, match=r"theta holds NaN .* in 90 of 152"):
        two = np.stack([unknown["theta"]] * 2, axis=1)
        balanced_batches(**{**unknown, "theta": two}, background_theta=strategy, nuisances=[1])


def test_binned_theta_follows_the_feature(events):
    arrays, _ = events
    strategy = Binned(edges=[-1, 0, 0.5, 1], hypotheses=[500, 750, 1000], feature=1)
    batches = balanced_batches(**arrays, batch_size=50, background_theta=strategy)
    index, theta, label = take(batches.dataset, 5)
    feature = arrays["features"][rows_of(arrays, index), 1]
    assert np.array_equal(theta[label == 0], np.select([feature < 0, feature < 0.5], [500, 750], 1000)[label == 0])


def test_several_parameters_are_drawn_and_balanced_together():
    rng = np.random.default_rng(0)
    points = np.array([(500, 1), (500, 2), (750, 1), (750, 2)])
    theta = points[rng.integers(4, size=400)]
    label = np.arange(400) % 2
    batches = balanced_batches(
        rng.normal(size=(400, 2)), theta, label, batch_size=80, background_theta=Uniform((500, 1), (750, 2))
    )
    names = [f"signal ({mass}, {width})" for mass, width in points]
    assert [stratum.name for stratum in batches.strata] == [*names, "background"]
    x, y = next(batches.dataset.as_numpy_iterator())
    assert x["theta"].shape == (80, 2)
    assert Counter(map(tuple, x["theta"][y[:, 0] == 1])) == {tuple(point): 10 for point in points}
    assert np.all(x["theta"][y[:, 0] == 0] <= (750, 2))


@pytest.mark.parametrize("sampled", [True, False])
def test_a_nuisance_stays_the_backgrounds_own(sampled):
    rng = np.random.default_rng(0)
    theta = np.stack([rng.choice([0.9, 1.0, 1.1], 300), rng.choice([500, 750], 300)], axis=1).astype(np.float32)
    features = np.stack([np.arange(300), rng.normal(size=300)], axis=1)
    strategy = Identical([500, 750], sampled=sampled)
    batches = balanced_batches(
        features, theta, np.arange(300) % 2, batch_size=64, background_theta=strategy, nuisances=[0]
    )
    x, y = next(batches.dataset.as_numpy_iterator())
    row, background = x["features"][:, 0].astype(int), y[:, 0] == 0
    assert np.array_equal(x["theta"][:, 0], theta[row, 0])
    assert np.array_equal(x["theta"][~background, 1], theta[row[~background], 1])
    assert set(x["theta"][background, 1]) == {500, 750}


def test_parts_of_a_batch_are_balanced_too(events):
    arrays, _ = events
    _, _, label = take(balanced_batches(**arrays, batch_size=32).dataset, 10)
    halves = label.reshape(10, 2, 16).sum(axis=2)
    assert np.all(abs(halves - 8) <= 2)  # 4 strata, of which each may be one off its share of a half


def test_weights_travel_with_their_events(events):
    arrays, _ = events
    weight = arrays["features"][:, 0] + 0.5
    batches = balanced_batches(**arrays, weight=weight, weight_scale=None, batch_size=40)
    for x, _, w in batches.dataset.take(5).as_numpy_iterator():
        assert w.shape == (40,)
        assert np.array_equal(w, x["features"][:, 0] + 0.5)


@pytest.mark.parametrize("balance", QUOTAS)
def test_weights_have_a_mean_of_one_in_each_stratum(events, balance):
    arrays, process = events
    weight = 1e-3 * (1 + arrays["features"][:, 0])
    name = strata_of(arrays, process, balance)
    batches = balanced_batches(**arrays, process=process, weight=weight, balance=balance, batch_size=40)
    found = {}
    for x, _, w in batches.dataset.take(40).as_numpy_iterator():
        found |= dict(zip(rows_of(arrays, x["features"][:, 0].astype(int)), w, strict=True))
    assert len(found) == 152
    for stratum in set(name):
        own = np.flatnonzero(name == stratum)
        assert [found[row] for row in own] == pytest.approx(weight[own] / weight[own].mean(), rel=1e-6)


def test_a_constant_weight_changes_nothing(events):
    arrays, _ = events
    for _, _, w in balanced_batches(**arrays, weight=np.full(152, 1e-3)).dataset.take(2).as_numpy_iterator():
        assert np.all(w == 1)


def test_weights_can_be_scaled_together(events):
    arrays, _ = events
    weight = np.where(arrays["label"] == 1, 2e-3, 1e-3)
    batches = balanced_batches(**arrays, weight=weight, weight_scale="mean")
    _, y, w = next(batches.dataset.as_numpy_iterator())
    assert w == pytest.approx(np.where(y[:, 0] == 1, 2e-3, 1e-3) / weight.mean(), rel=1e-6)


def test_elements_are_what_fit_takes(events):
    arrays, _ = events
    x, y = balanced_batches(**arrays, batch_size=16).dataset.element_spec
    assert {name: (spec.shape, spec.dtype) for name, spec in {**x, "label": y}.items()} == {
        "features": ((16, 2), "float32"),
        "theta": ((16, 1), "float32"),
        "label": ((16, 1), "float32"),
    }


def test_later_changes_of_the_arrays_do_not_reach_the_stream(events):
    arrays, _ = events
    arrays = {name: values.astype("float32") for name, values in arrays.items()}
    batches = balanced_batches(**arrays, batch_size=16)
    before = take(batches.dataset, 3)
    arrays["features"][:] = -1
    arrays["theta"][:] = -1
    assert all(np.array_equal(a, b) for a, b in zip(before, take(batches.dataset, 3), strict=True))


def test_fit_through_the_stream_comes_near_the_best_classifier(monkeypatch):
    monkeypatch.undo()  # no small blocks
    problem = GaussianOnUniform()
    features, theta, label = problem.sample(20_000, seed=1)
    batches = balanced_batches(features, theta, label, batch_size=256, background_theta=Identical(problem.theta))
    model = parametric_network(
        1, conditioning="concat", units=(32, 32), dropout=0, theta_scale=1.0, kernel_l2=0, bias_l2=0, seed=1
    )
    model.compile(keras.optimizers.Adam(5e-3), "binary_crossentropy", steps_per_execution=50)
    model.fit(batches.dataset, steps_per_epoch=500, epochs=1, shuffle=False, verbose=0)
    x = np.linspace(-5, 5, 401, dtype="float32")
    for point in problem.theta:
        score = model.predict_on_batch({"features": x[:, None], "theta": np.full((401, 1), point, "float32")})[:, 0]
        # The best constant score is off by 0.11, the best one without theta by 0.26.
        assert np.mean(abs(score - problem.posterior(x, point))) < 0.03


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": np.full((152, 2), np.nan)}, r"152 of 152 events .* columns \[0, 1\]"),
        ({"features": np.full((152, 2), 1e300)}, "features .*infinite"),
        ({"features": np.zeros(152)}, r"features of shape \(n_events, n_features\)"),
        ({"theta": np.full(152, np.inf)}, "theta .*152 of 152"),
        ({"theta": np.zeros(151)}, "152, .*theta .*151"),
        ({"label": np.zeros(151)}, "152, .*label .*151"),
        ({"label": np.full(152, 2)}, r"Received also: \[2\]"),
        ({"label": np.full(152, np.nan)}, r"label .*\[nan\]"),
        ({"label": np.zeros(152)}, "stratum 'signal'"),
        ({"label": np.ones(152)}, "stratum 'background'"),
        ({"weight": np.full(152, -1.0)}, "weights .*152 of 152"),
        ({"weight": np.ones((152, 2))}, r"weight of shape \(n_events,\)"),
        ({"process": np.ones(3)}, "152, .*process .*3"),
        ({"balance": "even"}, "none, class, signal, background, full.*balance='even'"),
        ({"balance": "background"}, "balance='background' .*process"),
        ({"batch_size": -4}, "batch_size to be an int >= 1.*batch_size=-4"),
        ({"batch_size": 128.0}, "batch_size to be an int >= 1.*batch_size=128.0"),
        ({"batch_size": True}, "batch_size=True"),
        ({"n_classes": 1}, "n_classes to be an int >= 2"),
        ({"n_classes": 3, "label": np.full(152, 3)}, r"labels from 0 to 2.*\[3\]"),
        ({"n_classes": 3}, "'signal 2' is empty"),
        ({"backgrounds": [2]}, "backgrounds .*2, from 0"),
        ({"weight_scale": "sum"}, "'stratum', 'mean', None.*'sum'"),
        ({"weight": np.zeros(152)}, "weights of the stratum 'signal 500' are all 0"),
        ({"background_theta": [500]}, r"background_theta .*Identical.*\[500\]"),
        ({"theta": np.arange(152)}, "balance='full' .*62 values in 62 events.*balance='class'"),
        ({"background_theta": Uniform((0, 0), (1, 1))}, "1 parameters, .*background_theta=.* 2"),
        ({"background_theta": Uniform(0, 1), "nuisances": [0]}, "background_theta=.* 1 .*1 nuisances"),
        ({"nuisances": [1]}, r"nuisances.* \[1\]"),
        ({"background_theta": Binned([0, 1], [5], feature=2)}, "background_theta=.*feature=2.* 2 features"),
    ],
)
def test_bad_input_is_named(events, change, message):
    with pytest.raises(ValueError, match=message):
        balanced_batches(**{**events[0], **change})


def test_the_place_of_a_nan_is_named(events):
    features = events[0]["features"].copy()
    features[[7, 100], 1] = np.nan
    with pytest.raises(ValueError, match=r"2 of 152 events \(the first rows: \[7, 100\]\) in the columns \[1\]"):
        balanced_batches(**{**events[0], "features": features})


def test_a_stream_has_no_batches_before_its_first(events):
    with pytest.raises(ValueError, match="step >= 0"):
        balanced_batches(**events[0], batch_size=20).dataset_from(-1)
