"""A training step on expected CLs beside one on cross-entropy and beside neos on JAX, and the statistics alone.

Each part runs in a process of its own, and by itself as `python -m benchmarks.speed.neos.PART`. The peer needs an
interpreter of its own with old packages, see `peer.py`; its path is taken from the environment variable NEOS_PYTHON.
"""

from benchmarks.speed import run_parts

PARTS = ("limit", "step")


def main() -> None:
    """Measures and prints, part after part."""
    run_parts(__name__, PARTS)
