"""The question, written down once: who, when, which options, towards which outcome."""

from dataclasses import dataclass

from posology.domain.formulary import DoseRange, Formulary
from posology.domain.formulas import Formula


@dataclass(frozen=True, slots=True)
class Decision:
    """When the choice is made."""

    codes: tuple[str, ...]
    """Codes (prefixes) that mark time zero."""
    which: str
    """`first`: one decision a patient; `every`: each one in order, a trajectory."""
    eligible: tuple[str, ...] = ()
    """Codes of which one must be visible at time zero; none asked where empty."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it, and what effective means."""

    codes: tuple[str, ...]
    unit: str
    kind: str
    """`dose_class`: the outcome is the dose that proved right, so the best option is known."""
    within_days: float
    """How long after time zero the outcome may come; without it follow-up is incomplete."""


@dataclass(frozen=True, slots=True)
class Reward:
    """What each option earns, given which option was right."""

    table: tuple[tuple[float, ...], ...]
    """table[right option][chosen option], each between its row's worst and 1."""
    source: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A guideline as a policy: a fixed dose, or a named formula."""

    name: str
    kind: str
    """`fixed` or `formula`."""
    source: str
    dose: float | None = None
    formula: Formula | None = None


@dataclass(frozen=True, slots=True)
class ProfileSpec:
    """Which events make the profile."""

    families: tuple[str, ...]
    """Code prefixes that may be features; everything else never is."""
    minimum_patients: int
    """A code seen in fewer training patients is left out of the vocabulary."""
    refit: tuple[Formula, ...] = ()
    """Formulas refitted on the training split, whose answers are events of the profile."""
    fill_groups: tuple[tuple[str, ...], ...] = ()
    """Groups whose training means fill a formula's missing numbers, most particular first."""


@dataclass(frozen=True, slots=True)
class Split:
    """Shares of the patients, by a stable hash of the subject."""

    train: float
    validation: float
    test: float
    salt: str


@dataclass(frozen=True, slots=True)
class Study:
    """A target trial (Hernán and Robins 2016, doi:10.1093/aje/kwv254) that a computer can run."""

    name: str
    title: str
    purpose: str
    limits: str
    decision: Decision
    formulary: Formulary
    outcome: Outcome
    reward: Reward
    rules: tuple[Rule, ...]
    profile: ProfileSpec
    split: Split
    dose: DoseRange | None
    subgroups: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Named families by which the report breaks errors down."""
