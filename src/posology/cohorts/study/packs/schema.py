"""Schema of a knowledge pack: safety rules as JSON; an unknown key is an error."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from posology.cohorts.study.schema import Codes, Days

Text = Annotated[str, Field(min_length=1)]
IsoDate = Annotated[date, Field(strict=False)]
"""A date is text in JSON, such as 2026-11-28."""


class Strict(BaseModel):
    """Unknown keys are errors; values are not converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class FactSection(Strict):
    """A fact by its name in words."""

    codes: list[str] = []
    age: bool = False
    unit: str = ""
    within_days: Days | None = None
    known_by: list[str] = []


class ConditionSection(Strict):
    """A fact that is recorded or in a range, or a drug that is taken."""

    fact: str | None = None
    drug: str | None = None
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    within_days: Days | None = None


class DosePart(Strict):
    """The doses that a rule leaves."""

    at_most: Annotated[float, Field(ge=0)] | None = None
    at_least: Annotated[float, Field(ge=0)] | None = None
    unit: Text
    per: str | None = None


class PackRule(Strict):
    """One rule."""

    name: Text
    kind: Literal[
        "contraindication", "interaction", "duplicate", "allergy", "dose_limit", "recommendation"
    ]
    effect: Literal["forbid", "warn", "limit", "recommend"]
    drugs: Codes
    any_of: list[ConditionSection] = []
    all_of: list[ConditionSection] = []
    unless: list[ConditionSection] = []
    dose: DosePart | None = None
    meaning: Text
    strength: str = ""
    source: Text


class PackFile(Strict):
    """A whole knowledge pack."""

    format: Literal[1]
    name: Text
    title: Text
    version: Text
    date: IsoDate
    expires: IsoDate
    licence: Text
    source: Text
    reviewed_by: str = ""
    sha256: str = ""
    drugs: dict[str, Codes]
    facts: dict[str, FactSection] = {}
    rules: Annotated[list[PackRule], Field(min_length=1)]
