"""Sentences that were kept in English, such as those of a fit, in the language of the answer."""

import re
from collections.abc import Sequence

from posology.language.catalogue import tr
from posology.language.numbers import number

Patterns = Sequence[tuple[str, str]]
"""Regular expression of an English sentence, and its text with the same named places."""
_DECIMAL = re.compile(r"[-+]?\d+\.\d+(?:e[-+]?\d+)?")


def in_other_words(sentence: str, patterns: Patterns) -> str:
    """The sentence in the language of the answer; empty if it fits none of the patterns."""
    for pattern, text in patterns:
        found = re.fullmatch(pattern, sentence, re.DOTALL)
        if found:
            places = found.groupdict()
            numbers = {k: number(v) for k, v in places.items() if _DECIMAL.fullmatch(v)}
            return tr(text).format(**(places | numbers))
    return ""
