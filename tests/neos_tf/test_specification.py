import copy

import numpy as np
import pytest

from neos_tf.specification import number
from tests.neos_tf.workspaces import (
    LUMI,
    MU,
    SHAPE,
    histosys,
    modifier,
    normsys,
    sample,
    shapesys,
    specification,
    staterror,
)


def channels():
    return specification(
        region=[
            sample("signal", "s", MU, normsys("scale", 0.9, "up")),
            sample("background", [50.0, 60.0], histosys("tilt", "s", [55.0, 58.0]), staterror("region", [5.0, 6.0])),
        ],
        control=[sample("background", [7.0], shapesys("data", "error"), LUMI)],
    )["channels"]


def test_templates_are_named_by_the_user_or_by_the_way_to_them():
    templates = number(channels(), 2).templates
    assert {name: (template.shape, template.required) for name, template in templates.items()} == {
        "s": ((2,), True),
        "region/signal/scale/lo": ((), False),
        "up": ((), True),
        "region/background": ((2,), False),
        "region/background/tilt/hi_data": ((2,), False),
        "region/background/staterror_region": ((2,), False),
        "control/background": ((1,), False),
        "error": ((1,), True),
    }


def test_every_number_has_its_own_position():
    numbered = number(channels(), 2)
    starts = [template.start for template in numbered.templates.values()]
    ends = [template.start + template.n_values for template in numbered.templates.values()]
    assert starts == [2, *ends[:-1]]  # after 0 and 1


def test_positions_stand_where_the_numbers_do():
    numbered = number(channels(), 2)
    values = np.concatenate([[0, 1], *(np.ravel(template.numbers) for template in numbered.templates.values())])
    compared = []

    def compare(numbers, positions):
        if isinstance(numbers, dict):
            assert numbers.keys() == positions.keys()
            for key, value in numbers.items():
                compare(value, positions[key])
        elif isinstance(numbers, list) and numbers and isinstance(numbers[0], dict):
            for one, other in zip(numbers, positions, strict=True):
                compare(one, other)
        elif isinstance(numbers, list | float):
            assert np.array_equal(values[np.array(positions, int)], numbers)
            compared.append(positions)
        else:
            assert numbers == positions

    compare(numbered.numbers, numbered.positions)
    assert len(compared) == 9


def test_numbers_of_the_user_are_kept_and_not_changed():
    given = channels()
    before = copy.deepcopy(given)
    numbered = number(given, 2)
    assert given == before
    assert numbered.numbers[0]["samples"][1]["data"] == [50.0, 60.0]
    assert numbered.numbers[0]["samples"][0]["modifiers"][1]["data"]["lo"] == 0.9


def test_one_name_is_one_template():
    numbered = number(channels(), 2)
    signal, background = numbered.positions[0]["samples"]
    assert signal["data"] == background["modifiers"][0]["data"]["lo_data"]


def test_uncertainties_know_whose_they_are():
    templates = number(channels(), 2).templates
    assert templates["error"].uncertainty_of == "control/background"
    assert templates["region/background/staterror_region"].uncertainty_of == "region/background"
    assert templates["s"].uncertainty_of is None


def test_shapefactor_of_channels_with_other_bins_is_refused():
    channels = specification(a=[sample("s", [1.0], SHAPE)], b=[sample("s", [1.0, 2.0], SHAPE)])["channels"]
    with pytest.raises(ValueError, match=r"shapefactor 'shape' in channels of as many bins. Received: 1 and, at b/s"):
        number(channels, None)


def test_n_bins_come_from_numbers_or_from_the_user():
    only_names = specification(first=[sample("a", "a")], second=[sample("b", "b")])["channels"]
    templates = number(only_names, {"first": 3, "second": 1}).templates
    assert (templates["a"].shape, templates["b"].shape) == ((3,), (1,))
    with_numbers = specification(first=[sample("a", "a"), sample("b", [1.0, 2.0])])["channels"]
    assert number(with_numbers, None).templates["a"].shape == (2,)


@pytest.mark.parametrize(
    ("samples", "n_bins", "message"),
    [
        ([sample("a", "a")], None, "n_bins for channel 'region'.*Give n_bins=4"),
        ([sample("a", "a")], {"other": 2}, "n_bins for channel 'region'"),
        (
            [sample("a", [1.0], modifier("spline", "x"))],
            None,
            "'spline', modifier 'x' of sample 'a' of channel 'region'",
        ),
        ([sample("a", [1.0, 2.0]), sample("b", [1.0])], None, r"shape \(2,\) at region/b.*shape \(1,\)"),
        ([sample("a", [1.0, 2.0], histosys("x", [1.0], "y"))], None, r"shape \(2,\) at region/a/x/lo_data"),
        ([sample("a", [1.0, 2.0], staterror("region", [1.0]))], None, r"shape \(2,\) at region/a/staterror_region"),
        ([], None, "list of samples of channel 'region'. Received: \\[\\]"),
        (
            [{"name": "a", "data": [1.0]}],
            None,
            "in sample 'a' of channel 'region'. Received: missing modifiers, unknown",
        ),
        ([{"data": [1.0], "modifiers": []}], None, "in sample 0 of channel 'region'. Received: missing name"),
        ([{**sample("a", [1.0]), "weight": 2}], None, "missing none, unknown weight"),
        (
            [sample("a", [1.0], modifier("normsys", "x", {"hi": 1.1}))],
            None,
            "hi, lo in the data of modifier 'x' of sample 'a'",
        ),
        ([sample("a", [1.0]), sample("a", [2.0])], None, "each sample of channel 'region' once. Received: a twice"),
        ([sample("a", [1.0], normsys("x", 1, 2), normsys("x", 1, 3))], None, "normsys x twice"),
        ([sample("a", "region/b"), sample("b", [1.0])], None, "'region/b' to be the name of one template"),
        ([sample("a", [1.0, float("nan")])], None, r"finite numbers.*at region/a. Received: \[1.0, nan\]"),
        ([sample("a", [1.0, "b"])], None, r"finite numbers, or one name in their place, at region/a"),
        ([sample("a", "a", normsys("x", "a", 1.1))], 2, r"shape \(\) at region/a/x/lo.*'a' of shape \(2,\)"),
    ],
)
def test_what_is_wrong_is_named(samples, n_bins, message):
    with pytest.raises(ValueError, match=message):
        number(specification(region=samples)["channels"], n_bins)
