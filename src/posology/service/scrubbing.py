"""Error messages without what the caller sent: a message may be logged by whoever receives it."""

import re
from collections.abc import Iterator
from typing import Any

from posology.advice.form.field import Form, normalise

_SHORT = 3
"""Characters up to which a text says nothing about anybody: `yes`, `A/A`."""
_KEYS = frozenset(
    {
        *("posology", "study", "how", "fields", "decision", "facts", "events", "schema"),
        *("value", "date", "unit", "code", "time", "form", "bundle"),
        *("numeric value", "text value", "resourcetype", "entry", "resource"),
    }
)
"""Keys of forms and Bundles, normalised: they are ours, not the caller's."""


def scrub(message: str, given: Any, form: Form) -> str:
    """The message with `[...]` for texts, unknown keys and long numbers of what was given."""
    known = _KEYS | {normalise(word) for f in form.fields for word in (f.name, f.stem)}
    texts = {text for text in _texts(given, known) if len(text) > _SHORT}
    for text in sorted(texts, key=len, reverse=True):
        message = message.replace(repr(text)[1:-1], "[...]").replace(text, "[...]")
    return re.sub(r"\d{5,}", "[...]", message)


def _texts(value: Any, known: frozenset[str] | set[str]) -> Iterator[str]:
    """Every text in JSON values, and every key that is not known."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (key for key in value if normalise(str(key)) not in known)
        for item in value.values():
            yield from _texts(item, known)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, known)
