"""The state of a network: everything in it that a traced graph has frozen, as one value to compare.

A graph reads variables each time it runs; all else about a model is written into it when it is traced: the layers and
their connections, numbers and arrays among their attributes, functions with what they refer to. Equal states mean that
the graph is still that of the network. What `compile` and `fit` change is no part of a state.
"""

import dis
import sys
import types
import weakref
from array import array
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property, lru_cache, partial
from hashlib import blake2b
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from taylor import keras_graph

# Code of these packages does not change while a program runs, and most of their objects count by identity.
LIBRARIES = {*sys.stdlib_module_names, "keras", "numpy", "taylor", "tensorflow", "tf_keras"}
ATOMS = {bool, int, float, complex, str, bytes, type(None), types.CodeType}
WITH_ATTRIBUTES = (
    keras.Operation,
    keras.Quantizer,
    keras.dtype_policies.DTypePolicy,
    tf.Module,
    types.SimpleNamespace,
)
OF_TRAINING = (
    keras.callbacks.Callback,
    keras.constraints.Constraint,
    keras.initializers.Initializer,
    keras.losses.Loss,
    keras.metrics.Metric,
    keras.optimizers.Optimizer,
    keras.regularizers.Regularizer,
)
SHORT = 256  # bytes of an array that are compared as they are


class State:
    """Equal to that of the same network in the same state, with the same hash.

    It keeps nothing of the network alive. Objects that count by identity stand as the ids of weak references to them:
    there is one for an object, and another for the next object that happens to have its address.
    """

    def __init__(self, key: tuple, references: list):
        self._key, self._references, self._hash = key, references, hash(key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self._key == other._key


def state_of(model: Any) -> State:
    """The state at this moment of a Keras model, or of what takes the place of one."""
    reader = _Reader()
    reader.key += (keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format())
    reader.read(model)
    return State(tuple(reader.key), reader.references)


class _Reader:
    """Walks through the attributes of a network and of what they refer to; each object once."""

    def __init__(self):
        self.key: list = []
        self.references: list = []
        self._positions: dict[int, int] = {}
        self._made_here: list = []  # kept until the end, for no other object to get their ids
        self._bookkeeping = keras_graph.bookkeeping()

    def read(self, value: Any) -> None:
        kind = type(value)
        if kind in ATOMS:
            self.key += (kind, value)
        elif (position := self._positions.get(id(value))) is not None:
            self.key.append(position)
        else:
            self._positions[id(value)] = len(self._positions)
            (READERS.get(kind) or _reader_of(kind))(self, value)

    def identity(self, value: Any) -> None:
        try:
            reference = weakref.ref(value)
        except TypeError:
            reference = value  # such as a ufunc of NumPy
        self.references.append(reference)
        self.key.append(id(reference))

    def nothing(self, value: Any) -> None:
        pass

    def items(self, values: Collection) -> None:
        self.key += (list, len(values))
        for value in values:
            self.read(value)

    def mapping(self, values: Mapping) -> None:
        self.key += (dict, len(values))
        for name, value in values.items():
            self.read(name)
            self.read(value)

    def array(self, values: Any) -> None:
        values = np.asarray(values)
        self.key += (np.ndarray, values.dtype.str, values.shape)
        if values.dtype.hasobject:
            self._made_here.append(values.tolist())
            self.read(self._made_here[-1])
        else:
            content = values.tobytes()
            self.key.append(content if len(content) <= SHORT else blake2b(content).digest())

    def table(self, value: Any) -> None:
        """A data frame, or one of its columns."""
        self.array(value.to_numpy())

    def attributes(self, value: Any) -> None:
        """Those of a layer, or of an object of the user's, and its class."""
        kind = type(value)
        if _is_library(kind.__module__):
            self.key.append(kind)
        else:
            self.read(kind)
            for name in _slots(kind):
                self.read(getattr(value, name, None))
        key, bookkeeping = self.key, self._bookkeeping
        for name, attribute in getattr(value, "__dict__", EMPTY).items():
            if name in bookkeeping:
                continue
            if (kind := type(attribute)) in ATOMS:
                key += (name, kind, attribute)
            elif kind not in CONTAINERS or attribute:
                key.append(name)
                self.read(attribute)

    def of_class(self, kind: type) -> None:
        """The class attributes and methods of the user's, those of base classes included."""
        self.identity(kind)
        for base in kind.__mro__:
            if not _is_library(base.__module__):
                for name, value in base.__dict__.items():
                    if not name.startswith("__") or name == "__call__":
                        self.key.append(name)
                        self.read(value)

    def function(self, function: types.FunctionType) -> None:
        """Its code, and what it refers to outside of it."""
        if _is_library(function.__module__):
            self.identity(function)
            return
        code = function.__code__
        self.key.append(code)
        self.read(function.__defaults__)
        self.read(function.__kwdefaults__)
        if function.__dict__:
            self.read(function.__dict__)
        for cell in function.__closure__ or ():
            try:
                self.read(cell.cell_contents)
            except ValueError:  # not filled yet
                self.key.append(None)
        scope = function.__globals__
        for name in _global_names(code):
            if isinstance(value := scope.get(name), types.ModuleType):
                self._module(value, code)
            else:
                self.read(value)

    def _module(self, module: types.ModuleType, code: types.CodeType) -> None:
        """Those of its attributes that the code may read."""
        if not _is_library(module.__name__):
            for name in _attribute_names(code):
                if not isinstance(value := module.__dict__.get(name), types.ModuleType):
                    self.read(value)

    def parts(self, value: Any) -> None:
        """The functions, and what is bound to them, in a method, a property or the like."""
        self.key.append(type(value))
        for name in PARTS:
            if (part := getattr(value, name, None)) is not None:
                self.read(part)


CONTAINERS = {list, tuple, dict}
PARTS = ("func", "fget", "__func__", "__self__", "args", "keywords")
EMPTY: dict = {}
READERS: dict[type, Callable] = {
    list: _Reader.items,
    tuple: _Reader.items,
    dict: _Reader.mapping,
    np.ndarray: _Reader.array,
    types.FunctionType: _Reader.function,
    types.MethodType: _Reader.parts,
    types.ModuleType: _Reader.nothing,
    property: _Reader.parts,
    cached_property: _Reader.parts,
    classmethod: _Reader.parts,
    staticmethod: _Reader.parts,
    partial: _Reader.parts,
}


def _reader_of(kind: type) -> Callable:
    if issubclass(kind, type):
        reader = _Reader.of_class
    elif issubclass(kind, OF_TRAINING):
        reader = _Reader.nothing
    elif issubclass(kind, WITH_ATTRIBUTES):
        reader = _Reader.attributes
    elif issubclass(kind, (list, tuple, set, frozenset, deque)):
        reader = _Reader.items
    elif issubclass(kind, Mapping):
        reader = _Reader.mapping
    elif issubclass(kind, (np.ndarray, np.generic, array, bytearray)):
        reader = _Reader.array
    elif _is_library(kind.__module__):
        reader = _Reader.identity
    elif hasattr(kind, "to_numpy"):
        reader = _Reader.table
    else:
        reader = _Reader.attributes
    if _is_library(kind.__module__):
        READERS[kind] = reader  # a class of the user's may not be kept
    return reader


@lru_cache(maxsize=1024)
def _is_library(module: str | None) -> bool:
    return module is not None and module.partition(".")[0] in LIBRARIES


@lru_cache(maxsize=1024)
def _global_names(code: types.CodeType) -> tuple[str, ...]:
    """The names that code looks up in its module, itself or in a function within."""
    looked_up = ("LOAD_GLOBAL", "LOAD_NAME")
    names = [i.argval for inner in _nested(code) for i in dis.get_instructions(inner) if i.opname in looked_up]
    return tuple(dict.fromkeys(names))


@lru_cache(maxsize=1024)
def _attribute_names(code: types.CodeType) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for inner in _nested(code) for name in inner.co_names))


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)


def _slots(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        yield from (name for name in ((slots,) if isinstance(slots, str) else slots) if not name.startswith("__"))
