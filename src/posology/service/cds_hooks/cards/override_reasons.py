"""Reasons to override a card: HL7's non-adherence reason codes (CDS Hooks 3.0, trial use).

Defined in AHRQ's CDSiC report 25-0073 (June 2025).
"""

SYSTEM = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
OVERRIDE_REASONS = (
    ("patient-ineligible", "Patient does not meet eligibility for recommended action"),
    ("indication-order-exists", "Patient has indication/order for intended action"),
    ("action-completed", "Recommended action was already completed"),
    ("action-unsuccessful", "Recommended action was previously unsuccessful"),
    ("patient-contraindication", "Patient has contraindication to recommended action"),
    ("risk-benefit-ratio", "Recipient assessment of risk/benefit ratio"),
    (
        "does-not-align-latest-evidence",
        "Recommended action does not align with the latest evidence",
    ),
    (
        "policy-contradicts",
        "Institutional policy/guideline contradicts the recommended action",
    ),
    ("recipient-does-not-trust", "Recipient does not agree with or trust the recommended action"),
    ("prefers-alternative", "Patient prefers an alternative approach or treatment"),
    (
        "need-more-info",
        "Could not address recommended action due to need for more information/pending "
        "results/pending consult",
    ),
    ("limited-time", "Could not address recommended action due to limited time"),
    ("service-not-available", "Treatment or service is not practically available"),
    ("too-costly-uncovered", "Recommended action is too costly or not covered by insurance"),
)
"""Code and display of those that fit a choice of treatment by a clinician."""


def override_reasons() -> list[dict[str, str]]:
    """The reasons as Codings."""
    return [
        {"code": code, "system": SYSTEM, "display": display} for code, display in OVERRIDE_REASONS
    ]
