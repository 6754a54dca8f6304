"""The pattern of a value that may identify a patient, to show instead of the value itself."""

MAX_PATTERN = 24
"""Characters of a pattern that are shown (our choice)."""


def value_pattern(text: str) -> str:
    """`99/99/9999` of `24/12/1950`, `Aaaa 9` of `Müller 7`: each kind of character, runs cut to 4.

    A digit is 9, a small letter a, a capital A, a line end a space; others stand for themselves.
    """
    pattern = ""
    for character in text[: 16 * MAX_PATTERN]:
        kind = _kind(character)
        if not (kind in "aA" and pattern.endswith(kind * 4)):
            pattern += kind
        if len(pattern) > MAX_PATTERN:
            return pattern[:MAX_PATTERN] + "..."
    return pattern


def _kind(character: str) -> str:
    if character.isdigit():
        return "9"
    if character.isalpha():
        return "A" if character.isupper() else "a"
    return character if character.isprintable() and character.isascii() else " "


def without_value(text: str, value: str) -> str:
    """The text with the value's pattern where Python's errors quote the value."""
    return text.replace(repr(value), repr(value_pattern(value)))
