"""The AUC of each hypothesis in the logs of a training, to stop it and to save the network by."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from pnn_tf import checks
from pnn_tf.columns import Features
from pnn_tf.evaluation import HypothesisResult, evaluate_hypotheses


class PerHypothesis(keras.callbacks.Callback):
    """Adds the AUC of each hypothesis, their mean and their smallest to the logs at the end of each epoch.

    They are called "val_auc_500" for theta = 500, "val_auc_500_0.9" for (500, 0.9), "val_auc_mean" and "val_auc_min".
    Callbacks that come after this one see them: `EarlyStopping("val_auc_min", mode="max")`, `ModelCheckpoint`,
    `CSVLogger`, `TensorBoard`; and so does the history that `fit` returns. As `evaluate_hypotheses`, it shows the
    background to the network at every hypothesis, once an epoch.

    Args:
        features: (n_events, n_features), events to validate with.
        theta: (n_events,) or (n_events, n_parameters), in physical units; of background as in `evaluate_hypotheses`.
        label: (n_events,) 1 for signal, 0 for background.
        weight: (n_events,) event weights, of which some may be negative; ones if None.
        hypotheses: (n_hypotheses,) or (n_hypotheses, n_parameters), or a number for one; None for every theta that
            signal has.
        nuisances: columns of theta that the background has values of its own for.
        name: how all names begin.
        batch_size: number of events computed in one go.

    Attributes:
        results: a list of HypothesisResult of the last epoch.

    Raises:
        ValueError: as `evaluate_hypotheses`, some of it not before the end of the first epoch.
    """

    def __init__(
        self,
        features: Features,
        theta: ArrayLike,
        label: ArrayLike,
        *,
        weight: ArrayLike | None = None,
        hypotheses: ArrayLike | None = None,
        nuisances: Sequence[int] = (),
        name: str = "val_auc",
        batch_size: int = 16384,
    ):
        super().__init__()
        label = checks.as_label(label)
        theta = checks.as_theta(theta, len(label), label, nuisances)
        self._events = features, theta, label
        self._options: dict[str, Any] = {
            "weight": None if weight is None else checks.as_weight(weight, len(label), np.float64, signed=True),
            "hypotheses": hypotheses,
            "nuisances": nuisances,
            "batch_size": batch_size,
        }
        self.name = name
        self.results: list[HypothesisResult] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.results = evaluate_hypotheses(self.model, *self._events, **self._options)
        if logs is not None:
            auc = [result.auc for result in self.results]
            names = ["_".join(map(checks.decimal, result.theta)) for result in self.results]
            values = dict(zip(names, auc, strict=True)) | {"mean": float(np.mean(auc)), "min": min(auc)}
            logs.update({f"{self.name}_{which}": value for which, value in values.items()})
