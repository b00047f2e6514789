"""How a report tells a difference of AUCs, which `pnn_tf.compare` measures: as a cell of a table, and in words."""

from benchmarks.tables import Cell
from pnn_tf.compare import Difference

INDISTINCT = "neither better nor worse within two standard errors"


def cell(difference: Difference) -> Cell:
    """In points, with the standard error as the spread."""
    return Cell(100 * difference.value, 100 * difference.error)


def verdict(difference: Difference) -> str:
    """What the first classifier is: "better" or "worse" by `Difference.sign`, else INDISTINCT.

    >>> change = Difference(-0.005, 0.002)
    >>> print(f"The first is {verdict(change)} ({change}).")
    The first is worse in this one training (-0.50 ± 0.20).
    """
    if not difference.sign:
        return INDISTINCT
    return ("better" if difference.sign > 0 else "worse") + (
        " in this one training" if difference.trainings == 1 else ""
    )
