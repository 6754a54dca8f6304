"""A study's results in one hospital, as a file that may leave it: estimates and counts, no patient.

Its JSON schema is `study_summary.schema.json`, beside this file.
"""

from dataclasses import dataclass
from typing import Any

from posology.domain.serialization import DIALECT, dataclass_schema

FORMAT = 1
"""Raised whenever a key changes its meaning."""
IDENTIFIER = "urn:posology:study-summary:1"

OPTION, OBSERVED, GUIDELINE, LEARNED, POLICY = "option", "observed", "guideline", "rule", "policy"
KINDS = (OPTION, OBSERVED, GUIDELINE, LEARNED, POLICY)
"""What is followed: one option for all, treatment as observed, a guideline of the study, the rule
that was learned in this hospital, a saved policy."""
MAIN, HARM = "outcome", "harm"
ROLES = (MAIN, HARM)


@dataclass(frozen=True, slots=True)
class SharedValue:
    """Mean outcome of the analysed patients if all were treated so."""

    name: str
    kind: str
    title: str
    patients: int | None
    """Who were treated so; null if it is suppressed, or does not apply."""
    events: int | None
    """Those of them with the outcome; null if it is suppressed, or does not apply."""
    value: float | None
    """Null where `reason` says why it is not shared."""
    standard_error: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class SharedEffect:
    """Difference of a value to the reference's, on the same patients."""

    name: str
    kind: str
    effect: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class SharedOutcome:
    """One outcome in all analysed patients, or in a group that the study names."""

    name: str
    role: str
    """`outcome`: higher is better; `harm`: lower is."""
    unit: str
    is_binary: bool
    """Whether it is a probability."""
    family: str
    """Of the group; empty for all patients."""
    group: str
    patients: int | None
    values: tuple[SharedValue, ...]
    effects: tuple[SharedEffect, ...]
    covariance: tuple[tuple[float, ...], ...]
    """Of the effects, which share their reference."""


@dataclass(frozen=True, slots=True)
class SharedStudy:
    """The question."""

    name: str
    title: str
    hash: str
    """SHA-256 of the protocol: only studies with the same one are pooled."""
    protocol: tuple[tuple[str, str], ...]
    """Every key of the study file that the hash covers, with its value."""


@dataclass(frozen=True, slots=True)
class SharedAnalysis:
    """How the estimates were made."""

    randomised: bool
    propensity: str
    covariates: tuple[str, ...]
    """What was adjusted for."""
    reference: str
    """Name of the value that effects are differences to."""
    suppressed_below: int
    """No count under it is in this file, nor follows from it."""
    seed: int


@dataclass(frozen=True, slots=True)
class StudySummary:
    """What one hospital shares."""

    format: int
    posology: str
    """Version that made it."""
    made: str
    study: SharedStudy
    analysis: SharedAnalysis
    patients: int | None
    """In the cohort, with an option of the study."""
    analysed: int | None
    """Of them, those who might have been given each option that is compared."""
    outcomes: tuple[SharedOutcome, ...]


def summary_schema() -> dict[str, Any]:
    """The JSON schema of a summary; the published file is its text, which a test keeps so."""
    definitions: dict[str, Any] = {}
    body = dataclass_schema(StudySummary, definitions, {"kind": KINDS, "role": ROLES})
    return {"$schema": DIALECT, "$id": IDENTIFIER, **body, "$defs": definitions}
