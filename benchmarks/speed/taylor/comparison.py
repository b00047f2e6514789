"""CPU time of all first- and second-order coefficients of an event, on one thread, beside the peers.

Ours are means with standard errors, those of the peers means alone. Each peer shows the way of its documentation and
its fastest one, both with the chunk that suits it best.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from benchmarks.speed.taylor.multiply_adds import multiply_adds
from benchmarks.speed.taylor.one_thread import use_one_cpu_thread
from benchmarks.speed.taylor.peers import PEERS, Peer, fastest
from benchmarks.speed.taylor.timing import cpu_us_in_turn

OURS = "taylor"
MATRIX_PRODUCT = "matrix product"


@dataclass(frozen=True)
class Config:
    """Sizes of the measurement, and the peers."""

    n_events: int = 1 << 15
    repetitions: int = 7
    seconds: float = 0.3
    matrix_size: int = 2048
    peers: Sequence[Peer] = PEERS


def run(network, config: Config) -> list[dict]:
    """A row each for ours, end to end and engine by engine, for each peer, and for a matrix product.

    Returns:
        Rows with `name`, `way`, `chunk`, `cpu_us` (each repetition's CPU time of an event in microseconds), `gflops`
        (the rate of the matrix products, median) and `difference` (the largest relative one of a sum from ours); None
        where it does not apply. A peer that is not installed has no `cpu_us`.
    """
    from benchmarks.speed.taylor.networks import events
    from benchmarks.speed.taylor.ours import end_to_end, matrix_product, summation

    x = events(config.n_events, network.widths[0])
    engines = ["adjoint", "autodiff"]
    if len(network.widths) == 3 and network.activation != "relu":
        engines.insert(1, "closed_form")
    jobs = {(OURS, "mean_abs_coefficients"): end_to_end(network, x)}
    jobs |= {(OURS, engine): summation(network, x, engine) for engine in engines}
    for peer in config.peers:
        if peer.installed:
            candidates = (peer.as_documented(), peer) if len(peer.ways) > 1 else (peer,)
            found = [fastest(candidate, network.layers, network.activation, x) for candidate in candidates]
            jobs |= {(peer.name, best.way): best.job for best in found}
    differences = {key: _difference(network, job) for key, job in jobs.items()}
    compilers = {"XLA": True, "TensorFlow": False}
    jobs |= {
        (MATRIX_PRODUCT, name): matrix_product(config.matrix_size, jit_compile=jit) for name, jit in compilers.items()
    }
    times = cpu_us_in_turn(jobs, repetitions=config.repetitions, seconds=config.seconds)
    rows = []
    for (name, way), cpu_us in times.items():
        n_products = None
        if name == MATRIX_PRODUCT:
            n_products = config.matrix_size**2
        elif way in engines:
            n_products = multiply_adds(way, network.widths, network.activation)
        rows.append(
            {
                "name": name,
                "way": way,
                "chunk": jobs[name, way].chunk,
                "cpu_us": cpu_us,
                "gflops": n_products and 2e-3 * n_products / median(cpu_us),
                "difference": differences.get((name, way)),
            }
        )
    absent = [peer for peer in config.peers if not peer.installed]
    return rows + [{"name": peer.name, "way": None, "cpu_us": None} for peer in absent]


def _difference(network, job) -> float:
    from benchmarks.speed.taylor.ours import end_to_end

    x = job.x[: job.chunk]
    ours = end_to_end(network, x).sums(x)
    return float(np.max(np.abs(job.sums(x) / ours - 1)))


def print_rows(title: str, rows: list[dict]) -> None:
    """One network's table; ratios are to `mean_abs_coefficients`, fractions of the faster matrix product."""
    measured = [row for row in rows if row["cpu_us"]]
    ours = median(measured[0]["cpu_us"])
    fastest_product = max(row["gflops"] for row in measured if row["name"] == MATRIX_PRODUCT)
    print(f"\n{title}: CPU us/event, median (min to max) of {len(measured[0]['cpu_us'])}; ratio to the first row")
    for row in measured:
        times = row["cpu_us"]
        line = f"{row['name']:<15} {row['way']:<44} {median(times):8.2f} ({min(times):.2f} to {max(times):.2f})"
        if row["name"] != MATRIX_PRODUCT:
            line += f" ratio {median(times) / ours:5.1f}, {row['chunk']} in a call, differs by {row['difference']:.0e}"
        if row["gflops"]:
            line += f", {row['gflops']:.0f} GF/s = {row['gflops'] / fastest_product:.2f} of the product's"
        print(line)
    for row in rows:
        if not row["cpu_us"]:
            print(f"{row['name']:<15} not installed: pip install 'keras-hep[peers]'")


def main() -> None:
    """Measures and prints."""
    use_one_cpu_thread()
    from benchmarks.speed.taylor.networks import affine_network, tanh_network

    for network in (tanh_network(30, 100), tanh_network(30, 200, 200, 200), affine_network(27)):
        print_rows(network.name, run(network, Config()))


if __name__ == "__main__":
    main()
