"""The published JSON schema of a recommendation, made from its types.

`recommendation.schema.json`, beside this file, is its text: a test keeps the two the same, so that
a change of a key is seen.
"""

from typing import Any

from posology.domain.recommendation.evidence import DoseEvidence, StudyEvidence
from posology.domain.recommendation.findings import FINDING_KINDS
from posology.domain.recommendation.option import STANDINGS
from posology.domain.recommendation.planned import PLANS
from posology.domain.recommendation.recommendation import STATES, Recommendation
from posology.domain.serialization import DIALECT, dataclass_schema, type_schema

IDENTIFIER = "urn:posology:recommendation:1"
_WORDS = {"state": STATES, "standing": STANDINGS, "kind": FINDING_KINDS, "plan": PLANS}
"""Fields that take one of some words."""


def recommendation_schema() -> dict[str, Any]:
    """The schema of `RecommendResult.to_json()`."""
    definitions: dict[str, Any] = {}
    body = dataclass_schema(Recommendation, definitions, _WORDS)
    reading = {
        "type": "object",
        "description": "How the patient's file was read.",
        "required": ["not_used", "beyond", "assumed"],
    }
    evidence = [{"type": "null"}, type_schema(StudyEvidence, definitions, _WORDS)]
    dose = [{"type": "null"}, type_schema(DoseEvidence, definitions, _WORDS)]
    body["properties"] |= {
        "reading": reading,
        "study_evidence": {"anyOf": evidence},
        "dose_evidence": {"anyOf": dose},
    }
    body["required"] += ["reading", "study_evidence", "dose_evidence"]
    return {"$schema": DIALECT, "$id": IDENTIFIER, **body, "$defs": definitions}
