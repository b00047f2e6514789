"""Wall time of the expected CLs with its gradient with respect to all templates, histograms given.

One model has a nuisance parameter, the other forty, each a histosys; each in a graph and compiled by XLA.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import tensorflow as tf

import neos_tf
from benchmarks.speed import in_turn, show


def likelihood_of(n_nuisances: int, n_bins: int) -> neos_tf.Likelihood:
    """A model of signal and background with variations in shape, and templates for it."""
    generator = np.random.default_rng(0)
    background = np.full(n_bins, 50.0)
    variations = background + generator.normal(0, 3, (n_nuisances, 2, n_bins))
    modifiers = [
        {"name": f"alpha_{i}", "type": "histosys", "data": {"hi_data": up, "lo_data": down}}
        for i, (up, down) in enumerate(variations.tolist())
    ]
    mu = {"name": "mu", "type": "normfactor", "data": None}
    samples = [
        {"name": "signal", "data": np.linspace(2, 8, n_bins).tolist(), "modifiers": [mu]},
        {"name": "background", "data": background.tolist(), "modifiers": modifiers},
    ]
    return neos_tf.TemplateModel.from_spec({"channels": [{"name": "channel", "samples": samples}]}).bind()


def run(n_nuisances: Sequence[int] = (1, 40), n_bins: int = 4, n_calls: int = 100) -> list[dict]:
    """A row for each number of nuisance parameters and each way: the first call, `n_calls` others, what comes out."""
    rows = []
    for n in n_nuisances:
        likelihood = likelihood_of(n, n_bins)
        jobs = {way: _value_and_gradient(likelihood, way == "XLA") for way in ("graph", "XLA")}
        for way, times in in_turn(jobs, n_calls).items():
            value, converged = jobs[way]()
            rows.append(
                {
                    "nuisance parameters": n,
                    "way": way,
                    "call (ms)": [1e3 * seconds for seconds in times.wall_s],
                    "first call (s)": times.first_s,
                    "log CLs": value,
                    "converged": converged,
                }
            )
    return rows


def _value_and_gradient(likelihood, jit_compile):
    @partial(tf.function, autograph=False, jit_compile=jit_compile)
    def compute(numbers):
        with tf.GradientTape() as tape:
            tape.watch(numbers)
            result = neos_tf.cls(neos_tf.Likelihood(likelihood.model, numbers))
        return result.log_expected, tape.gradient(result.log_expected, numbers), result.converged

    def call():
        value, _, converged = compute(likelihood.numbers)
        return float(value), bool(converged)

    return call


def main() -> None:
    """Measures and prints."""
    show("Expected CLs and its gradient, histograms given", run())


if __name__ == "__main__":
    main()
