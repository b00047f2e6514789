"""The background's mass from its reconstructed mass m_WWbb: the third strategy of AFFINE, section 4.2.

The paper describes it, by the example of an interval around each hypothesis, and leaves it out of its experiments.
"""

import numpy as np

import pnn_tf
from benchmarks.data.events import Events
from benchmarks.data.hepmass_like import read_recipe

FEATURE = "m_wwbb"

# Mean and standard deviation of HEPMASS before its standardisation, GeV. The official files do not have them: these are
# of 140 000 events, printed at github.com/angarmin/hepmass.
HEPMASS = (1005.874941, 560.295364)


def nearest_hypothesis(sample: str, events: Events) -> pnn_tf.Binned:
    """Each background event gets the hypothesis that is nearest to its m_WWbb: edges half-way between hypotheses.

    Args:
        sample: "hepmass-like" or "hepmass", by whose constants m_WWbb is standardised.
        events: of the sample, with at least two hypotheses (GeV).

    Raises:
        ValueError: events without the feature "m_wwbb".
    """
    if FEATURE not in events.names:
        raise ValueError(f"Expected events with {FEATURE!r}, the reconstructed mass. They have: {events.names}.")
    mean, std = scale(sample)
    masses = events.hypotheses[:, 0].astype(float)
    edges = np.array([-np.inf, *(masses[1:] + masses[:-1]) / 2, np.inf])
    return pnn_tf.Binned((edges - mean) / std, masses, events.names.index(FEATURE))


def scale(sample: str) -> tuple[float, float]:
    """Mean and standard deviation of m_WWbb before standardisation, GeV."""
    if sample == "hepmass":
        return HEPMASS
    recipe = read_recipe()
    at = recipe["features"].index(FEATURE)
    return recipe["mean"][at], recipe["std"][at]
