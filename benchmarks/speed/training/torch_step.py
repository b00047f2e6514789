"""The step in PyTorch, in eager mode as its documentation shows it."""

from collections.abc import Callable

import torch
from torch.nn import functional

from benchmarks.speed.training import BETA_1, BETA_2, BIAS_L2, EPSILON, KERNEL_L2, LEARNING_RATE, Config


class Block(torch.nn.Module):
    """Dense and ReLU, affine conditioning, dropout."""

    def __init__(self, weights, dropout: float):
        super().__init__()
        self.dense, self.scale, self.shift = (_linear(weights, name) for name in ("", "scale_", "shift_"))
        self.dropout = torch.nn.Dropout(dropout)

    def forward(self, z, theta):
        z = torch.relu(self.dense(z))
        return self.dropout(z * self.scale(theta) + self.shift(theta))


class Network(torch.nn.Module):
    """All blocks and the logit."""

    def __init__(self, weights, dropout: float):
        super().__init__()
        self.blocks = torch.nn.ModuleList(Block(block, dropout) for block in weights[:-1])
        self.score = _linear(weights[-1], "")

    def forward(self, z, theta):
        theta = theta / 1000
        for block in self.blocks:
            z = block(z, theta)
        return self.score(z)


def _linear(weights, prefix: str) -> torch.nn.Linear:
    kernel, bias = (torch.tensor(weights[prefix + name]) for name in ("kernel", "bias"))
    layer = torch.nn.Linear(*kernel.shape)
    layer.load_state_dict({"weight": kernel.T, "bias": bias})
    return layer


def torch_steps(config: Config, weights, batch) -> Callable[[], float]:
    """A function that runs `n_steps` steps and returns the mean loss."""
    network = Network(weights, config.dropout)
    features, theta, label = map(torch.from_numpy, batch)
    adam = torch.optim.Adam(network.parameters(), LEARNING_RATE, (BETA_1, BETA_2), EPSILON)

    def step() -> torch.Tensor:
        adam.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(network(features, theta), label)
        for block in network.blocks:
            loss = loss + KERNEL_L2 * (block.dense.weight**2).sum() + BIAS_L2 * (block.dense.bias**2).sum()
        loss.backward()
        adam.step()
        return loss.detach()

    return lambda: float(torch.stack([step() for _ in range(config.n_steps)]).mean())
