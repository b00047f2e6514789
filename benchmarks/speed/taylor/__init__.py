"""Taylor coefficients side by side with tayloranalysis, torch.func and JAX: time, memory, and the cost of a call.

Each part runs in a process of its own, and by itself as `python -m benchmarks.speed.taylor.PART`.
"""

import subprocess
import sys

PARTS = ("comparison", "third_order", "calls", "memory")


def main() -> None:
    """Measures and prints, part after part."""
    for part in PARTS:
        subprocess.run([sys.executable, "-m", f"{__name__}.{part}"], check=True)
