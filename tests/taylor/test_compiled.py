from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from taylor.compiled import compiled


def test_one_graph_for_each_set_of_shapes():
    traces = []

    def add(pair, third):
        traces.append(pair[0].shape)
        return pair[0] + pair[1] * third

    call = compiled(add, jit_compile=False)
    for n in (2, 3, 2, 3):
        one = tf.ones((n, 1))
        assert np.array_equal(call((one, one), 2 * one), 3 * np.ones((n, 1)))
        assert np.array_equal(call((one, 2 * one), one), 3 * np.ones((n, 1)))  # other values, the same graph
    assert np.array_equal(call((tf.ones((2, 1)), tf.ones((1, 1))), tf.ones((2, 1))), 2 * np.ones((2, 1)))
    assert traces == [(2, 1), (3, 1), (2, 1)]


def test_variables_are_read_at_each_call():
    weight = tf.Variable(2.0)
    call = compiled(lambda x: weight * x, jit_compile=True)
    assert call(tf.constant(3.0)) == 6
    weight.assign(5.0)
    assert call(tf.constant(3.0)) == 15


def test_eager_where_that_is_asked_for():
    kinds = []
    call = compiled(lambda x: kinds.append(tf.is_symbolic_tensor(x)) or x, jit_compile=True)
    tf.config.run_functions_eagerly(True)
    try:
        call(tf.constant(1.0))
    finally:
        tf.config.run_functions_eagerly(False)
    assert kinds == [False]


def test_what_xla_does_not_have_is_traced_once():
    traces = []

    def unique(x):
        traces.append(x.shape)
        return tf.strings.length(tf.strings.as_string(x))

    call = compiled(unique, jit_compile=True)
    for n in (2, 2, 3):
        assert np.array_equal(call(tf.zeros(n, tf.int32)), np.ones(n))
    assert traces == [(2,), (3,)]


def test_threads_share_what_is_traced():
    traces = []

    def doubled(x):
        traces.append(x.shape)
        return 2 * x

    call = compiled(doubled, jit_compile=True)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(call, [tf.constant([float(i)]) for i in range(4)]))
    assert [result.numpy().tolist() for result in results] == [[0.0], [2.0], [4.0], [6.0]]
    assert traces == [(1,)]


def test_a_loop_of_unknown_length_is_differentiated_without_xla():
    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            cubed = tf.while_loop(lambda y: tf.reduce_all(y < 8), lambda y: [y * x], [x])[0]
        return tape.gradient(cubed, x)

    call = compiled(slope, jit_compile=True)
    np.testing.assert_allclose(call(tf.constant([2.0])), [12.0])  # of x^3
