"""Calibrations of a network held against events at a theta that they were made without.

Baldi et al., "Parameterized neural networks for high-energy physics" (2016), section 4, advocate this test.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

import pnn_tf
from benchmarks.claims import Missing
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
    for theta in thetas:
        below, above = hypotheses[hypotheses < theta][-1], hypotheses[hypotheses > theta][0]
        for way in WAYS:
            points, interpolation = ([below, above], way) if way != "there" else ([below, theta], "horizontal")
            found, refused = None, None
            bare = {"n_bins": n_bins, "smoothing": 0}  # not smoothed, so that chi2 has its distribution
            try:
                calibration = pnn_tf.calibrate(model, *shown, hypotheses=points, interpolation=interpolation, **bare)
            except ValueError as reason:
                refused = str(reason)
            else:
                found = pnn_tf.hold_out_test(calibration, model, test.features, test.theta, test.label, theta)
            for label in CLASSES:
                numbers = dict.fromkeys(pnn_tf.Agreement._fields) if refused else getattr(found, label)._asdict()
                numbers = {key: float(f"{v:.6g}") if isinstance(v, float) else v for key, v in numbers.items()}
                one = {"theta": float(theta), "calibration": way, "label": label, **numbers, "refused": refused}
                agreements.append(one)
            if way == "horizontal" and not refused:
                bins.append({"theta": float(theta)} | in_bins(calibration.at(theta), model, test, theta))
    return {"agreements": agreements, "bins": bins}


def in_bins(bins: pnn_tf.Bins, model, test: Events, theta: float) -> dict:
    """A calibration at theta and the test events in its bins, with the fields of `hold_outs`."""
    own = test.select((test.label == 0) | (test.theta[:, 0] == np.float32(theta)))
    found = pnn_tf.events_in_bins(bins, own.label, pnn_tf.predict_scores(model, own.features, theta))
    shares = bins._asdict() | {f"found_{label}": getattr(found, label) for label in CLASSES}
    numbers = {f"n_found_{label}": int(getattr(found, f"n_{label}")) for label in CLASSES}
    return {name: [float(f"{value:.7g}") for value in values] for name, values in shares.items()} | numbers


def of_tests(rows: Sequence[Mapping]) -> pd.DataFrame:
    """A line for each agreement: its entries, row and seed; `chi2` for each degree of freedom, `ks` in points.

    `chance` is what `ks` stays below, by chance alone, in 95 % of all cases; `group` is "toy" or "HEPMASS".

    Raises:
        Missing: no row.
    """
    if not rows:
        raise Missing("not finished: calibrations")
    found = pd.DataFrame([{"row": row["row"], "seed": row["seed"], **one} for row in rows for one in row["agreements"]])
    found = found.astype(dict.fromkeys(pnn_tf.Agreement._fields, float))
    chance, group = 136 / np.sqrt(found["n_effective"]), np.where(found["row"] == "toy", "toy", "HEPMASS")
    return found.assign(chi2=found["chi2"] / found["n_dof"], ks=100 * found["ks"], chance=chance, group=group)
