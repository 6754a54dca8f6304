"""One option as a clinician reads it: benefit, harms, cost and dose, against the reference."""

from dataclasses import dataclass

REFERENCE = "reference"
BETTER, WORSE, NO_CLEAR_DIFFERENCE = "better", "worse", "no_clear_difference"
NOT_ESTIMATED, FORBIDDEN = "not_estimated", "forbidden"
STANDINGS = (REFERENCE, BETTER, WORSE, NO_CLEAR_DIFFERENCE, NOT_ESTIMATED, FORBIDDEN)
"""How an option stands against the reference. Better and worse only where the 95 % interval of the
difference excludes 0."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval: patients of 100 for events, else in the outcome's unit."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class HarmAdvice:
    """A harm or cost with an option: of 100 patients like this one, or the mean in its unit."""

    name: str
    unit: str
    """Empty for events, which are counted of 100 patients."""
    value: Estimate | None
    """None where nothing can be said; `standing` is then NOT_ESTIMATED."""
    difference: Estimate | None
    """Minus the reference's."""
    standing: str
    """BETTER means fewer, or cheaper."""


@dataclass(frozen=True, slots=True)
class DoseAdvice:
    """A dose, two intervals of the right one, and the range that the data support."""

    dose: float
    """Rounded to what can be dispensed, within `supported`."""
    unit: str
    exact: float
    """The model's dose before rounding."""
    supported: tuple[float, float]
    """Within the study's range and what training patients were given."""
    plan_for: tuple[float, float] | None = None
    """Narrow prediction interval of the right dose; None if its width was not measured."""
    ready_for: tuple[float, float] | None = None
    """Wide one, which also covers patients of every band of the right dose."""
    coverage: float | None = None
    """Nominal coverage of both, such as 0.8."""
    usual: float | None = None
    """Dose of usual care for this patient, if the study has a rule for it."""


@dataclass(frozen=True, slots=True)
class OptionAdvice:
    """One treatment, usual care, or no change."""

    name: str
    """Name in the study file; `usual_care` and `no_change` for the two that are always listed."""
    title: str
    standing: str
    """One of STANDINGS, of the outcome against the reference."""
    outcome: Estimate | None
    """Of 100 patients like this one, how many reach the goal; or the mean in the outcome's unit."""
    difference: Estimate | None
    """Minus the reference's."""
    harms: tuple[HarmAdvice, ...]
    dose: DoseAdvice | None
    similar_patients: int | None
    """Training patients like this one who were given it; None if not measured."""
    remarks: tuple[str, ...] = ()
    """Why it is forbidden or not estimated, with the source: whole sentences."""
    choice_share: float = 0.0
    """Probability that the policy chooses it. For evaluation and records; never shown as doubt."""
