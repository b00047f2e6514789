"""A toy whose likelihood ratio is known and changes with theta, and how near a network and its calibration come to it.

Signal is N(theta, 1), background N(0, 1). Configuration and rows are `benchmarks.pnn.calibration`'s.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from scipy.special import expit, logit

import pnn_tf
from benchmarks.data.events import Events
from benchmarks.pnn.hold_outs import hold_outs
from benchmarks.pnn.recipes import fit
from benchmarks.style import BLUE, INK, ORANGE, style
from benchmarks.terminal import Display

ERRORS = {"calibrated": "calibrated", "network": "score / (1 - score)"}
COLOURS = {"calibrated": BLUE, "network": ORANGE}
X = np.linspace(-2.0, 5.0, 141)  # where ratios are kept


def shifted_gaussian(thetas: tuple[float, ...], n_signal: int, n_background: int, seed: int) -> Events:
    """Signal events at each theta, and background events in all, with these values of theta in turn."""
    theta = np.concatenate([np.repeat(thetas, n_signal), np.resize(thetas, n_background)])
    label = np.repeat([1, 0], [len(thetas) * n_signal, n_background])
    x = np.random.default_rng(seed).normal(label * theta)
    return Events(x[:, None], theta, label, names=("x",), parameter_names=("theta",))


def log_ratio(x: np.ndarray, theta: float) -> np.ndarray:
    """Logarithm of p(x | theta, signal) / p(x | background), exact.

    >>> log_ratio(np.array([0.0, 1.0]), 2.0).tolist()
    [-2.0, 0.0]
    """
    return theta * np.asarray(x) - theta**2 / 2


def toy_row(config, seed: int, display: Display) -> dict:
    """The network is trained, calibrated at theta that it knows, and held against the exact ratio at all.

    Returns:
        What `hold_outs` gives at theta that the calibration does not know; `errors`, the root mean square difference to
        the exact probability r / (1 + r) at each of `thetas`, of which `seen` are known, by the score itself,
        "network", and by the calibrated ratio, "calibrated"; and `ratios`, the logarithms of "network", "calibrated"
        and "exact" ratios at `x`, for each of `thetas`.
    """
    known, thetas = config.toy_thetas, sorted(config.toy_thetas + config.toy_unseen)
    recipe = replace(config, epochs=config.toy_epochs, units=config.toy_units, theta_scale=(1.0,), dropout=0.0)
    recipe = replace(recipe, kernel_l2=0.0, bias_l2=0.0)
    events = shifted_gaussian(known, config.n_toy, len(known) * config.n_toy, seed=0)  # as much background at each
    calibrating = shifted_gaussian(known, config.n_toy, config.n_toy, seed=1)
    test = shifted_gaussian(tuple(thetas), config.n_toy, config.n_toy, seed=2)
    model, _, _, n_train, _ = fit(recipe, events, "toy", seed, display, work=0.5, conditioning="affine")
    calibration = pnn_tf.calibrate(model, calibrating.features, calibrating.theta, calibrating.label)

    def log_ratios(x: np.ndarray, theta: float) -> dict[str, np.ndarray]:
        """By the score as it is, which is the posterior of a perfect network, by its calibration, and exact."""
        score = pnn_tf.predict_scores(model, x[:, None], theta).astype(float)
        calibrated = np.log(calibration.likelihood_ratio(score, theta))
        network = logit(np.clip(score, 1e-7, 1 - 1e-7))
        return {"exact": log_ratio(x, theta), "network": network, "calibrated": calibrated}

    errors = {"network": [], "calibrated": []}
    ratios = {"exact": [], "network": [], "calibrated": []}
    for theta in thetas:
        x = test.features[(test.label == 0) | (test.theta[:, 0] == np.float32(theta)), 0]
        estimates = {name: expit(ratio) for name, ratio in log_ratios(x, theta).items()}
        exact = estimates.pop("exact")
        for name, values in estimates.items():
            errors[name].append(round(float(np.sqrt(np.mean((values - exact) ** 2))), 5))
        for name, values in log_ratios(X, theta).items():
            ratios[name].append(np.round(values, 5).tolist())
    measured = hold_outs(model, calibrating, test, sorted(config.toy_unseen))
    display.advance(0.5, f"toy, seed {seed}")
    of_toy = {"thetas": thetas, "seen": [theta in known for theta in thetas], "errors": errors}
    return measured | of_toy | {"x": X.round(4).tolist(), "ratios": ratios, "n_train": n_train}


def toy_errors(row: Mapping, field: str) -> tuple[float, float, float]:
    """Mean of the toy's errors over known theta, over unseen theta, and the largest, in points."""
    seen, errors = np.array(row["seen"]), 100 * np.array(row["errors"][field])
    return errors[seen].mean(), errors[~seen].mean(), errors.max()


def toy_figure(row: Mapping) -> Figure:
    """The toy's ratios at one unseen theta, and errors at all."""
    seen, thetas = np.array(row["seen"]), np.array(row["thetas"])
    own = np.flatnonzero(~seen)[np.count_nonzero(~seen) // 2]
    with style():
        figure = Figure(figsize=(8.6, 3.8))
        left, right = figure.subplots(1, 2)
        left.plot(row["x"], row["ratios"]["exact"][own], color=INK, ls=":", lw=2.4, label="exact")
        for name in ("network", "calibrated"):
            left.plot(row["x"], row["ratios"][name][own], color=COLOURS[name], label=ERRORS[name])
        for name, said in ERRORS.items():
            errors = 100 * np.array(row["errors"][name])
            right.plot(thetas, errors, color=COLOURS[name], lw=1, label=said)
            right.plot(thetas[seen], errors[seen], "o", color=COLOURS[name])
        left.set(title=rf"$\theta$ = {thetas[own]:g}, unknown to both", xlabel="$x$")
        left.set_ylabel(r"$\ln\ p(x | \theta, s)\,/\,p(x | b)$")
        right.set(title="Points: known theta", xlabel=r"$\theta$", ylim=(0, None), ylabel="rms difference (points)")
        for axes in (left, right):
            axes.legend()
            axes.grid()
    return figure
