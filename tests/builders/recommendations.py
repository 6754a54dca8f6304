"""One made-up recommendation for each state: a weekly dose of warfarin at the start."""

from dataclasses import replace

from posology.domain.recommendation.findings import Certainty, KnownFact, MissingFact
from posology.domain.recommendation.option import (
    FORBIDDEN,
    NO_CLEAR_DIFFERENCE,
    NOT_ESTIMATED,
    Estimate,
    OptionAdvice,
)
from posology.domain.recommendation.recommendation import (
    ALL_FORBIDDEN,
    BETTER_FOR_PATIENT,
    BETTER_THAN_REFERENCE,
    DOSE_ONLY,
    FACT_MISSING,
    NO_OPTION_BETTER,
    NOT_ELIGIBLE,
    NOT_JUDGED,
    OUTSIDE_TRAINING,
    STATES,
    TOO_FEW_ALIKE,
    UNSURE,
    ModelLabel,
    Recommendation,
)
from posology.domain.recommendation.why import Why
from tests.builders.recommendation_parts import (
    DOSE_REASONS,
    HIGH,
    LOW,
    LOW_DOSE,
    MEDIUM,
    MISSING,
    NO_CHANGE,
    SAFETY,
    USUAL,
    WHY,
)

MODEL = ModelLabel(
    study="warfarin_start",
    title="Warfarin start: which weekly dose for the first 4 weeks?",
    purpose="Adults who start warfarin, before the first INR.",
    not_for="Not for emergencies, children, pregnancy, or anyone already titrated by INR.",
    digest="173579a90c1ffe52",
    learned_from="Learned from 4,411 patients with 4,411 decisions, 2003 to 2008.",
    evidence="Choosing by the patient gained 6 of 100 (3 to 9) over medium start for all.",
)
KNOWN = (
    KnownFact("age", "72 years"),
    KnownFact("sex", "male"),
    KnownFact("weight", "80 kg", "2026-11-26"),
    KnownFact("amiodarone", "yes", "2026-09-09"),
    KnownFact("CYP2C9", "*1/*3"),
)
GUIDELINE = (
    ("Local guideline 4.2", "low start, 17 to 25 mg a week", "Local guideline 4.2, 2026-03-01"),
)
CALLOUTS = (
    "Given but not used: green tea (herbal). The model does not know it.",
    "Height 205 cm is above 202 cm; fewer than 5 training patients had more.",
)

BETTER_ADVICE = Recommendation(
    state=BETTER_FOR_PATIENT,
    headline="Low start, 16 mg a week, is likely better for this patient than usual care.",
    lead=(
        "Of 100 patients like this one, about 58 are in INR range at 4 weeks with the low start "
        "and 37 with usual care: 21 more, perhaps 11 to 31 more.",
        "With the low start 23 fewer have an INR over 4, but 10 more have an INR under 1.5.",
    ),
    goal="in INR range at 4 weeks",
    unit="",
    reference="usual care",
    is_ranked=True,
    options=(LOW, MEDIUM, USUAL, NO_CHANGE, HIGH),
    dose=None,
    guideline=GUIDELINE,
    callouts=CALLOUTS,
    certainty=Certainty(214, 50, 0.41, option_set=("low start", "medium start"), set_coverage=0.8),
    safety=SAFETY,
    missing=MISSING,
    why=WHY,
    model=MODEL,
    time="2026-11-27T08:40:00",
    known=KNOWN,
)


NOT_MEASURED = Certainty()


def _equal(option: OptionAdvice, value: Estimate, difference: Estimate) -> OptionAdvice:
    return replace(option, outcome=value, difference=difference, standing=NO_CLEAR_DIFFERENCE)


_EQUALS = (
    _equal(LOW, Estimate(47.0, 38.0, 56.0), Estimate(6.0, -5.0, 17.0)),
    _equal(MEDIUM, Estimate(48.0, 40.0, 57.0), Estimate(7.0, -3.0, 17.0)),
    replace(USUAL, outcome=Estimate(41.0, 33.0, 49.0)),
    NO_CHANGE,
    HIGH,
)
_UNKNOWN = tuple(
    replace(
        option,
        standing=option.standing if option.standing == FORBIDDEN else NOT_ESTIMATED,
        outcome=None,
        difference=None,
        harms=(),
        dose=None,
        remarks=option.remarks or ("Too few patients like this one were given it.",),
    )
    for option in (LOW, MEDIUM, USUAL, NO_CHANGE, HIGH)
)


def _abstained(
    state: str, headline: str, sentence: str, certainty: Certainty = NOT_MEASURED
) -> Recommendation:
    return replace(
        BETTER_ADVICE,
        state=state,
        headline=headline,
        lead=(sentence, "The guideline and usual care are below."),
        is_ranked=False,
        options=_UNKNOWN,
        certainty=certainty,
        why=Why(similar=WHY.similar),
        callouts=(),
    )


ADVICE_BY_STATE = {
    BETTER_FOR_PATIENT: BETTER_ADVICE,
    BETTER_THAN_REFERENCE: replace(
        BETTER_ADVICE,
        state=BETTER_THAN_REFERENCE,
        headline="A low or a medium start is likely better for this patient than usual care.",
        lead=("Between the two there is no clear difference: choose by harms.",),
    ),
    NO_OPTION_BETTER: replace(
        BETTER_ADVICE,
        state=NO_OPTION_BETTER,
        headline="No option is shown to be better for this patient.",
        lead=(
            "Of 100 patients like this one, about 47 are in INR range at 4 weeks with a low "
            "start, 48 with a medium start and 41 with usual care.",
            "These differences are too uncertain to rely on.",
            "The harms do differ, so choose by harms and by what the patient wants.",
        ),
        is_ranked=False,
        options=_EQUALS,
    ),
    DOSE_ONLY: replace(
        BETTER_ADVICE,
        state=DOSE_ONLY,
        headline="The dose to plan for is 16 mg a week.",
        lead=("Half of such patients need 12 to 21 mg a week.",),
        is_ranked=False,
        options=tuple(
            replace(o, standing=NOT_ESTIMATED, remarks=() if o is not _UNKNOWN[3] else o.remarks)
            for o in _UNKNOWN
        ),
        dose=LOW_DOSE,
        why=replace(WHY, contrasts=(), dose=DOSE_REASONS),
    ),
    TOO_FEW_ALIKE: _abstained(
        TOO_FEW_ALIKE,
        "No answer: too few patients like this one.",
        "12 were found and 50 are needed.",
        Certainty(12, 50),
    ),
    OUTSIDE_TRAINING: _abstained(
        OUTSIDE_TRAINING,
        "No answer: this patient is unlike those the model learned from.",
        "Age 97 is above the highest it saw, 94.",
        Certainty(60, 50, 0.998, True, ("Age 97 is above the highest it saw, 94.",)),
    ),
    UNSURE: _abstained(
        UNSURE,
        "No answer: the model is not sure enough for this patient.",
        "Three options could be the best one.",
        Certainty(option_set=("low start", "medium start", "usual care"), set_coverage=0.8),
    ),
    FACT_MISSING: replace(
        _abstained(
            FACT_MISSING,
            "No answer yet: target INR is not recorded.",
            "The study needs it. Enter it, or use the guideline below.",
        ),
        missing=(MissingFact("target INR", "", "The study needs it.", True), *MISSING),
        why=Why(),
    ),
    ALL_FORBIDDEN: replace(
        _abstained(
            ALL_FORBIDDEN,
            "No answer: a safety rule forbids every option for this patient.",
            "See the rules below.",
        ),
        options=tuple(replace(o, standing=FORBIDDEN) for o in _UNKNOWN),
    ),
    NOT_ELIGIBLE: replace(
        _abstained(
            NOT_ELIGIBLE,
            "No answer: this study is not for this patient.",
            "It is for patients of 18 years and over, and this patient is 12 years old.",
        ),
        guideline=(),
        missing=(),
        why=Why(),
    ),
    NOT_JUDGED: replace(
        _abstained(
            NOT_JUDGED,
            "No answer: it was not measured whether the options differ.",
            "Fit the model again with enough patients.",
        ),
        guideline=(),
        missing=(),
        safety=(),
        why=Why(),
        known=(),
    ),
}
"""By state, one of each."""
assert set(ADVICE_BY_STATE) == set(STATES)
