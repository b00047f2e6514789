"""Data sources of the benchmarks, each handed over as `Events`."""
