"""Wall time of the expected CLs with its gradient with respect to all templates, histograms given.

One model has a nuisance parameter, the other forty, each a histosys; each in a graph and compiled by XLA.
"""

import time
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Config:
    """Sizes of the measurement."""

    n_nuisances: tuple[int, ...] = (1, 40)
    n_bins: int = 4
    n_calls: int = 100


def likelihood_of(n_nuisances: int, n_bins: int):
    """A model of signal and background with variations in shape, and templates for it."""
    import numpy as np

    import neos_tf

    generator = np.random.default_rng(0)
    background = np.full(n_bins, 50.0)
    variations = {
        f"alpha_{i}": {side: (background + generator.normal(0, 3, n_bins)).tolist() for side in ("hi_data", "lo_data")}
        for i in range(n_nuisances)
    }
    modifiers = [{"name": name, "type": "histosys", "data": data} for name, data in variations.items()]
    mu = {"name": "mu", "type": "normfactor", "data": None}
    samples = [
        {"name": "signal", "data": np.linspace(2, 8, n_bins).tolist(), "modifiers": [mu]},
        {"name": "background", "data": background.tolist(), "modifiers": modifiers},
    ]
    return neos_tf.TemplateModel.from_spec({"channels": [{"name": "channel", "samples": samples}]}).bind()


def run(config: Config) -> list[dict]:
    """A row for each model and way, with `first_s` and `call_ms` of each call."""
    import tensorflow as tf

    import neos_tf

    rows = []
    for n_nuisances in config.n_nuisances:
        likelihood = likelihood_of(n_nuisances, config.n_bins)

        def value_and_gradient(numbers, model=likelihood.model):
            with tf.GradientTape() as tape:
                tape.watch(numbers)
                result = neos_tf.cls(neos_tf.Likelihood(model, numbers))
            return result.log_expected, tape.gradient(result.log_expected, numbers), result.converged

        for jit_compile in (False, True):
            function = tf.function(value_and_gradient, autograph=False, jit_compile=jit_compile)
            started = time.perf_counter()
            value, _, converged = function(likelihood.numbers)
            first_s = time.perf_counter() - started
            times = []
            for _ in range(config.n_calls):
                started = time.perf_counter()
                function(likelihood.numbers)[0].numpy()
                times.append(1e3 * (time.perf_counter() - started))
            rows.append(
                {
                    "n_nuisances": n_nuisances,
                    "jit_compile": jit_compile,
                    "first_s": first_s,
                    "call_ms": times,
                    "log_cls": float(value),
                    "converged": bool(converged),
                }
            )
    return rows


def main() -> None:
    """Measures and prints."""
    print("\nExpected CLs and its gradient, histograms given: ms, median (min)")
    for row in run(Config()):
        way = "XLA" if row["jit_compile"] else "graph"
        print(
            f"{row['n_nuisances']:>3} nuisance parameters, {way:<5} {median(row['call_ms']):7.2f} "
            f"({min(row['call_ms']):.2f}); first call {row['first_s']:.1f} s"
        )


if __name__ == "__main__":
    main()
