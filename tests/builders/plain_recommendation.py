"""A made-up recommendation, for tests of what shows one."""

from posology.domain.recommendation.findings import Certainty, MissingFact
from posology.domain.recommendation.option import (
    BETTER,
    FORBIDDEN,
    REFERENCE,
    DoseAdvice,
    Estimate,
    HarmAdvice,
    OptionAdvice,
)
from posology.domain.recommendation.recommendation import (
    BETTER_FOR_PATIENT,
    ModelLabel,
    Recommendation,
)
from posology.domain.recommendation.why import Why

DOSE = DoseAdvice(14.5, "mg/week", 14.62, (4.0, 90.0), (9.0, 21.0), None, 0.9)
HARM = HarmAdvice(
    "bleeding", "", Estimate(4.0, 2.0, 6.0), Estimate(1.0, -1.0, 3.0), "no_clear_difference"
)
ADVICE = Recommendation(
    state=BETTER_FOR_PATIENT,
    headline="[b]low[/b] dose is likely better for this patient than usual care.",
    lead=("Of 100 patients like this one, about 58 are in range with it and 37 with usual care.",),
    goal="INR in range, within 28 days",
    unit="",
    reference="Usual care",
    is_ranked=True,
    options=(
        OptionAdvice(
            name="low",
            title="[b]low[/b] dose",
            standing=BETTER,
            outcome=Estimate(58.0, 49.0, 67.0),
            difference=Estimate(21.0, 11.0, 31.0),
            harms=(HARM,),
            dose=DOSE,
            similar_patients=120,
            choice_share=0.9,
        ),
        OptionAdvice(
            "usual_care", "Usual care", REFERENCE, Estimate(37.0, 33.0, 41.0), None, (), None, 310
        ),
        OptionAdvice(
            "high", "high dose", FORBIDDEN, None, None, (), None, 80, ("Forbidden: a label.",)
        ),
    ),
    dose=DOSE,
    guideline=(("fixed", "35 mg/week", "A guideline, 2024"),),
    callouts=("Given but not used: drug x. The model does not know it.",),
    certainty=Certainty(),
    safety=(),
    missing=(MissingFact("weight", "the mean of patients of the same sex", ""),),
    why=Why(),
    model=ModelLabel(
        "made_up", "A made-up study", "adults", "Children.", "0123456789abcdef", "Learned.", ""
    ),
    time="2026-11-27",
)
