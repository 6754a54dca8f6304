"""What was found out of sample when a policy was fitted, kept in its artifact for every answer."""

from dataclasses import dataclass

from posology.domain.recommendation.option import Estimate


@dataclass(frozen=True, slots=True)
class HarmEvidence:
    """A harm or cost of an option in the analysis population."""

    name: str
    unit: str
    value: Estimate | None
    difference: Estimate | None
    """Minus the reference's."""
    reason: str = ""
    """Why it is not estimated."""


@dataclass(frozen=True, slots=True)
class OptionEvidence:
    """An option in the analysis population: mean outcome, difference to the reference, harms."""

    name: str
    patients: int
    """Given it."""
    effective_sample_size: float
    value: Estimate | None
    difference: Estimate | None
    """Minus the reference's; None of the reference itself."""
    harms: tuple[HarmEvidence, ...]
    is_judged: bool
    reason: str
    """Why it cannot be judged."""


@dataclass(frozen=True, slots=True)
class PairEvidence:
    """The difference of two options in the analysis population."""

    first: str
    second: str
    difference: Estimate
    """First minus second; the intervals of all pairs hold together."""


@dataclass(frozen=True, slots=True)
class GroupEvidence:
    """Gain of the rule over the best single option in one group of patients."""

    family: str
    group: str
    patients: int
    gain: Estimate | None


@dataclass(frozen=True, slots=True)
class StudyEvidence:
    """The effect study's findings. Values are patients of 100 for events, else in the unit."""

    verdict: str
    """`gain`, `none` or `unjudged`: whether choosing by the patient is shown to gain."""
    sentence: str
    """The verdict in words."""
    reference: str
    """Name of the option that is the control; empty if it is usual care, treatment as observed."""
    reference_value: Estimate | None
    unit: str
    is_randomised: bool
    decisions: int
    patients: int
    outside_share: float
    """Share of decisions outside the analysis population."""
    heterogeneity_p: float
    options: tuple[OptionEvidence, ...]
    groups: tuple[GroupEvidence, ...]
    pairs: tuple[PairEvidence, ...] = ()
    """Of judged options; empty in policies saved before pairs were kept."""


@dataclass(frozen=True, slots=True)
class ProbabilityBin:
    """Patients whose class was predicted with a similar probability, and how often it was right."""

    predicted: float
    """Mean of the predicted probabilities, 0 to 1."""
    observed: Estimate
    """Of 100 patients."""
    patients: int


@dataclass(frozen=True, slots=True)
class RuleError:
    """A rule of the study file, on the same patients as the policy."""

    name: str
    error: Estimate
    """Mean absolute error of its dose."""
    difference: Estimate
    """Of the policy minus that of the rule; below 0 where the policy is nearer."""


@dataclass(frozen=True, slots=True)
class DoseEvidence:
    """Errors of the dose where the right one is known, on validation patients."""

    unit: str
    patients: int
    error: Estimate | None
    """Mean absolute error of the policy's dose; None if it gives none."""
    rules: tuple[RuleError, ...]
    calibration: tuple[ProbabilityBin, ...]
    """Of the probability that each class of dose is the right one, all classes together."""
