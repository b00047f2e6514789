"""Wall time of fits, of the expected CLs and of the median expected upper limit, with and without their gradients.

Two models are made here, with one nuisance parameter or forty, each a histosys; three are public workspaces with 66 to
132 parameters, which are left out where they are not in `WORKSPACES`. Beside them pyhf in NumPy, with SciPy and with
Minuit (of `pip install 'keras-hep[peers]'`), within `PEER_SECONDS` each, and evermore's fit of the first two, if
EVERMORE_PYTHON names its interpreter.
"""

import gzip
import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import TimeoutError, get_context
from pathlib import Path

import numpy as np
import pyhf
import tensorflow as tf

import neos_tf
from benchmarks.speed import in_turn, show

WORKSPACES = Path(__file__).parents[4] / "shared" / "data" / "workspaces"
REAL = "sbA_full", "staus_comb", "bay_ttbar_ljets_xsec_inclusive_pruned"
EVERMORE = Path(__file__).with_name("evermore_fit.py")
PEER_SECONDS = 60
OPTIMISERS = {"SciPy": "scipy", "Minuit": "minuit"}


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
    observations = (background + generator.integers(-9, 10, n_bins)).tolist()
    spec = {
        "channels": [{"name": "channel", "samples": samples}],
        "observations": [{"name": "channel", "data": observations}],
        "measurements": [{"name": "measurement", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    return neos_tf.TemplateModel.from_spec(spec).bind()


def real_likelihood(name: str) -> neos_tf.Likelihood | None:
    """Of a public workspace, where it is."""
    path = WORKSPACES / f"{name}.json.gz"
    return neos_tf.TemplateModel.from_spec(json.loads(gzip.open(path).read())).bind() if path.exists() else None


def _fit(likelihood):
    found = neos_tf.fit(likelihood, likelihood.data())
    return found.twice_nll, found.converged


def _cls(likelihood):
    found = neos_tf.cls(likelihood)
    return found.log_expected, found.converged


STATISTICS: dict[str, tuple[Callable, bool]] = {
    "fit": (_fit, False),
    "expected CLs": (_cls, False),
    "expected CLs, gradient": (_cls, True),
    "upper limit": (neos_tf.UpperLimitLoss(log=False).of_likelihood, False),
    "upper limit, gradient": (neos_tf.UpperLimitLoss(log=False).of_likelihood, True),
}


def run(name: str, likelihood: neos_tf.Likelihood, ways: Sequence[str] = ("graph", "XLA"), n_calls: int = 20) -> list:
    """A row for each statistic and way: the first call, `n_calls` others, what comes out."""
    jobs = {
        (statistic, way): _job(likelihood, *STATISTICS[statistic], jit_compile=way == "XLA")
        for statistic in STATISTICS
        for way in ways
    }
    rows = []
    for (statistic, way), times in in_turn(jobs, n_calls).items():
        value, converged = jobs[statistic, way]()
        rows.append(
            {
                "model": name,
                "parameters": len(likelihood.model.initial),
                "statistic": statistic,
                "way": way,
                "call (ms)": [1e3 * seconds for seconds in times.wall_s],
                "first call (s)": times.first_s,
                "value": value,
                "converged": converged,
            }
        )
    return rows


def _job(likelihood, statistic, with_gradient, jit_compile):
    @partial(tf.function, autograph=False, jit_compile=jit_compile)
    def compute(numbers):
        with tf.GradientTape() as tape:
            tape.watch(numbers)
            value, converged = statistic(neos_tf.Likelihood(likelihood.model, numbers))
        gradient = tape.gradient(value, numbers) if with_gradient else 0.0
        return value, converged, tf.convert_to_tensor(gradient)

    def call():
        value, converged, _ = compute(likelihood.numbers)
        return float(value), bool(converged)

    return call


def run_pyhf(name: str, optimiser: str, seconds: float = PEER_SECONDS) -> list[dict]:
    """A row for each statistic of pyhf in NumPy: one call; "none" where it takes longer, or fails."""
    rows = []
    for statistic in ("fit", "expected CLs", "upper limit"):
        with get_context("spawn").Pool(1) as pool:  # which ends with the block
            try:
                found = pool.apply_async(_pyhf_statistic, (name, optimiser, statistic)).get(seconds)
            except TimeoutError:
                found = {"value": f"none in {seconds:.0f} s"}
            except Exception as error:  # pyhf's fits raise errors of their own
                found = {"value": f"none: {type(error).__name__}"}
        rows.append({"model": name, "statistic": statistic, "way": f"pyhf, {optimiser}", **found})
    return rows


def _pyhf_statistic(name, optimiser, statistic):
    likelihood = likelihood_of(int(name), 4) if name.isdigit() else real_likelihood(name)
    model, pars = likelihood.model.pyhf_model, likelihood.model.initial.copy()
    pyhf.set_backend("numpy", OPTIMISERS[optimiser])
    pars[model.config.poi_index] = 0.0
    asimov = model.expected_data(pars)
    bounds = model.config.suggested_bounds()[model.config.poi_index]
    call = {
        "fit": lambda: pyhf.infer.mle.fit(likelihood.data().numpy(), model, return_fitted_val=True)[1],
        "expected CLs": lambda: np.log(pyhf.infer.hypotest(1.0, asimov, model, return_expected=True)[1]),
        "upper limit": lambda: pyhf.infer.intervals.upper_limits.toms748_scan(asimov, model, *bounds)[1][2],
    }[statistic]
    started = time.perf_counter()
    value = float(call())
    return {"call (ms)": 1e3 * (time.perf_counter() - started), "value": value}


def run_evermore(python: str, n_nuisances: int, n_bins: int = 4) -> dict:
    """A row of evermore's fit of a model that is made here; value is our -2 ln L at its best fit."""
    likelihood = likelihood_of(n_nuisances, n_bins)
    spec = json.dumps(likelihood.model.get_config()["spec"])
    row = {"model": str(n_nuisances), "statistic": "fit", "way": "evermore"}
    try:
        command = [python, str(EVERMORE)]
        done = subprocess.run(command, input=spec, check=True, capture_output=True, text=True, timeout=PEER_SECONDS)
    except subprocess.TimeoutExpired:
        return row | {"value": f"none in {PEER_SECONDS} s"}
    found = json.loads(done.stdout)
    pars = [found["pars"][name] for name in likelihood.model.parameter_names]
    twice_nll = float(neos_tf.twice_nll(pars, likelihood, likelihood.data()))
    times = {"call (ms)": [1e3 * seconds for seconds in found["seconds"]], "first call (s)": found["first_s"]}
    return row | times | {"value": twice_nll}


def main() -> None:
    """Measures and prints, model after model."""
    for name in ("1", "40", *REAL):
        likelihood = likelihood_of(int(name), 4) if name.isdigit() else real_likelihood(name)
        if likelihood is None:
            print(f"\n{name}: left out, as it is not in {WORKSPACES}", flush=True)
            continue
        rows = run(name, likelihood)
        for optimiser in OPTIMISERS:
            rows += run_pyhf(name, optimiser)
        if name.isdigit() and (python := os.environ.get("EVERMORE_PYTHON")):
            rows.append(run_evermore(python, int(name)))
        show("Templates given; medians of calls in turn, pyhf once", rows)


if __name__ == "__main__":
    main()
