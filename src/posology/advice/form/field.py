"""The patient's form: one typed field for each fact that a model uses."""

from dataclasses import dataclass

from posology.domain.standard_facts import StandardFact

STATIC, DATED, EITHER, UNKNOWN = "static", "dated", "either", "unknown"
"""Whether the fact had a date in training; `unknown`: the policy was saved without telling."""


FOLDED = 12
"""Choices that the line of a field names; of more it names the most common. Our choice."""


@dataclass(frozen=True, slots=True)
class Limits:
    """A closed range; None: no limit."""

    low: float | None = None
    high: float | None = None

    def contains(self, value: float) -> bool:
        """Whether the value lies in the range."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    def describe(self, unit: str = "") -> str:
        """The range in words: `from 100 to 250 cm`."""
        parts = (("from", self.low), ("to", self.high))
        words = " ".join(f"{word} {bound:g}" for word, bound in parts if bound is not None)
        words = words if self.low is not None else words.replace("to", "at most")
        return f"{words} {unit}".strip()


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One fact of the form, and the codes that its values become."""

    name: str
    """In words: the key in the file."""
    stem: str
    """Its code in the records, or the prefix of its codes; also accepted as the key."""
    kind: str
    """`number`; `age`, in years; `choice`; `yes_no`, which also takes true and false."""
    choices: tuple[tuple[str, str], ...] = ()
    """Of `choice` and `yes_no`: each value and its code; "" stands for no event, as in training."""
    titles: tuple[str, ...] = ()
    """Of `choice`: the name of each value in words, "" if it has none."""
    unit: str = ""
    """Unit of the number in the records."""
    limits: Limits = Limits()
    """Numbers outside cannot be right."""
    seen: Limits = Limits()
    """Numbers beyond which fewer than five training patients had one."""
    timing: str = STATIC
    days_before: float | None = None
    """Median days from the fact to the decision in training."""
    several: bool = False
    """Whether a patient may have several values at once."""
    required: bool = False
    """Whether there is no advice without it."""
    is_usual: bool = False
    """Whether nearly all training patients had it: without it there may be no answer."""
    may_be_unknown: bool = False
    """Whether a needed fact may be stated as not known, in words: then there is advice."""
    age_as: str = ""
    """Of `age`: what the records hold, `decades`, `years` or the date of `birth`."""
    role: str = ""
    """`sex` where the study marks it so: common short forms are read, other words refused."""
    is_listed: bool = True
    """Whether a blank form has the field; the others are other ways to name the same facts."""


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """The facts of one policy's patients."""

    study: str
    fields: tuple[Field, ...]
    codes: frozenset[str]
    """Every code that is used: the vocabulary, and what it is derived from."""
    families: tuple[str, ...]
    """Prefixes of the codes that the study reads as facts."""
    required: tuple[tuple[str, str], ...] = ()
    """Prefixes without which there is no advice, and their names."""
    may_be_unknown: tuple[str, ...] = ()
    """Those of `required` that a form may state as not known."""
    names: tuple[tuple[str, str], ...] = ()
    """Names of codes that have no field."""
    safety: tuple[str, ...] = ()
    """Prefixes of codes that safety rules read, whether the model knows them or not."""
    standard: tuple[StandardFact, ...] = ()
    """How facts are found under the codes of other systems."""
    vectors: tuple[tuple[str, int], ...] = ()
    """Models of images whose vectors are facts, and the length of each."""


def normalise(key: str) -> str:
    """A key or value without differences of case, spaces and underscores."""
    return " ".join(key.replace("_", " ").casefold().split())
