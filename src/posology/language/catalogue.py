"""The texts that a clinician reads, in the language of the answer that is being made.

A text is written in English where it is used, as one sentence with named places:
`tr("Against {option}: {change}.").format(...)`. The English text is the key of the catalogue
`locales/LANGUAGE/LC_MESSAGES/posology.po`; `python -m docs.make.catalogue` keeps it current.
"""

import gettext
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from posology.errors import UserError

ENGLISH, GERMAN = "en", "de"
LANGUAGES = (ENGLISH, GERMAN)
LOCALES = Path(__file__).parent / "locales"
DOMAIN = "posology"
"""Name of the catalogue's files."""
_LANGUAGE: ContextVar[str] = ContextVar("language", default=ENGLISH)


@contextmanager
def in_language(language: str) -> Generator[None]:
    """Make an answer in a language, in this thread or task only; UserError if there is none."""
    if language not in LANGUAGES:
        raise UserError(f"language {language!r} is not one of {', '.join(LANGUAGES)}.")
    token = _LANGUAGE.set(language)
    try:
        yield
    finally:
        _LANGUAGE.reset(token)


def current_language() -> str:
    """The language of the answer that is being made; English if none was chosen."""
    return _LANGUAGE.get()


def tr(text: str) -> str:
    """The text in the language of the answer."""
    language = _LANGUAGE.get()
    return text if language == ENGLISH else _catalogue(language).gettext(text)


def tr_count(one: str, many: str, count: int) -> str:
    """The text of one thing, or of several, in the language of the answer."""
    language = _LANGUAGE.get()
    if language == ENGLISH:
        return one if count == 1 else many
    return _catalogue(language).ngettext(one, many, count)


def deferred(text: str) -> str:
    """The text itself: a constant that the catalogue must have, and that is translated later."""
    return text


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, LOCALES, [language])
