"""Small questions about JSON values."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit


def is_text(value: Any) -> bool:
    """A string with something to read in it."""
    return isinstance(value, str) and bool(value.strip())


def is_absolute(value: Any) -> bool:
    """A URL with a scheme and a host."""
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc) and not set(value) & set(' \n\t<>"')


def show(value: Any) -> str:
    """The value for a fault, cut to 40 characters."""
    text = "absent" if value is None else repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of an array; empty where it is no array."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def is_array_of_objects(value: Any) -> bool:
    """An array that holds objects only."""
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def holes(value: Any, path: str = "", *, may_be_empty: frozenset[str]) -> Iterator[str]:
    """Paths of values that are null or empty.

    Args:
        may_be_empty: paths at which an empty array has a meaning of its own.
    """
    if value is None or (value in ("", [], {}) and path not in may_be_empty):
        yield path or "the body"
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from holes(one, f"{path}.{name}" if path else name, may_be_empty=may_be_empty)
    elif isinstance(value, list):
        # FHIR fills arrays of primitive values with null where only an extension is known.
        padded = any(one is not None for one in value)
        for number, one in enumerate(value, 1):
            if not (one is None and padded and "resource" in path):
                yield from holes(one, f"{path}[{number}]", may_be_empty=may_be_empty)


def named(value: Any, name: str) -> Iterator[Any]:
    """Every value that stands under this name, at any depth outside FHIR resources."""
    if isinstance(value, dict):
        for key, one in value.items():
            if key == name:
                yield one
            if key != "resource":
                yield from named(one, name)
    elif isinstance(value, list):
        for one in value:
            yield from named(one, name)
