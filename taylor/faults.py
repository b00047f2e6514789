"""Events that count, but have NaN or infinity in their inputs or coefficients: how many, and which is the first."""

from typing import NamedTuple

import numpy as np

from taylor.analysis import Analysis
from taylor.sources import Chunk


class Fault(NamedTuple):
    """Events with one fault.

    Attributes:
        n_events: how many.
        first: how many events there are in the data before the first of them.
    """

    n_events: int = 0
    first: float = np.inf

    @classmethod
    def among(cls, bad: np.ndarray, start: int) -> "Fault":
        """From a mask (n_events,) of events, before which there are `start` others."""
        return cls(int(bad.sum()), start + int(bad.argmax())) if bad.any() else cls()


class Faults(NamedTuple):
    """Events with NaN or infinity in their inputs, and such whose coefficients alone have it."""

    inputs: Fault = Fault()
    coefficients: Fault = Fault()

    def and_those(self, others: "Faults") -> "Faults":
        """These and those of other events."""
        return Faults(
            *(Fault(a.n_events + b.n_events, min(a.first, b.first)) for a, b in zip(self, others, strict=True))
        )

    def require_none(self, n_events: int) -> None:
        """Raises ValueError if there is any among `n_events`."""
        if self.inputs.n_events:
            raise ValueError(
                f"Expected finite inputs. Received: NaN or infinity in {_some(self.inputs, n_events)}. Drop these "
                "events, give them the weight 0 or replace the values."
            )
        if self.coefficients.n_events:
            raise ValueError(
                f"The coefficients of {_some(self.coefficients, n_events)} are NaN or infinite, although the inputs "
                "are finite. Has the network diverged, or do the inputs lack standardisation?"
            )


def faults_of(analysis: Analysis, chunk: Chunk) -> Faults:
    """The faults of a chunk's events of weight other than 0; a second look, at events one by one."""
    counts = np.asarray(chunk.weight)[:, 0] != 0
    bad_inputs, bad_coefficients = np.zeros((2, len(counts)), bool)
    for tensor in chunk.tensors:
        bad_inputs |= ~np.isfinite(tensor).all(axis=1)
    bad_coefficients = ~np.isfinite(analysis.compiled(chunk.tensors)).all(axis=1)
    return Faults(
        Fault.among(counts & bad_inputs, chunk.start), Fault.among(counts & bad_coefficients & ~bad_inputs, chunk.start)
    )


def _some(fault: Fault, n_events: int) -> str:
    return f"{fault.n_events} of {n_events} events (the first: {fault.first})"
