"""What a clinician is told: options, doses, reasons, what was unknown, and when not to be told."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """One treatment, as recommended or not."""

    name: str
    title: str
    chosen: float
    """Share with which the policy would choose it; the options' shares sum to 1."""
    probability: float
    """P(effective), the members' mean."""
    low: float
    high: float
    """Range of the middle 95 % of the members: how far they disagree, not a confidence interval."""
    dose: float | None
    """Rounded to what can be dispensed, inside the option's range; None where it has none."""
    unit: str | None
    allowed: bool
    """False where safety forbids it."""


@dataclass(frozen=True, slots=True)
class DoseAdvice:
    """How much, whatever the option."""

    dose: float
    """Rounded to what can be dispensed and inside the study's range."""
    exact: float
    """As the model says it."""
    low: float
    high: float
    """Range of the middle 95 % of the members: how far they disagree."""
    unit: str
    needed: tuple[float, float] | None = None
    """Between these lay the right dose of nine in ten patients (domain/dose_interval.py); None
    where the model's maker did not know."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One input and what it did: how the answer would change if it were not known."""

    code: str
    label: str
    log_odds: float
    """Added to the first option's log-odds by knowing it."""
    dose: float | None
    """Added to the dose by knowing it."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """For one patient at one decision. Decision support, not a device."""

    study: str
    options: tuple[Option, ...]
    """Best first."""
    dose: DoseAdvice | None
    benefit: float
    """P(effective) of the first option minus that of the second."""
    reasons: tuple[Reason, ...]
    """What mattered most first."""
    attention: tuple[tuple[str, float], ...]
    """Each visible step and the share of attention on it; they sum to 1."""
    unknown: tuple[str, ...]
    """Families of the profile of which nothing is known for this patient."""
    ignored: tuple[str, ...]
    """Codes of the patient that the model has never met, and so did not use."""
    warnings: tuple[str, ...]
    abstain: str | None
    """Why no option is recommended over the next, where the evidence cannot separate them."""
