"""Calibrations of a network held against events at a theta that they were made without.

Baldi et al., "Parameterized neural networks for high-energy physics" (2016), section 4, advocate this test.
"""

from collections.abc import Sequence

import numpy as np

import pnn_tf
from benchmarks.data.events import Events

WAYS = {"horizontal": "left out, horizontal", "vertical": "left out, vertical", "there": "calibrated there"}
CLASSES = "signal", "background"


def hold_outs(model, calibrating: Events, test: Events, thetas: Sequence[float], n_bins: int) -> dict:
    """Calibrations by the neighbours of each theta, and one with it, against the test events.

    `agreements` are `pnn_tf.Agreement` of each class at each `theta`; `calibration` is a key of WAYS: an interpolation
    from the neighbours, or a calibration at theta itself. The numbers are None where it was refused, with the reason in
    `refused`. `bins` hold, for each theta, the horizontal interpolation and the test events: `edges` of the score,
    shares of the classes as calibrated and, `found_...`, as found in `n_found_...` events.
    """
    agreements, bins, hypotheses = [], [], calibrating.hypotheses[:, 0]
    shown = calibrating.features, calibrating.theta, calibrating.label
    for theta in map(float, thetas):
        below, above = hypotheses[hypotheses < theta][-1], hypotheses[hypotheses > theta][0]
        for way in WAYS:
            how = {"hypotheses": [below, above], "interpolation": way}
            if way == "there":
                how = {"hypotheses": [below, theta], "interpolation": "horizontal"}
            try:  # not smoothed, so that chi2 has its distribution
                calibration = pnn_tf.calibrate(model, *shown, n_bins=n_bins, smoothing=0, **how)
            except ValueError as reason:
                found, refused = dict.fromkeys(CLASSES, pnn_tf.Agreement(*[None] * 5)), str(reason)
            else:
                found = pnn_tf.hold_out_test(calibration, model, test.features, test.theta, test.label, theta)._asdict()
                refused = None
                bins += [in_bins(calibration.at(theta), model, test, theta)] * (way == "horizontal")
            for label in CLASSES:
                numbers = found[label]._asdict().items()
                numbers = {key: float(f"{v:.6g}") if isinstance(v, float) else v for key, v in numbers}
                one = {"theta": theta, "calibration": way, "label": label, **numbers, "refused": refused}
                agreements.append(one)
    return {"agreements": agreements, "bins": bins}


def in_bins(bins: pnn_tf.Bins, model, test: Events, theta: float) -> dict:
    """A calibration at theta and the test events in its bins, with the fields of `hold_outs`."""
    own = test.select((test.label == 0) | (test.theta[:, 0] == np.float32(theta)))
    found = pnn_tf.events_in_bins(bins, own.label, pnn_tf.predict_scores(model, own.features, theta))
    shares = bins._asdict() | {f"found_{label}": getattr(found, label) for label in CLASSES}
    numbers = {f"n_found_{label}": int(getattr(found, f"n_{label}")) for label in CLASSES}
    shares = {name: [float(f"{value:.7g}") for value in values] for name, values in shares.items()}
    return {"theta": theta} | shares | numbers
