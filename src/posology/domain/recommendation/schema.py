"""The published JSON schema of a recommendation, made from its types.

`recommendation.schema.json`, beside this file, is its text: a test keeps the two the same, so that
a change of a key is seen.
"""

import dataclasses
import types
import typing
from typing import Any

from posology.domain.recommendation.evidence import DoseEvidence, StudyEvidence
from posology.domain.recommendation.findings import FINDING_KINDS
from posology.domain.recommendation.option import STANDINGS
from posology.domain.recommendation.recommendation import STATES, Recommendation

DIALECT = "https://json-schema.org/draft/2020-12/schema"
IDENTIFIER = "urn:posology:recommendation:1"
_SIMPLE: dict[Any, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}
_WORDS = {"state": STATES, "standing": STANDINGS, "kind": FINDING_KINDS}
"""Fields that take one of some words."""


def recommendation_schema() -> dict[str, Any]:
    """The schema of `RecommendResult.to_json()`."""
    definitions: dict[str, Any] = {}
    body = _dataclass_schema(Recommendation, definitions)
    reading = {
        "type": "object",
        "description": "How the patient's file was read.",
        "required": ["not_used", "beyond", "assumed"],
    }
    evidence = [{"type": "null"}, _schema_of(StudyEvidence, definitions)]
    dose = [{"type": "null"}, _schema_of(DoseEvidence, definitions)]
    body["properties"] |= {
        "reading": reading,
        "study_evidence": {"anyOf": evidence},
        "dose_evidence": {"anyOf": dose},
    }
    body["required"] += ["reading", "study_evidence", "dose_evidence"]
    return {"$schema": DIALECT, "$id": IDENTIFIER, **body, "$defs": definitions}


def _dataclass_schema(cls: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    properties = {}
    for field in dataclasses.fields(cls):
        properties[field.name] = _schema_of(hints[field.name], definitions)
        if field.name in _WORDS and hints[field.name] is str:
            properties[field.name] = {"enum": list(_WORDS[field.name])}
    return {
        "type": "object",
        "description": (cls.__doc__ or "").splitlines()[0],
        "properties": properties,
        "required": [field.name for field in dataclasses.fields(cls)],
        "additionalProperties": False,
    }


def _schema_of(annotation: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if annotation in _SIMPLE:
        return {"type": _SIMPLE[annotation]}
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        return {"anyOf": [_schema_of(a, definitions) for a in arguments]}
    if annotation is type(None):
        return {"type": "null"}
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return {"type": "array", "items": _schema_of(arguments[0], definitions)}
    if origin is tuple:
        items = [_schema_of(a, definitions) for a in arguments]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "items": False}
    if annotation.__name__ not in definitions:
        definitions[annotation.__name__] = {}  # a type that holds itself would not end
        definitions[annotation.__name__] = _dataclass_schema(annotation, definitions)
    return {"$ref": f"#/$defs/{annotation.__name__}"}
