"""Simulated collisions in the format of HEPMASS: generator, detector, reconstruction; see docs/simulation.md."""
