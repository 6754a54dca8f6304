"""What is wrong with a request's fields in plain words: the shape of what was sent, never a value.

pydantic finds the errors; its words are for its own users (`model_attributes_type`).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

_WANTED = {
    **dict.fromkeys(("string_type",), "a text"),
    **dict.fromkeys(("float_type", "float_parsing", "decimal_type", "finite_number"), "a number"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type"), "a list"),
    **dict.fromkeys(
        ("dict_type", "model_type", "model_attributes_type", "dataclass_type"), "an object"
    ),
    **dict.fromkeys(
        (
            *("datetime_type", "datetime_parsing", "datetime_from_date_parsing"),
            *("datetime_object_invalid", "timezone_aware"),
        ),
        "a date and time with its zone, such as 2026-05-01T08:00:00Z",
    ),
    **dict.fromkeys(
        ("date_type", "date_parsing", "date_from_datetime_parsing"), "a date, such as 2026-05-01"
    ),
    "uuid_parsing": "a UUID",
}
"""What is to be sent instead, by pydantic's type of error."""
_SHAPES = (
    (bool, "true or false"),
    (str, "a text"),
    (int, "a number"),
    (float, "a number"),
    (Mapping, "an object"),
    (list | tuple, "a list"),
    (bytes, "no JSON"),
)
_PARTS = ("body", "query", "path", "header", "cookie")
"""First steps of FastAPI's paths."""


def is_no_json(item: Mapping[str, Any]) -> bool:
    """Whether a body was sent that FastAPI did not read as JSON: with another Content-Type."""
    return tuple(item["loc"]) == ("body",) and isinstance(item.get("input"), bytes)


def place_words(path: Sequence[int | str]) -> str:
    """The field, `outcomes.0.value`; the body itself is `the body`."""
    steps = [str(step) for step in path]
    if steps[:1] == ["body"]:
        return ".".join(steps[1:]) or "the body"
    if steps[:1] and steps[0] in _PARTS:
        return f"{steps[0]} {'.'.join(steps[1:])}"
    return ".".join(steps) or "the body"


def reason_words(item: Mapping[str, Any], near: str = "") -> str:
    """What is wrong with the field of an error, and the mend.

    Args:
        item: one of pydantic's errors.
        near: of a field that is not known, the known one that is spelled nearly so.
    """
    kind, given = item["type"], item.get("ctx") or {}
    wanted = _WANTED.get(kind)
    if wanted is not None:
        return f"{_shape_words(item)}; send {wanted}"
    if kind == "missing":
        return "is missing; send it"
    if kind == "extra_forbidden":
        hint = f"; did you mean {near}?" if near else "; take it out"
        return f"is no field of this request{hint}"
    if kind in ("literal_error", "enum"):
        return f"{_shape_words(item)}; send one of {given.get('expected', 'the values allowed')}"
    if kind == "string_pattern_mismatch":
        return f"is a text of another form; send one that matches {given['pattern']}"
    if kind in ("value_error", "assertion_error"):
        return str(item["msg"]).partition(", ")[2][:200] or "cannot be used"
    return _size_words(kind, given)


def _shape_words(item: Mapping[str, Any]) -> str:
    if "input" not in item:
        return "cannot be used"
    value = item["input"]
    if value is None:
        return "is null"
    if isinstance(value, float) and math.isnan(value):
        return "is no finite number"
    return next((f"is {words}" for kind, words in _SHAPES if isinstance(value, kind)), "is wrong")


def _size_words(kind: str, given: Mapping[str, Any]) -> str:
    """Too short, too long, too small, too large."""
    if kind == "string_too_short":
        least = given["min_length"]
        return "is empty; send a text" if least == 1 else f"has fewer than {least} characters"
    if kind == "string_too_long":
        return f"has more than {given['max_length']:,} characters; shorten it"
    if kind == "too_short":
        least = given["min_length"]
        return "is empty; send at least one" if least == 1 else f"has fewer than {least} entries"
    if kind == "too_long":
        return f"has more than {given['max_length']:,} entries; send them in several requests"
    bounds = {"greater_than_equal": "ge", "greater_than": "gt", "less_than_equal": "le"}
    if kind in bounds or kind == "less_than":
        side = "at least" if kind.startswith("greater") else "at most"
        return f"is out of range; send {side} {given[bounds.get(kind, 'lt')]}"
    return "cannot be used; /openapi.json says what it takes"
