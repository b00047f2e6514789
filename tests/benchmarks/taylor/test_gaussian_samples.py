"""Events of the tasks of two Gaussians: independent, named in the record, standardised."""

import numpy as np

from benchmarks.taylor.gaussian_samples import load_samples, standardised


def test_training_and_test_events_are_independent_draws_of_each_task():
    samples = load_samples(("a", "d"), 600, 400)
    assert list(samples.train) == list(samples.test) == ["a", "d"]
    for task in ("a", "d"):
        assert (len(samples.train[task]), len(samples.test[task])) == (600, 400)
        assert not np.isin(samples.train[task].features, samples.test[task].features).any()


def test_the_fingerprint_is_that_of_the_events():
    data = load_samples(("c",), 600, 400).data
    assert load_samples(("c",), 600, 400).data == data
    assert (data["n_train"], data["n_test"]) == (600, 400)
    others = [load_samples(*changed).data for changed in ((("b",), 600, 400), (("c",), 602, 400), (("c",), 600, 402))]
    assert len({data["fingerprint"], *(other["fingerprint"] for other in others)}) == 4


def test_inputs_are_standardised_by_the_task():
    events = load_samples(("d",), 10, 10).train["d"]
    # The variance of the two classes, 0.5 and 3, is 1.75 on average; float32.
    np.testing.assert_allclose(standardised("d", events), events.features / np.sqrt(1.75), rtol=1e-6)
