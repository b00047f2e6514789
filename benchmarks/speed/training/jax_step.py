"""The step in JAX, written as its documentation does: pure functions, value_and_grad, jit."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.example_libraries import optimizers

from benchmarks.speed.training import ADAM, BIAS_L2, KERNEL_L2, Config


def jax_steps(config: Config, weights, batch, *, as_one: bool = False) -> Callable[[], float]:
    """A function that runs `n_steps` steps and returns the mean loss: of a jitted step, or of one jitted loop."""
    initialise, update, weights_of = optimizers.adam(*ADAM)

    def step(state, batch):
        n_done, key, adam = state
        key, own = jax.random.split(key)
        loss, gradient = jax.value_and_grad(_loss)(weights_of(adam), own, batch, config.dropout)
        return (n_done + 1, key, update(n_done, gradient, adam)), loss

    def loop(state, batch):
        return jax.lax.scan(lambda state, _: step(state, batch), state, length=config.n_steps)

    def one_by_one(state, batch):
        losses = []
        for _ in range(config.n_steps):
            state, loss = jitted(state, batch)
            losses.append(loss)
        return state, jnp.stack(losses)

    jitted = jax.jit(loop if as_one else step, donate_argnums=0)
    run = jitted if as_one else one_by_one
    batch = jax.tree.map(jnp.array, batch)
    state = jnp.zeros((), int), jax.random.key(0), initialise(jax.tree.map(jnp.array, weights))

    def steps() -> float:
        nonlocal state
        state, losses = run(state, batch)
        return float(losses.mean())

    return steps


def _loss(weights, key, batch, dropout):
    z, theta, label = batch
    theta = theta / 1000
    penalty = 0.0
    for block in weights[:-1]:
        z = jax.nn.relu(z @ block["kernel"] + block["bias"])
        scale = theta @ block["scale_kernel"] + block["scale_bias"]
        z = z * scale + theta @ block["shift_kernel"] + block["shift_bias"]
        if dropout:
            key, own = jax.random.split(key)
            z = jnp.where(jax.random.bernoulli(own, 1 - dropout, z.shape), z / (1 - dropout), 0.0)
        penalty += KERNEL_L2 * jnp.sum(block["kernel"] ** 2) + BIAS_L2 * jnp.sum(block["bias"] ** 2)
    logit = z @ weights[-1]["kernel"] + weights[-1]["bias"]
    return jnp.mean(jax.nn.softplus(logit) - logit * label) + penalty
