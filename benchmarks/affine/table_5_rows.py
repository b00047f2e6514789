"""The rows of AFFINE's Table 5, and which of them the figures show."""

from benchmarks.affine.networks import Setup
from benchmarks.published import MASSES

SETUPS = {
    "Single-NN": Setup(None),
    "Individual-NNs": Setup(None, individual=True),
    "pNN identical (fixed)": Setup("concat", "identical", "fixed"),
    "pNN (full) identical (fixed)": Setup("concat", "identical", "fixed", balance="full"),
    "Affine (full) identical (fixed)": Setup("affine", "identical", "fixed", balance="full"),
    "pNN identical (sampled)": Setup("concat", "identical", "sampled"),
    "pNN (full) identical (sampled)": Setup("concat", "identical", "sampled", balance="full"),
    "Affine (full) identical (sampled)": Setup("affine", "identical", "sampled", balance="full"),
    "pNN uniform (fixed)": Setup("concat", "uniform", "fixed"),
    "pNN (full) uniform (fixed)": Setup("concat", "uniform", "fixed", balance="full"),
    "Affine (full) uniform (fixed)": Setup("affine", "uniform", "fixed", balance="full"),
    "pNN uniform (sampled)": Setup("concat", "uniform", "sampled"),
    "pNN (full) uniform (sampled)": Setup("concat", "uniform", "sampled", balance="full"),
    "Affine (full) uniform (sampled)": Setup("affine", "uniform", "sampled", balance="full"),
}

BASELINES = ("Single-NN", "Individual-NNs", "pNN identical (fixed)")  # of Fig. 11, at each mass
SEPARATED = ("pNN uniform (fixed)", "Affine (full) identical (fixed)")  # of Fig. 13
SEPARATION_MASS = MASSES[1]  # GeV, 750
