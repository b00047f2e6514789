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
        """The standardiser of these features, by their mean and standard deviation (with n, not n - 1).

        Args:
            features: (n_events, n_features), the training events.
            undefined: a value to leave out of both; None if every value counts.

        Raises:
            ValueError: a feature that does not vary, or is never defined.
        """
        defined = _defined(features, undefined)
        if (never := ~defined.any(axis=0)).any():
            problem = f"defined values of every feature. Received: feature {np.argmax(never)} is {undefined} in all"
            raise ValueError(f"Expected {problem} {len(features)} events. Leave it out.")
        mean, std = (f(features, axis=0, dtype=np.float64, where=defined) for f in (np.mean, np.std))
        if (constant := std == 0).any():
            i = np.argmax(constant)
            problem = f"features that vary. Received: feature {i} is always {mean[i]:g} in"
            raise ValueError(f"Expected {problem} {len(features)} events. Leave it out.")
        return cls(mean, std, undefined)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Standardised features (n_events, n_features), float32; computed in float64."""
        standardised = (features - self.mean) / self.std
        return np.where(_defined(features, self.undefined), standardised, 0).astype(np.float32)


def _defined(features: np.ndarray, undefined: float | None) -> np.ndarray:
    return np.ones(features.shape, bool) if undefined is None else features != undefined
