"""A fit by evermore of a workspace of one channel: a signal strength, and shapes of the background.

Stands alone, for an interpreter of its own, with `pip install evermore==0.4.1 optimistix==0.1.0 jax==0.10.2`: reads the
workspace as JSON, prints the best fit, seconds of the first call and of 20 others. BFGS of optimistix until 1e-8.
"""

import json
import sys
import time

import evermore as evm
import jax
import jax.numpy as jnp
import optimistix
from flax import nnx

jax.config.update("jax_enable_x64", True)

workspace = json.load(sys.stdin)
signal, background = workspace["channels"][0]["samples"]
shapes = [{key: jnp.array(values) for key, values in modifier["data"].items()} for modifier in background["modifiers"]]
counts = {"signal": jnp.array(signal["data"]), "background": jnp.array(background["data"])}
observed = jnp.array(workspace["observations"][0]["data"], float)


def loss(dynamic, args):
    graphdef, static = args
    parameters = nnx.merge(graphdef, dynamic, static)
    expected = parameters["mu"].scale()(counts["signal"])
    for name, shape in zip(parameters["alphas"], shapes, strict=True):
        morphing = parameters["alphas"][name].morphing(up_template=shape["hi_data"], down_template=shape["lo_data"])
        expected += morphing(counts["background"]) - counts["background"]
    expected += counts["background"]
    log_likelihood = evm.pdf.PoissonContinuous(lamb=expected).log_prob(observed).sum()
    return -(log_likelihood + evm.util.sum_over_leaves(evm.loss.get_log_probs(parameters)))


parameters = nnx.Dict(
    mu=evm.Parameter(1.0),
    alphas=nnx.Dict({modifier["name"]: evm.NormalParameter(0.0) for modifier in background["modifiers"]}),
)
graphdef, dynamic, static = nnx.split(parameters, evm.filter.is_dynamic_parameter, ...)
solver = optimistix.BFGS(rtol=1e-8, atol=1e-8)
fit = jax.jit(lambda start: optimistix.minimise(loss, solver, start, (graphdef, static), max_steps=2000).value)
seconds = []
for _ in range(21):
    started = time.perf_counter()
    best = jax.block_until_ready(fit(dynamic))
    seconds.append(time.perf_counter() - started)
fitted = nnx.merge(graphdef, best, static)
pars = {name: float(parameter.get_value()) for name, parameter in {"mu": fitted["mu"], **fitted["alphas"]}.items()}
print(json.dumps({"pars": pars, "first_s": seconds[0], "seconds": seconds[1:]}))
