import numpy as np
import pytest

from pnn_tf import checks
from pnn_tf.strata import point_name


def test_plain_numbers_are_the_shortest_decimals_of_the_same_float32():
    decimals = [0.1, 0.7, 1e-30, 1000.001, 1234567.0, -1.0, 3e38]
    for dtype in (np.float32, np.float64):
        plain = checks.plain(np.array(decimals, dtype))
        assert plain.tolist() == decimals and plain.dtype == np.float64
        assert checks.plain(plain).tolist() == decimals
    generator = np.random.default_rng(0)
    values = generator.normal(size=(1000, 2)).astype(np.float32)
    assert np.array_equal(checks.plain(values).astype(np.float32), values)
    assert checks.plain(np.float32(0.1)) == 0.1


def test_names_of_strata_are_those_decimals():
    assert point_name(np.float32([500])) == "500"
    assert point_name(np.float32([0.1, 1000.001])) == "(0.1, 1000.001)"
    assert point_name(np.float32([1234567])) == "1234567"  # where six digits would be those of its neighbours


def test_a_process_is_looked_at_for_background_alone():
    background = np.array([False, True, True])
    for process in ([None, "top", "W"], [np.nan, 1.0, 2.0], [None, 1, 2], [np.nan, "top", "W"]):
        assert checks.as_process(np.array(process, object), 3, background)[1] == process[1]
    assert checks.as_process([np.nan, 1.0, 2.0], 3, background)[2] == 2.0


@pytest.mark.parametrize(
    "process", [["a", None, "b"], [1.0, np.nan, 2.0], [1, None, 2], ["a", np.nan, "b"], ["a", 1, "b"], [None] * 3]
)
def test_a_process_that_is_missing_or_of_another_kind_is_named(process):
    process = np.array(process, None if np.nan in process and "a" not in process else object)
    with pytest.raises(ValueError, match=r"process .*first rows: \[(0, )?1"):
        checks.as_process(process, 3, np.ones(3, bool))


@pytest.mark.parametrize("check", [checks.as_score, checks.as_observable])
@pytest.mark.parametrize("values", [["0.1", "0.2"], np.array([0.1, None]), [0.1, 0.2j], np.array(["2026"], "M8[Y]")])
def test_scores_and_observables_are_real_numbers(check, values):
    with pytest.raises(ValueError, match=r"to be real numbers.*dtype (<U3|object|complex128|datetime64)"):
        check(values, len(values))
    for good in ([1, 2], np.array([True, False]), np.float16([0.1, 0.2])):
        assert len(check(good, 2)) == 2


def test_negative_weights_where_they_are_asked_for():
    assert checks.as_weight([1, -1], 2, signed=True).tolist() == [1, -1]
    with pytest.raises(ValueError, match=r"1 of 2 are.*Drop .*absolute value.*resampling.*AUC"):
        checks.as_weight([1, -1], 2)
    with pytest.raises(ValueError, match="NaN"):
        checks.as_weight([1, np.nan], 2, signed=True)


@pytest.mark.parametrize(
    "check", [checks.as_theta, checks.as_label, checks.as_score, checks.as_process, checks.as_weight]
)
def test_masked_values_are_not_taken_for_numbers(check):
    values = np.ma.masked_array([1.0, 0.0, 999.0], [False, False, True])
    more = {checks.as_process: (3, np.ones(3, bool)), checks.as_theta: (), checks.as_label: ()}.get(check, (3,))
    with pytest.raises(ValueError, match="is masked in some events"):
        check(values, *more)
