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
        features, theta, label = _table(self.features, "features"), np.asarray(self.theta), _labels(self.label)
        columns = {
            "theta": _table(theta[:, None] if theta.ndim == 1 else theta, "theta"),
            "label": label,
            "weight": np.asarray(np.ones(len(features)) if self.weight is None else self.weight, np.float32),
            "process": label if self.process is None else np.asarray(self.process),
        }
        names = {
            "names": tuple(f"f{i}" for i in range(features.shape[1])) if self.names is None else tuple(self.names),
            "process_names": tuple(self.process_names),
            "parameter_names": tuple(self.parameter_names),
        }
        for name, column in columns.items():
            if column.ndim != 1 and name != "theta":
                raise ValueError(f"Expected {name} of shape (n_events,). Received: shape {column.shape}.")
            if len(column) != len(features):
                raise ValueError(
                    f"Expected one {name} for each of the {len(features)} events. Received: {len(column)}."
                )
        for name, table in (("names", features), ("parameter_names", columns["theta"])):
            if len(names[name]) != table.shape[1]:
                given = names[name]
                raise ValueError(f"Expected {table.shape[1]} {name}, one a column. Received: {len(given)}, {given}.")
        _check_finite(features, "features", names["names"])
        _check_finite(columns["theta"], "theta", names["parameter_names"])
        _check_finite(columns["weight"][:, None], "weight", ("weight",))
        _check_processes(columns["process"], names["process_names"])
        for name, value in ({"features": features} | columns | names).items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.features)

    def __repr__(self) -> str:
        n_signal = int(np.count_nonzero(self.label))
        return f"Events({n_signal} signal, {len(self) - n_signal} background, {len(self.names)} features)"

    @property
    def hypotheses(self) -> np.ndarray:
        """(n_hypotheses, n_parameters) distinct theta of the signal, sorted; one each event if theta is continuous.

        Without theory parameters there is one hypothesis, (1, 0).
        """
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
        first = parts[0]
        for part in parts:
            for name in ("names", "parameter_names", "process_names"):
                if getattr(part, name) != getattr(first, name):
                    raise ValueError(
                        f"Expected parts with {name}={getattr(first, name)}. Received: {getattr(part, name)}."
                    )
        return replace(first, **{name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS})

    def draw(self, n_events: int, seed: int = 0) -> "Events":
        """A random, stratified part of so many of the events, without replacement and in the order they have here.

        Every label, process and theta keeps its share to within one event; of a continuous theta every range does. The
        same seed, of a local generator, draws the same events. ValueError for more events than there are, or none.
        """
        return self.select(self._stratified(n_events, seed))

    def split(self, fraction: float, seed: int = 0) -> tuple["Events", "Events"]:
        """Two random parts, such as training and validation: what is left, then a fraction that is drawn as by `draw`.

        ValueError for a fraction out of (0, 1).
        """
        if not 0 < fraction < 1:
            raise ValueError(f"Expected fraction between 0 and 1. Received: fraction={fraction}.")
        drawn = np.zeros(len(self), bool)
        drawn[self._stratified(round(fraction * len(self)), seed)] = True
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


def _table(values, name: str) -> np.ndarray:
    table = np.asarray(values, np.float32)
    if table.ndim != 2:
        raise ValueError(f"Expected {name} of two dimensions, one row an event. Received: shape {table.shape}.")
    return table


def _labels(values) -> np.ndarray:
    values = np.asarray(values)
    wrong = (values != 0) & (values != 1)
    if wrong.any():
        raise ValueError(
            f"Expected label 1 for signal and 0 for background. Received: {values[wrong][0]} "
            f"in {np.count_nonzero(wrong)} of {len(values)} events."
        )
    return values.astype(np.uint8)


def _check_processes(process: np.ndarray, names: tuple[str, ...]) -> None:
    if not np.issubdtype(process.dtype, np.integer):
        raise ValueError(f"Expected process as integers, indices into process_names. Received: {process.dtype}.")
    if len(process) and not 0 <= process.min() <= process.max() < len(names):
        raise ValueError(
            f"Expected process between 0 and {len(names) - 1}, one of process_names={names}. "
            f"Received: {process.min()} to {process.max()}."
        )


def _check_finite(table: np.ndarray, argument: str, names: tuple[str, ...]) -> None:
    for start in range(0, len(table), CHUNK):
        finite = np.isfinite(table[start : start + CHUNK])
        if not finite.all():
            row, column = np.argwhere(~finite)[0]
            raise ValueError(
                f"Expected finite {argument}. Received: {table[start + row, column]} for {names[column]!r} of event "
                f"{start + row}. Remove such events, or replace the value, first."
            )
