import numpy as np
import pytest
import tensorflow as tf

from taylor.events import column_names, flat, parts_of

X = np.arange(24, dtype="float32").reshape(4, 3, 2)


def arranged(part, shape, dtype=None, analysed=True):
    return flat(part, "x", shape, dtype, analysed)


def test_events_of_any_rank_become_rows_and_rows_are_not_copied():
    for x, shape in [(X, (3, 2)), (X[:, 0], (2,)), (X[:, 0, :1], (1,)), (X[:, 0, 0], ())]:
        for kind in (np.asarray, tf.constant):
            rows = arranged(kind(x), shape)
            assert np.array_equal(rows, x.reshape(4, -1))
            assert tf.is_tensor(rows) == (kind is tf.constant)
    assert arranged(X[:, 0], (2,)).base is X.base
    assert arranged(X[:0], (3, 2)).shape == (0, 6)
    assert arranged([[1.0, 2.0]], (2,)).tolist() == [[1.0, 2.0]]


def test_a_number_an_event_may_be_a_column_or_not():
    for given in (X[:, 0, 0], X[:, 0, :1]):
        for shape in ((), (1,)):
            assert np.array_equal(arranged(given, shape), X[:, 0, :1])


def test_specifications_and_tensors_of_a_dataset_get_the_width_of_the_model():
    spec = arranged(tf.TensorSpec((None, 3, 2), tf.float32), (3, 2))
    assert spec == tf.TensorSpec((None, 6), tf.float32)
    assert arranged(tf.TensorSpec((None, None), tf.float32), (2,)).shape.as_list() == [None, 2]

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.float32)])
    def rows(x):
        result = arranged(x, (2,))
        assert result.shape.as_list() == [None, 2]
        return result

    assert np.array_equal(rows(X[:, 0]), X[:, 0])
    with pytest.raises(tf.errors.InvalidArgumentError):
        rows(X[:, :, 0])


def test_whole_numbers_stay_as_they_are():
    large = np.array([[2**24 + 1], [2**53 + 1]])
    assert arranged(large, (1,), tf.int64, analysed=False) is large
    assert arranged(large, (1,), analysed=False) is large  # those of an input that is not analysed
    assert arranged(large == 1, (1,), tf.int32, analysed=False).dtype == bool


def test_names_have_the_positions_within_an_event():
    assert list(column_names(X, "x", (3, 2), True)) == ["x[1,1]", "x[1,2]", "x[2,1]", "x[2,2]", "x[3,1]", "x[3,2]"]
    assert list(column_names(X, "jet", (2,), False)) == ["jet1", "jet2"]
    assert list(column_names(X, "met", (), False)) == list(column_names(X, "met", (1,), False)) == ["met"]
    assert list(column_names(X, "x", (), True)) == ["x1"]


def test_a_table_has_a_column_for_each_value_or_each_input():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X.reshape(4, 6), columns=list("abcdef"))
    assert np.array_equal(arranged(frame, (3, 2)), X.reshape(4, 6))
    assert list(column_names(frame, "x", (3, 2), True)) == list("abcdef")
    b, a = parts_of(frame[["a", "b"]], ("b", "a"))
    assert np.array_equal(arranged(b, (1,)), frame[["b"]])
    assert np.array_equal(arranged(a, ()), frame[["a"]])


def test_what_is_missing_in_columns_of_nullable_types_is_nan():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "pt": pandas.array([1.5, None], "Float32"),
            "n": pandas.array([None, 2], "Int64"),
            "eta": np.array([0.5, 1.0], "float32"),
        }
    )
    np.testing.assert_array_equal(arranged(frame, (3,)), [[1.5, np.nan, 0.5], [np.nan, 2, 1]])
    ids = pandas.DataFrame({"id": pandas.array([2**53 + 1, 2], "Int64")})
    assert arranged(ids, (1,), tf.int64, analysed=False).tolist() == [[2**53 + 1], [2]]
    mixed = pandas.DataFrame({"pt": [1.5, 2.5], "n": [1, 2]})  # pandas itself makes floating-point numbers of these
    assert arranged(mixed, (2,)).tolist() == [[1.5, 1], [2.5, 2]]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"pt": [1.5], "b": [True]}, "in all columns of 'x'. Received: bool in column 'b'.*astype"),
        ({"pt": [1.5], "name": ["jet"]}, "Received: .* in column 'name'"),
        ({"n": [1], "m": [2]}, "Received: int64 in column 'n'"),
    ],
)
def test_columns_without_a_derivative_are_named(columns, message):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match=message):
        arranged(pandas.DataFrame(columns), (2,))


STRUCTURED = np.zeros(4, [("pt", "f4"), ("eta", "f4")])


@pytest.mark.parametrize(
    ("part", "shape", "arguments", "error", "message"),
    [
        (X[:, :2], (3, 2), {}, ValueError, r"'x' of shape \(n_events, 3, 2\). Received: \(4, 2, 2\)"),
        (X.reshape(4, 6), (3, 2), {}, ValueError, r"\(n_events, 3, 2\). Received: \(4, 6\)"),
        (X[:, 0], (None, 2), {}, ValueError, r"\(n_events, n, 2\). Received: \(4, 2\)"),
        (X, (None, 2), {}, ValueError, r"known number of values .* Received: \(None, 2\). Give the model's Input"),
        (tf.TensorSpec(None), (2,), {}, ValueError, "events along the first axis. Received: shape <unknown>"),
        (3.0, (2,), {}, ValueError, "events along the first axis"),
        (X[:, 0].astype(int), (2,), {}, TypeError, r"no derivative in a whole number. Received: int64.*astype"),
        (X[:, 0] > 1, (2,), {}, TypeError, "no derivative in a whole number. Received: bool"),
        (X[:, 0].astype(object), (2,), {}, TypeError, r"Expected numbers in 'x'. Received: object.*astype"),
        (X[:, 0].astype(str), (2,), {"analysed": False}, TypeError, "Expected numbers in 'x'. Received: str"),
        (X[:, 0], (2,), {"dtype": tf.int32, "analysed": False}, TypeError, "takes int32. Received: float32.*astype"),
        (STRUCTURED, (2,), {}, ValueError, r"\(n_events, 2\). Received: \(4,\)"),
        (STRUCTURED, (), {}, TypeError, "structured array of .'pt', 'eta'.*structured_to_unstructured"),
    ],
)
def test_bad_events_are_named(part, shape, arguments, error, message):
    with pytest.raises(error, match=message):
        arranged(part, shape, **arguments)


def test_inputs_that_are_missing_or_too_much_are_named():
    with pytest.raises(ValueError, match=r"inputs .'x', 'y'.. Received: .'x',."):
        parts_of({"x": X}, ("x", "y"))
    with pytest.raises(ValueError, match=r"Received: .'pt', 'eta'.. For the columns of one input use pandas.DataFrame"):
        parts_of({"pt": X, "eta": X}, ("x",))
    with pytest.raises(ValueError, match=r"one array for each of the inputs .* Received: 1"):
        parts_of(X, ("x", "y"))
