"""Training events without some of the hypotheses, for networks that are tested at hypotheses they were not trained on.

Anzalone et al. 2022, section 5.1.
"""

from dataclasses import replace

import numpy as np

import pnn_tf
from benchmarks.data.events import Events


def training_events(events: Events, trained_on, *, background=None, seed: int = 0) -> Events:
    """The signal of some hypotheses, and the whole background with a theta from these alone.

    With the theta that background has in the sample, the network would meet the held-out ones with background alone;
    see `pnn_tf.hold_out`. It is assigned once, so that validation events drawn from these have it too.

    Args:
        events: signal of these hypotheses and of others, and background.
        trained_on: (n,) or (n, n_parameters) hypotheses that are not held out.
        background: a pnn_tf strategy for the theta of the background; None for `pnn_tf.Identical(trained_on)`.
        seed: of the assignment.

    Raises:
        ValueError: a hypothesis that no signal event has.
    """
    there = events.hypotheses.tolist()
    trained_on = np.asarray(trained_on, np.float32)  # the precision of events, in which they are looked for
    trained_on = trained_on.reshape(len(trained_on), -1).tolist()
    if missing := [point for point in trained_on if point not in there]:
        raise ValueError(f"Expected trained_on out of the hypotheses of the signal, {there}. Received: {missing}.")
    if held_out := [point for point in there if point not in trained_on]:
        events = events.select(pnn_tf.hold_out(events.theta, events.label, held_out))
    strategy = background or pnn_tf.Identical(trained_on, sampled=False)
    of_background = events.label == 0
    theta = events.theta.copy()
    theta[of_background] = strategy.draw(np.count_nonzero(of_background), (seed, 0), events.features[of_background])
    return replace(events, theta=theta)
