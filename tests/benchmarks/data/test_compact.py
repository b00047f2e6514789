from dataclasses import replace

import numpy as np
import pytest

from benchmarks.data import compact
from benchmarks.data.events import Events
from benchmarks.data.hepmass import FEATURE_NAMES


def physical_events(n_events, theta, parameter_names=("mass",)):
    """Features of the kinds that HEPMASS has: lengths in GeV, angles, counts, flags."""
    generator = np.random.default_rng(1)
    features = generator.lognormal(5, 0.6, (n_events, 27))
    for i, name in enumerate(FEATURE_NAMES):
        if name.endswith(("phi", "eta")):
            features[:, i] = generator.uniform(-np.pi, np.pi, n_events)
        elif name in compact.BTAGS:
            features[:, i] = generator.integers(0, 2, n_events)
    features[:, 5] = 4 + generator.poisson(1, n_events)
    label = generator.integers(0, 2, n_events)
    return Events(
        features, theta, label, names=FEATURE_NAMES, process_names=("ttbar", "X"), parameter_names=parameter_names
    )


def description(events):
    return {
        "mean": events.features.mean(axis=0, dtype=np.float64).tolist(),
        "std": events.features.std(axis=0, dtype=np.float64).tolist(),
        "parameters": list(events.parameter_names),
        "hypotheses": compact.hypotheses(events),
    }


GENERATOR = np.random.default_rng(2)
SCALES = np.stack([GENERATOR.choice([500.0, 750.0], 1000), GENERATOR.choice([0.9, 1.0, 1.1], 1000)], axis=1)
CASES = {
    "masses": (GENERATOR.choice([500.0, 750.0], 1000), ("mass",), 2),
    "two parameters": (SCALES, ("mass", "jet energy scale"), 6),
    "continuous": (GENERATOR.uniform(500, 1500, 1000), ("mass",), None),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_read_is_what_was_written(case, tmp_path):
    theta, parameters, n_hypotheses = CASES[case]
    given = physical_events(1000, theta, parameters)
    about = description(given)
    assert (about["hypotheses"] and len(about["hypotheses"])) == n_hypotheses
    compact.write(given, about, tmp_path / "events.parquet")
    events = compact.read(tmp_path / "events.parquet", about)
    standardised = (given.features - np.array(about["mean"])) / about["std"]
    # Half of the spacing of 16-bit floats, relative, and below their normal range absolute.
    np.testing.assert_allclose(events.features, standardised, rtol=2**-11, atol=2**-25)
    for i, name in enumerate(FEATURE_NAMES):
        if name not in compact.CONTINUOUS:  # stored exactly, rounded once to float32
            np.testing.assert_allclose(events.features[:, i], standardised[:, i], rtol=2**-24)
    np.testing.assert_array_equal(events.theta, given.theta)
    np.testing.assert_array_equal(events.label, given.label)
    assert events.features.dtype == np.float32
    assert (events.names, events.process_names) == (FEATURE_NAMES, ("ttbar", "X"))
    assert events.parameter_names == parameters


def test_the_largest_number_of_hypotheses_and_one_more(tmp_path):
    theta = np.arange(compact.MOST_HYPOTHESES, dtype=float)
    events = physical_events(len(theta), theta)
    about = description(events)
    compact.write(events, about, tmp_path / "events.parquet")
    read = compact.read(tmp_path / "events.parquet", about)
    np.testing.assert_array_equal(read.theta[:, 0], theta)  # the code of the last signal is 255
    np.testing.assert_array_equal(read.label, events.label)
    assert compact.hypotheses(physical_events(len(theta) + 1, np.arange(len(theta) + 1.0))) is None


def test_hypotheses_are_written_as_people_write_them():
    assert compact.hypotheses(physical_events(2, np.array([0.9, 0.1]))) == [[0.1], [0.9]]


def test_size(tmp_path):
    events = physical_events(20_000, np.resize([500.0, 750.0, 1000.0, 1250.0, 1500.0], 20_000))
    compact.write(events, description(events), tmp_path / "events.parquet")
    assert (tmp_path / "events.parquet").stat().st_size / 20_000 < 40  # 400 000 events in 16 MB


def changed(events, name, value):
    features = events.features.copy()
    features[:, FEATURE_NAMES.index(name)] = value
    return replace(events, features=features)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda events: changed(events, "jet2_btag", events.theta[:, 0]), "b-tags of 0 and 1"),
        (lambda events: changed(events, "n_jets", events.features[:, 0]), "whole numbers of jets"),
        (lambda events: replace(events, weight=2 * events.weight), "weight 1"),
        (lambda events: replace(events, process=1 - events.label), "process 0 for background"),
        (lambda events: replace(events, names=FEATURE_NAMES[::-1]), "Expected the features"),
        (lambda events: replace(events, parameter_names=("width",)), r"parameters \['mass'\]. Received: \('width',\)"),
        (lambda events: replace(events, theta=events.theta + 1), r"theta out of \[\[500.0\], .*Received: \[501.0\]"),
    ],
)
def test_events_that_the_format_cannot_hold(tmp_path, change, message):
    events = physical_events(1000, CASES["masses"][0])
    with pytest.raises(ValueError, match=message):
        compact.write(change(events), description(events), tmp_path / "events.parquet")
    assert list(tmp_path.iterdir()) == []
