"""Why: what separates the first option from another one, for this patient."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ContrastReason:
    """One fact, and what the difference between two options would be without it."""

    fact: str
    """Name in words, with the patient's value: `eGFR 38 mL/min/1.73 m²`."""
    code: str
    contribution: float
    """Change of the difference by the fact, in patients of 100 or the outcome's unit; positive
    speaks for the first option."""
    sentence: str
    """Whole sentence, such as `Without it the lead would be 3 of 100.`"""


@dataclass(frozen=True, slots=True)
class Contrast:
    """Reasons for the difference between the first option and another one."""

    first: str
    """Title of the first option."""
    other: str
    """Title of the other one: the next best, or the reference."""
    difference: float
    reasons: tuple[ContrastReason, ...]
    """Largest contribution first."""


@dataclass(frozen=True, slots=True)
class DoseReason:
    """One fact, and what the dose would be without it."""

    fact: str
    """Name in words, with the patient's value."""
    code: str
    contribution: float
    """The dose minus the dose without the fact, in the dose's unit."""
    sentence: str


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """A change of one or two facts that would put another option first."""

    sentence: str
    """`If eGFR were above 45, sulfonylurea would come first.`"""
    codes: tuple[str, ...]
    option: str
    """Name of the option that would come first."""


@dataclass(frozen=True, slots=True)
class SimilarPatients:
    """What patients like this one were given, and what came of it: counts, not adjusted."""

    option: str
    """Title."""
    patients: int | None
    """None where fewer than 5, which is not shown."""
    reached_goal: int | None
    """None where fewer than 5 patients, where the outcome is not yes or no, and where some left
    before an event was settled (`goal_share`)."""
    mean: float | None
    """Mean outcome where it is a number."""
    unit: str = ""
    """Of the mean."""
    is_change: bool = False
    """Whether the mean is of the change since the decision."""
    goal_share: float | None = None
    """Share that reaches the goal by Kaplan and Meier's estimate, where some left before."""
    followed: int | None = None
    """Followed to the end, nothing having settled the goal before; 0 also where fewer than 5,
    which is too few for a figure; None where nobody left."""
    goal_low: float | None = None
    """95 % interval of the share that reaches the goal, by Wilson: of the count, or of as many as
    the weights of Kaplan and Meier's estimate are worth (Kish 1965). None where neither is shown,
    and of a policy that was saved without this number."""
    goal_high: float | None = None


@dataclass(frozen=True, slots=True)
class SurrogateRule:
    """A shallow tree that imitates the policy, and how often both choose the same option."""

    lines: tuple[str, ...]
    """Its rules in words, those that this patient meets first."""
    fidelity: float
    """Share of validation patients for whom both choose the same option."""


@dataclass(frozen=True, slots=True)
class Why:
    """All reasons; empty parts were not asked for or cannot be given."""

    contrasts: tuple[Contrast, ...] = ()
    counterfactuals: tuple[Counterfactual, ...] = ()
    similar: tuple[SimilarPatients, ...] = ()
    surrogate: SurrogateRule | None = None
    attention: tuple[tuple[str, float], ...] = ()
    """Where the model looked: each visible step and its share. It is not the reason."""
    dose: tuple[DoseReason, ...] = ()
    """Reasons for the study's single dose, largest contribution first."""
