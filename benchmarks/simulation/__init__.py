"""Simulated collisions in the format of HEPMASS: generator, detector, reconstruction, samples; see docs/simulation.md."""
