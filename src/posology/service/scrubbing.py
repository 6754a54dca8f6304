"""Error messages without what the caller sent: a message may be logged by whoever receives it."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from posology.advice.form.field import Form, normalise
from posology.advice.form.values import shown
from posology.domain.codes import has_prefix
from posology.domain.images import IMAGE
from posology.records.pipeline.units import is_known_unit

_SHORT = 3
"""Characters up to which a text says nothing about anybody: `yes`, `A/A`."""
_AFTER_NUMBER = re.compile(r"[-+]?[\d.,]+(?:[eE][-+]?\d+)?\s*")
"""The number that a unit may follow."""
_NEAR = 0.75
"""Likeness from which a key is a slip in a field's name (difflib's ratio). Our choice: below it a
person's name might be like a fact's."""
_KEYS = frozenset(
    {
        *("posology", "study", "how", "fields", "decision", "facts", "events", "schema"),
        *("value", "date", "unit", "code", "time", "form", "bundle"),
        *("numeric value", "text value", "resourcetype", "entry", "resource"),
        *("model", "patient id", "at", "reasons", "since", "outcomes", "key", "observed at"),
        *("answer", "reason", "digest"),
    }
)
"""Keys of forms and Bundles, normalised: they are ours, not the caller's."""


def scrub(message: str, given: Any, form: Form) -> str:
    """The message with `[...]` for texts, unknown keys and long numbers of what was given.

    Keys that are nearly a field's name stay: who sent them must see which is meant.
    """
    known = _KEYS | {normalise(word) for f in form.fields for word in (f.name, f.stem)}
    sent = _texts(given, known)
    pictures = {code for code in form.codes if has_prefix(code, IMAGE)}  # of nobody alone
    sent = [text for text in sent if text not in pictures]
    texts = {part for text in sent for part in _as_repeated(text) if len(part) > _SHORT}
    texts -= {part for code in pictures for part in code.split("//")}
    for text in sorted(texts, key=len, reverse=True):
        message = message.replace(repr(text)[1:-1], "[...]").replace(text, "[...]")
    return re.sub(r"\d{5,}", "[...]", message)


def _as_repeated(text: str) -> Iterator[str]:
    """The ways in which an error repeats a text: whole, cut, or what follows its number."""
    plain = " ".join(text.split())
    yield from (text, plain, shown(text).removesuffix("...").strip("'\""))
    number = _AFTER_NUMBER.match(plain)
    unit = plain if number is None else plain[number.end() :]
    if unit != plain and not is_known_unit(unit):
        yield unit


def nearest_of_ours(key: str) -> str:
    """The key of the API that a request's key is, or is spelled nearly as; empty if none."""
    own = normalise(key)
    near = get_close_matches(own, _KEYS, n=1, cutoff=_NEAR)
    return (near[0] if near else "").replace(" ", "_")


def _is_like(key: str, known: frozenset[str] | set[str]) -> bool:
    """Whether a key is known or a slip in one that is: it then says nothing about anybody."""
    own = normalise(key)
    return own in known or bool(get_close_matches(own, known, n=1, cutoff=_NEAR))


def _texts(value: Any, known: frozenset[str] | set[str]) -> Iterator[str]:
    """Every text in JSON values, and every key that is not known."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (key for key in value if not _is_like(str(key), known))
        for item in value.values():
            yield from _texts(item, known)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, known)
