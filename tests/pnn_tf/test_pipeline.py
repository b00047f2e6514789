import subprocess
import sys
from collections import Counter

import keras
import numpy as np
import pytest
from scipy import stats

from pnn_tf import Binned, Identical, Uniform, balanced_batches, parametric_network
from pnn_tf.strata import quotas
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
    theta = np.concatenate([signal_theta, np.full(n_background, 750)])
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


@pytest.mark.parametrize(
    ("balance", "expected"),
    [
        ("none", {"all": (152, 23)}),
        ("class", {"signal": (62, 12), "background": (90, 11)}),
        (
            "signal",
            {"signal 500": (40, 4), "signal 750": (17, 4), "signal 1000": (5, 4), "background": (90, 11)},
        ),
        ("background", {"signal": (62, 12), "background W+jets": (30, 6), "background top": (60, 5)}),
        (
            "full",
            {
                "signal 500": (40, 4),
                "signal 750": (17, 4),
                "signal 1000": (5, 4),
                "background W+jets": (30, 6),
                "background top": (60, 5),
            },
        ),
    ],
)
@pytest.mark.parametrize("replacement", [False, True])
def test_every_batch_holds_its_quotas(events, balance, expected, replacement):
    arrays, process = events
    batches = balanced_batches(
        **arrays, process=process, balance=balance, batch_size=23, replacement=replacement, seed=5
    )
    assert {stratum.name: stratum[1:] for stratum in batches.strata} == expected
    index, theta, label = take(batches.dataset, 30)
    rows = rows_of(arrays, index)
    assert np.array_equal(theta, arrays["theta"][rows])
    assert np.array_equal(label, arrays["label"][rows])
    by_theta, by_process = balance in ("signal", "full"), balance in ("background", "full")
    assert len(rows) == 30
    for row in rows:
        signal, background = row[arrays["label"][row] == 1], row[arrays["label"][row] == 0]
        if balance != "none":
            assert (len(signal), len(background)) == (12, 11)
        if by_theta:
            assert Counter(arrays["theta"][signal]) == {500: 4, 750: 4, 1000: 4}
        if by_process:
            assert Counter(process[background]) == {"W+jets": 6, "top": 5}


@pytest.mark.parametrize("balance", ["none", "class", "signal", "background", "full"])
@pytest.mark.parametrize("batch_size", [23, 150])
def test_every_event_comes_once_in_each_pass(events, balance, batch_size):
    arrays, process = events
    batches = balanced_batches(**arrays, process=process, balance=balance, batch_size=batch_size)
    index, _, _ = take(batches.dataset, 80)
    rows = rows_of(arrays, index)
    by_theta, by_process = balance in ("signal", "full"), balance in ("background", "full")

    def stratum(row):
        if balance == "none":
            return "all"
        if arrays["label"][row]:
            return f"signal {arrays['theta'][row]}" if by_theta else "signal"
        return f"background {process[row]}" if by_process else "background"

    name = np.array([stratum(row) for row in range(len(process))])
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
    batches = balanced_batches(**arrays, batch_size=152, background_theta=Identical([1, 2], sampled=sampled))
    index, theta, label = take(batches.dataset, 40)
    rows = rows_of(arrays, index)
    signal = label == 1
    assert np.array_equal(theta[signal], arrays["theta"][rows][signal])
    assert np.all(np.isin(theta[~signal], [1, 2]))
    seen = {row: set(theta[(rows == row) & ~signal]) for row in np.unique(rows[~signal])}
    # In about 34 draws the chance that one of 90 events gets the same value each time is below 1e-7.
    assert all(len(values) == (2 if sampled else 1) for values in seen.values())


@pytest.mark.parametrize("sampled", [True, False])
def test_theta_that_the_strategy_replaces_may_be_missing(events, sampled):
    arrays, _ = events
    strategy = Identical([1, 2], sampled=sampled)
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
    strategy = Binned(edges=[-1, 0, 1], hypotheses=[10, 20], feature=1)
    batches = balanced_batches(**arrays, batch_size=50, background_theta=strategy)
    index, theta, label = take(batches.dataset, 5)
    feature = arrays["features"][rows_of(arrays, index), 1]
    assert np.array_equal(theta[label == 0], np.where(feature < 0, 10, 20)[label == 0])


def test_several_parameters_are_drawn_and_balanced_together():
    rng = np.random.default_rng(0)
    points = np.array([(500, 1), (500, 2), (750, 1)])
    theta = points[rng.integers(3, size=400)]
    label = np.arange(400) % 2
    batches = balanced_batches(
        rng.normal(size=(400, 2)), theta, label, batch_size=60, background_theta=Uniform((0, 0), (1, 2))
    )
    assert [s.name for s in batches.strata] == ["signal (500, 1)", "signal (500, 2)", "signal (750, 1)", "background"]
    x, y = next(batches.dataset.as_numpy_iterator())
    assert x["theta"].shape == (60, 2)
    assert Counter(map(tuple, x["theta"][y[:, 0] == 1])) == {tuple(point): 10 for point in points}
    assert np.all(x["theta"][y[:, 0] == 0] < (1, 2))


@pytest.mark.parametrize("sampled", [True, False])
def test_a_nuisance_stays_the_backgrounds_own(sampled):
    rng = np.random.default_rng(0)
    theta = np.stack([rng.choice([0.9, 1.0, 1.1], 300), rng.choice([500, 750], 300)], axis=1).astype(np.float32)
    features = np.stack([np.arange(300), rng.normal(size=300)], axis=1)
    strategy = Identical([1, 2, 3], sampled=sampled)
    batches = balanced_batches(
        features, theta, np.arange(300) % 2, batch_size=64, background_theta=strategy, nuisances=[0]
    )
    x, y = next(batches.dataset.as_numpy_iterator())
    row, background = x["features"][:, 0].astype(int), y[:, 0] == 0
    assert np.array_equal(x["theta"][:, 0], theta[row, 0])
    assert np.array_equal(x["theta"][~background, 1], theta[row[~background], 1])
    assert set(x["theta"][background, 1]) == {1, 2, 3}


def test_parts_of_a_batch_are_balanced_too(events):
    arrays, _ = events
    _, _, label = take(balanced_batches(**arrays, batch_size=32).dataset, 10)
    halves = label.reshape(10, 2, 16).sum(axis=2)
    assert np.all(abs(halves - 8) <= 2)  # 4 strata, of which each may be one off its share of a half


def test_weights_travel_with_their_events(events):
    arrays, _ = events
    weight = arrays["features"][:, 0] + 0.5
    batches = balanced_batches(**arrays, weight=weight, batch_size=40)
    for x, _, w in batches.dataset.take(5).as_numpy_iterator():
        assert w.shape == (40,)
        assert np.array_equal(w, x["features"][:, 0] + 0.5)


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


TWO_DEVICES = """
import keras, numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from pnn_tf import Uniform, balanced_batches, parametric_network


def train(strategy):
    rng = np.random.default_rng(0)
    label = np.arange(600) % 2
    features, theta = rng.normal(size=(600, 2)) + label[:, None], rng.choice([500, 750], 600)
    with strategy.scope():
        batches = balanced_batches(features, theta, label, batch_size=64, background_theta=Uniform(500, 750))
        network = parametric_network(2, units=(8,), dropout=0, seed=1)
        network.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
    start = network.get_weights()
    network.fit(batches.dataset, steps_per_epoch=12, epochs=2, shuffle=False, verbose=0)
    return [np.concatenate([weight.ravel() for weight in weights]) for weights in (start, network.get_weights())]


start, one = train(tf.distribute.get_strategy())
_, two = train(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
assert np.max(abs(one - start)) > 0.01
np.testing.assert_allclose(one, two, atol=1e-5)  # sums of float32 in another order, over 24 steps
"""


@pytest.mark.slow
def test_two_devices_train_as_one_does():
    run = subprocess.run([sys.executable, "-c", TWO_DEVICES], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


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
        ({"batch_size": 4}, "batch_size=4 .* 4 strata.*batch_size >= 6"),
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


@pytest.mark.parametrize(
    ("batch_size", "sizes"), [(8, (3, 1)), (1024, (5, 1)), (1023, (5, 3)), (1000, (1,)), (64, (31, 2))]
)
def test_quotas_sum_to_the_batch_and_differ_by_one_at_most_within_a_group(batch_size, sizes):
    shares = quotas(batch_size, [range(size) for size in sizes])
    assert sum(shares) == batch_size
    for size in sizes:
        group, shares = shares[:size], shares[size:]
        assert max(group) - min(group) <= 1
        assert abs(sum(group) - batch_size / len(sizes)) < 1
