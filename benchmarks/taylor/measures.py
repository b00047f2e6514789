"""How claims are measured on rows: something is read off each of them, and averaged over the seeds."""

from collections.abc import Callable, Mapping, Sequence

from benchmarks.claims import over_trainings
from benchmarks.tables import pick


def over_seeds(value: Callable[[Mapping], float | Mapping[str, float]], **where) -> Callable:
    """From all rows, the Estimate of a number, or of several by name, over the rows whose fields have these values."""
    return lambda rows: mean_of(value, pick(rows, **where))


def mean_of(value: Callable[[Mapping], float | Mapping[str, float]], rows: Sequence[Mapping]):
    """The same over all the rows given, which are of one network with several seeds.

    >>> mean_of(lambda row: row["auc"], [{"auc": 0.5}, {"auc": 0.5}])
    Estimate(value=0.5, error=0.0, trainings=2, spread=0.0)
    """
    found = [value(row) for row in rows]
    if isinstance(found[0], Mapping):
        return {name: over_trainings([each[name] for each in found]) for name in found[0]}
    return over_trainings(found)
