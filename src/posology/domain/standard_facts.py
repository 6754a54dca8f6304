"""Facts of a study as other systems send them: under standard codes, or as a date of birth."""

from dataclasses import dataclass
from functools import lru_cache

from posology.domain.codes import has_prefix

NUMBER, CODE = "number", "code"
AGE_DECADES, AGE_YEARS = "age_decades", "age_years"
_OBSERVED = ("MEASUREMENT", "OBSERVATION")
"""Families of one result: which of them depends on the category that a sender gives it."""


@dataclass(frozen=True, slots=True)
class StandardFact:
    """A fact of the study, and the codes under which other systems send it."""

    fact: str
    """The study's own code."""
    sent_as: tuple[str, ...]
    """Prefixes of codes. `LOINC//29463-7` stands for a measurement or another observation."""
    how: str = NUMBER
    """NUMBER: the latest number, in `unit`; AGE_DECADES and AGE_YEARS: the age at the decision,
    from a date of birth; CODE: one of the codes says that the fact is so."""
    unit: str = ""
    within_days: float | None = None
    """Older numbers and codes are not taken; None: however old they are."""

    @property
    def codes(self) -> tuple[str, ...]:
        """`sent_as` with families."""
        return tuple(full for code in self.sent_as for full in _with_family(code))

    def is_sent_as(self, code: str) -> bool:
        """Whether the code of an event is one of those."""
        return _is_any_of(code, self.sent_as)


@lru_cache(maxsize=65_536)
def _is_any_of(code: str, sent_as: tuple[str, ...]) -> bool:
    return any(has_prefix(code, full) for one in sent_as for full in _with_family(one))


def _with_family(code: str) -> tuple[str, ...]:
    """The code itself; of a system's code without a family, the two of results."""
    if code.partition("//")[0] not in _SYSTEMS:
        return (code,)
    return tuple(f"{family}//{code}" for family in _OBSERVED)


_SYSTEMS = frozenset({"LOINC", "SNOMED"})


def other_family(code: str) -> str:
    """The same result under the other of its two families; "" if it is no result."""
    family, _, rest = code.partition("//")
    if family not in _OBSERVED:
        return ""
    return f"{_OBSERVED[1 - _OBSERVED.index(family)]}//{rest}"
