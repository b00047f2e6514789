"""The measurement of the search: bins of the background, histograms against NumPy's, and pyhf's view of the model."""

import keras
import numpy as np
import pyhf
import pytest
from scipy import special

from benchmarks.data.events import Events
from benchmarks.search.events import SHAPES, VARIED, Sample
from benchmarks.search.measurement import FLOOR, Scorer, choose_edges, logit_model, make_templates, measurement
from tests.benchmarks.small_search import by_mass, samples, scorer, templates

TAILS = (0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005)
MASS = 750.0


def in_effect(score, weight, edges):
    """Events of each bin, in effect."""
    sums, squares = (np.histogram(score, edges, weights=weights)[0] for weights in (weight, weight**2))
    return sums**2 / np.where(squares > 0, squares, 1)


def test_each_inner_edge_has_its_share_of_the_background_above():
    generator = np.random.default_rng(1)
    score, weight = generator.normal(size=60_000), generator.uniform(0.5, 1.5, 60_000)
    edges, n_merged = choose_edges(score, weight)
    assert n_merged == 0 and (edges[0], edges[-1], len(edges)) == (-np.inf, np.inf, len(TAILS) + 2)
    for edge, tail in zip(edges[1:-1], TAILS, strict=True):
        above, with_edge = (weight[where].sum() / weight.sum() for where in (score > edge, score >= edge))
        assert above <= tail < with_edge


def edges_from_above(score, weight):
    """One edge after the other from the highest, each kept if there are 10 events above it, in effect."""
    kept = [np.inf]
    for tail in reversed(TAILS):
        edge = min(s for s in score if weight[score > s].sum() <= tail * weight.sum())
        there = weight[(score >= edge) & (score < kept[0])]
        if edge < kept[0] and there.sum() ** 2 >= 10 * (there**2).sum():
            kept.insert(0, edge)
    below = weight[score < kept[0]]
    if below.sum() ** 2 < 10 * (below**2).sum():
        kept.pop(0)
    return [-np.inf, *(kept or [np.inf])]


@pytest.mark.parametrize("n_events", [1, 2, 9, 10, 11, 19, 20, 40, 300, 1500])
def test_bins_of_few_events_are_merged_with_the_one_below(n_events):
    generator = np.random.default_rng(n_events)
    score, weight = generator.normal(size=n_events), generator.uniform(0.5, 1.5, n_events)
    edges, n_merged = choose_edges(score, weight)
    assert edges.tolist() == edges_from_above(score, weight)
    assert n_merged == len(TAILS) + 2 - len(edges)
    assert len(edges) == 2 or in_effect(score, weight, edges).min() >= 10


def test_weights_and_not_numbers_say_what_is_few():
    score = np.arange(1000.0)
    equal, unequal = np.ones(1000), np.where(np.arange(1000) % 20, 1e-3, 1.0)
    assert len(choose_edges(score, unequal)[0]) < len(choose_edges(score, equal)[0])
    edges, _ = choose_edges(score, unequal)
    assert in_effect(score, unequal, edges).min() >= 10


@pytest.mark.parametrize("n_alike", [700, 1000])
def test_bins_without_an_event_are_merged(n_alike):
    """Events with the same score, as a network gives that has come to nothing, put several edges in one place."""
    score = np.r_[np.zeros(n_alike), np.linspace(-1, -0.5, 1000 - n_alike)]
    edges, _ = choose_edges(score, np.ones(1000))
    assert len(edges) == 2 or in_effect(score, np.ones(1000), edges).min() >= 10


def test_a_score_is_the_logit_of_the_output():
    score, features = scorer(), samples().test.nominal.features[:200]
    output = score.network.predict_on_batch({"features": features, "theta": np.full((200, 1), 850, np.float32)})
    # A float32 output near 1 has the logit to 1e-7 / (1 - output).
    np.testing.assert_allclose(score(features, 850.0), special.logit(output[:, 0].astype(float)), atol=3e-6, rtol=1e-5)


def test_a_scorer_shares_the_weights_and_tells_the_network_what_else_it_has_to_know():
    features, theta = keras.Input((2,), name="features"), keras.Input((2,), name="theta")
    joined = keras.layers.Concatenate()([features, theta])
    output = keras.layers.Dense(1, "sigmoid")(joined)
    network = keras.Model({"features": features, "theta": theta}, output)
    events = np.float32([[1, 2], [3, -1]])
    score = Scorer(network, (1.5,))
    for kernel, bias in (([0.5, 1.0, 0.01, 2.0], 0.25), ([1.0, 0.0, 0.02, -1.0], -0.5)):
        network.set_weights([np.array(kernel)[:, None], np.array([bias])])
        closed = events @ kernel[:2] + 100 * kernel[2] + 1.5 * kernel[3] + bias
        np.testing.assert_allclose(score(events, 100.0), closed, rtol=1e-6)  # float32
    assert score(events, 100.0).dtype == np.float64 and score(events, 100.0).shape == (2,)
    (kernel, bias), shared = network.layers[-1].weights, logit_model(network).weights
    assert {id(variable) for variable in shared} == {id(kernel), id(bias)}


PROCESSES = {
    "background": lambda s, variation=None: s.background(variation),
    "signal": lambda s, v=None: s.signal(MASS, v),
}


@pytest.mark.parametrize("process", PROCESSES)
def test_templates_are_numpys_histograms(process):
    found, part_of, test = templates(MASS), PROCESSES[process], samples().test
    background = samples().train.background()
    np.testing.assert_array_equal(found.edges, choose_edges(by_mass(background.features, MASS), background.weight)[0])
    for variation in (None, *VARIED):
        features, weight = part_of(test, variation)
        expected, _ = np.histogram(by_mass(features, MASS), found.edges, weights=weight)
        numbers = found.numbers[process if variation is None else f"{process}_{variation}"]
        np.testing.assert_allclose(numbers, np.maximum(expected, FLOOR), rtol=1e-12)
        assert abs(numbers.sum() - weight.sum()) <= found.n_floored * FLOOR + 1e-9 * weight.sum()
    features, weight = part_of(test)
    squares, _ = np.histogram(by_mass(features, MASS), found.edges, weights=weight**2)
    np.testing.assert_allclose(found.numbers[f"{process}_error"], np.maximum(np.sqrt(squares), FLOOR), rtol=1e-12)
    assert len(found.numbers) == 2 * (1 + 1 + len(VARIED)) and found.n_bins == len(found.edges) - 1 > 3


def test_an_energy_scale_moves_events_and_a_b_tag_weighs_them():
    asked = []

    def score(features, mass):
        asked.append(len(features))
        return by_mass(features, mass)

    numbers = make_templates(score, samples().train, samples().test, MASS).numbers
    background = samples().test.background()
    # Edges, and for each process the nominal events and those under six variations; none for the two of the b-tag.
    assert len(asked) == 1 + 2 * (1 + 6)
    bins = np.digitize(by_mass(background.features, MASS), templates(MASS).edges[1:-1])
    weighted = np.bincount(bins, samples().test.background("btag_up").weight)
    np.testing.assert_allclose(numbers["background_btag_up"], weighted, rtol=1e-12)
    for name in VARIED:
        assert not np.allclose(numbers[f"background_{name}"], numbers["background"], rtol=1e-4), name


def test_empty_bins_are_floored_and_counted():
    """The signal is all in the highest of the bins; one variation of the background loses the events of the lowest."""
    rows = np.arange(1000.0)
    nominal = Events(np.r_[rows, np.full(5, 2000.0)][:, None], np.full(1005, 500), np.repeat([0, 1], (1000, 5)))
    lost = Events(nominal.features, nominal.theta, nominal.label, np.where(nominal.features[:, 0] < 600, 0, 1))
    sample = Sample(nominal, dict.fromkeys(VARIED, nominal) | {"btag_up": lost})
    found = make_templates(lambda features, mass: features[:, 0].astype(float), sample, sample, 500.0)
    assert found.numbers["signal"].tolist() == [FLOOR] * (found.n_bins - 1) + [5.0]
    assert found.numbers["signal_error"].tolist() == [FLOOR] * (found.n_bins - 1) + [5**0.5]
    assert found.numbers["background_btag_up"][0] == FLOOR
    assert found.n_floored == (1 + len(VARIED)) * (found.n_bins - 1) + 1


def test_the_model_has_the_uncertainties_of_the_search():
    found = templates(MASS)
    likelihood = found.likelihood
    simulation = {name for name in likelihood.model.parameter_names if "simulation" in name}
    assert len(simulation) == found.n_bins
    assert set(likelihood.model.parameter_names) - simulation == {"mu", "xsec", *SHAPES}
    assert set(found.without_statistics.model.parameter_names) == {"mu", "xsec", *SHAPES}
    assert likelihood.model.poi_index == likelihood.model.parameter_names.index("mu")
    assert measurement(found.n_bins) is likelihood.model  # traced once for all masses
    widths = dict(zip(likelihood.model.parameter_names, likelihood.constraint_widths.numpy(), strict=True))
    errors = np.hypot(found.numbers["signal_error"], found.numbers["background_error"])
    of_bins = [widths[name] for name in likelihood.model.parameter_names if name in simulation]
    np.testing.assert_allclose(of_bins, errors / (found.numbers["signal"] + found.numbers["background"]), rtol=1e-9)
    assert widths["jes"] == widths["xsec"] == 1 and np.isinf(widths["mu"])


def test_pyhf_accepts_the_workspace_and_expects_the_same():
    found = templates(MASS)
    likelihood = found.likelihood
    workspace = pyhf.Workspace(likelihood.workspace(np.ones(found.n_bins), **likelihood.model.pyhf_options))
    (channel,) = workspace["channels"]
    by_name = {sample["name"]: {m["name"]: m for m in sample["modifiers"]} for sample in channel["samples"]}
    assert set(by_name["background"]) == {"xsec", "simulation", *SHAPES}
    assert set(by_name["signal"]) == {"mu", "simulation", *SHAPES}
    # 831.76 pb +19.77 -29.20 (scale) +-35.06 (parton densities and alpha_s), CERN's page of the top working group.
    expected = {"hi": 1 + (19.77**2 + 35.06**2) ** 0.5 / 831.76, "lo": 1 - (29.20**2 + 35.06**2) ** 0.5 / 831.76}
    assert by_name["background"]["xsec"]["data"] == pytest.approx(expected)
    assert (by_name["background"]["xsec"]["type"], by_name["signal"]["jes"]["type"]) == ("normsys", "histosys")
    model = workspace.model()
    names = model.config.par_names
    pars = dict(zip(names, model.config.suggested_init(), strict=True)) | {"mu": 3.0, "jes": 1.0}
    received = model.expected_data([pars[name] for name in names], include_auxdata=False)
    # An energy scale up by one standard deviation, and 3 pb.
    closed = found.numbers["background_jes_up"] + 3 * found.numbers["signal_jes_up"]
    np.testing.assert_allclose(np.asarray(received), closed, rtol=1e-9)
    assert model.config.poi_name == "mu" and model.config.suggested_bounds()[model.config.poi_index] == [0, 500]
