"""The step in PyTorch, in eager mode as its documentation shows it."""

from collections.abc import Callable

import torch
from torch.nn import functional

from benchmarks.speed.training import ADAM, BIAS_L2, KERNEL_L2, Config


def torch_steps(config: Config, weights, batch) -> Callable[[], float]:
    """A function that runs `n_steps` steps and returns the mean loss."""
    weights = [{name: torch.tensor(array.T.copy(), requires_grad=True) for name, array in w.items()} for w in weights]
    features, theta, label = map(torch.from_numpy, batch)
    rate, *betas, epsilon = ADAM
    adam = torch.optim.Adam([tensor for w in weights for tensor in w.values()], rate, betas, epsilon)

    def linear(z, block, prefix=""):
        return functional.linear(z, block[f"{prefix}kernel"], block[f"{prefix}bias"])

    def loss():
        z, scaled, penalty = features, theta / 1000, 0.0
        for block in weights[:-1]:
            z = torch.relu(linear(z, block))
            z = functional.dropout(
                z * linear(scaled, block, "scale_") + linear(scaled, block, "shift_"), config.dropout
            )
            penalty = penalty + KERNEL_L2 * (block["kernel"] ** 2).sum() + BIAS_L2 * (block["bias"] ** 2).sum()
        return functional.binary_cross_entropy_with_logits(linear(z, weights[-1]), label) + penalty

    def step() -> torch.Tensor:
        adam.zero_grad()
        value = loss()
        value.backward()
        adam.step()
        return value.detach()

    return lambda: float(torch.stack([step() for _ in range(config.n_steps)]).mean())
