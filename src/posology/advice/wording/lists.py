"""Names in a row within a sentence."""

from collections.abc import Sequence
from functools import reduce

from posology.language.catalogue import tr


def either(names: Sequence[str]) -> str:
    """`A, B or C`."""
    return _with_last(names, tr("{first} or {last}"))


def listed(names: Sequence[str]) -> str:
    """`A, B and C`."""
    return _with_last(names, tr("{first} and {last}"))


def both(names: Sequence[str]) -> str:
    """`A and B and C`."""
    pair = tr("{first} and {last}")
    return reduce(lambda first, last: pair.format(first=first, last=last), names) if names else ""


def either_of(names: Sequence[str]) -> str:
    """`A or B or C`."""
    pair = tr("{first} or {last}")
    return reduce(lambda first, last: pair.format(first=first, last=last), names) if names else ""


def _with_last(names: Sequence[str], pair: str) -> str:
    if len(names) < 2:
        return "".join(names)
    return pair.format(first=", ".join(names[:-1]), last=names[-1])
