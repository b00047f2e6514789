"""Taylor coefficients as the peers compute them: tayloranalysis, torch.func and JAX, each on one CPU thread.

Every peer gets the same feed-forward network in plain arrays, and returns the same sums of |t_i| and |t_ij| over a
chunk of events: t_i = df/dx_i, t_ii = 1/2 d2f/dx_i^2, t_ij = d2f/dx_i dx_j of the sigmoid output f, after Wunsch,
Friese, Wolf and Quast, arXiv:1803.08782. A peer comes with the way that its documentation shows, and with others that
are exact as well and can be faster. Which one is, and with how many events in a call, depends on the network:
`best_jobs` tries them.

`pip install 'keras-hep[peers]'` installs all peers; torch.compile needs a C++ compiler besides.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from statistics import median
from typing import NamedTuple

import numpy as np

from benchmarks.speed import load_triton
from benchmarks.speed.taylor import Job, Sums, cpu_us_in_turn

# The layers of a network, input first. Each is (weight (n_in, n_out), bias (n_out,)). A hidden one may go on with scale
# and shift, both (n_out,), of an affine conditioning at fixed theta: activation(z @ weight + bias) * scale + shift.
Layers = Sequence[tuple[np.ndarray, ...]]


class Peer(NamedTuple):
    """A package, and the ways to get the coefficients from it.

    Args:
        name: as it is printed.
        package: what must be importable.
        chunks: numbers of events in one call that are worth a try.
        ways: name of each way, and make(layers, activation) -> sums, with activation "tanh" or "relu" (ValueError for
            others). The first one is that of the documentation.
    """

    name: str
    package: str
    chunks: tuple[int, ...]
    ways: Mapping[str, Callable[[Layers, str], Sums]]

    @property
    def installed(self) -> bool:
        """Whether the package can be imported."""
        return find_spec(self.package) is not None


def best_jobs(peer: Peer, layers: Layers, activation: str, x: np.ndarray) -> dict[str, Job]:
    """The way of a peer's documentation and its fastest one, each with the chunk that it is the fastest with.

    Args:
        peer: one of `PEERS`, installed.
        layers: the network; its output, with one unit, gets a sigmoid.
        activation: of the hidden layers, "tanh" or "relu".
        x: (n, d) float32 events, at least as many as the largest chunk.
    """
    jobs = {
        (way, chunk): Job(make(layers, activation), x[:chunk])
        for way, make in peer.ways.items()
        for chunk in peer.chunks
    }
    times = cpu_us_in_turn(jobs, repetitions=3, seconds=0.1)
    by_time = sorted(jobs, key=lambda key: median(times[key]))
    documented = next(key for key in by_time if key[0] == next(iter(peer.ways)))
    return {key[0]: jobs[key] for key in (documented, by_time[0])}


def _network(layers: Sequence[Sequence], activation: str, library, linear: Callable) -> Callable:
    """A function (..., d) -> (...) of the functions of a library, with layers in its own arrays."""
    if activation not in ("tanh", "relu"):
        raise ValueError(f"Expected activation tanh or relu. Received: activation={activation!r}")
    hidden = getattr(library, activation)

    def network(z):
        for weight, bias, *affine in layers[:-1]:
            z = hidden(linear(z, weight, bias))
            if affine:
                scale, shift = affine
                z = z * scale + shift
        return library.sigmoid(linear(z, *layers[-1])).squeeze(-1)

    return network


def _pairs(layers: Layers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices i and j of the pairs, and what makes the coefficient of the second derivative: 1/2 if i = j, else 1."""
    i, j = np.triu_indices(len(layers[0][0]))
    return i, j, np.where(i == j, np.float32(0.5), np.float32(1))


def _torch_network(layers: Layers, activation: str) -> Callable:
    import torch

    # Weights are constants, which spares tayloranalysis a graph.
    layers = [[torch.tensor(weight.T.copy()), *map(torch.tensor, rest)] for weight, *rest in layers]
    return _network(layers, activation, torch, torch.nn.functional.linear)


def _get_tc(layers: Layers, activation: str) -> Sums:
    """A model wrapped by `extend_model`, all coefficients by one call of its `get_tc`."""
    import torch
    from tayloranalysis import extend_model

    network = _torch_network(layers, activation)

    class Model(torch.nn.Module):
        def forward(self, x):
            return network(x)

    model = extend_model(Model())
    i, j, _ = _pairs(layers)  # get_tc knows the factor
    features = [(k,) for k in range(i[-1] + 1)] + list(zip(i.tolist(), j.tolist(), strict=True))

    def sums(x):
        found = model.get_tc("x", {"x": torch.from_numpy(x)}, features, reduce_func=lambda t: t.abs().sum())
        return torch.stack([found[feature] for feature in features]).numpy()

    return sums


# A way to both derivatives with the functions of torch.func or of jax, which have the same names:
# derivatives(library, network, x (n, d)) -> sums of |gradient| (d,) and of |hessian| (d, d) over the events.
Derivatives = Callable[..., tuple]


def _hessian(library, network, x):
    return _sum_abs(library.vmap(library.grad(network))(x), library.vmap(library.hessian(network))(x))


def _over(outer: str, inner: str) -> Derivatives:
    """One derivative over another; the gradient itself comes from the same pass."""

    def derivatives(library, network, x):
        gradient = getattr(library, inner)(network)

        def twice(x):
            value = gradient(x)
            return value, value

        hessian, value = library.vmap(getattr(library, outer)(twice, has_aux=True))(x)
        return _sum_abs(value, hessian)

    return derivatives


def _torch_reverse_batch(library, network, x):
    """Row after row of the Hessians of all events: events do not mix, so that one vector serves all of them."""
    import torch

    gradient, pull = library.vjp(library.grad(lambda x: network(x).sum()), x)
    rows = library.vmap(lambda direction: pull(direction.expand(x.shape))[0])(torch.eye(x.shape[1]))
    return _sum_abs(gradient, rows.transpose(0, 1))


def _jax_input_by_input(library, network, x):
    """Row after row of the Hessians of all events, in a loop that never holds more than one."""
    numpy = library.numpy
    gradient, push = library.linearize(library.grad(lambda x: network(x).sum()), x)
    rows = library.lax.map(lambda one: abs(push(numpy.broadcast_to(one, x.shape))).sum(0), numpy.eye(x.shape[1]))
    return abs(gradient).sum(0), rows


def _sum_abs(*arrays):
    return tuple(abs(array).sum(0) for array in arrays)


def _torch_way(derivatives: Derivatives, *, compiled: bool) -> Callable[[Layers, str], Sums]:
    def make(layers, activation):
        load_triton()
        import torch

        network = _torch_network(layers, activation)
        i, j, factor = map(torch.from_numpy, _pairs(layers))

        def sums(x):
            gradient, hessian = derivatives(torch.func, network, x)
            return torch.cat([gradient, hessian[i, j] * factor])

        if compiled:
            sums = torch.compile(sums, fullgraph=True, dynamic=False, isolate_recompiles=True)
        return lambda x: sums(torch.from_numpy(x)).numpy()

    return make


def _jax_way(derivatives: Derivatives) -> Callable[[Layers, str], Sums]:
    def make(layers, activation):
        import jax

        network = _network(layers, activation, jax.nn, lambda z, weight, bias: z @ weight + bias)
        i, j, factor = _pairs(layers)

        @jax.jit
        def sums(x):
            gradient, hessian = derivatives(jax, network, x)
            return jax.numpy.concatenate([gradient, hessian[i, j] * factor])

        return lambda x: np.asarray(sums(x))

    return make


TORCH_WAYS = {
    "hessian": _torch_way(_hessian, compiled=False),
    "reverse over reverse, compiled": _torch_way(_over("jacrev", "grad"), compiled=True),
    "reverse over reverse of the batch, compiled": _torch_way(_torch_reverse_batch, compiled=True),
}
JAX_WAYS = {
    "hessian": _jax_way(_hessian),
    "forward over reverse": _jax_way(_over("jacfwd", "grad")),
    "forward over forward": _jax_way(_over("jacfwd", "jacfwd")),
    "forward over reverse, input by input": _jax_way(_jax_input_by_input),
}
PEERS = (
    Peer("tayloranalysis", "tayloranalysis", (256, 1024, 4096), {"get_tc": _get_tc}),
    Peer("torch.func", "torch", (64, 256, 1024), TORCH_WAYS),
    Peer("JAX", "jax", (64, 128, 256, 512), JAX_WAYS),
)
