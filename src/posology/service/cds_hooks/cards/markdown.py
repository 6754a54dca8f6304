"""Texts as GitHub Flavored Markdown without HTML, and short enough for a summary."""

import re
from typing import Any

LONGEST_SUMMARY = 139
"""Characters: fewer than 140, says the specification."""
_SPECIAL = re.compile(r"([\\`*\[\]|~])")
_UNDERSCORE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_ENTITY = re.compile(r"&(?=#?\w+;)")


def escape(text: str) -> str:
    """The text, so that it reads as it is: no emphasis, links, tables or HTML come of it."""
    text = " ".join(text.split())
    text = _ENTITY.sub("&amp;", text).replace("<", "&lt;")
    return _UNDERSCORE.sub(r"\\_", _SPECIAL.sub(r"\\\1", text))


def table(heads: list[str], rows: list[list[str]]) -> str:
    """A table of escaped cells."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell or ' ' for cell in line)} |" for line in lines)


def shorten(text: str, most: int = LONGEST_SUMMARY) -> str:
    """The text in one line of at most so many characters, cut after a word."""
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    return f"{cut.rsplit(' ', 1)[0] or cut}…"


def without_empty(value: Any) -> Any:
    """JSON values without null, empty texts, lists and objects, at any depth."""
    if isinstance(value, dict):
        pairs = ((key, without_empty(item)) for key, item in value.items())
        return {key: item for key, item in pairs if not _is_empty(item)}
    if isinstance(value, list):
        items = [without_empty(item) for item in value]
        return [item for item in items if not _is_empty(item)]
    return value


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | dict) and not value)
