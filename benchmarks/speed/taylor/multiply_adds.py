"""How many multiplications, each with an addition, the matrix products of each engine take for an event.

What is elementwise is not counted, nor what is the same for all events.
"""

from itertools import pairwise


def multiply_adds(engine: str, widths: tuple[int, ...], activation: str) -> int:
    """Of all first and second derivatives of one output, for one event.

    With d inputs, P = d (d + 1) / 2 pairs, hidden layers of n_1, ..., n_L units, and F = d n_1 + n_1 n_2 + ... + n_L of
    one pass through the network:

        adjoint      F + (F - n_L) + P n_1 + sum_l>1 d (n_l-1 n_l + d n_l), without what comes after F - n_L for ReLU
        closed_form  F + (d + P) n_1; one hidden layer, smooth
        autodiff     2 (1 + d) F: forward and backward, for the response and again for each row of the Hessian

    Args:
        engine: "adjoint", "closed_form" or "autodiff".
        widths: units of each layer, from the inputs to the output, which has one.
        activation: of the hidden layers, "tanh" or "relu".

    Raises:
        ValueError: a network that the engine's formula is not for.
    """
    d, *hidden, n_outputs = widths
    if n_outputs != 1 or not hidden:
        raise ValueError(f"Expected hidden layers and one output. Received: widths={widths}")
    n_pairs = d * (d + 1) // 2
    forward = sum(n * m for n, m in pairwise(widths))
    if engine == "autodiff":
        return 2 * (1 + d) * forward
    if engine == "adjoint":
        backward = forward - hidden[-1]
        if activation == "relu":
            return forward + backward
        later = sum(d * (n * m + d * m) for n, m in pairwise(hidden))
        return forward + backward + n_pairs * hidden[0] + later
    if engine == "closed_form" and len(hidden) == 1 and activation != "relu":
        return forward + (d + n_pairs) * hidden[0]
    raise ValueError(f"Expected a smooth network of one hidden layer. Received: {activation}, widths={widths}")
