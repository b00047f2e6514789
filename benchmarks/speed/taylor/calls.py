"""What a call costs besides its events: the first one, which traces and compiles, and one with a single event."""

import time
from dataclasses import dataclass, replace
from statistics import median


@dataclass(frozen=True)
class Config:
    """Sizes of the measurement."""

    n_events: int = 1 << 15
    n_calls: int = 300


def run(network, order: int, config: Config) -> list[dict]:
    """A row for each function, with seconds of the first calls and milliseconds of further ones with one event.

    Args:
        network: one that has not been analysed yet, so that there is something to trace.
        order: of the coefficients.
        config: how many events are many, and the number of calls.

    Returns:
        Rows with `function`, `first_s` (the first call, with one event), `first_many_s` (the first with many) and
        `call_ms` of each of the further calls with one event.
    """
    from benchmarks.speed.taylor.networks import events
    from taylor import mean_abs_coefficients, taylor_coefficients

    x = events(config.n_events, network.widths[0])
    rows = []
    for function in (taylor_coefficients, mean_abs_coefficients):

        def call(n_events, function=function):
            start = time.perf_counter()
            function(network.model, network.data(x[:n_events]), order=order)
            return time.perf_counter() - start

        rows.append(
            {
                "function": function.__name__,
                "first_s": call(1),
                "first_many_s": call(config.n_events),
                "call_ms": [1e3 * call(1) for _ in range(config.n_calls)],
            }
        )
    return rows


def bare_call_ms(n_calls: int) -> list[float]:
    """Milliseconds of each call of a compiled function that adds one to a number."""
    import tensorflow as tf

    add, one = tf.function(lambda x: x + 1, jit_compile=True, autograph=False), tf.constant(1.0)
    add(one).numpy()
    times = []
    for _ in range(n_calls):
        start = time.perf_counter()
        add(one).numpy()
        times.append(1e3 * (time.perf_counter() - start))
    return times


def main() -> None:
    """Measures and prints."""
    from benchmarks.speed.taylor.networks import affine_network, tanh_network

    config = Config()
    bare = bare_call_ms(config.n_calls)
    print(f"\nWall time of a call with one event, median (min) of {config.n_calls}, and of the first calls")
    print(f"TensorFlow's call of a compiled x + 1: {median(bare):.2f} ms ({min(bare):.2f})")
    cases = (
        (lambda: tanh_network(30, 100), (1, 2, 3)),
        (lambda: tanh_network(30, 200, 200, 200), (1, 2)),
        (lambda: affine_network(27), (1, 2)),
    )
    for make, orders in cases:
        for order in orders:
            network, n_events = make(), config.n_events if order < 3 else 2048  # coefficients that fit in memory
            for row in run(network, order, replace(config, n_events=n_events)):
                print(
                    f"{network.name:<23} order {order} {row['function']:<22} {median(row['call_ms']):.2f} ms "
                    f"({min(row['call_ms']):.2f}); first call {row['first_s']:.2f} s, first call with {n_events} "
                    f"events {row['first_many_s']:.2f} s, these included"
                )


if __name__ == "__main__":
    main()
