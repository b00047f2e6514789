"""A HistFactory specification whose numbers have names: what is a template, and where its values stand in one vector.

Every number of a specification, be it a bin of a sample or of one of its variations, gets a position in a vector that
starts with 0 and 1. The same specification with positions in place of numbers goes through pyhf's own arranging, so
that the arrays which come out say where each number of a likelihood is to be taken from.
"""

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

SCALARS = {"normsys": ("hi", "lo")}
ARRAYS = {"histosys": ("hi_data", "lo_data")}
UNCERTAINTIES = ("shapesys", "staterror")
WITHOUT_NUMBERS = ("normfactor", "lumi", "shapefactor")
SUPPORTED = (*SCALARS, *ARRAYS, *UNCERTAINTIES, *WITHOUT_NUMBERS)


class Template(NamedTuple):
    """Numbers of a likelihood that can be given as a tensor.

    Args:
        name: as the user wrote it in place of numbers, or the way to it: "channel/sample",
            "channel/sample/modifier/hi_data".
        start: position of its first value.
        shape: (n_bins,), or () for a factor.
        numbers: those of the specification; where it has a name alone, any that the structure can be built from.
        required: the specification has the name alone.
        channels: those that it stands in.
        uncertainty_of: of an absolute uncertainty, the name of the template that it belongs to; else None.
    """

    name: str
    start: int
    shape: tuple[int, ...]
    numbers: np.ndarray
    required: bool
    channels: tuple[str, ...]
    uncertainty_of: str | None = None

    @property
    def n_values(self) -> int:
        return self.shape[0] if self.shape else 1

    @property
    def places(self) -> slice:
        """Where its values stand in the vector of all numbers."""
        return slice(self.start, self.start + self.n_values)


class Numbered(NamedTuple):
    """The channels of a specification, once with numbers and once with positions, and the templates by name."""

    numbers: list
    positions: list
    templates: dict[str, Template]


def plain(node: Any) -> Any:
    """A copy of a specification as JSON has it, with lists in place of tuples and arrays."""
    if isinstance(node, Mapping):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [plain(value) for value in node]
    return np.asarray(node).tolist() if hasattr(node, "__array__") else node


def number(channels: Any, n_bins: int | Mapping[str, int] | None) -> Numbered:
    """Gives every number of a list of channels its position.

    Args:
        channels: as in a pyhf specification; a name may stand in place of the numbers of a sample or a modifier.
        n_bins: of the channels in which only names stand, by channel or one for all.

    Raises:
        ValueError: keys that are missing or unknown, names or numbers that come twice, a modifier of a type that is not
            supported, a channel of unknown n_bins, lists of another length, numbers that are not finite.
    """
    _check(channels)
    numbers, positions = copy.deepcopy(channels), copy.deepcopy(channels)
    templates: dict[str, Template] = {}
    shapes: dict[str, int] = {}
    for channel, with_positions in zip(numbers, positions, strict=True):
        bins, own = _n_bins(channel, n_bins), (channel["name"],)
        for sample, sample_positions in zip(channel["samples"], with_positions["samples"], strict=True):
            path = f"{channel['name']}/{sample['name']}"
            nominal = _replace(sample, sample_positions, "data", path, (bins,), templates, own)
            for modifier, there in zip(sample["modifiers"], sample_positions["modifiers"], strict=True):
                kind, way = modifier["type"], f"{path}/{modifier['name']}"
                for key in SCALARS.get(kind, ()):
                    _replace(modifier["data"], there["data"], key, f"{way}/{key}", (), templates, own)
                for key in ARRAYS.get(kind, ()):
                    _replace(modifier["data"], there["data"], key, f"{way}/{key}", (bins,), templates, own)
                if kind == "shapefactor" and shapes.setdefault(modifier["name"], bins) != bins:
                    raise ValueError(
                        f"Expected the shapefactor {modifier['name']!r} in channels of as many bins. Received: "
                        f"{shapes[modifier['name']]} and, at {way}, {bins}."
                    )
                if kind in UNCERTAINTIES:
                    _replace(modifier, there, "data", way, (bins,), templates, own, uncertainty_of=nominal)
    return Numbered(numbers, positions, templates)


def with_numbers(positions: list, values: np.ndarray) -> list:
    """The channels of a specification, whose numbers are taken from the vector where `positions` says."""

    def filled(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: node[key] if key in ("name", "type") else filled(node[key]) for key in node}
        if isinstance(node, list) and node and isinstance(node[0], dict):
            return [filled(entry) for entry in node]
        return node if node in (None, []) else values[np.asarray(node, int)].tolist()

    return filled(positions)


def _check(channels: list) -> None:
    """Refuses what is missing, unknown or there twice, with its place."""
    _check_entries(channels, "channel", "of the specification", ("name", "samples"))
    for channel in channels:
        place = f"of channel {channel['name']!r}"
        _check_entries(channel["samples"], "sample", place, ("name", "data", "modifiers"))
        for sample in channel["samples"]:
            here = f"of sample {sample['name']!r} {place}"
            _check_entries(sample["modifiers"], "modifier", here, ("name", "type", "data"), ("type", "name"))
            for modifier in sample["modifiers"]:
                kind, name = modifier["type"], f"modifier {modifier['name']!r} {here}"
                if kind not in SUPPORTED:
                    raise ValueError(f"Expected modifiers of type {', '.join(SUPPORTED)}. Received: {kind!r}, {name}.")
                if keys := {**SCALARS, **ARRAYS}.get(kind):
                    _check_keys(modifier["data"], keys, f"the data of {name}")


def _check_entries(entries: Any, what: str, place: str, keys: tuple, unique: tuple = ("name",)) -> None:
    if not isinstance(entries, list) or not (entries or what == "modifier"):
        raise ValueError(f"Expected a list of {what}s {place}. Received: {entries!r}.")
    seen = set()
    for index, entry in enumerate(entries):
        name = entry.get("name", index) if isinstance(entry, dict) else index
        _check_keys(entry, keys, f"{what} {name!r} {place}")
        identity = tuple(str(entry[key]) for key in unique)
        if identity in seen:
            raise ValueError(f"Expected each {what} {place} once. Received: {' '.join(identity)} twice.")
        seen.add(identity)


def _check_keys(node: Any, keys: tuple, place: str) -> None:
    received = list(node) if isinstance(node, dict) else [repr(node)]
    missing, unknown = [key for key in keys if key not in received], [key for key in received if key not in keys]
    if missing or unknown:
        raise ValueError(
            f"Expected {', '.join(keys)} in {place}. Received: missing {', '.join(missing) or 'none'}, unknown "
            f"{', '.join(map(str, unknown)) or 'none'}."
        )


def _n_bins(channel: dict, n_bins: int | Mapping[str, int] | None) -> int:
    known = n_bins.get(channel["name"]) if isinstance(n_bins, Mapping) else n_bins
    lengths = [len(sample["data"]) for sample in channel["samples"] if isinstance(sample["data"], list)]
    known = lengths[0] if lengths else known
    if known is None:
        raise ValueError(
            f"Expected n_bins for channel {channel['name']!r}, in which every sample has a name in place of numbers. "
            "Received: none. Give n_bins=4, or n_bins={channel: 4}."
        )
    return known


def _replace(
    numbers: dict, positions: dict, key: str, path: str, shape: tuple, templates: dict, channel: tuple, **more: str
) -> str:
    """Puts numbers in place of a name, and positions in place of either; returns the template's name."""
    given = numbers[key]
    required = isinstance(given, str)
    name = given if required else path
    if not required and name in templates:
        raise ValueError(f"Expected {path!r} to be the name of one template. Received: a second one, with numbers.")
    if name not in templates:
        start = next(reversed(templates.values())).places.stop if templates else 2
        values = _any_numbers(start, shape) if required else _finite(given, path)
        templates[name] = Template(name, start, values.shape, values, required, (), **more)
    template = templates[name]
    templates[name] = template._replace(channels=tuple(dict.fromkeys(template.channels + channel)))
    if template.shape != shape:
        raise ValueError(f"Expected numbers of shape {shape} at {path}. Received: {name!r} of shape {template.shape}.")
    positions[key] = np.arange(template.start, template.start + template.n_values, dtype=float).reshape(shape).tolist()
    numbers[key] = template.numbers.tolist()
    return name


def _finite(given: Any, path: str) -> np.ndarray:
    try:
        values = np.asarray(given)
    except ValueError:  # lists of several lengths
        values = np.asarray(None)
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        raise ValueError(f"Expected finite numbers, or one name in their place, at {path}. Received: {given!r}.")
    return values.astype(np.float64)


def _any_numbers(start: int, shape: tuple) -> np.ndarray:
    """Positive, and different for each template."""
    return np.array(1.1) if shape == () else 50.0 + start + np.arange(shape[0])
