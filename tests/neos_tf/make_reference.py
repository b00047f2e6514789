"""What numpy pyhf says of all workspaces, stored; and how far neos_tf is from it.

python -m tests.neos_tf.make_reference           fits all in some minutes, writes reference.json
python -m tests.neos_tf.make_reference --check   compares neos_tf with it, prints the largest deviations
"""

import argparse
import json
from pathlib import Path

import numpy as np

from neos_tf import TemplateModel, cls, fit, fixed_poi_fit, qmu_tilde, uncertainties
from tests.neos_tf.accurate_pyhf import accurate_fits, hessian, model_and_data, reference
from tests.neos_tf.workspaces import WORKSPACES, random_specification

STORED = Path(__file__).with_name("reference.json")
N_RANDOM = 20
# Of likelihoods with two minima pyhf and neos_tf, from the same start, may find different ones: in the free fit of
# coupled_histosys ours is lower by 1.5, in the fit of mu = 0 to asymmetric_normsys theirs is lower by 0.5.
TWO_MINIMA = ("coupled_histosys", "asymmetric_normsys")


def specification_of(name: str) -> dict:
    """Of WORKSPACES, or drawn at random: random_0, random_1..."""
    return WORKSPACES[name] if name in WORKSPACES else random_specification(int(name.removeprefix("random_")))


def expected(spec: dict) -> dict:
    """Fits, tests of mu = 1 and uncertainties of numpy pyhf; the latter with the error of the differences behind."""
    found = reference(spec)
    with accurate_fits():
        model, data = model_and_data(spec)
    sigmas, errors = _uncertainties(model, found.pars, data)
    numbers = {**found._asdict(), "uncertainties": sigmas, "uncertainty_errors": errors}
    return {key: np.asarray(value).tolist() for key, value in numbers.items()}


def received(spec: dict, **options) -> dict:
    """The same of neos_tf, and whether all fits have converged."""
    model = TemplateModel.from_spec(spec)
    likelihood = model.bind()
    data = model_and_data(spec)[1]
    best, fixed = fit(likelihood, data, **options), fixed_poi_fit(1.0, likelihood, data, **options)
    test = cls(likelihood, data, **options)
    numbers = {
        "data": likelihood.data(model.observations) if model.observations is not None else data,
        "pars": best.pars,
        "twice_nll": best.twice_nll,
        "fixed_pars": fixed.pars,
        "fixed_twice_nll": fixed.twice_nll,
        "qmu_tilde": qmu_tilde(1.0, likelihood, data, **options).value,
        "cls": test.observed,
        "expected_cls": test.expected,
        "uncertainties": uncertainties(likelihood, best.pars, data),
        "converged": best.converged & fixed.converged & test.converged,
    }
    return {key: np.asarray(value) for key, value in numbers.items()}


def deviations(received: dict, expected: dict) -> dict[str, float]:
    """The largest of each quantity: parameters in units of their uncertainty, the uncertainties relative.

    Of CLs, whose slope in sqrt(q) is below 1, only what is beyond the deviation of sqrt(q): a q of 0 is one of 1e-13.
    """
    expected = {key: np.asarray(value) for key, value in expected.items()}
    sigmas = np.where(expected["uncertainties"] > 0, expected["uncertainties"], 1)
    found = {key: np.abs(received[key] - expected[key]) for key in received if key != "converged"}
    found["pars"], found["fixed_pars"] = found["pars"] / sigmas, found["fixed_pars"] / sigmas
    found["uncertainties"] = found["uncertainties"] / sigmas
    roots = np.abs(np.sqrt(received["qmu_tilde"]) - np.sqrt(expected["qmu_tilde"]))
    found["cls"] = np.maximum(found["cls"] - roots, 0)
    return {key: float(np.max(value)) for key, value in found.items()}


def stored() -> dict[str, dict]:
    """What `expected` gave, by name of the workspace."""
    return json.loads(STORED.read_text())


def _uncertainties(model, pars, data):
    """Roots of the diagonal of C, the inverse Hessian, and their errors, from dC = -C dH C."""
    free = ~np.array(model.config.suggested_fixed())
    second = hessian(model, pars, data)
    covariance = np.linalg.inv(second.value[np.ix_(free, free)])
    sigmas, errors = np.zeros((2, len(free)))
    sigmas[free] = np.sqrt(np.diag(covariance))
    spread = np.abs(covariance) @ second.error[np.ix_(free, free)] @ np.abs(covariance)
    errors[free] = np.diag(spread) / (2 * sigmas[free])
    return sigmas, errors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    check = parser.parse_args().check
    if not check:
        names = [*WORKSPACES, *(f"random_{seed}" for seed in range(N_RANDOM))]
        lines = [f"{json.dumps(name)}: {json.dumps(expected(specification_of(name)))}" for name in names]
        STORED.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        return
    largest = {}
    for name, numbers in stored().items():
        found = received(specification_of(name))
        far = deviations(found, numbers)
        remarks = ["has two minima"] * (name in TWO_MINIMA) + ["NOT CONVERGED"] * (not found["converged"])
        print(f"{name}:", ", ".join([*remarks, *(f"{key} {value:.0e}" for key, value in far.items())]), flush=True)
        if name not in TWO_MINIMA:
            largest = {key: max(value, largest.get(key, 0.0)) for key, value in far.items()}
    print("largest of those with one minimum:", ", ".join(f"{key} {value:.0e}" for key, value in largest.items()))


if __name__ == "__main__":
    main()
