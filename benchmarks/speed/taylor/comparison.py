"""CPU time of all coefficients of an event, on one thread: first and second order beside the peers, third order.

Ours are means with standard errors, those of the peers means alone. Each peer shows the way of its documentation and
its fastest one, both with the chunk that suits it best. To the third order, the closed form stands beside nested tapes.
"""

from collections.abc import Sequence
from statistics import median

import numpy as np

from benchmarks.speed import show, use_one_cpu_thread
from benchmarks.speed.taylor import cpu_us_in_turn
from benchmarks.speed.taylor.peers import PEERS, Peer, best_jobs

OURS, MATRIX_PRODUCT, TIME = "taylor", "matrix product", "CPU us/event"


def run(
    network,
    *,
    n_events: int = 1 << 15,
    repetitions: int = 7,
    seconds: float = 0.3,
    matrix_size: int = 2048,
    peers: Sequence[Peer] = PEERS,
) -> list[dict]:
    """A row each for ours, end to end and engine by engine, for each peer, and for a matrix product.

    Each has the CPU times of `repetitions` measurements of so many seconds, the ratio of their median to that of
    `mean_abs_coefficients`, the rate of its matrix products and the share of the faster plain one of `matrix_size`, and
    the largest relative difference of a sum from ours; None where it does not apply.
    """
    from benchmarks.speed.taylor.ours import end_to_end, events, matrix_product, multiply_adds, summation

    x = events(n_events, network.widths[0])
    one_tanh_layer = len(network.widths) == 3 and network.activation == "tanh"
    jobs, n_products = {(OURS, "mean_abs_coefficients"): end_to_end(network, x)}, {}
    for engine in ("adjoint", "closed_form", "autodiff") if one_tanh_layer else ("adjoint", "autodiff"):
        jobs[OURS, engine] = summation(network, x, engine)
        n_products[OURS, engine] = multiply_adds(network, engine)
    for peer in peers:
        if peer.installed:
            best = best_jobs(peer, network.layers, network.activation, x)
            jobs |= {(peer.name, way): job for way, job in best.items()}
    differences = {key: _difference(job, end_to_end(network, job.x)) for key, job in jobs.items()}
    for name, jit_compile in (("XLA", True), ("TensorFlow", False)):
        jobs[MATRIX_PRODUCT, name] = matrix_product(matrix_size, jit_compile=jit_compile)
        n_products[MATRIX_PRODUCT, name] = matrix_size**2
    times = cpu_us_in_turn(jobs, repetitions, seconds)
    ours_us = median(times[OURS, "mean_abs_coefficients"])
    rates = {key: 2e-3 * n / median(times[key]) for key, n in n_products.items()}  # GFlop/s
    product_rate = max(rates[key] for key in rates if key[0] == MATRIX_PRODUCT)
    rows = [
        {
            "name": key[0],
            "way": key[1],
            TIME: cpu_us,
            "ratio": median(cpu_us) / ours_us if key in differences else None,
            "in a call": len(jobs[key].x),
            "differs by": differences.get(key),
            "GFlop/s": rates.get(key),
            "of the product's": rates[key] / product_rate if key in rates else None,
        }
        for key, cpu_us in times.items()
    ]
    absent = [peer.name for peer in peers if not peer.installed]
    return rows + [{"name": name, "way": "not installed: pip install 'keras-hep[peers]'"} for name in absent]


def _difference(job, ours) -> float:
    return float(np.max(np.abs(job.sums(job.x) / ours.sums(job.x) - 1)))


def run_third_order(
    n_inputs: int = 30, units: int = 100, *, n_events: int = 512, repetitions: int = 5, seconds: float = 0.3
) -> list[dict]:
    """CPU times of an event to the third order, by engine, and the ratio of their median to the closed form's."""
    from benchmarks.speed.taylor.ours import events, summation, tanh_network

    network, x = tanh_network(n_inputs, units), events(n_events, n_inputs)
    jobs = {engine: summation(network, x, engine, order=3) for engine in ("closed_form", "autodiff")}
    times = cpu_us_in_turn(jobs, repetitions, seconds)
    closed_form = median(times["closed_form"])
    return [{"engine": name, TIME: values, "ratio": median(values) / closed_form} for name, values in times.items()]


def main() -> None:
    """Measures and prints."""
    use_one_cpu_thread()
    from benchmarks.speed.taylor.ours import affine_network, tanh_network

    for network in (tanh_network(30, 100), tanh_network(30, 200, 200, 200), affine_network(27)):
        show(network.name, run(network))
    show("30-100-1 tanh to the third order", run_third_order())


if __name__ == "__main__":
    main()
