from types import SimpleNamespace

import pytest

import benchmarks.training
from benchmarks.training import BestEpoch


@pytest.mark.parametrize(
    ("areas", "patience", "n_epochs", "best"),
    [
        ([0.5, 0.7, 0.6, 0.6, 0.6, 0.9], 3, 5, 2),
        ([0.5, 0.7, 0.6, 0.6, 0.8, 0.7, 0.7], 3, 7, 5),
        ([0.7, 0.7, 0.7], 2, 3, 1),
        ([0.7, 0.6, 0.5, 0.4], None, 4, 1),
    ],
)
def test_training_stops_when_the_validation_auc_rises_no_more(areas, patience, n_epochs, best, monkeypatch):
    area = iter(areas)
    monkeypatch.setattr(benchmarks.training.pnn_tf, "predict_scores", lambda *events: None)
    monkeypatch.setattr(benchmarks.training.pnn_tf, "roc_auc", lambda label, score: next(area))
    callback = BestEpoch(SimpleNamespace(features=None, theta=None, label=None), lambda epoch, auc: None, patience)
    callback.set_model(SimpleNamespace(stop_training=False, get_weights=lambda: len(callback.auc)))
    for epoch in range(len(areas)):
        callback.on_epoch_end(epoch)
        if callback.model.stop_training:
            break
    assert epoch + 1 == n_epochs == len(callback.auc)
    assert callback.epoch == best and callback.weights == best - 1
