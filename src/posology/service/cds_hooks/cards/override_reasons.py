"""Reasons to override a card: HL7's non-adherence reason codes (CDS Hooks 3.0, trial use).

Defined in AHRQ's CDSiC report 25-0073 (June 2025).
"""

from posology.language.catalogue import deferred, tr

SYSTEM = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
OVERRIDE_REASONS = (
    ("patient-ineligible", deferred("Patient does not meet eligibility for recommended action")),
    ("indication-order-exists", deferred("Patient has indication/order for intended action")),
    ("action-completed", deferred("Recommended action was already completed")),
    ("action-unsuccessful", deferred("Recommended action was previously unsuccessful")),
    ("patient-contraindication", deferred("Patient has contraindication to recommended action")),
    ("risk-benefit-ratio", deferred("Recipient assessment of risk/benefit ratio")),
    (
        "does-not-align-latest-evidence",
        deferred("Recommended action does not align with the latest evidence"),
    ),
    (
        "policy-contradicts",
        deferred("Institutional policy/guideline contradicts the recommended action"),
    ),
    (
        "recipient-does-not-trust",
        deferred("Recipient does not agree with or trust the recommended action"),
    ),
    ("prefers-alternative", deferred("Patient prefers an alternative approach or treatment")),
    (
        "need-more-info",
        deferred(
            "Could not address recommended action due to need for more information/pending "
            "results/pending consult"
        ),
    ),
    ("limited-time", deferred("Could not address recommended action due to limited time")),
    ("service-not-available", deferred("Treatment or service is not practically available")),
    (
        "too-costly-uncovered",
        deferred("Recommended action is too costly or not covered by insurance"),
    ),
)
"""Code and display of those that fit a choice of treatment by a clinician."""


def override_reasons() -> list[dict[str, str]]:
    """The reasons as Codings."""
    return [
        {"code": code, "system": SYSTEM, "display": tr(display)}
        for code, display in OVERRIDE_REASONS
    ]
