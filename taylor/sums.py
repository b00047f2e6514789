"""Taylor importance as sums over events, which are made in parts, in any processes, and added up.

    mean = sum w |t| / sum w,

the standard error and the replicas of a bootstrap are functions of sums over events. Those of parts add up to those of
all events to 1e-10, however the events are shared out: the sums are in float64, the coefficients of an event do not
depend on the part that it is in, and its copies in the replicas follow from its number.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from taylor.bootstrap import event_numbers
from taylor.coefficients import warn_of_vanishing
from taylor.features import FeatureSet
from taylor.merge import require_comparable
from taylor.response import WINNING, Events
from taylor.result import TaylorImportance
from taylor.sources import ALL, Chunk, Source, Stream, source_of
from taylor.streaming import Sums, no_sums, sum_over_events
from taylor.warning import warn

# Arguments that say what to do with events, rather than what to differentiate.
OF_EVENTS = {
    "weight": None,
    "regions": None,
    "bootstrap": 0,
    "seed": 0,
    "signed": False,
    "median": False,
    "first_event": 0,
}
MOST_UNCERTAIN = 0.3  # standard deviation of a sum of weights over the sum, beyond which no error describes the tails


@dataclass(frozen=True, eq=False)
class ImportanceSums:
    """Sums over some events, of which the importance of features is made. It can be pickled, and holds no model.

    Sums over different events by one network are added: `a + b`, `sum([a, b, c])` or `a.merge([b, c])`.

    Attributes:
        features: names and input indices of the columns.
        engine: names of the engines that differentiated; empty if there was no event.
        target: "output" or "logit".
        output: the output tensor of the model, and the column of it or "winning".
        scale: (n_inputs,) what the inputs are divided by; None for 1.
        seed: of the replicas.
        of_all: Sums of all events, numpy arrays without the dimension of regions.
        regions: the same for further regions, by name.
        spans: numbers of the events with replicas, where they follow each other: first, and one more than the last.
    """

    features: FeatureSet
    engine: str
    target: str
    output: tuple[int, int | str]
    scale: tuple[float, ...] | None
    seed: int
    of_all: Sums
    regions: Mapping[str, Sums]
    spans: tuple[tuple[int, int], ...] = ()

    @property
    def n_events(self) -> int:
        """Number of events of weight other than 0."""
        return int(self.of_all.n_events)

    @property
    def n_replicas(self) -> int:
        """Number of bootstrap replicas."""
        return self.of_all.cw.shape[0]

    @property
    def signed(self) -> bool:
        """Whether there are the sums of t itself."""
        return len(self.of_all.ws) > 0

    def merge(self, others: "ImportanceSums | Iterable[ImportanceSums]") -> "ImportanceSums":
        """The sums over these events and over those of others, which must be other events.

        A region that only some of them have has no events in the others.

        Raises:
            ValueError: no others; other features, target, output, scale, or bootstrap; the same numbers of events.
        """
        others = [others] if isinstance(others, ImportanceSums) else list(others)
        require_comparable([self, *others])
        total = self
        for other in others:
            total = total._plus(other)
        return total

    def __add__(self, other: "ImportanceSums") -> "ImportanceSums":
        return self.merge(other) if isinstance(other, ImportanceSums) else NotImplemented

    def __radd__(self, other: int) -> "ImportanceSums":
        return self if isinstance(other, int) and other == 0 else NotImplemented  # `sum` begins with 0

    def importance(self) -> TaylorImportance:
        """The means over these events, with their errors, as from `mean_abs_coefficients`.

        Warns:
            UserWarning: weights that nearly cancel; a network without second derivatives.

        Raises:
            ValueError: a region without events, or with weights that sum to zero or less.
        """
        everything = self._of_region(ALL, self.of_all)
        regions = {name: self._of_region(name, sums) for name, sums in self.regions.items()}
        warn_of_vanishing(self.features, everything.mean)
        return replace(everything, regions=regions)

    def _plus(self, other: "ImportanceSums") -> "ImportanceSums":
        for what in ("output", "scale", "signed", "n_replicas", *(("seed",) if self.n_replicas else ())):
            one, another = getattr(self, what), getattr(other, what)
            if one != another:
                raise ValueError(
                    f"Expected sums of the same {what}. Received: {one!r} and {another!r}. Analyse all parts with the "
                    "same arguments."
                )
        regions = dict(self.regions)
        for name, sums in other.regions.items():
            regions[name] = regions[name].plus(sums) if name in regions else sums
        engines = [name for one in (self, other) if one.engine for name in one.engine.split(", ")]
        return replace(
            self,
            engine=", ".join(dict.fromkeys(engines)),
            of_all=self.of_all.plus(other.of_all),
            regions=regions,
            spans=_joined([*self.spans, *other.spans]),
        )

    def _of_region(self, name: str, sums: Sums) -> TaylorImportance:
        if sums.n_events == 0:
            raise ValueError(f"Expected events of weight other than 0 in region {name!r}. Received: none.")
        if not sums.w > 0:
            raise ValueError(f"Expected weights with a positive sum in region {name!r}. Received: {sums.w:g}.")
        _warn_of_cancelling(sums, name)
        mean, error = _mean_and_error(sums, sums.wt, sums.w2t)
        signed, signed_error = _mean_and_error(sums, sums.ws, sums.w2s) if self.signed else (None, None)
        return TaylorImportance(
            features=self.features,
            mean=mean,
            error=error,
            n_events=int(sums.n_events),
            engine=self.engine,
            replicas=sums.cwt / sums.cw[:, None] if self.n_replicas else None,
            signed=signed,
            signed_error=signed_error,
            target=self.target,
        )


def importance_sums(
    model: keras.Model, data: Events | Stream, *, first_event: int | ArrayLike = 0, **keywords: Any
) -> ImportanceSums:
    """What `mean_abs_coefficients` sums up over events, for events that are shared out among processes or files.

    `importance_sums(model, data).importance()` is `mean_abs_coefficients(model, data)`. Sums of parts of the events are
    added, and give what all events at once give, to 1e-10: networks in float32 too, on one kind of machine. Events that
    follow each other are read in constant memory.

    Args:
        model, data: as `mean_abs_coefficients`. There may be no event, and none in a region: then its sums are zero.
        first_event: for `bootstrap`: the number, in the whole, of the first event of this part, if its events follow
            each other there; or the increasing numbers (n_events,) of its events in memory. The copies of an event
            in the replicas follow from `seed` and its number, so that replicas do not depend on the parts.
        **keywords: as `mean_abs_coefficients`, but for `median`.

    Raises:
        ValueError: as `mean_abs_coefficients`, but for regions without events and sums of weights; also numbers of
            events that do not increase, `median`.

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid", kernel_initializer="ones")])
    >>> parts = [importance_sums(model, np.full((n, 2), x), order=1) for n, x in [(3, 0.0), (5, 1.0)]]
    >>> sum(parts).importance().n_events
    8
    """
    if keywords.get("median"):
        raise ValueError("Expected median=False: a median is not made of sums. Use mean_abs_coefficients.")
    source, of_events = prepared(model, data, {**keywords, "first_event": first_event})
    ((sums,),) = sums_of(source, source.chunks, of_events)
    return sums


def prepared(model: keras.Model, data: Events | Stream, keywords: Mapping) -> tuple[Source, dict]:
    """The events that the arguments of `importance_sums` describe, and what to do with them, as OF_EVENTS."""
    of_events = OF_EVENTS | {name: value for name, value in keywords.items() if name in OF_EVENTS}
    arguments = {name: value for name, value in keywords.items() if name not in OF_EVENTS}
    n_replicas = of_events["bootstrap"]
    if not isinstance(n_replicas, int) or n_replicas < 0:
        raise ValueError(f"Expected bootstrap, the number of replicas, to be at least 0. Received: {n_replicas!r}")
    source = source_of(model, data, of_events["weight"], of_events["regions"], arguments)
    return source, of_events | {"first_event": event_numbers(of_events["first_event"], source.n_events)}


def sums_of(
    source: Source, chunks: Iterable[Chunk], of_events: Mapping, replacements: Sequence[Mapping] = ({},)
) -> list[list[ImportanceSums]]:
    """For each of the replacements, as of `sum_over_events`, a list of the sums of each output.

    Args:
        source, of_events: as from `prepared`.
        chunks: those of the source.
        replacements: input tensors to put in place of others.
    """
    analysis, first, n_read = source.analysis, of_events["first_event"], 0
    n_replicas, seed, signed = (of_events[name] for name in ("bootstrap", "seed", "signed"))

    def counted() -> Iterator[Chunk]:
        nonlocal n_read
        for chunk in chunks:
            n_read += chunk.n_events
            yield chunk

    found = sum_over_events(analysis, counted(), n_replicas, seed, replacements, signed=signed, first_event=first)
    if not found:
        nothing = no_sums(len(source.region_names), analysis.n_columns, n_replicas, signed)
        found = [Sums(*map(np.asarray, nothing)) for _ in replacements]
    start, stop = (first, first + n_read) if isinstance(first, int) else (first[0], first[-1] + 1) if n_read else (0, 0)
    spans = ((int(start), int(stop)),) if n_replicas and n_read and stop - start == n_read else ()
    response, width = analysis.response, len(analysis.features)

    def of_output(sums: Sums, k: int) -> ImportanceSums:
        sums = sums.of_columns(slice(k * width, (k + 1) * width))
        of_all, *of_regions = [sums.of_region(r) for r in range(len(source.region_names))]
        return ImportanceSums(
            features=analysis.features,
            engine=analysis.engine if n_read else "",
            target=response.target,
            output=(response.tensor, WINNING if response.winning else response.columns[k]),
            scale=analysis.scale,
            seed=seed,
            of_all=of_all,
            regions=dict(zip(source.region_names[1:], of_regions, strict=True)),
            spans=spans,
        )

    return [[of_output(sums, k) for k in range(response.n_outputs)] for sums in found]


def _joined(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Spans of numbers in their order, those that follow each other as one."""
    joined: list[tuple[int, int]] = []
    for first, end in sorted(spans):
        if joined and first < joined[-1][1]:
            raise ValueError(
                f"Expected sums over different events. Received: the events from number {first} on twice, which would "
                "have the same copies in the bootstrap. Give each part its own first_event."
            )
        if joined and first == joined[-1][1]:
            first, _ = joined.pop()
        joined.append((first, end))
    return tuple(joined)


def _mean_and_error(sums: Sums, wt: np.ndarray, w2t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The weighted mean of t or |t| in a region, and its standard error.

    With A = sum w (t - mean) and B = sum w of a replica of the events, its mean is off by A / B: var A / (sum w)^2, and
    (3 var A var B + 5 cov(A, B)^2) / (sum w)^4 from the expansion of 1 / B to the next order. That counts where weights
    of both signs leave a sum that is small beside its fluctuation; for weights of one sign it is of the order of
    1 / n_events, as are other terms, and is left out.
    """
    total, w2 = sums.w, sums.w2 / sums.w**2
    mean = wt / total
    covariance = w2t / total**2 - mean * w2
    variance = np.maximum(sums.w2t2 / total**2 - mean**2 * w2 - 2 * mean * covariance, 0)
    cancelled = 1 - (total / sums.size) ** 2
    return mean, np.sqrt(variance + cancelled * (3 * variance * w2 + 5 * covariance**2))


def _warn_of_cancelling(sums: Sums, name: str) -> None:
    """Warns if the sum of the weights is too uncertain for the mean to have a variance worth the name."""
    cancelled, relative = 1 - (sums.w / sums.size) ** 2, np.sqrt(sums.w2) / sums.w
    if cancelled > 0.5 and relative > MOST_UNCERTAIN:
        warn(
            f"The positive and negative weights in region {name!r} cancel so far that their sum is known to "
            f"{100 * relative:.0f} % only. Means over these events, and their errors, are unreliable: take more events."
        )
