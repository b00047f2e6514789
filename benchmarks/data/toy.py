"""One feature x and one parameter theta: the toy of PNN, section 3, and the best classifier there is.

Baldi et al., "Parameterized neural networks for high-energy physics" (2016). Signal is Gaussian around theta,
background uniform between LOW and HIGH. Where both are equally frequent, the best classifier's output is the posterior

    p(s | x, theta) = N(x; theta, WIDTH) / (N(x; theta, WIDTH) + 1 / (HIGH - LOW)),

a function of |x - theta| alone: the same shape at every theta. It cuts at the distance c from theta where the two
densities are equal, c = WIDTH sqrt(2 ln((HIGH - LOW) / (WIDTH sqrt(2 pi)))).
"""

import math

import numpy as np

from benchmarks.data.events import Events

WIDTH = 0.25  # standard deviation of the signal
LOW, HIGH = -5.0, 5.0  # of the background
CUT = WIDTH * math.sqrt(2 * math.log((HIGH - LOW) / (WIDTH * math.sqrt(2 * math.pi))))  # c, 0.588


def load_toy(thetas: tuple[float, ...], n_events: int, seed: int = 0) -> Events:
    """`n_events` at each of some values of theta, signal and background in turn; the feature x is not standardised.

    ValueError for no theta, no events, or a signal that reaches beyond the background (five widths).

    >>> load_toy((-1.0, 1.0), 1000)
    Events(1000 signal, 1000 background, 1 features)
    """
    if n_events < 1 or not thetas:
        raise ValueError(f"Expected thetas and n_events of at least one. Received: {thetas} and n_events={n_events}.")
    if not LOW + 5 * WIDTH <= min(thetas) <= max(thetas) <= HIGH - 5 * WIDTH:
        raise ValueError(
            f"Expected thetas five widths of {WIDTH} inside the background, {LOW:g} to {HIGH:g}. Received: {thetas}."
        )
    generator = np.random.default_rng(seed)
    theta = np.repeat(np.asarray(thetas, float), n_events)
    label = np.tile(np.arange(n_events) % 2, len(thetas))
    signal = generator.normal(theta, WIDTH)
    background = generator.uniform(LOW, HIGH, len(theta))
    x = np.where(label == 1, signal, background)[:, None]
    return Events(x, theta, label, names=("x",), parameter_names=("theta",))


def bayes_posterior(x: np.ndarray, theta) -> np.ndarray:
    """(n,) float64: the probability of signal at x (n,) and theta, a number or (n,); both classes equally frequent.

    >>> bayes_posterior([1.0, 1.0 + CUT, 2.0], theta=1.0).round(4)
    array([0.941 , 0.5   , 0.0053])
    """
    squares = ((np.asarray(x, float) - theta) / WIDTH) ** 2
    return 1 / (1 + np.exp((squares - (CUT / WIDTH) ** 2) / 2))


def bayes_accuracy() -> float:
    """Share of events on the right side of the best cut, both classes equally frequent.

    Signal is within CUT of theta with probability erf(CUT / (WIDTH sqrt 2)), background with 2 CUT / (HIGH - LOW).

    >>> round(bayes_accuracy(), 4)
    0.9319
    """
    signal, background = math.erf(CUT / WIDTH / math.sqrt(2)), 2 * CUT / (HIGH - LOW)
    return (signal + 1 - background) / 2


def bayes_auc() -> float:
    """Area under the ROC curve of the best classifier: the probability that signal is nearer to theta than background.

    Background is nearer than a distance d with the probability 2 d / (HIGH - LOW), and the signal's mean distance is
    WIDTH sqrt(2 / pi).

    >>> round(bayes_auc(), 4)
    0.9601
    """
    return 1 - 2 * WIDTH * math.sqrt(2 / math.pi) / (HIGH - LOW)
