"""A mistake in JSON that a person wrote, in words that say what to change."""

import re
from json import JSONDecodeError

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


def describe_json_mistake(error: JSONDecodeError) -> str:
    """Line, column and mend, such as `line 3, column 9: a comma is missing before this`.

    No text of the file is repeated: it may be a patient's.
    """
    return f"line {error.lineno}, column {error.colno}: {_mend(error)}"


def _mend(error: JSONDecodeError) -> str:
    for start, mend in _BY_MESSAGE.items():
        if error.msg.startswith(start):
            return mend
    before, found = error.doc[: error.pos].rstrip(), error.doc[error.pos :].lstrip()
    for left, right, mend in _BY_PLACE:
        if left.search(before) and right.match(found):
            return mend
    mends = (mend for start, mend in _EXPECTED.items() if error.msg.startswith(start))
    return next(mends, error.msg)
