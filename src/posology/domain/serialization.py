"""Frozen dataclasses as plain JSON values and named arrays, and back: nothing here runs code."""

import dataclasses
import types
import typing
from collections.abc import Mapping

import numpy as np

Plain = dict | list | str | int | float | bool | None

Renamed = Mapping[str, Mapping[str, str]]
"""Name of a dataclass: its fields' names in a file, each with the field's name in the class."""
NOTHING_RENAMED: Renamed = {}

_ARRAY = "$array"


def pack(value: object, arrays: dict[str, np.ndarray], path: str = "") -> Plain:
    """JSON values of a dataclass; its arrays are put into `arrays` under their path of fields."""
    if isinstance(value, np.ndarray):
        arrays[path] = np.ascontiguousarray(value)
        return {_ARRAY: path}
    if dataclasses.is_dataclass(value):
        return {
            f.name: pack(getattr(value, f.name), arrays, f"{path}.{f.name}".lstrip("."))
            for f in dataclasses.fields(value)
        }
    if isinstance(value, tuple):
        return [pack(item, arrays, f"{path}.{i}") for i, item in enumerate(value)]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise TypeError(f"{path}: {type(value).__name__} has no plain form")


def unpack(
    kind: object,
    plain: Plain,
    arrays: Mapping[str, np.ndarray],
    renamed: Renamed = NOTHING_RENAMED,
) -> typing.Any:
    """The value of the annotated type; ValueError where the plain form does not fit it.

    A missing field takes its default, so that a file written before the field was added can be
    read. `renamed` translates the field names of an older file.
    """
    if isinstance(plain, dict) and _ARRAY in plain:
        return arrays[str(plain[_ARRAY])]
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        if plain is None:
            return None
        kind = next(a for a in typing.get_args(kind) if a is not type(None))
        return unpack(kind, plain, arrays, renamed)
    if origin is typing.Literal and plain in typing.get_args(kind):
        return plain
    if origin is tuple and isinstance(plain, list):
        return tuple(
            unpack(k, item, arrays, renamed)
            for k, item in zip(_items(kind, len(plain)), plain, strict=True)
        )
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(plain, dict):
        names = renamed.get(kind.__name__, {})
        plain = {names.get(name, name): item for name, item in plain.items()}
        hints = typing.get_type_hints(kind)
        fields = {f.name: f for f in dataclasses.fields(kind)}
        lacking = {name for name, f in fields.items() if name not in plain and _must_be_given(f)}
        if lacking or set(plain) - set(fields):
            raise ValueError(
                f"{kind.__name__} has the fields {sorted(fields)}, not {sorted(plain)}"
            )
        return kind(
            **{name: unpack(hints[name], item, arrays, renamed) for name, item in plain.items()}
        )
    if kind is float and isinstance(plain, int | float):
        return float(plain)
    if isinstance(kind, type) and isinstance(plain, kind):
        return plain
    raise ValueError(f"{plain!r} is not a {kind}")


def _must_be_given(field: dataclasses.Field) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _items(kind: object, length: int) -> tuple[object, ...]:
    args = typing.get_args(kind)
    return (args[0],) * length if len(args) == 2 and args[1] is Ellipsis else args
