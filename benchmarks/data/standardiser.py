"""Features of mean 0 and standard deviation 1: (x - mean) / std, with the constants of the training events."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Standardiser:
    """Standardises features, and sets undefined ones to 0, which is their mean.

    Args:
        mean: (n_features,) float64.
        std: (n_features,) float64, positive.
        undefined: a value that stands for "undefined", such as -999; None if every value counts.

    >>> features = np.array([[1.0, -999.0], [3.0, 10.0], [5.0, 20.0]])
    >>> standardise = Standardiser.fit(features, undefined=-999.0)
    >>> standardise.mean, standardise(features)[:, 1]
    (array([ 3., 15.]), array([ 0., -1.,  1.], dtype=float32))
    """

    mean: np.ndarray
    std: np.ndarray
    undefined: float | None = None

    @classmethod
    def fit(cls, features: np.ndarray, undefined: float | None = None) -> "Standardiser":
        """By mean and standard deviation (with n, not n - 1) of the training events (n_events, n_features).

        ValueError for a feature that does not vary, or is never defined.
        """
        defined = _defined(features, undefined)
        low, high = (f(axis=0, where=defined, initial=x) for f, x in ((features.min, np.inf), (features.max, -np.inf)))
        if not (varies := low < high).all():
            raise ValueError(
                f"Expected features that vary. Received: feature {np.argmin(varies)} has no two different values in "
                f"{len(features)} events. Leave it out."
            )
        mean, std = (f(features, axis=0, dtype=np.float64, where=defined) for f in (np.mean, np.std))
        return cls(mean, std, undefined)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Standardised features (n_events, n_features), float32; computed in float64."""
        standardised = (features - self.mean) / self.std
        return np.where(_defined(features, self.undefined), standardised, 0).astype(np.float32)


def _defined(features: np.ndarray, undefined: float | None) -> np.ndarray:
    return np.ones(features.shape, bool) if undefined is None else features != undefined
