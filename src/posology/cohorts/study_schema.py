"""What may stand in a study file, and of which type; an unknown key is an error."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Codes = Annotated[list[str], Field(min_length=1)]


class Strict(BaseModel):
    """Unknown keys are errors and nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class DoseTable(Strict):
    """A dose range, each bound closed (at_least, at_most) or open (above, below)."""

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    unit: str
    step: float = 0.0


class TreatmentTable(Strict):
    """One option."""

    name: str
    title: str
    codes: list[str] = []
    dose: DoseTable | None = None


class DecisionTable(Strict):
    """When the choice is made."""

    codes: Codes
    which: Literal["first"]
    eligible: list[str] = []


class OutcomeTable(Strict):
    """What came of it."""

    kind: Literal["dose_class"]
    codes: Codes
    unit: str
    within_days: float = Field(gt=0)


class RuleTable(Strict):
    """A guideline to compare with."""

    name: str
    kind: Literal["fixed", "formula"]
    dose: float | None = None
    formula: str | None = None
    source: str | None = None


class ProfileTable(Strict):
    """Which events may be features."""

    families: Codes
    minimum_patients: int = Field(default=1, ge=1)
    refit: list[str] = []
    fill_groups: list[list[str]] = []


class SplitTable(Strict):
    """Shares of the patients."""

    train: float = Field(gt=0, lt=1)
    validation: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)
    salt: str


class StudyTable(Strict):
    """A whole study file."""

    format: Literal[1]
    name: str
    title: str
    purpose: str
    limits: str
    decision: DecisionTable
    treatments: Annotated[list[TreatmentTable], Field(min_length=2)]
    dose: DoseTable | None = None
    outcome: OutcomeTable
    reward: dict[str, str | dict[str, float]]
    rules: list[RuleTable] = []
    profile: ProfileTable
    split: SplitTable
    subgroups: dict[str, Codes] = {}
