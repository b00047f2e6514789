"""Problems that know their exact answer."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm


@dataclass(frozen=True)
class GaussianOnUniform:
    """One feature: signal is a Gaussian at theta, background is uniform. Baldi et al. 2016, Fig. 2."""

    theta: tuple[float, ...] = (-2.0, -1.0, 0.0, 1.0, 2.0)
    width: float = 0.25
    edge: float = 5.0

    def sample(self, n_events, seed):
        """features (n_events, 1), theta (n_events,), label (n_events,); background has a theta of the signal's."""
        rng = np.random.default_rng(seed)
        label = np.arange(n_events) % 2
        theta = rng.choice(self.theta, n_events)
        signal = rng.normal(theta, self.width)
        x = np.where(label == 1, signal, rng.uniform(-self.edge, self.edge, n_events))
        return x[:, np.newaxis].astype(np.float32), theta.astype(np.float32), label

    def posterior(self, x, theta):
        """Probability of signal where both classes are equally frequent: the best score there is."""
        signal, background = norm.pdf(x, theta, self.width), 1 / (2 * self.edge)
        return signal / (signal + background)

    def auc(self):
        """Of the posterior, for any theta far from the edges.

        It falls with r = |x - theta|. A background event is nearer than r with probability r / edge, and the mean r
        of signal is width * sqrt(2 / pi).
        """
        return 1 - self.width * np.sqrt(2 / np.pi) / self.edge
