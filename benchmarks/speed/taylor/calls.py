"""What a call costs: the first one, which traces and compiles, one with a single event, and a monitor's look."""

from functools import partial

import tensorflow as tf

from benchmarks.speed import in_turn, show
from benchmarks.speed.taylor.ours import affine_network, events, tanh_network
from taylor import mean_abs_coefficients, taylor_coefficients


def run(network, order: int, n_events: int = 1 << 15, n_calls: int = 300) -> list[dict]:
    """A row for each function: the first call with one event, the first with many, and `n_calls` further with one.

    The network has not been analysed yet, so that there is something to trace.
    """
    x = events(n_events, network.widths[0])
    rows = []
    for function in (taylor_coefficients, mean_abs_coefficients):
        one, many = (partial(function, network.model, network.data(x[:n]), order=order) for n in (1, n_events))
        row = _row(f"{network.name}, order {order}", function.__name__, one, n_calls)
        first_s = in_turn({"many": many}, 0)["many"].first_s
        rows.append(row | {"many events": n_events, "first call with many (s)": first_s})
    return rows


def run_bare(n_calls: int = 300) -> dict:
    """The row of a compiled function that adds one to a number."""
    add, one = tf.function(lambda x: x + 1, jit_compile=True, autograph=False), tf.constant(1.0)
    return _row("TensorFlow", "compiled x + 1", lambda: add(one).numpy(), n_calls)


def run_look(network, n_events: int = 10_000, n_calls: int = 50) -> dict:
    """The row of what `TaylorMonitor` computes for a record: the means to the second order over events in memory."""
    data = network.data(events(n_events, network.widths[0]))
    row = _row(network.name, "a monitor's look", partial(mean_abs_coefficients, network.model, data), n_calls)
    return row | {"many events": n_events}


def _row(network, function, job, n_calls):
    times = in_turn({"job": job}, n_calls)["job"]
    call_ms = [1e3 * seconds for seconds in times.wall_s]
    return {"network": network, "function": function, "call (ms)": call_ms, "first call (s)": times.first_s}


def main() -> None:
    """Measures and prints."""
    rows = [run_bare(), run_look(tanh_network(30, 100))]
    small, large = partial(tanh_network, 30, 100), partial(tanh_network, 30, 200, 200, 200)
    for make, highest in ((small, 3), (large, 2), (partial(affine_network, 27), 2)):
        for order in range(1, highest + 1):
            n_events = 1 << 15 if order < 3 else 2048  # coefficients that fit in memory
            rows += run(make(), order, n_events)
    show("Wall time of a call with one event, or with many for a look, and of the first calls, these included", rows)


if __name__ == "__main__":
    main()
