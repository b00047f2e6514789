import numpy as np

from benchmarks.simulation.detector import Detector, selected, smear, tag_probability, two_tags
from benchmarks.simulation.particles import N_JETS, ParticleLevel
from benchmarks.simulation.thinning import STEPS, thin


def drawn(n_events, generator):
    pt = np.sort(12 + generator.exponential(60, (n_events, N_JETS)), axis=1)[:, ::-1]
    jets = np.stack([pt, *generator.uniform(-2.8, 2.8, (2, n_events, N_JETS)), pt / 8], axis=-1)
    jets *= (np.arange(N_JETS) < generator.integers(4, 8, n_events)[:, None])[..., None]
    return ParticleLevel(
        lepton=np.stack(
            [10 + generator.exponential(40, n_events), *generator.uniform(-2.5, 2.5, (2, n_events))], axis=1
        ),
        isolation=generator.uniform(0, 0.2, n_events),
        met=generator.normal(0, 50, (n_events, 2)),
        jets=jets,
        jet_flavour=generator.choice([0, 4, 5], (n_events, N_JETS), p=[0.6, 0.1, 0.3]),
        mass=np.zeros(n_events),
    )


def expected_selected(events, detector, generator):
    objects = smear(events, detector, generator)
    return two_tags(tag_probability(objects, detector)) * selected(objects, events.isolation, detector)


def test_what_is_kept_stands_for_all_under_any_detector():
    generator = np.random.default_rng(3)
    events = drawn(60_000, generator)
    kept, n_collisions = thin(events, generator)
    assert len(kept) < 0.5 * len(events)
    assert n_collisions.min() == 1 and n_collisions.max() <= STEPS
    for detector in (Detector(), Detector(jet_scale=(1.05, 0.01)), Detector(jet_resolution=(1.0, 0.65, 0.03))):
        of_all = expected_selected(events, detector, generator)
        of_kept = expected_selected(kept, detector, generator) * n_collisions
        for all_values, kept_values in ((1.0, 1.0), (np.hypot(*events.met.T), np.hypot(*kept.met.T))):
            all_terms, kept_terms = of_all * all_values, of_kept * kept_values
            error = np.sqrt((all_terms**2).sum() + (kept_terms**2).sum())  # sums of independent events
            assert abs(kept_terms.sum() - all_terms.sum()) < 4 * error
