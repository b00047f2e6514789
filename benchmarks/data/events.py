"""Events: the one type in which every data source hands over its collisions.

A table of features with, for each event, its theory parameters, class, weight and process. Checked once, when it is
made, so that nothing downstream has to.
"""

from dataclasses import dataclass, replace

import numpy as np

COLUMNS = ("features", "theta", "label", "weight", "process")
CHUNK = 1 << 18  # rows looked at together: keeps the temporary arrays of a check small beside 7M x 27 features


@dataclass(frozen=True, eq=False)
class Events:
    """Labelled events of a parametric search.

    Args:
        features: (n_events, n_features) float32, finite.
        theta: (n_events, n_parameters) or (n_events,) theory parameters in physical units (GeV for masses), finite;
            background events carry the value assigned to them. (n_events, 0) where there is none.
        label: (n_events,) 1 for signal, 0 for background.
        weight: (n_events,) finite event weights; ones if None. Generators may give negative ones.
        process: (n_events,) index into `process_names`; the label if None.
        names: one name a feature; `f0`, `f1`, ... if None.
        process_names: names of the processes.
        parameter_names: one name a theory parameter; () where there is none.

    Arrays of the right type are kept, not copied.

    Raises:
        ValueError: lengths that differ, a wrong number of dimensions or names, a label other than 0 and 1, a NaN or
            infinite value, a process without a name.

    >>> Events([[0.5, 1.0], [0.1, 2.0]], theta=[500, 500], label=[1, 0]).select([0]).features
    array([[0.5, 1. ]], dtype=float32)
    """

    features: np.ndarray
    theta: np.ndarray
    label: np.ndarray
    weight: np.ndarray | None = None
    process: np.ndarray | None = None
    names: tuple[str, ...] | None = None
    process_names: tuple[str, ...] = ("background", "signal")
    parameter_names: tuple[str, ...] = ("mass",)

    def __post_init__(self):
        features, theta, label = np.asarray(self.features, np.float32), np.asarray(self.theta), np.asarray(self.label)
        if (wrong := label[(label != 0) & (label != 1)]).size:
            raise ValueError(
                f"Expected label 1 for signal and 0 for background. Received: {wrong[0]} in {wrong.size} of "
                f"{len(label)} events."
            )
        label = label.astype(np.uint8)
        columns = {
            "features": features,
            "theta": np.asarray(theta[:, None] if theta.ndim == 1 else theta, np.float32),
            "label": label,
            "weight": np.asarray(np.ones(features.shape[:1]) if self.weight is None else self.weight, np.float32),
            "process": label if self.process is None else np.asarray(self.process),
        }
        for name, column in columns.items():
            n_dimensions = 2 if name in ("features", "theta") else 1
            if column.ndim != n_dimensions or len(column) != len(features):
                raise ValueError(
                    f"Expected {name} with {n_dimensions} dimensions, the first for the {len(features)} events. "
                    f"Received: shape {column.shape}."
                )
        names = {
            "names": tuple(f"f{i}" for i in range(features.shape[1])) if self.names is None else tuple(self.names),
            "process_names": tuple(self.process_names),
            "parameter_names": tuple(self.parameter_names),
        }
        for name, of in (("names", "features"), ("parameter_names", "theta")):
            if len(names[name]) != columns[of].shape[1]:
                raise ValueError(f"Expected {columns[of].shape[1]} {name}, one a column. Received: {names[name]}.")
            _check_finite(columns[of], of, names[name])
        _check_finite(columns["weight"][:, None], "weight", ("weight",))
        _check_processes(columns["process"], names["process_names"])
        for name, value in (columns | names).items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.features)

    def __repr__(self) -> str:
        n_signal = int(np.count_nonzero(self.label))
        return f"Events({n_signal} signal, {len(self) - n_signal} background, {len(self.names)} features)"

    @property
    def hypotheses(self) -> np.ndarray:
        """(n_hypotheses, n_parameters) distinct theta of the signal, sorted; (1, 0) without theory parameters."""
        signal = self.theta[self.label == 1]
        if signal.shape[1] == 1:  # much faster than sorting rows
            return np.unique(signal)[:, None]
        return np.unique(signal, axis=0)

    def select(self, which) -> "Events":
        """The events under a mask (n_events,) of bool, or at integer indices, in that order."""
        which = np.asarray(which)
        if which.dtype == bool and which.shape != (len(self),):
            raise ValueError(f"Expected a mask of shape ({len(self)},). Received: shape {which.shape}.")
        return replace(self, **{name: getattr(self, name)[which] for name in COLUMNS})

    @classmethod
    def concatenate(cls, parts: "list[Events]") -> "Events":
        """All events of the parts, in order; the parts have the same features, parameters and processes."""
        for name in ("names", "parameter_names", "process_names"):
            if len(found := {getattr(part, name) for part in parts}) > 1:
                raise ValueError(f"Expected parts with the same {name}. Received: {sorted(found)}.")
        return replace(parts[0], **{name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS})

    def draw(self, n_events: int, seed: int = 0) -> "Events":
        """A random, stratified part of the events, without replacement and in the order they have here.

        Every label, process and theta keeps its share to within one event; of a continuous theta every range does.
        ValueError for more events than there are, or none.
        """
        return self.select(self._stratified(n_events, seed))

    def split(self, fraction: float, seed: int = 0) -> tuple["Events", "Events"]:
        """What is left, then a fraction out of (0, 1), drawn as by `draw`; such as training and validation."""
        if not 0 < fraction < 1:
            raise ValueError(f"Expected fraction between 0 and 1. Received: fraction={fraction}.")
        drawn = np.isin(np.arange(len(self)), self._stratified(round(fraction * len(self)), seed))
        return self.select(~drawn), self.select(drawn)

    def _stratified(self, n_drawn: int, seed: int) -> np.ndarray:
        """Sorted indices of a systematic draw: equal steps through the events sorted by stratum, shuffled within."""
        n_events = len(self)
        if not 0 < n_drawn <= n_events:
            raise ValueError(f"Expected between 1 and {n_events} events to draw. Received: {n_drawn}.")
        generator = np.random.default_rng(seed)
        order = np.lexsort((generator.random(n_events), *self.theta.T[::-1], self.process, self.label))
        steps = (np.arange(n_drawn) * n_events + generator.integers(n_events)) // n_drawn
        return np.sort(order[steps])


def _check_processes(process: np.ndarray, names: tuple[str, ...]) -> None:
    if not np.issubdtype(process.dtype, np.integer):
        raise ValueError(f"Expected process as integers, indices into process_names. Received: {process.dtype}.")
    if unknown := {*np.unique(process).tolist()} - {*range(len(names))}:
        raise ValueError(f"Expected process as an index into process_names={names}. Received: {min(unknown)}.")


def _check_finite(table: np.ndarray, argument: str, names: tuple[str, ...]) -> None:
    for start in range(0, len(table), CHUNK):
        finite = np.isfinite(table[start : start + CHUNK])
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            raise ValueError(
                f"Expected finite {argument}. Received: {table[start + row, column]} for {names[column]!r} of event "
                f"{start + row}. Remove such events, or replace the value, first."
            )
