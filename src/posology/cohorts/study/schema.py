"""Schema of a study file: its keys and their types; an unknown key is an error."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from posology.domain.study import SEX

Codes = Annotated[list[str], Field(min_length=1)]
Days = Annotated[float, Field(gt=0)]
FromDays = Annotated[float, Field(ge=0)]


class Strict(BaseModel):
    """Unknown keys are errors; values are not converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class DoseSection(Strict):
    """A dose range, each bound closed (at_least, at_most) or open (above, below)."""

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    unit: str
    step: float = 0.0


class BoundsSection(Strict):
    """A closed range of numbers; at least one bound."""

    at_least: float | None = None
    at_most: float | None = None


class RangeSection(Strict):
    """The last visible number of the codes lies within the bounds."""

    codes: Codes
    at_least: float | None = None
    at_most: float | None = None


class TreatmentSection(Strict):
    """One option."""

    name: str
    title: str
    codes: list[str] = []
    dose: DoseSection | None = None
    together: list[str] = []
    otherwise: bool = False


class CriterionSection(Strict):
    """One condition on the patient at time zero."""

    codes: list[str] = []
    name: str = ""
    known: bool = True
    age: bool = False
    within_days: Days | None = None
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None


class DecisionSection(Strict):
    """When treatment is chosen, and for which patients."""

    codes: Codes
    which: Literal["first", "every", "interval", "sequential"]
    eligible: list[str] = []
    excluded: list[str] = []
    ranges: list[RangeSection] = []
    every_days: Days | None = None
    look_back_days: Days | None = None
    new_users_days: Days | None = None
    history_days: Days | None = None
    criteria: list[CriterionSection] = []


class GivenSection(Strict):
    """How the treatment given is recognised in the events."""

    grace_days: FromDays = 0.0
    switch: Literal["first", "last", "exclude"] = "first"
    dose_per: Literal["day", "week", "each"] = "day"
    dose_days: Days | None = None
    randomised: bool = False


class OutcomeSection(Strict):
    """The outcome, and when a treatment counts as effective."""

    kind: Literal[
        "dose_class", "occurs", "does_not_occur", "value_in_range", "change", "time_to_event"
    ]
    codes: Codes
    unit: str | None = None
    within_days: float = Field(gt=0)
    from_days: FromDays = 0.0
    range: BoundsSection | None = None
    change: BoundsSection | None = None
    unless: list[str] = []
    competing: list[str] = []
    competing_as: Literal["failure", "cause_specific", "composite"] = "failure"


class FollowUpSection(Strict):
    """How long patients are followed."""

    until: date | None = None
    ended_by: list[str] = []
    observed_by: list[str] | None = None
    ends: Literal["last_event"] | None = None
    weighted_by: list[str] = []


class TimeSection(Strict):
    """How exact the times of the records are."""

    resolution: Literal["day", "minute"]
    same_day: list[Literal["baseline", "treatment", "outcome"]] | None = None


class CostSection(Strict):
    """A harm and its cost."""

    codes: Codes
    cost: float = Field(ge=0)
    within_days: Days


class BudgetSection(Strict):
    """A harm and its largest mean number of events."""

    name: str = Field(min_length=1)
    codes: Codes
    at_most: float = Field(ge=0)
    per: Literal["year", "patient", "decision"]
    within_days: Days


class PreferenceSection(Strict):
    """A line of a guideline."""

    prefer: Codes
    visible: list[str] = []
    ranges: list[RangeSection] = []


class ReferenceSection(Strict):
    """What options and rules are compared with."""

    option: str


class RuleSection(Strict):
    """A guideline, as a comparator."""

    name: str
    title: str = ""
    kind: Literal["fixed", "formula", "order"]
    dose: float | None = None
    formula: str | None = None
    order: list[PreferenceSection] = []
    skip_tried: bool = False
    source: str | None = None


class SafetySection(Strict):
    """A contraindication."""

    options: Codes
    source: str
    visible: list[str] = []
    ranges: list[RangeSection] = []


class SafetyPacksSection(Strict):
    """Knowledge packs, and what holds where a rule cannot be checked or a pack has expired."""

    packs: list[str] = []
    on_unknown: Literal["warn", "block"] = "warn"
    on_expired: Literal["warn", "refuse"] = "warn"
    drugs: dict[str, Codes] = {}


class PharmacogenomicsSection(Strict):
    """Where the tables of guidelines are, and for whom."""

    tables: str = Field(min_length=1)
    population: str = ""


class TargetSection(Strict):
    """A further outcome to predict."""

    name: str
    codes: Codes
    within_days: Days
    from_days: FromDays = 0.0
    unit: str = ""


class ResolutionSection(Strict):
    """Time resolution of a dense series."""

    codes: Codes
    hours: float = Field(gt=0)


class KidneySection(Strict):
    """Inputs of the kidney function formulas."""

    creatinine: Codes
    unit: Literal["mg/dL", "umol/L"]
    female: Codes
    weight: list[str] = []


class StandardSection(Strict):
    """A fact of the study under standard codes."""

    fact: str
    sent_as: Codes
    how: Literal["number", "age_decades", "age_years", "code"] = "number"
    unit: str = ""
    within_days: float | None = Field(default=None, gt=0)


class ProfileSection(Strict):
    """Which events may be features."""

    families: Codes
    minimum_patients: int = Field(default=1, ge=1)
    refit: list[str] = []
    fill_groups: list[list[str]] = []
    resolution: list[ResolutionSection] = []
    kidney: KidneySection | None = None
    embedding_components: int | None = Field(default=None, ge=1)
    images: bool = False
    required_for_advice: list[str] = []
    may_be_unknown: list[str] = []
    limits: list[RangeSection] = []
    sex: list[str] = list(SEX)
    age: list[str] = []
    standard: list[StandardSection] = []


class AdviceSection(Strict):
    """When there is no answer for a patient."""

    needed_alike: int | None = Field(default=None, ge=5)
    outside_share: float | None = Field(default=None, ge=0.5, lt=1)
    least_difference: float | None = Field(default=None, ge=0)
    widest_dose: float | None = Field(default=None, gt=1)
    min_age: float | None = Field(default=None, gt=0, le=120)
    max_age: float | None = Field(default=None, gt=0, le=120)


class SplitSection(Strict):
    """Training, validation and test split."""

    by: Literal["subject", "site", "time", "file"] = "subject"
    train: float | None = Field(default=None, gt=0, lt=1)
    validation: float | None = Field(default=None, gt=0, lt=1)
    test: float | None = Field(default=None, gt=0, lt=1)
    salt: str | None = None
    site: list[str] = []
    validation_from: date | None = None
    test_from: date | None = None


class StudySection(Strict):
    """A whole study file."""

    format: Literal[1]
    name: str
    title: str
    purpose: str
    limits: str
    decision: DecisionSection
    treatments: Annotated[list[TreatmentSection], Field(min_length=2)]
    given: GivenSection | None = None
    dose: DoseSection | None = None
    outcome: OutcomeSection
    follow_up: FollowUpSection | None = None
    time: TimeSection | None = None
    reward: dict[str, str | float | dict[str, float] | list[CostSection]]
    safety: list[SafetySection] = []
    safety_packs: SafetyPacksSection | None = None
    pharmacogenomics: PharmacogenomicsSection | None = None
    reference: ReferenceSection | None = None
    rules: list[RuleSection] = []
    profile: ProfileSection
    split: SplitSection
    advice: AdviceSection | None = None
    budgets: list[BudgetSection] = []
    diagnosis: list[TargetSection] = []
    progression: list[TargetSection] = []
    time_to_event: list[TargetSection] = []
    subgroups: dict[str, Codes] = {}
    names: dict[str, Annotated[str, Field(min_length=1)]] = {}
