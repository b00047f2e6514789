"""Gaussian blobs: a signal, a background and its two variations, in two dimensions (NEOS section 3.1).

Simpson and Heinrich, arXiv:2203.05570. Every blob has the identity as covariance. Appendix A of the paper gives means
that look permuted against those of the authors' code, where the variations lie on either side of the background; the
published uncertainties of the nuisance parameter cannot be had with the appendix's. Both are here.
"""

import numpy as np

from benchmarks.data.events import Events

NAMES = ("signal", "background", "background_up", "background_down")

MEANS = {
    "code": {
        "signal": (-1.0, 1.0),
        "background": (1.0, -1.0),
        "background_up": (2.5, 2.0),
        "background_down": (-2.5, -1.5),
    },
    "appendix": {
        "signal": (-1.0, 1.0),
        "background": (2.5, 2.0),
        "background_up": (-2.5, -1.5),
        "background_down": (1.0, -1.0),
    },
}


def load_blobs(means: str, n_events: int, seed: int = 0) -> Events:
    """`n_events` of each blob, with the features x and y; `process` says which blob, in the order of `NAMES`.

    ValueError for `means` that are not a key of `MEANS`, or no events.

    >>> load_blobs("code", 1000)
    Events(1000 signal, 3000 background, 2 features)
    """
    if means not in MEANS:
        raise ValueError(f"Expected means to be one of {', '.join(MEANS)}. Received: means={means!r}.")
    if n_events < 1:
        raise ValueError(f"Expected n_events of at least 1. Received: n_events={n_events}.")
    centres = np.repeat([MEANS[means][name] for name in NAMES], n_events, axis=0)
    process = np.repeat(np.arange(len(NAMES)), n_events)
    return Events(
        centres + np.random.default_rng(seed).normal(size=centres.shape),
        theta=np.empty((len(process), 0)),
        label=process == NAMES.index("signal"),
        process=process,
        names=("x", "y"),
        process_names=NAMES,
        parameter_names=(),
    )


def by_process(events: Events) -> dict[str, np.ndarray]:
    """(n_events, n_features) of each process, by name."""
    return {name: events.features[events.process == i] for i, name in enumerate(events.process_names)}
