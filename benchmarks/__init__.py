"""The papers' experiments, run from the checkout: `python -m benchmarks --help`."""
