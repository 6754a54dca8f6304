"""Error messages without what the caller sent: a message may be logged by whoever receives it."""

import re
from typing import Any

_SHORT = 3
"""Characters up to which a text says nothing about anybody: `yes`, `A/A`."""


def scrub(message: str, given: Any) -> str:
    """The message, in which texts, names of facts and long numbers of the patient are `[...]`."""
    texts = {text for text in _texts(given) if len(text) > _SHORT}
    for text in sorted(texts, key=len, reverse=True):
        message = message.replace(repr(text)[1:-1], "[...]").replace(text, "[...]")
    return re.sub(r"\d{5,}", "[...]", message)


def _texts(value: Any) -> list[str]:
    """Every text in JSON values; of a table, none: its codes are no identity."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return []
