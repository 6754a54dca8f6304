"""Parse TOML and JSON that people write, strictly: what cannot be held exactly is a ValueError."""

import json
import math
import tomllib
from typing import Any

from posology.records.io.json_mistakes import describe_json_mistake

_INT64 = range(-(2**63), 2**63)
MAX_DEPTH = 100
"""Levels of nesting that are read (our choice; study files need 4, a FHIR Bundle 20)."""


def parse_toml(text: str) -> dict[str, Any]:
    """The content of a TOML file; ValueError if it is not valid, too deep or beyond 64 bits."""
    try:
        content = tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"is nested deeper than {MAX_DEPTH} levels") from None
    _check(content)
    return content


def parse_json(text: str) -> Any:
    """The value of a JSON text; ValueError as for TOML, and for a key that is there twice.

    The message of a mistake in writing has the line, the column and what to change.
    """
    try:
        value = json.loads(
            text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_duplicates
        )
    except RecursionError:
        raise ValueError(f"is nested deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise ValueError(describe_json_mistake(error)) from error
    _check(value)
    return value


def _refuse_constant(constant: str) -> float:
    raise ValueError(f"{constant} is no number in JSON; write null if it is not known")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is there twice; keep one")
    return found


def _check(content: Any) -> None:
    """Raise ValueError at the first number or text that other programs cannot hold."""
    level: list[tuple[str, Any]] = [("", content)]
    for _ in range(MAX_DEPTH):
        deeper: list[tuple[str, Any]] = []
        for place, value in level:
            if isinstance(value, dict):
                deeper += [(str(key), key) for key in value] + list(value.items())
            elif isinstance(value, list):
                deeper += [(place, item) for item in value]
            else:
                _check_scalar(place, value)
        level = deeper
        if not level:
            return
    raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")


def _check_scalar(place: str, value: Any) -> None:
    name = place.encode("utf-8", "replace").decode()
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"{name!r} has half of a character (a lone surrogate); write it whole")
    if isinstance(value, int) and value not in _INT64:
        raise ValueError(f"{name!r} is an integer beyond 64 bits")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name!r} is no finite number of 64 bits; leave it out if there is none")
