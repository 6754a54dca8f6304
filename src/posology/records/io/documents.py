"""Parse TOML and JSON that people write, strictly: what cannot be held exactly is a ValueError."""

import json
import math
import re
import tomllib
from typing import Any

_INT64 = range(-(2**63), 2**63)
MAX_DEPTH = 100
"""Levels of nesting that are read (our choice; study files need 4, a FHIR Bundle 20)."""

_BY_PLACE = (
    (re.compile(",$"), re.compile(r"[}\]]"), "remove the comma before this bracket"),
    (
        re.compile(r"\d,$"),
        re.compile(r"\d"),
        "write a number with a point, as 0.5, not with a comma",
    ),
    (
        re.compile(""),
        re.compile("['\u201c\u201d\u201e]"),
        'names and texts stand in plain double quotes, as in "age"',
    ),
    (re.compile(""), re.compile("$"), "the file ends too early: a closing } or ] is missing"),
)
"""What stands before the place, what stands at it, and the mend; the first that fits."""
_BY_MESSAGE = {
    "Extra data": "the first value ends before this; remove what follows it",
    "Unterminated string": "this text has no closing double quote",
    "Invalid control character": "this text goes over the end of a line; keep it on one line",
    "Invalid \\": "write \\\\ for one backslash",
    "Illegal trailing comma": "remove this comma",  # Python 3.13
}
"""By the start of Python's message, where it tells what is wrong."""
_EXPECTED = {
    "Expecting ',' delimiter": "a comma is missing before this",
    "Expecting ':' delimiter": 'a colon is missing between a name and its value, as "age": 61',
    "Expecting property name": 'a name in double quotes is needed here, as in "age"',
    "Expecting value": "a value is needed here: a number, a text in double quotes, or true, false "
    "or null in small letters",
}
"""By the start of Python's message, where it tells what it looked for."""


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
        raise ValueError(_describe_mistake(error)) from error
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


def _describe_mistake(error: json.JSONDecodeError) -> str:
    """Line, column and mend, such as `line 3, column 9: a comma is missing before this`.

    No text of the file is repeated: it may be a patient's.
    """
    return f"line {error.lineno}, column {error.colno}: {_mend(error)}"


def _mend(error: json.JSONDecodeError) -> str:
    for start, mend in _BY_MESSAGE.items():
        if error.msg.startswith(start):
            return mend
    before, found = error.doc[: error.pos].rstrip(), error.doc[error.pos :].lstrip()
    for left, right, mend in _BY_PLACE:
        if left.search(before) and right.match(found):
            return mend
    mends = (mend for start, mend in _EXPECTED.items() if error.msg.startswith(start))
    return next(mends, error.msg)
