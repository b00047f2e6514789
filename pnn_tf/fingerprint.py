"""What a function computes, as far as its own module says it: to know it again, later or in another process."""

import dis
import functools
import hashlib
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

SCALARS = bool | int | float | complex | str | bytes | np.generic


def fingerprint(function: Any, of_others: Callable[[Any], bytes] = lambda value: b"") -> str:
    """A digest of a function, method or object that is called.

    It is of the code, and of what it holds: arguments of a `functools.partial`, defaults, closures, attributes. Of the
    globals that it uses it is of functions and classes of its own module, with all that these use, of numbers, texts
    and arrays, and of lists and dicts of these. What it calls in other modules is known by name alone.

    Args:
        function: the function.
        of_others: what to make of held objects of other modules, besides the name of their class.

    >>> fingerprint(lambda x: x + 1) == fingerprint(lambda x: x + 2)
    False
    """
    digest = hashlib.sha256()
    for part in _Reading(_module_of(function), of_others).told(function):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


class _Reading:
    def __init__(self, module: str | None, of_others: Callable[[Any], bytes]):
        self._module, self._of_others = module, of_others
        self._seen: set[int] = set()

    def told(self, value: Any) -> Iterator[bytes]:
        yield type(value).__qualname__.encode()
        if value is None or isinstance(value, SCALARS):
            yield repr(value).encode()
        elif isinstance(value, types.CodeType):
            yield from (value.co_code, " ".join(value.co_names).encode())
            yield from self._each(value.co_consts)
        elif isinstance(value, set | frozenset):
            yield from sorted(b"".join(self.told(one)) for one in value)
        elif isinstance(value, np.ndarray) and value.dtype != object:
            yield from (f"{value.dtype} {value.shape}".encode(), value.tobytes())
        elif isinstance(value, Mapping):
            yield from self._each([part for item in value.items() for part in item])
        elif isinstance(value, list | tuple):
            yield from self._each(value)
        elif id(value) not in self._seen:
            self._seen.add(id(value))
            yield from self._of_object(value)

    def _each(self, values: Iterable) -> Iterator[bytes]:
        for value in values:
            yield from self.told(value)

    def _of_object(self, value: Any) -> Iterator[bytes]:
        if isinstance(value, functools.partial):
            yield from self._each((value.func, value.args, value.keywords))
        elif isinstance(value, types.MethodType):
            yield from self._each((value.__func__, value.__self__))
        elif isinstance(value, types.FunctionType):
            cells = [cell.cell_contents for cell in value.__closure__ or ()]
            yield from self._each((value.__code__, value.__defaults__, value.__kwdefaults__, cells))
            for name in sorted(_globals_of(value.__code__) & set(value.__globals__)):
                yield from self._of_global(name, value.__globals__[name], _module_of(value))
        elif isinstance(value, type):
            yield from self._of_class(value) if _module_of(value) == self._module else [value.__qualname__.encode()]
        elif isinstance(value, property):
            yield from self.told(value.fget)
        elif hasattr(value, "__wrapped__"):  # as of staticmethod, functools.cache and tf.function
            yield from self.told(value.__wrapped__)
        elif hasattr(value, "__dict__") and _module_of(type(value)) == self._module:
            yield from self._each((type(value), vars(value)))
        else:
            yield self._of_others(value)

    def _of_global(self, name: str, value: Any, module: str | None) -> Iterator[bytes]:
        is_code = isinstance(value, types.FunctionType | type) or hasattr(value, "__wrapped__")
        if _is_plain(value) or (is_code and _module_of(value) == module):
            yield name.encode()
            yield from self.told(value)

    def _of_class(self, kind: type) -> Iterator[bytes]:
        for part in kind.__mro__:
            yield part.__qualname__.encode()
            for name, value in sorted(vars(part).items()) if _module_of(part) == _module_of(kind) else ():
                is_code = callable(value) or isinstance(value, property | classmethod | staticmethod)
                if is_code or (_is_plain(value) and not name.startswith("__")):
                    yield name.encode()
                    yield from self.told(value)


def _module_of(function: Any) -> str | None:
    if isinstance(function, functools.partial):
        return _module_of(function.func)
    name = getattr(function, "__module__", None)
    return "__main__" if name == "__mp_main__" else name  # as processes call what was the program


def _globals_of(code: types.CodeType) -> set[str]:
    """Names that the code looks up; not those of attributes, without which a function is sent by its value."""
    inner = (_globals_of(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))
    return {step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}.union(*inner)


def _is_plain(value: Any) -> bool:
    """Whether it is a number, a text, an array, or made of these; not what is empty, as it is before it is filled."""
    if isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return bool(value) and all(map(_is_plain, value))
    return isinstance(value, SCALARS) or (isinstance(value, np.ndarray) and value.dtype != object)
