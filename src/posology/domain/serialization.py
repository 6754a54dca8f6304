"""Frozen dataclasses to JSON values and named arrays, and back, without running stored code."""

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping

import numpy as np

JsonValue = dict[str, typing.Any] | list[typing.Any] | str | int | float | bool | None

Renamed = Mapping[str, Mapping[str, str]]
"""Class name to {field name in the file: field name in the class}."""
NOTHING_RENAMED: Renamed = {}

_ARRAY = "$array"
_PLAIN = frozenset({str, int, float, bool})
"""Types of most values: they need no look at their annotation."""


def serialize(value: object, arrays: dict[str, np.ndarray], path: str = "") -> JsonValue:
    """The JSON value of a dataclass; its arrays are added to `arrays` under their field path."""
    if isinstance(value, np.ndarray):
        arrays[path] = np.ascontiguousarray(value)
        return {_ARRAY: path}
    if dataclasses.is_dataclass(value):
        return {
            f.name: serialize(getattr(value, f.name), arrays, f"{path}.{f.name}".lstrip("."))
            for f in dataclasses.fields(value)
        }
    if isinstance(value, tuple):
        return [serialize(item, arrays, f"{path}.{i}") for i, item in enumerate(value)]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise TypeError(f"{path}: {type(value).__name__} cannot be written as JSON")


def deserialize(
    annotation: object,
    data: JsonValue,
    arrays: Mapping[str, np.ndarray],
    renamed: Renamed = NOTHING_RENAMED,
) -> typing.Any:
    """The value of the annotated type; ValueError if the data does not fit it.

    A missing field takes its default, so that files written before the field existed still load.
    `renamed` translates the field names of an older file.
    """
    if annotation in _PLAIN and type(data) is annotation:
        return data
    if isinstance(data, dict) and _ARRAY in data:
        return arrays[str(data[_ARRAY])]
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        if data is None:
            return None
        inner = next(a for a in typing.get_args(annotation) if a is not type(None))
        return deserialize(inner, data, arrays, renamed)
    if origin is typing.Literal and data in typing.get_args(annotation):
        return data
    if origin is tuple and isinstance(data, list):
        items = zip(_item_types(annotation, len(data)), data, strict=True)
        return tuple(deserialize(item_type, item, arrays, renamed) for item_type, item in items)
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        return _deserialize_dataclass(annotation, data, arrays, renamed)
    if annotation is float and isinstance(data, int | float):
        return float(data)
    if isinstance(annotation, type) and isinstance(data, annotation):
        return data
    raise ValueError(f"{data!r} is not a {annotation}")


def _deserialize_dataclass(
    cls: typing.Any, data: JsonValue, arrays: Mapping[str, np.ndarray], renamed: Renamed
) -> typing.Any:
    if not isinstance(data, dict):
        raise ValueError(f"{data!r} is not a {cls.__name__}")
    names = renamed.get(cls.__name__, {})
    values = {names.get(name, name): value for name, value in data.items()}
    hints, fields, required = _shape(cls)
    if not required <= values.keys() <= fields:
        raise ValueError(f"{cls.__name__} has the fields {sorted(fields)}, not {sorted(values)}")
    return cls(
        **{name: deserialize(hints[name], value, arrays, renamed) for name, value in values.items()}
    )


@functools.cache
def _shape(cls: typing.Any) -> tuple[dict[str, typing.Any], frozenset[str], frozenset[str]]:
    """Types, names and required names of its fields.

    Found once a class: an answer of the service has some hundred dataclasses.
    """
    fields = dataclasses.fields(cls)
    required = frozenset(f.name for f in fields if _is_required(f))
    return typing.get_type_hints(cls), frozenset(f.name for f in fields), required


def _is_required(field: dataclasses.Field[typing.Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _item_types(annotation: object, length: int) -> tuple[object, ...]:
    args = typing.get_args(annotation)
    return (args[0],) * length if len(args) == 2 and args[1] is Ellipsis else args
