"""The recommendation shown to a clinician: options, doses, reasons, unknown facts, abstention."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Option:
    """One treatment, whether recommended or not."""

    name: str
    title: str
    chosen: float
    """Probability that the policy chooses it; sums to 1 over the options."""
    probability: float
    """P(effective), averaged over the ensemble members."""
    low: float
    high: float
    """Middle 95 % of the members: how much they disagree, not a confidence interval."""
    dose: float | None
    """Rounded to what can be dispensed, within the option's range; None if it has no dose."""
    unit: str | None
    allowed: bool
    """False if a safety rule forbids it."""


@dataclass(frozen=True, slots=True)
class DoseAdvice:
    """The study's single dose, the same for every option."""

    dose: float
    """Rounded to what can be dispensed, within the study's range."""
    exact: float
    """The model's prediction before rounding."""
    low: float
    high: float
    """Middle 95 % of the members: how much they disagree."""
    unit: str
    needed: tuple[float, float] | None = None
    """90 % prediction interval of the correct dose (domain/dose_interval.py); None if its width
    was not measured when the model was made."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One input and its contribution: the prediction with it minus the prediction without it."""

    code: str
    label: str
    log_odds: float
    """Contribution to the log-odds of the first option."""
    dose: float | None
    """Contribution to the dose."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Advice for one patient at one decision. Decision support, not a medical device."""

    study: str
    options: tuple[Option, ...]
    """Best first."""
    dose: DoseAdvice | None
    benefit: float
    """P(effective) of the first option minus that of the second."""
    reasons: tuple[Reason, ...]
    """Largest contribution first."""
    attention: tuple[tuple[str, float], ...]
    """Each visible step and its share of the attention; sums to 1."""
    unknown: tuple[str, ...]
    """Code families of the profile that this patient has no event of."""
    ignored: tuple[str, ...]
    """Codes of the patient that are not in the model's vocabulary."""
    warnings: tuple[str, ...]
    abstain: str | None
    """Why no option is recommended, if the evidence cannot separate the first from the next."""
