"""The twelve invariants of HL7's logical models of CDS Hooks (FHIRPath there, Python in checks)."""

from posology.conformance.statements.statement import Level, Statement

_ABSENT = "no card came with suggestions"
_NO_FEEDBACK = "the service has no feedback endpoint"


def _invariant(name: str, level: Level, about: str, absent: str) -> Statement:
    model = {"r": "Request", "resp": "Response", "fb": "Feedback"}[name.split("-")[0]]
    return Statement(f"cds-{name}", level, about, f"HL7 logical model CDSHooks{model}", absent)


ROWS = (
    _invariant("r-1", "ADVICE", "fhirAuthorization without fhirServer is no crash", ""),
    _invariant("r-2", "ADVICE", "A patient's scope without the patient is no crash", ""),
    _invariant("resp-1", "SHALL", "With at-most-one, one suggestion is recommended", _ABSENT),
    _invariant("resp-2", "SHOULD", "A delete has a resourceId and no resource", "no delete came"),
    _invariant("resp-3", "SHALL", "appContext only for smart links", "no link came"),
    _invariant("resp-4", "SHALL", "Each override reason has a display", "no reason came"),
    _invariant("resp-5", "SHALL", "Each suggested action has a description", "no action came"),
    _invariant("resp-6", "SHALL", "Suggestions come with a selectionBehavior", _ABSENT),
    _invariant("resp-7", "SHALL", "actionSelectionBehavior is one of its values", _ABSENT),
    _invariant("fb-1", "ADVICE", "Feedback with another outcome is refused", _NO_FEEDBACK),
    _invariant("fb-2", "ADVICE", "Acceptance without a suggestion is refused", _NO_FEEDBACK),
    _invariant("fb-3", "ADVICE", "An override reason without content is refused", _NO_FEEDBACK),
)
