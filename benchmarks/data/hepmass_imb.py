"""HEPMASS-IMB: HEPMASS with an imbalanced signal, by the recipe of Anzalone et al. 2022, section 3.1.1.

All background events are kept, with their masses; of the signal a random part, smaller at each higher mass. Only the
training set is imbalanced. Which events the authors drew is not published: this is another draw by the same recipe.
"""

from collections.abc import Mapping

import numpy as np

from benchmarks.data.events import Events
from benchmarks.data.hepmass import FILES, load_hepmass

COUNTS = {500: 350_000, 750: 140_000, 1000: 35_000, 1250: 7_000, 1500: 2_000}  # signal events kept, by mass in GeV
N_OFFICIAL = FILES["train"].n_events  # the size of the set that COUNTS are for


def imbalanced(events: Events, *, counts: Mapping[float, int] = COUNTS, seed: int = 42) -> Events:
    """All the background, and at each mass a draw of the signal without replacement.

    On a set smaller than the official 7 000 000 events, counts shrink in proportion, to at least 1, so that a balanced
    set keeps the same fraction of its signal as HEPMASS-IMB (half at 500 GeV, 1/350 at 1500 GeV).

    Args:
        events: a balanced set with one theory parameter, such as HEPMASS.
        counts: signal events to keep by mass (GeV), for 7 000 000 events; those of other masses are dropped.
        seed: seed of the draw.

    Returns:
        The kept events, in the order they have in `events`.

    Raises:
        ValueError: more than one theory parameter, or fewer signal events at a mass than to be kept.
    """
    if len(events.parameter_names) != 1:
        raise ValueError(f"Expected events with one theory parameter. Received: {events.parameter_names}.")
    scale = min(1.0, len(events) / N_OFFICIAL)
    generator = np.random.default_rng(seed)
    kept = [np.flatnonzero(events.label == 0)]
    for mass, count in counts.items():
        n_kept = max(1, round(count * scale))
        signal = np.flatnonzero((events.label == 1) & (events.theta[:, 0] == mass))
        if len(signal) < n_kept:
            raise ValueError(
                f"Expected at least {n_kept} signal events at {mass} GeV to keep ({count} for {N_OFFICIAL} events). "
                f"Received: {len(signal)}. Pass smaller counts, or the masses that the events have."
            )
        kept.append(generator.choice(signal, n_kept, replace=False))
    return events.select(np.sort(np.concatenate(kept)))


def load_hepmass_imb(split: str = "train", *, seed: int = 42, **options) -> Events:
    """HEPMASS-IMB, made from the official files; the test set is the one of HEPMASS, as in the paper.

    `options` and errors are those of `load_hepmass`; `n_events` is the number of HEPMASS events that it is made from.
    """
    events = load_hepmass(split, **options)
    return imbalanced(events, seed=seed) if split == "train" else events
