"""Made-up evidence that a saved model carries: errors of its dose, beside rules."""

import json
from dataclasses import asdict

from posology.domain.recommendation.evidence import (
    DoseEvidence,
    ProbabilityBin,
    RuleError,
    StudyEvidence,
)
from tests.builders.patient_evidence import estimate

_BINS = ((0.05, 4.0, 2.0, 310), (0.2, 25.0, 7.0, 150), (0.45, 43.0, 9.0, 120), (0.8, 79.0, 9.0, 90))
ERRORS = DoseEvidence(
    "mg a week",
    917,
    estimate(8.5, 0.6),
    (
        RuleError("Formula", estimate(8.8, 0.5), estimate(-0.3, 0.2)),
        RuleError("Fixed", estimate(14.1, 0.5), estimate(-5.7, 0.5)),
    ),
    tuple(ProbabilityBin(p, estimate(value, reach), n) for p, value, reach, n in _BINS),
)


def as_json(value: StudyEvidence | DoseEvidence) -> object:
    """As a saved model keeps it."""
    return json.loads(json.dumps(asdict(value)))
