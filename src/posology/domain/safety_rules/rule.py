"""Safety rules as data: conditions on a patient's facts, what follows, and where it is from."""

from dataclasses import dataclass

FORBID, WARN, LIMIT, RECOMMEND = "forbid", "warn", "limit", "recommend"
EFFECTS = (FORBID, WARN, LIMIT, RECOMMEND)
"""What follows where a rule's conditions hold: the option is forbidden, the reader is warned, the
option's dose is limited, or the option is recommended (shown, and compared with other packs)."""

KINDS = (
    "contraindication",
    "interaction",
    "duplicate",
    "allergy",
    "dose_limit",
    "recommendation",
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One condition: a code is recorded, or the last number of the codes lies in a closed range.

    A missing number is unknown. A missing code means no, unless `known_by` is given.
    """

    codes: tuple[str, ...]
    name: str = ""
    """In words; "": the names of the codes."""
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    unit: str = ""
    is_age: bool = False
    """Whether the number is the age in years; `codes` are then those of birth."""
    within_days: float | None = None
    """Only events of so many days before the decision count; an older number is unknown."""
    known_by: tuple[str, ...] = ()
    """Codes that show that it was looked for: without any of them a missing code is unknown."""

    @property
    def is_number(self) -> bool:
        """Whether it is a condition on a number."""
        bounds = (self.at_least, self.above, self.at_most, self.below)
        return any(bound is not None for bound in bounds)


@dataclass(frozen=True, slots=True)
class Criterion:
    """Who is in a study: patients of whom a fact holds, or is not known to hold."""

    fact: Fact
    holds: bool = True
    """False: the fact must not hold."""


@dataclass(frozen=True, slots=True)
class DoseLimit:
    """The doses that a rule leaves, in the option's unit."""

    at_most: float | None = None
    at_least: float | None = None
    unit: str = ""
    per: tuple[str, ...] = ()
    """Codes of a number, such as weight, by whose last value both bounds are multiplied."""
    per_name: str = ""


@dataclass(frozen=True, slots=True)
class SafetyRule:
    """A rule for some options of a study: `all_of` hold, and one of `any_of`, and none of `unless`.

    Without `all_of` and `any_of` it always applies.
    """

    name: str
    kind: str
    """One of KINDS."""
    effect: str
    """One of EFFECTS."""
    options: tuple[str, ...]
    """Names in the study."""
    meaning: str
    """What it means for the patient: a whole sentence."""
    source: str
    """Publication or label."""
    strength: str = ""
    """Such as `contraindicated`; empty if the source grades nothing."""
    any_of: tuple[Fact, ...] = ()
    all_of: tuple[Fact, ...] = ()
    unless: tuple[Fact, ...] = ()
    dose: DoseLimit | None = None
    """Of effect LIMIT."""
    pack: str = ""
    """Name of its knowledge pack; empty for a rule of the study file."""
    version: str = ""
    """Version of the pack."""


@dataclass(frozen=True, slots=True)
class SafetyPack:
    """Where some rules are from, and until when they hold."""

    name: str
    title: str
    version: str
    date: str
    """Of this version, ISO 8601."""
    expires: str
    """Last day on which it is current, ISO 8601."""
    licence: str
    source: str
    reviewed_by: str
    """Who checked the rules; empty if nobody did."""
    sha256: str


IGNORE_UNKNOWN, BLOCK_UNKNOWN = "warn", "block"
REFUSE_EXPIRED = "refuse"


@dataclass(frozen=True, slots=True)
class SafetySpec:
    """The knowledge packs of a study, and what holds where a rule cannot be checked."""

    packs: tuple[SafetyPack, ...] = ()
    rules: tuple[SafetyRule, ...] = ()
    """The packs' rules that concern an option of the study."""
    on_unknown: str = IGNORE_UNKNOWN
    """`warn`: a rule whose facts are not known forbids nothing and is named; `block`: it counts as
    if its conditions held."""
    on_expired: str = "warn"
    """`warn`: expired packs are named; `refuse`: nothing is built or answered with them."""


NO_PACKS = SafetySpec()
