"""PNN section 4, last paragraph: p(score | theta), calibrated, interpolated in theta, and tested at a theta left out.

Baldi et al., "Parameterized neural networks for high-energy physics" (2016), advocate this test and show none. First,
in a toy whose likelihood ratio is known, the ratio from a calibrated score stands beside the exact one, at theta that
the network and the calibration know and at theta that they do not. Then, on HEPMASS, a calibration without the signal
of a mass is held against the scores there, for a network that knows this mass and for one that does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypedDict

import numpy as np

import pnn_tf
from benchmarks.data.events import Events
from benchmarks.pnn.calibration_section import one_line, plot, section
from benchmarks.pnn.shifted_gaussian import log_ratio, shifted_gaussian
from benchmarks.rows import in_turn
from benchmarks.samples import load_samples
from benchmarks.terminal import Display
from benchmarks.training import QUICK, Recipe, show_epochs, train

__all__ = ["SCALES", "Agreement", "Config", "Row", "load", "one_line", "plot", "run", "section"]

INTERPOLATIONS = ("horizontal", "vertical")
X = np.linspace(-2.0, 5.0, 141)  # of the toy, where ratios are kept


@dataclass(frozen=True)
class Config(Recipe):
    """The recipe of training, and what is particular to calibrations.

    Args:
        sample: "hepmass-like", simulated and part of the checkout, or "hepmass", the official files by download.
        n_train: training events drawn from the sample, validation included; None for all.
        n_test: test events drawn; half of them calibrate, half test. None for all.
        masses: those to leave out, one at a time, GeV; each has neighbours.
        n_bins: of the calibrations on the sample.
        toy_thetas: theta of the toy that network and calibration know.
        toy_unseen: theta that they do not.
        toy_units: width of the hidden layers of the toy's network.
        toy_epochs: passes over the toy's training events.
        n_toy: signal events at each theta of the toy, and background events, to train, to calibrate and to test each;
            as much background at each theta in training.
        toy_bins: of the toy's calibrations.
    """

    sample: str = "hepmass-like"
    n_train: int | None = None
    n_test: int | None = None
    masses: tuple[float, ...] = (750.0, 1000.0, 1250.0)
    n_bins: int = 20
    toy_thetas: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0, 2.5)
    toy_unseen: tuple[float, ...] = (0.75, 1.25, 1.75, 2.25)
    toy_units: tuple[int, ...] = (32, 32)
    toy_epochs: int = 10
    n_toy: int = 20_000
    toy_bins: int = 40


SCALES = {
    "smoke": Config(epochs=4, n_train=20_000, n_test=20_000, n_bins=6, n_toy=2000, toy_epochs=2, toy_bins=8, **QUICK),
    "embedded": Config(epochs=10, **QUICK),
    "paper": Config(sample="hepmass", n_toy=200_000),
}


class Samples(NamedTuple):
    """Training events, test events in two halves, and what the record says of them."""

    train: Events
    calibrate: Events
    test: Events
    data: dict


class Agreement(TypedDict):
    """A `pnn_tf.Agreement` of one class at one theta; `calibration` names what was held against the events.

    "horizontal" and "vertical" are interpolations from the neighbours, "there" is a calibration at theta itself. The
    numbers are None where the calibration was refused, with the reason in `refused`.
    """

    theta: float
    calibration: str
    label: str
    chi2: float | None
    n_dof: int | None
    p_value: float | None
    ks: float | None
    n_effective: float | None
    refused: str | None


class Row(TypedDict):
    """One network with one seed; "toy", "all masses", or "without 750 GeV" and so on.

    `agreements` are those at each theta left out. `bins` hold, for each, the horizontal interpolation and the test
    events: edges of the score, shares of the classes as calibrated and as found. Of the toy alone: `errors`, the root
    mean square difference to the exact probability r / (1 + r) at each of `thetas`, of which `seen` are known; the
    score itself is "network", that of the calibrated ratio "calibrated", and that of the exact probability, averaged in
    each bin, "bins": the least that steps can have; and `ratios`, the logarithms of "network", "calibrated" and "exact"
    ratios at `x`, for each of `thetas`.
    """

    row: str
    seed: int
    agreements: list[Agreement]
    bins: list[dict]
    thetas: list[float]
    seen: list[bool]
    errors: dict[str, list[float]]
    x: list[float]
    ratios: dict[str, list[list[float]]]
    n_train: int
    wall_s: float


def load(config: Config) -> Samples:
    """Reads the events of a configuration; the toy's are drawn when they are needed."""
    train_events, test, data = load_samples(config.sample, config.n_train, config.n_test)
    return Samples(train_events, *test.split(0.5, seed=0), data)


def _row_names(config: Config) -> Sequence[str]:
    return ["toy", "all masses", *(f"without {mass:.0f} GeV" for mass in config.masses)]


def _make_row(config: Config, samples: Samples, name: str, seed: int, display: Display) -> dict:
    if name == "toy":
        return _toy(config, seed, display)
    masses = [mass for mass in config.masses if name in ("all masses", f"without {mass:.0f} GeV")]
    events = samples.train
    if name != "all masses":
        events = events.select(pnn_tf.hold_out(events.theta, events.label, masses))
    network = train(
        config,
        events,
        conditioning="affine",
        background_theta=pnn_tf.Identical(events.hypotheses, sampled=True),
        seed=seed,
        on_epoch=show_epochs(display, f"{name}, seed {seed}", 0.5 / config.epochs),
    )
    network.model.set_weights(network.best_weights)
    measured = _hold_outs(network.model, samples.calibrate, samples.test, masses, config.n_bins)
    display.advance(0.5, f"{name}, seed {seed}")
    toy_alone = {"thetas": [], "seen": [], "errors": {}, "x": [], "ratios": {}}
    return measured | toy_alone | {"n_train": network.n_train}


def _toy(config: Config, seed: int, display: Display) -> dict:
    """The network is trained, calibrated at theta that it knows, and held against the exact ratio at all."""
    known, thetas = config.toy_thetas, sorted(config.toy_thetas + config.toy_unseen)
    recipe = replace(config, epochs=config.toy_epochs, units=config.toy_units, theta_scale=(1.0,), dropout=0.0)
    events = shifted_gaussian(known, config.n_toy, len(known) * config.n_toy, seed=0)  # as much background at each
    calibrating = shifted_gaussian(known, config.n_toy, config.n_toy, seed=1)
    test = shifted_gaussian(tuple(thetas), config.n_toy, config.n_toy, seed=2)
    network = train(
        replace(recipe, kernel_l2=0.0, bias_l2=0.0),
        events,
        conditioning="affine",
        seed=seed,
        on_epoch=show_epochs(display, f"toy, seed {seed}", 0.5 / config.toy_epochs),
    )
    model, shown = network.model, (calibrating.features, calibrating.theta, calibrating.label)
    model.set_weights(network.best_weights)
    calibration = pnn_tf.calibrate(model, *shown, n_bins=config.toy_bins)
    errors = {"network": [], "calibrated": [], "bins": []}
    ratios = {"exact": [], "network": [], "calibrated": []}
    for theta in thetas:
        own = test.select((test.label == 0) | (test.theta[:, 0] == np.float32(theta)))
        x = own.features[:, 0]
        exact = _sigmoid(log_ratio(x, theta))
        estimates = {name: _sigmoid(ratio) for name, ratio in _log_ratios(model, calibration, x, theta).items()}
        bins = np.digitize(pnn_tf.predict_scores(model, own.features, theta), calibration.at(theta).edges[1:-1])
        estimates["bins"] = (np.bincount(bins, exact) / np.maximum(np.bincount(bins), 1))[bins]
        for name, values in estimates.items():
            errors[name].append(_rounded(np.sqrt(np.mean((values - exact) ** 2))))
        for name, values in (_log_ratios(model, calibration, X, theta) | {"exact": log_ratio(X, theta)}).items():
            ratios[name].append([_rounded(value) for value in values])
    measured = _hold_outs(model, calibrating, test, known[1:-1], config.toy_bins)
    display.advance(0.5, f"toy, seed {seed}")
    return measured | {
        "thetas": thetas,
        "seen": [theta in known for theta in thetas],
        "errors": errors,
        "x": X.round(4).tolist(),
        "ratios": ratios,
        "n_train": network.n_train,
    }


run = in_turn(_row_names, _make_row)


def _log_ratios(model, calibration: pnn_tf.Calibration, x: np.ndarray, theta: float) -> dict[str, np.ndarray]:
    """Of the score as it is, which is the posterior of a perfect network, and of its calibration, at x (n,)."""
    score = pnn_tf.predict_scores(model, x[:, None], theta).astype(float)
    inside = np.clip(score, 1e-7, 1 - 1e-7)
    return {
        "network": np.log(inside / (1 - inside)),
        "calibrated": np.log(calibration.likelihood_ratio(score, theta)),
    }


def _hold_outs(model, calibrating: Events, test: Events, thetas: Sequence[float], n_bins: int) -> dict:
    """Agreements and bins at each theta: calibrations by its neighbours, and one with it, against the test events."""
    agreements, bins = [], []
    hypotheses = calibrating.hypotheses[:, 0]
    for theta in thetas:
        below, above = hypotheses[hypotheses < theta][-1], hypotheses[hypotheses > theta][0]
        for name in (*INTERPOLATIONS, "there"):
            points, interpolation = ([below, above], name) if name != "there" else ([below, theta], "horizontal")
            try:
                calibration = pnn_tf.calibrate(
                    model,
                    calibrating.features,
                    calibrating.theta,
                    calibrating.label,
                    hypotheses=points,
                    n_bins=n_bins,
                    smoothing=0,  # so that chi2 has its distribution
                    interpolation=interpolation,
                )
            except ValueError as refusal:
                agreements += [_agreement(theta, name, label, None, str(refusal)) for label in ("signal", "background")]
                continue
            held = pnn_tf.hold_out_test(calibration, model, test.features, test.theta, test.label, theta)
            agreements += [_agreement(theta, name, label, getattr(held, label)) for label in ("signal", "background")]
            if name == "horizontal":
                bins.append({"theta": float(theta)} | _bins(calibration, model, test, theta))
    return {"agreements": agreements, "bins": bins}


def _agreement(theta: float, name: str, label: str, found: pnn_tf.Agreement | None, refused=None) -> Agreement:
    numbers = dict.fromkeys(pnn_tf.Agreement._fields) if found is None else found._asdict()
    numbers = {key: float(f"{v:.6g}") if isinstance(v, float) else v for key, v in numbers.items()}
    return {"theta": float(theta), "calibration": name, "label": label, **numbers, "refused": refused}


def _bins(calibration: pnn_tf.Calibration, model, test: Events, theta: float) -> dict:
    bins = calibration.at(theta)
    own = test.theta[:, 0] == np.float32(theta)
    found = {
        f"found_{name}": np.histogram(pnn_tf.predict_scores(model, test.features[kept], theta), bins.edges)[0]
        for name, kept in (("signal", own & (test.label == 1)), ("background", test.label == 0))
    }
    shares = bins._asdict() | {name: counts / counts.sum() for name, counts in found.items()}
    return {name: [float(f"{value:.7g}") for value in values] for name, values in shares.items()} | {
        f"n_{name}": int(counts.sum()) for name, counts in found.items()
    }


def _sigmoid(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-value))


def _rounded(value: float) -> float:
    return round(float(value), 5)
