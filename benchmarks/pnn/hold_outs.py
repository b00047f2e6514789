"""Calibrations of a network held against events at a theta that they were made without.

Baldi et al., "Parameterized neural networks for high-energy physics" (2016), section 4, advocate this test.
"""

from collections.abc import Sequence

import numpy as np

import pnn_tf
from benchmarks.data.events import Events

WAYS = {"left out": "without its signal", "there": "with it"}
CLASSES = "signal", "background"


def hold_outs(model, calibrating: Events, test: Events, thetas: Sequence[float]) -> dict:
    """Calibrations without the signal of each theta, and one with all signal, against the test events.

    `agreements` are `pnn_tf.Agreement` of each class at each `theta`, by a `calibration` that is a key of WAYS; "there"
    only where the calibrating events have signal. `grid_errors` are the largest of the calibrations. `curves` hold, for
    each theta, the calibration without it, and, as `edges` and `found_...`, the test events in bins.
    """
    agreements, curves, grid_errors = [], [], []
    hypotheses = calibrating.hypotheses[:, 0]
    shown = calibrating.features, calibrating.theta, calibrating.label
    complete = pnn_tf.calibrate(model, *shown)
    for theta in map(float, thetas):
        others = hypotheses[hypotheses != np.float32(theta)]
        without = pnn_tf.calibrate(model, *shown, hypotheses=others) if len(others) < len(hypotheses) else complete
        for way, calibration in {"left out": without, "there": complete}.items():
            if way == "there" and without is complete:
                continue
            found = pnn_tf.hold_out_test(calibration, model, test.features, test.theta, test.label, theta)
            grid_errors.append(calibration.grid_error)
            for label in CLASSES:
                numbers = {key: float(f"{v:.6g}") for key, v in getattr(found, label)._asdict().items()}
                agreements.append({"theta": theta, "calibration": way, "label": label, **numbers})
        curves.append(_curves(without, model, test, theta))
    worst = dict(zip(CLASSES, (float(f"{error:.4g}") for error in np.max(grid_errors, axis=0)), strict=True))
    return {"agreements": agreements, "curves": curves, "grid_errors": worst}


def _curves(calibration: pnn_tf.Calibration, model, test: Events, theta: float) -> dict:
    """A calibration at theta and the test events there, with the fields of `hold_outs`; and their AUC."""
    own = test.select((test.label == 0) | (test.theta[:, 0] == np.float32(theta)))
    score = pnn_tf.predict_scores(model, own.features, theta)
    found = pnn_tf.events_in_bins(own.label, score)
    values = calibration.at(theta, 120)._asdict() | {"edges": found.edges}
    values |= {f"found_{label}": getattr(found, label) for label in CLASSES}
    values = {name: [float(f"{value:.5g}") for value in column] for name, column in values.items()}
    numbers = {f"n_found_{label}": int(getattr(found, f"n_{label}")) for label in CLASSES}
    return {"theta": theta, "auc": round(float(pnn_tf.roc_auc(own.label, score)), 5)} | values | numbers
