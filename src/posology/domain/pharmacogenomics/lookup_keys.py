"""Keys by which recommendations are looked up: a phenotype, a score, or a range of scores."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from posology.domain.pharmacogenomics.phenotypes import number_text

_NUMBER = r"(\d+(?:\.\d+)?)"
_BOUND = re.compile(rf"(≥|>=|>|≤|<=|<)\s*{_NUMBER}")
_SPAN = re.compile(rf"{_NUMBER}\s*(?:-|\u2013|to)\s*{_NUMBER}")
_INFINITY = float("inf")


def matching_keys(own: Iterable[str], keys: Iterable[str]) -> set[str]:
    """The keys that a patient's own say: the same, else the narrowest ranges around the score.

    A score that is itself a range (`≥3.0`, copies not counted to the end) must lie within the key.
    """
    mine = {normal_key(text) for text in own}
    same = {key for key in keys if normal_key(key) in mine}
    settled = {normal_key(key) for key in same}
    scores = [found for text in mine - settled if (found := _read_range(text)) is not None]
    ranges = {key: found for key in keys if (found := _read_range(normal_key(key))) is not None}
    return same | {key for score in scores for key in _narrowest(score, ranges)}


def normal_key(text: str) -> str:
    """One spelling of a name or key: lower case, spaces, numbers as 1.0."""
    return number_text(re.sub(r"[\s_]+", " ", text.strip()).lower())


@dataclass(frozen=True, slots=True)
class _Range:
    """Scores between two ends; each end is a number and whether it is left out."""

    low: tuple[float, bool]
    high: tuple[float, bool]

    def holds(self, other: "_Range") -> bool:
        """Whether every score of the other lies within."""
        ends = [(high, not is_open) for high, is_open in (self.high, other.high)]
        return self.low <= other.low and ends[0] >= ends[1]


def _read_range(text: str) -> _Range | None:
    """A score or a range of scores; None of any other key."""
    if found := _BOUND.fullmatch(text):
        sign, end = found[1], float(found[2])
        if sign in ("≥", ">=", ">"):
            return _Range((end, sign == ">"), (_INFINITY, False))
        return _Range((-_INFINITY, False), (end, sign == "<"))
    if found := _SPAN.fullmatch(text):
        return _Range((float(found[1]), False), (float(found[2]), False))
    if re.fullmatch(_NUMBER, text):
        return _Range((float(text), False), (float(text), False))
    return None


def _narrowest(score: _Range, ranges: dict[str, _Range]) -> set[str]:
    around = {key: found for key, found in ranges.items() if found.holds(score)}
    return {
        key
        for key, found in around.items()
        if not any(found != other and found.holds(other) for other in around.values())
    }
