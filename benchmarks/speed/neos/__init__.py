"""A training step on expected CLs beside one on cross-entropy and beside neos on JAX, and the statistics alone.

Each part runs in a process of its own, and by itself as `python -m benchmarks.speed.neos.PART`. The peer needs an
interpreter of its own with old packages, see `peer.py`; its path is taken from the environment variable NEOS_PYTHON.
"""

import subprocess
import sys

PARTS = ("limit", "step")


def main() -> None:
    """Measures and prints, part after part."""
    for part in PARTS:
        subprocess.run([sys.executable, "-m", f"{__name__}.{part}"], check=True)
