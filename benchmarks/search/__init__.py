"""A search for a resonance of unknown mass in top pairs: from simulated events to limits, by several trainings."""
