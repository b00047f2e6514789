import numpy as np
import pytest

from benchmarks.data.events import Events

MASSES = (500, 750, 1000, 1250, 1500)


def arrays(**changes):
    generator = np.random.default_rng(1)
    features = generator.normal(size=(1000, 3)).astype(np.float32)
    return {
        "features": features,
        "theta": generator.choice(MASSES, 1000),
        "label": generator.integers(0, 2, 1000),
    } | changes


def test_defaults_and_types():
    given = arrays()
    events = Events(**given)
    assert events.features is given["features"]  # float32 is kept, not copied
    assert (events.theta.shape, events.theta.dtype) == ((1000, 1), np.float32)
    assert events.label.dtype == np.uint8
    assert (events.weight == 1).all() and events.weight.dtype == np.float32
    np.testing.assert_array_equal(events.process, events.label)
    assert events.names == ("f0", "f1", "f2")
    np.testing.assert_array_equal(events.hypotheses[:, 0], MASSES)
    assert repr(events) == f"Events({given['label'].sum()} signal, {(1 - given['label']).sum()} background, 3 features)"


def test_several_parameters_give_sorted_distinct_hypotheses():
    theta, label = [[2, 1], [1, 2], [1, 1], [1, 2], [0, 0]], np.array([True, True, True, True, False])
    events = Events(np.zeros((5, 1)), theta, label, parameter_names=("mass", "width"))
    assert events.hypotheses.tolist() == [[1, 1], [1, 2], [2, 1]] and events.label.tolist() == [1, 1, 1, 1, 0]


def test_events_without_theory_parameters():
    events = Events(**arrays(theta=np.empty((1000, 0)), parameter_names=()))
    assert events.hypotheses.shape == (1, 0)
    training, validation = events.split(0.25)
    assert (len(training), len(validation)) == (750, 250)
    assert abs(validation.label.sum() - events.label.sum() / 4) < 1


def test_select_by_mask_and_by_index_agree():
    events = Events(**arrays(weight=np.arange(1000), process=np.arange(1000) % 2))
    mask = np.arange(1000) % 7 == 0
    for which in (mask, np.flatnonzero(mask)):
        for name in ("features", "theta", "label", "weight", "process"):
            np.testing.assert_array_equal(getattr(events.select(which), name), getattr(events, name)[::7])
    with pytest.raises(ValueError, match=r"mask of shape \(1000,\)"):
        events.select(mask[:10])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("argument", ["features", "theta", "weight"])
def test_non_finite_values_are_named(argument, bad):
    given = arrays(weight=np.ones(1000))
    given[argument] = given[argument].astype(np.float32)
    given[argument][417] = bad
    with pytest.raises(ValueError, match=rf"finite {argument}. Received: {bad} .* of event 417"):
        Events(**given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *(({name: np.ones(999, int)}, rf"{name} .* 1000 events. .*\(999,") for name in ("theta", "label", "weight")),
        ({"process": np.ones(3, int)}, r"process .* 1000 events. .*\(3,\)"),
        *(({"label": np.full(1000, x)}, f"label 1 for .*: {x} in 1000 of 1000 events") for x in (2, -1, 0.5, np.nan)),
        ({"label": np.ones((1000, 1))}, r"label with 1 dimensions.*\(1000, 1\)"),
        ({"features": np.ones(1000)}, r"features with 2 dimensions.*\(1000,\)"),
        ({"theta": np.ones((1000, 2))}, r"2 parameter_names, .*\('mass',\)"),
        ({"names": ("a", "b")}, "3 names"),
        ({"process": np.full(1000, 2)}, "process as an index .*: 2"),
        ({"process": np.full(1000, -1)}, "process as an index .*: -1"),
        ({"process": np.ones(1000)}, "process as integers.*float64"),
    ],
)
def test_bad_input_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Events(**arrays(**change))


def test_split_is_disjoint_complete_stratified_and_reproducible():
    events = Events(**arrays(weight=np.arange(1000)))
    training, validation = events.split(0.25, seed=3)
    assert len(validation) == 250
    np.testing.assert_array_equal(np.sort(np.r_[training.weight, validation.weight]), events.weight)
    strata = [np.unique(2 * part.theta[:, 0] + part.label, return_counts=True)[1] for part in (events, validation)]
    assert (abs(strata[1] - strata[0] / 4) < 1).all()
    np.testing.assert_array_equal(events.split(0.25, seed=3)[1].weight, validation.weight)
    assert (events.split(0.25, seed=4)[1].weight != validation.weight).any()
    for fraction in (0, 1, -0.5):
        with pytest.raises(ValueError, match="fraction"):
            events.split(fraction)


def test_draw_covers_a_continuous_theta_evenly():
    theta = np.random.default_rng(5).uniform(500, 1500, 1000)
    drawn = Events(np.zeros((1000, 1)), theta, np.ones(1000)).draw(100, seed=2)
    # Every tenth event in theta: the empirical distributions differ by at most one step of the draw.
    shares = np.searchsorted(np.sort(theta), np.sort(drawn.theta[:, 0])) / 1000
    np.testing.assert_allclose(shares, np.arange(100) / 100, atol=0.0101)


def test_every_event_is_equally_likely_to_be_drawn():
    events = Events(np.zeros((20, 1)), np.ones(20), np.arange(20) % 2, weight=np.arange(20))
    n_draws = 2000
    times = sum(np.bincount(events.draw(5, seed=s).weight.astype(int), minlength=20) for s in range(n_draws))
    # Binomial(2000, 1/4): five standard deviations are 97; the seeds are fixed, so this cannot fail by chance.
    np.testing.assert_allclose(times, n_draws / 4, atol=97)


def test_draw_of_everything_keeps_order_and_more_is_refused():
    events = Events(**arrays())
    np.testing.assert_array_equal(events.draw(1000).features, events.features)
    for n_events in (0, 1001):
        with pytest.raises(ValueError, match="between 1 and 1000"):
            events.draw(n_events)


def test_parts_concatenate_in_order():
    events = Events(**arrays())
    joined = Events.concatenate([events.select(np.arange(700)), events.select(np.arange(700, 1000))])
    for name in ("features", "theta", "label", "weight", "process"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(events, name))
    with pytest.raises(ValueError, match="names"):
        Events.concatenate([events, Events(**arrays(names=("a", "b", "c")))])
