"""Importances of toy events whose coefficients are drawn, with replicas made as the package makes them."""

import numpy as np

from taylor import FeatureSet, TaylorImportance


def importance(t, n_replicas=0, seed=0, **changes):
    """Of absolute coefficients t (n_events, n_features), all weights 1."""
    n_events, n_features = t.shape
    copies = np.random.default_rng(seed).poisson(1, (n_replicas, n_events))
    return TaylorImportance(
        features=FeatureSet.complete(tuple(f"x{i}" for i in range(n_features)), 1),
        mean=t.mean(axis=0),
        error=t.std(axis=0) / np.sqrt(n_events),
        n_events=n_events,
        engine="adjoint",
        replicas=copies @ t / copies.sum(axis=1, keepdims=True) if n_replicas else None,
        **changes,
    )
