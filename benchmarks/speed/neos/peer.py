"""One training step of the blobs of Simpson and Heinrich (2022) in JAX, with the packages that the authors released.

    python peer.py --events 2000 --steps 60 [--bce] [--float64] [--fit-learning-rate 1e-3]

Stands alone, for an interpreter of its own, and prints JSON. A step is one compiled function: the network 2-1024-1024-1
on four blobs of --events each, the histograms of `relaxed.hist` on 4 bins, a pyhf model (normfactor on the signal,
histosys code4p on the background), the expected CLs of `relaxed.infer.hypotest` with its gradient, and Adam. The test's
fit at mu = 1 is Adam too, until the gradient is below 1e-3 or for 5000 iterations, and jaxopt differentiates it
implicitly; the free fit to the Asimov data is known. The fit's learning rate is the paper's 1e-2; neos 0.3.0 has 1e-3,
and its example runs in float64. With --bce the loss is the binary cross-entropy of signal against the three other
blobs, through the same network.

Run with Python 3.11 and

    pip install relaxed==0.2.2 jax==0.4.30 jaxlib==0.4.30 jaxopt==0.8.3 optax==0.2.5 numpy==2.4.6
    pip install pyhf==0.7.6

apart from each other, since relaxed asks for a jsonschema older than pyhf's; it does not use it.

These packages no longer work together as they did in 2022, when pyhf made a model from traced templates, and relaxed
compiled its own parts. `filled` and `use_jax` say what is done instead.
"""

import argparse
import copy
import json
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pyhf
import relaxed
from jax.example_libraries import stax

MEANS = {"signal": (-1.0, 1.0), "background": (1.0, -1.0), "up": (2.5, 2.0), "down": (-2.5, -1.5)}
YIELDS = (20.0, 100.0, 100.0, 100.0)  # expected events, in the order of MEANS
FLOOR = 1e-3  # neos adds it to each bin
N_BINS = 4
BANDWIDTH = 0.1
N_BATCHES = 4
N_WARM_UP = 3  # steps before those that are timed


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", dest="n_events", type=int, default=2000, help="of a blob in a batch")
    parser.add_argument("--steps", dest="n_steps", type=int, default=60, help="that are timed")
    parser.add_argument("--bce", action="store_true", help="train on the binary cross-entropy")
    parser.add_argument("--float64", action="store_true", help="all in double precision, as in neos 0.3.0")
    parser.add_argument("--fit-learning-rate", type=float, default=1e-2, help="of Adam in the fit")
    return parser.parse_args()


def run(config: argparse.Namespace) -> dict:
    """Trains for N_WARM_UP and then `n_steps` steps, and times them one by one.

    Returns:
        `first_s` of the first, which traces and compiles, and `seconds` of the `n_steps`; `cls_first` and `cls_last`,
        the expected CLs of the first batch after the first and the last step.
    """
    skeleton = use_jax(float64=config.float64)
    initialise, network = stax.serial(stax.Dense(1024), stax.Relu, stax.Dense(1024), stax.Relu, stax.Dense(1))
    _, weights = initialise(jax.random.PRNGKey(0), (-1, 2))
    optimiser = optax.adam(1e-3)

    def logits(weights, blobs):
        return network(weights, blobs.reshape(-1, 2)).reshape(len(MEANS), -1)

    def cls(weights, blobs):
        return expected_cls(skeleton, templates(jax.nn.sigmoid(logits(weights, blobs))), config.fit_learning_rate)

    def cross_entropy(weights, blobs):
        label = jnp.zeros(blobs.shape[:2]).at[0].set(1.0)
        return optax.sigmoid_binary_cross_entropy(logits(weights, blobs), label).mean()

    loss = cross_entropy if config.bce else cls

    @jax.jit
    def step(weights, state, blobs):
        value, gradient = jax.value_and_grad(loss)(weights, blobs)
        updates, state = optimiser.update(gradient, state)
        return optax.apply_updates(weights, updates), state, value

    state, test = optimiser.init(weights), jax.jit(cls)
    batches = [jnp.asarray(batch) for batch in blob_batches(config)]
    seconds = []
    for i in range(N_WARM_UP + config.n_steps):
        start = time.perf_counter()
        weights, state, _ = jax.block_until_ready(step(weights, state, batches[i % N_BATCHES]))
        seconds.append(time.perf_counter() - start)
        if i == 0:
            cls_first = float(test(weights, batches[0]))
    found = {"first_s": seconds[0], "seconds": seconds[N_WARM_UP:]}
    return vars(config) | found | {"cls_first": cls_first, "cls_last": float(test(weights, batches[0]))}


def use_jax(float64: bool) -> pyhf.Model:
    """Makes pyhf and relaxed run inside one compiled function, and returns a model to be filled with templates."""
    ones = [1.0] * N_BINS
    mu = {"name": "mu", "type": "normfactor", "data": None}
    shape = {"name": "shape", "type": "histosys", "data": {"hi_data": ones, "lo_data": ones}}
    samples = [
        {"name": "background", "data": ones, "modifiers": [shape]},
        {"name": "signal", "data": ones, "modifiers": [mu]},
    ]
    skeleton = pyhf.Model({"channels": [{"name": "blobs", "samples": samples}]})
    pyhf.set_backend("jax", precision="64b" if float64 else "32b", default=True)
    jax.config.update("jax_enable_x64", float64)  # which pyhf has just switched on
    # relaxed compiles each of its parts, with the fit's learning rate as a traced argument. The fit closes over it, and
    # jax 0.4 refuses to differentiate such a compiled function: UnexpectedTracerError. So the parts are taken as they
    # were before compilation, and compiled as one, with the step.
    relaxed.infer.qmu_test = relaxed.infer.qmu_test.__wrapped__
    relaxed.infer.fixed_poi_fit = relaxed.infer.fixed_poi_fit.__wrapped__
    relaxed.mle._minimize = relaxed.mle._minimize.__wrapped__
    return skeleton


def templates(scores):
    """Expected events of each blob in each bin, (4, n_bins), from the network's outputs, (4, n_events)."""
    edges = jnp.linspace(0.0, 1.0, N_BINS + 1)
    counts = jax.vmap(lambda blob: relaxed.hist(blob, edges, BANDWIDTH))(scores)
    return counts * (jnp.asarray(YIELDS)[:, None] / scores.shape[1]) + FLOOR


def filled(skeleton: pyhf.Model, yields) -> pyhf.Model:
    """The model with templates, (4, n_bins), in place of its ones, since pyhf 0.7.6 makes none from traced arrays."""
    signal, background, up, down = yields
    model, main = copy.copy(skeleton), copy.copy(skeleton.main_model)
    histosys = copy.copy(main.modifiers_appliers["histosys"])
    sets = [[[down, background, up], [signal, signal, signal]]]
    histosys.interpolator = pyhf.interpolators.code4p(sets, subscribe=False)
    main.modifiers_appliers = main.modifiers_appliers | {"histosys": histosys}
    main.nominal_rates = jnp.stack([background, signal]).reshape(main.nominal_rates.shape)
    model.main_model = main
    return model


def expected_cls(skeleton: pyhf.Model, yields, learning_rate: float):
    """CLs of mu = 1 for the background's Asimov data, whose free fit is mu = 0, from templates (4, n_bins)."""
    model = filled(skeleton, yields)
    background_only = jnp.asarray(model.config.suggested_init()).at[model.config.poi_index].set(0.0)
    data = model.expected_data(background_only)
    return relaxed.infer.hypotest(1.0, data, model, lr=learning_rate, expected_pars=background_only)


def blob_batches(config: argparse.Namespace) -> np.ndarray:
    """(n_batches, 4, n_events, 2) points of the four blobs, each of unit covariance."""
    dtype = np.float64 if config.float64 else np.float32
    points = np.random.default_rng(0).standard_normal((N_BATCHES, len(MEANS), config.n_events, 2), dtype)
    return points + np.asarray(list(MEANS.values()), dtype)[:, None]


if __name__ == "__main__":
    print(json.dumps(run(options()), indent=1))
