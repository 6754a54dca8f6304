"""The recommendation for one patient: the one object that text, JSON, pages and service show."""

from dataclasses import dataclass, replace

from posology.domain.recommendation.findings import Certainty, KnownFact, MissingFact, SafetyFinding
from posology.domain.recommendation.option import DoseAdvice, OptionAdvice
from posology.domain.recommendation.planned import PlannedCourses
from posology.domain.recommendation.why import Why

BETTER_FOR_PATIENT = "better"
"""The first option is shown better than the reference and than the next option."""
BETTER_THAN_REFERENCE = "better_than_reference"
"""Some options are shown better than the reference; between them there is no clear difference."""
NO_OPTION_BETTER = "no_option_better"
DOSE_ONLY = "dose"
"""The study's answer is a dose (`dose_class`): the right one is known afterwards."""
TOO_FEW_ALIKE, OUTSIDE_TRAINING, UNSURE = "too_few_alike", "outside_training", "unsure"
FACT_MISSING, ALL_FORBIDDEN, NOT_JUDGED = "fact_missing", "all_forbidden", "not_judged"
NOT_ELIGIBLE = "not_eligible"
"""NOT_ELIGIBLE: the patient does not meet the study's own criteria, such as its youngest age.
NOT_JUDGED: the model carries no evidence that its options differ."""
STATES = (
    BETTER_FOR_PATIENT,
    BETTER_THAN_REFERENCE,
    NO_OPTION_BETTER,
    DOSE_ONLY,
    TOO_FEW_ALIKE,
    OUTSIDE_TRAINING,
    UNSURE,
    FACT_MISSING,
    ALL_FORBIDDEN,
    NOT_JUDGED,
    NOT_ELIGIBLE,
)
ABSTAINED = (
    TOO_FEW_ALIKE,
    OUTSIDE_TRAINING,
    UNSURE,
    FACT_MISSING,
    ALL_FORBIDDEN,
    NOT_JUDGED,
    NOT_ELIGIBLE,
)
"""States without an answer: the guideline, usual care and what is known are shown instead."""


@dataclass(frozen=True, slots=True)
class ModelLabel:
    """Which model answered, and on what evidence: stands on every rendering."""

    study: str
    title: str
    purpose: str
    not_for: str
    digest: str
    learned_from: str
    """Whole sentence: patients, decisions, dates."""
    evidence: str
    """The verdict on patients that nothing was learned from, in words."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Advice for one patient at one decision. Decision support, not a medical device."""

    state: str
    """One of STATES."""
    headline: str
    """The answer in one sentence."""
    lead: tuple[str, ...]
    """At most three sentences: goal with both numbers and interval, harms, or why there is none."""
    goal: str
    """The outcome in words, with its horizon: `HbA1c at most 53 mmol/mol in six months`."""
    unit: str
    """Unit of outcomes; empty where they are patients of 100."""
    reference: str
    """Title of what the options are compared with."""
    is_ranked: bool
    """Whether the options stand in order of merit; else they are equals."""
    options: tuple[OptionAdvice, ...]
    """Best first if ranked; usual care and no change always among them."""
    dose: DoseAdvice | None
    """The study's single dose, if all options share one."""
    guideline: tuple[tuple[str, str, str], ...]
    """Of each rule of the study: its name, what it would choose, and its source."""
    callouts: tuple[str, ...]
    """What must be said first: given but not used, beyond what the model saw, stale tables."""
    certainty: Certainty
    safety: tuple[SafetyFinding, ...]
    missing: tuple[MissingFact, ...]
    why: Why
    model: ModelLabel
    time: str
    """Date of the decision, ISO 8601."""
    known: tuple[KnownFact, ...] = ()
    """The facts of the patient that were used, as they are recorded."""
    plans: PlannedCourses | None = None
    """If the patient continues, stops or switches; None where the model was fitted without plans,
    and where there is no answer."""


def as_sent(advice: Recommendation) -> Recommendation:
    """What a program may read: no dose where there is no answer.

    A page says in words that there is none; a program might read the dose alone. Of a dose that is
    too uncertain the range stays. Inside, doses keep their unit and what the data support.
    """
    if advice.state not in ABSTAINED or advice.state == UNSURE:
        return advice
    options = tuple(replace(option, dose=None) for option in advice.options)
    return replace(advice, dose=None, options=options)
