"""The step in JAX, written as its documentation does: pure functions, value_and_grad, jit."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from benchmarks.speed.training import BETA_1, BETA_2, BIAS_L2, EPSILON, KERNEL_L2, LEARNING_RATE, Config


def jax_steps(config: Config, weights, batch) -> Callable[[], float]:
    """A function that calls the jitted step `n_steps` times and returns the mean loss."""
    step = jax.jit(_step(config), donate_argnums=0)

    def loop(state, batch):
        losses = []
        for _ in range(config.n_steps):
            state, loss = step(state, batch)
            losses.append(loss)
        return state, jnp.stack(losses)

    return _steps(loop, weights, batch)


def jax_scan(config: Config, weights, batch) -> Callable[[], float]:
    """The same with `n_steps` steps in one jitted loop."""
    step = _step(config)

    def loop(state, batch):
        return jax.lax.scan(lambda state, _: step(state, batch), state, None, length=config.n_steps)

    return _steps(jax.jit(loop, donate_argnums=0), weights, batch)


def _steps(loop, weights, batch):
    """Keeps weights, moments, number of steps and key from one call of the loop to the next."""
    weights, batch = jax.tree.map(jnp.array, (weights, batch))
    mean, square = (jax.tree.map(jnp.zeros_like, weights) for _ in range(2))
    state = weights, mean, square, jnp.zeros(()), jax.random.key(0)

    def steps() -> float:
        nonlocal state
        state, losses = loop(state, batch)
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
    return jnp.mean(jnp.maximum(logit, 0) - logit * label + jnp.log1p(jnp.exp(-jnp.abs(logit)))) + penalty


def _step(config: Config):
    def step(state, batch):
        weights, mean, square, n_done, key = state
        key, own = jax.random.split(key)
        loss, gradient = jax.value_and_grad(_loss)(weights, own, batch, config.dropout)
        n_done = n_done + 1
        mean = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, mean, gradient)
        square = jax.tree.map(lambda s, g: BETA_2 * s + (1 - BETA_2) * g**2, square, gradient)
        rate = LEARNING_RATE * jnp.sqrt(1 - BETA_2**n_done) / (1 - BETA_1**n_done)
        weights = jax.tree.map(lambda w, m, s: w - rate * m / (jnp.sqrt(s) + EPSILON), weights, mean, square)
        return (weights, mean, square, n_done, key), loss

    return step
