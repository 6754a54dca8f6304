"""Frozen dataclasses to JSON values and named arrays, and back, without running stored code.

Also their JSON schema, made from their types.
"""

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping, Sequence

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


DIALECT = "https://json-schema.org/draft/2020-12/schema"
Words = Mapping[str, Sequence[str]]
"""Fields that take one of some words."""
_SIMPLE: dict[typing.Any, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}


def dataclass_schema(
    cls: typing.Any, definitions: dict[str, typing.Any], words: Words
) -> dict[str, typing.Any]:
    """Its schema; those of the dataclasses in it are added to `definitions`."""
    hints = typing.get_type_hints(cls)
    properties = {}
    for field in dataclasses.fields(cls):
        properties[field.name] = type_schema(hints[field.name], definitions, words)
        if field.name in words and hints[field.name] is str:
            properties[field.name] = {"enum": list(words[field.name])}
    return {
        "type": "object",
        "description": (cls.__doc__ or "").splitlines()[0],
        "properties": properties,
        "required": [field.name for field in dataclasses.fields(cls)],
        "additionalProperties": False,
    }


def type_schema(
    annotation: typing.Any, definitions: dict[str, typing.Any], words: Words
) -> dict[str, typing.Any]:
    """The schema of a field's type."""
    if annotation in _SIMPLE:
        return {"type": _SIMPLE[annotation]}
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        return {"anyOf": [type_schema(a, definitions, words) for a in arguments]}
    if annotation is type(None):
        return {"type": "null"}
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return {"type": "array", "items": type_schema(arguments[0], definitions, words)}
    if origin is tuple:
        items = [type_schema(a, definitions, words) for a in arguments]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "items": False}
    if annotation.__name__ not in definitions:
        definitions[annotation.__name__] = {}  # a type that holds itself would not end
        definitions[annotation.__name__] = dataclass_schema(annotation, definitions, words)
    return {"$ref": f"#/$defs/{annotation.__name__}"}
