"""Made-up options, findings and reasons: a weekly dose of warfarin at the start."""

from posology.domain.recommendation.findings import (
    CLEAR,
    FORBIDS,
    NOT_CHECKED,
    USED_IN_DOSE,
    WARNING,
    MissingFact,
    SafetyFinding,
)
from posology.domain.recommendation.option import (
    BETTER,
    FORBIDDEN,
    NO_CLEAR_DIFFERENCE,
    NOT_ESTIMATED,
    REFERENCE,
    WORSE,
    DoseAdvice,
    Estimate,
    HarmAdvice,
    OptionAdvice,
)
from posology.domain.recommendation.why import (
    Contrast,
    ContrastReason,
    Counterfactual,
    DoseReason,
    SimilarPatients,
    SurrogateRule,
    Why,
)

WEEK = "mg a week"


def harm(
    name: str, value: Estimate | None, difference: Estimate | None, standing: str, unit: str = ""
) -> HarmAdvice:
    return HarmAdvice(name, unit, value, difference, standing)


def dose(amount: float, plan: tuple[float, float], ready: tuple[float, float]) -> DoseAdvice:
    return DoseAdvice(amount, WEEK, amount + 0.2, (7.0, 45.0), plan, ready, 0.8, 35.0)


LOW_DOSE = dose(16.0, (12.0, 21.0), (10.0, 29.0))
LOW = OptionAdvice(
    name="low",
    title="low start",
    standing=BETTER,
    outcome=Estimate(58.2, 50.1, 66.4),
    difference=Estimate(21.0, 11.2, 30.8),
    harms=(
        harm("INR over 4", Estimate(6.0, 4.0, 9.0), Estimate(-23.0, -30.0, -16.0), BETTER),
        harm("INR under 1.5", Estimate(14.0, 10.0, 19.0), Estimate(10.0, 5.0, 15.0), WORSE),
        harm(
            "major bleed", Estimate(0.6, 0.1, 2.0), Estimate(-2.0, -4.0, 0.3), NO_CLEAR_DIFFERENCE
        ),
        harm("cost", Estimate(3.1, 3.0, 3.2), Estimate(0.0, 0.0, 0.0), NO_CLEAR_DIFFERENCE, "GBP"),
    ),
    dose=LOW_DOSE,
    similar_patients=96,
)
MEDIUM = OptionAdvice(
    name="medium",
    title="medium start",
    standing=BETTER,
    outcome=Estimate(49.0, 42.0, 56.0),
    difference=Estimate(12.0, 4.0, 20.0),
    harms=(
        harm("INR over 4", Estimate(14.0, 10.0, 18.0), Estimate(-15.0, -22.0, -8.0), BETTER),
        harm(
            "INR under 1.5", Estimate(7.0, 5.0, 10.0), Estimate(3.0, -1.0, 7.0), NO_CLEAR_DIFFERENCE
        ),
        harm(
            "major bleed", Estimate(2.0, 1.0, 4.0), Estimate(-1.0, -3.0, 1.0), NO_CLEAR_DIFFERENCE
        ),
        harm("cost", Estimate(3.1, 3.0, 3.2), Estimate(0.0, 0.0, 0.0), NO_CLEAR_DIFFERENCE, "GBP"),
    ),
    dose=dose(25.0, (19.0, 33.0), (15.0, 44.0)),
    similar_patients=88,
)
USUAL = OptionAdvice(
    name="usual_care",
    title="usual care",
    standing=REFERENCE,
    outcome=Estimate(37.0, 31.0, 44.0),
    difference=None,
    harms=(
        harm("INR over 4", Estimate(29.0, 23.0, 35.0), None, REFERENCE),
        harm("INR under 1.5", Estimate(4.0, 2.0, 6.0), None, REFERENCE),
        harm("major bleed", Estimate(3.0, 1.0, 5.0), None, REFERENCE),
        harm("cost", Estimate(3.1, 3.0, 3.2), None, REFERENCE, "GBP"),
    ),
    dose=None,
    similar_patients=30,
)
NO_CHANGE = OptionAdvice(
    "no_change",
    "no change",
    NOT_ESTIMATED,
    None,
    None,
    (),
    None,
    None,
    ("Fewer than 5 similar patients stayed on enoxaparin.",),
)
HIGH = OptionAdvice(
    "high",
    "high start",
    FORBIDDEN,
    None,
    None,
    (),
    None,
    0,
    ("Rule W-03 forbids it with amiodarone (study file, 2026-03-01).",),
)
SAFETY = (
    SafetyFinding(
        FORBIDS,
        ("high start",),
        "amiodarone with over 49 mg a week",
        "High start is not offered.",
        "contraindicated",
        "Study file, rule W-03",
        "2026-03-01",
    ),
    SafetyFinding(
        WARNING,
        ("low start", "medium start"),
        "amiodarone with warfarin",
        "INR rises over weeks to months. Check INR every week.",
        "major",
        "Interactions pack",
        "2026.3, 2026-11-01",
    ),
    SafetyFinding(
        NOT_CHECKED,
        ("low start", "medium start"),
        "liver disease: ALT not recorded",
        "The rule could not be checked. The study file says: warn, do not block.",
        "",
        "Study file, rule W-07",
    ),
    SafetyFinding(
        USED_IN_DOSE,
        (),
        "CYP2C9 *1/*3, intermediate metabolizer",
        "Slower breakdown of warfarin: a lower dose.",
        "strong",
        "CPIC",
        "table of 2025-11",
    ),
    SafetyFinding(CLEAR, (), "14 other rules", "No match.", "", "Rules pack", "2026.3"),
)
WHY = Why(
    contrasts=(
        Contrast(
            "low start",
            "medium start",
            9.0,
            (
                ContrastReason(
                    "Amiodarone since 09-Sep-2026",
                    "DRUG//amiodarone",
                    6.2,
                    "Without it the lead would be 3 of 100.",
                ),
                ContrastReason(
                    "CYP2C9 *1/*3",
                    "GENOTYPE//CYP2C9//*1/*3",
                    5.0,
                    "Without this result the lead would be 4 of 100.",
                ),
                ContrastReason(
                    "Weight 80 kg", "WEIGHT", -2.0, "Without it the lead would be 11 of 100."
                ),
            ),
        ),
        Contrast(
            "low start",
            "usual care",
            21.0,
            (
                ContrastReason(
                    "Age 72 years", "AGE", 8.0, "Without it the lead would be 13 of 100."
                ),
            ),
        ),
    ),
    counterfactuals=(
        Counterfactual(
            "If amiodarone were stopped, medium start would come first.",
            ("DRUG//amiodarone",),
            "medium",
        ),
    ),
    similar=(
        SimilarPatients("low start", 96, 57, None, goal_low=0.4937, goal_high=0.6865),
        SimilarPatients("medium start", 88, 43, None, goal_low=0.3869, goal_high=0.5913),
        SimilarPatients("high start", None, None, None),
        SimilarPatients("usual care", 30, 11, None, goal_low=0.2187, goal_high=0.5449),
    ),
    surrogate=SurrogateRule(("Amiodarone: yes", "Age over 65: low start"), 0.91),
    attention=(("static facts", 0.62), ("09-Sep-2026", 0.3), ("26-Nov-2026", 0.08)),
)
DOSE_REASONS = (
    DoseReason("VKORC1 -1639 A/G", "GENOTYPE//VKORC1", -6.2, "Without it: 22 mg a week."),
    DoseReason("Weight 80 kg", "WEIGHT", 0.4, "Without it: 15.6 mg a week."),
)
MISSING = (
    MissingFact(
        "ALT",
        "a healthy liver",
        "The liver rule could be checked; a raised ALT would lower the dose.",
    ),
    MissingFact("CYP4F2", "the average of similar patients", ""),
)
