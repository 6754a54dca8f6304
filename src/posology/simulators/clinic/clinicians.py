"""How clinicians choose by the records (confounding by indication), and a guideline rule.

Utilities are log-odds of choosing an option, our choice, so that the picture is CPRD's of the late
2010s (DPP-4 inhibitors and sulfonylureas first, SGLT2 inhibitors rising: Wilkinson 2018, BMJ Open
8:e022768; Dennis 2019, Diabetes Obes Metab 21:1576). They see laboratory values, BMI, age,
comorbidity, cost and earlier treatments, never the patient's lasting traits.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.simulators.clinic.disease import DiseaseState
from posology.simulators.clinic.draws import make_draws
from posology.simulators.clinic.drift import NO_DRIFT, Drift, choice_shift
from posology.simulators.clinic.options import DPP4, GLP1, LEVELS, OPTIONS, SGLT2, SU, TZD, doses
from posology.simulators.clinic.population import FIRST_DAY, SITES, Patients
from posology.simulators.clinic.settings import QUARTER_DAYS
from posology.simulators.clinic.truth import ClinicDecisions

POPULARITY = np.array([0.1, -0.9, 0.7, 0.6, -0.9])
"""EventLog-odds of a class in 2014-2019 for the reference patient."""
YEARLY = np.array([0.22, 0.12, -0.04, -0.18, -0.08])
FIRST_INSULIN = 10.0
"""Units a day of the first basal insulin (ADA/EASD 2022)."""
SITE_SD = 0.3
"""Practices differ beyond their patients (a natural experiment for instruments); our choice."""
FLOOR = 0.01
"""Least probability of every option (mixed in), so that overlap is weak but positive."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedValues:
    """Values in the records at a decision."""

    hba1c: Float64[np.ndarray, " decision"]
    """Reported, mmol/mol."""
    bmi: Float64[np.ndarray, " decision"]
    egfr: Float64[np.ndarray, " decision"]


def choice_probabilities(
    patients: Patients,
    state: DiseaseState,
    seen: RecordedValues,
    confounding: float,
    drift: Drift = NO_DRIFT,
) -> Float64[np.ndarray, "decision treatment level"]:
    """Choice probability of each option and dose; sums to 1 over both axes."""
    by_option = option_choice_probabilities(patients, state, seen, confounding, drift)
    return by_option[:, :, None] * dose_choice_probabilities(state, seen)


def option_choice_probabilities(
    patients: Patients,
    state: DiseaseState,
    seen: RecordedValues,
    confounding: float,
    drift: Drift = NO_DRIFT,
) -> Float64[np.ndarray, "decision treatment"]:
    """Choice probability of each option; rows sum to 1."""
    day = patients.start_day + state.quarter * QUARTER_DAYS
    years = 0.0 * day if drift.is_steady else (day - FIRST_DAY) / 365.25 - 4.0
    age = patients.age + state.quarter / 4
    u = np.zeros((len(age), len(OPTIONS)))
    # SGLT2 and GLP-1 with a high BMI, sulfonylureas with a low one; kidney function, heart failure
    # and vascular disease as in guidelines; cost matters more in deprived areas.
    bmi = seen.bmi - 32
    u[:, SGLT2] += 0.06 * bmi + 0.8 * (patients.vascular | state.heart_failure) - 0.02 * (age - 59)
    u[:, SGLT2] -= 1.5 * (seen.egfr < 60) + 1.5 * (seen.egfr < 45)
    u[:, GLP1] += 0.11 * bmi + 0.5 * patients.vascular + 0.025 * (seen.hba1c - 70)
    u[:, GLP1] -= 0.03 * (age - 59) + 0.1 * (patients.deprivation - 3)
    u[:, DPP4] += 0.03 * (age - 59) + 0.5 * (seen.egfr < 60) - 0.015 * (seen.hba1c - 70)
    u[:, SU] += -0.07 * bmi + 0.03 * (seen.hba1c - 70) - 0.02 * (age - 59)
    u[:, SU] += 0.15 * (patients.deprivation - 3) - 0.6 * (seen.egfr < 45)
    u[:, TZD] += -1.5 * state.heart_failure - 0.7 * (state.fracture & patients.female)
    u[:, TZD] += 0.1 * (patients.deprivation - 3)
    # Stopped options are avoided; the current drug is mostly continued while its dose can rise;
    # other options tried before are second choices.
    u += -2.5 * state.stopped - 0.7 * (state.tried & ~state.stopped)
    rows = np.flatnonzero(state.option >= 0)
    current = state.option[rows]
    room = ~is_at_top_dose(state)[rows]
    u[rows, current] += 0.7 + np.where(room, 2.2, 0.3)
    u = POPULARITY + np.outer(years, YEARLY) + confounding * u
    u += SITE_SD * _practice_preferences(patients.site)
    shift = choice_shift(drift, day)
    u += shift
    share = np.exp(u - u.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    floor = FLOOR * np.isfinite(shift)
    return floor + (1 - floor.sum(axis=1, keepdims=True)) * share


def dose_choice_probabilities(
    state: DiseaseState, seen: RecordedValues
) -> Float64[np.ndarray, "decision treatment level"]:
    """P(dose level | option): low at first, higher with high HbA1c, one step up when continued."""
    u = np.zeros((len(seen.hba1c), len(OPTIONS), LEVELS))
    high = (0.03 * (seen.hba1c - 70))[:, None]
    # Starting doses of the labels; sitagliptin starts at its full dose unless the kidney is weak.
    u += np.array([0.6, 0.0, -1.0]) + high[:, :, None] * np.array([-1.0, 0.0, 1.0])
    u[:, DPP4] = np.array([-2.0, -0.5, 2.0])
    weak = seen.egfr < 45
    u[weak, DPP4] = np.array([0.0, 1.0, -0.5])
    rows = np.flatnonzero((state.option >= 0) & (state.quarters_since_decision >= 2))
    up = np.minimum(state.level[rows] + 1, _tops()[state.option[rows]])
    u[rows, state.option[rows]] -= 1.0
    u[rows, state.option[rows], up] += 3.0
    u = np.where(np.isnan(doses())[None], -np.inf, u)
    share = np.exp(u - u.max(axis=2, keepdims=True))
    return 0.98 * share / share.sum(axis=2, keepdims=True) + 0.02 * _uniform()


def is_at_top_dose(state: DiseaseState) -> Bool[np.ndarray, " subject"]:
    """Whether the current drug is at its largest dose; False without one."""
    return (state.option >= 0) & (state.level >= _tops()[np.maximum(state.option, 0)])


def decision_probability(
    state: DiseaseState, reported: Float64[np.ndarray, " subject"]
) -> Float64[np.ndarray, " subject"]:
    """P(therapy is started or reconsidered at this visit), by the reported HbA1c.

    The goal is 53 mmol/mol and inertia is strong: half intensify near 60 (Khunti 2013, Diabetes
    Care 36:3411). A drug is continued for six months unless it was stopped. Coefficients: our
    choice.
    """
    due = (state.option < 0) | (state.quarters_since_decision >= 2)
    return np.where(due & (reported > 53), 1 / (1 + np.exp(-(reported - 59) / 4)), 0.0)


def referral_probability(
    state: DiseaseState, reported: Float64[np.ndarray, " subject"]
) -> Float64[np.ndarray, " subject"]:
    """P(referral for insulin at this visit, which ends second-line care and the records here).

    After six months on a drug at 86 mmol/mol (10 %: insulin is considered, ADA/EASD 2022) and
    more, or at 70 when two options were tried. The thresholds and 0.6 are our choice.
    """
    due = (state.option >= 0) & (state.quarters_since_decision >= 2)
    failing = (reported >= 86) | ((reported >= 70) & (state.tried.sum(axis=1) >= 2))
    return np.where(due & failing, 0.6, 0.0)


def attendance_probability(
    patients: Patients, state: DiseaseState, last: Float64[np.ndarray, " subject"]
) -> Float64[np.ndarray, " subject"]:
    """P(a visit this quarter), informative; coefficients: our choice.

    Higher with high HbA1c or a review due, lower with deprivation or low adherence.
    """
    u = 0.6 + 0.03 * (last - 60) - 0.12 * (patients.deprivation - 3)
    u += 2.5 * (patients.adherence - 0.8) + 1.6 * (
        (state.quarters_since_decision == 2) & (state.option >= 0)
    )
    return 1 / (1 + np.exp(-u))


def _practice_preferences(
    site: Int64[np.ndarray, " subject"],
) -> Float64[np.ndarray, "subject treatment"]:
    """Each practice's preference for each option, standard score, the same in every clinic."""
    draws = make_draws(0, np.arange(SITES))
    return np.stack([draws.normal("habit", k) for k in range(len(OPTIONS))], axis=1)[site]


def draw_choices(
    probabilities: Float64[np.ndarray, "decision choice"], draw: Float64[np.ndarray, " decision"]
) -> Int64[np.ndarray, " decision"]:
    """The choice whose cumulative probability first exceeds the draw."""
    above = probabilities.cumsum(axis=1) > (draw * probabilities.sum(axis=1))[:, None]
    return above.argmax(axis=1)


def _tops() -> Int64[np.ndarray, " treatment"]:
    return np.array([len(option.doses) - 1 for option in OPTIONS])


def _uniform() -> Float64[np.ndarray, "treatment level"]:
    exists = ~np.isnan(doses())
    return exists / exists.sum(axis=1, keepdims=True)


SOURCE = (
    "Management of hyperglycaemia in type 2 diabetes, 2022: a consensus report by ADA and EASD "
    "(Davies 2022, Diabetes Care 45:2753, doi:10.2337/dci22-0034), reduced to the five options"
)
OBESE, HIGH = 30.0, 75.0
"""BMI at which weight management leads, and HbA1c (mmol/mol, 9 %) at which efficacy does. The
consensus names weight and glycaemic need without one cut-off; these are our reading."""


def rank_options(
    failing: bool, vascular: bool, egfr: float, bmi: float, hba1c: float
) -> tuple[int, ...]:
    """Options by preference.

    Heart failure or chronic kidney disease: SGLT2 inhibitor, then GLP-1 agonist (below an eGFR of
    20 the SGLT2 inhibitor is not started). Atherosclerotic disease: GLP-1 agonist or SGLT2
    inhibitor. Otherwise glycaemic need and weight: GLP-1 agonists first where HbA1c or weight is
    high, else SGLT2 inhibitor; DPP-4 inhibitors, thiazolidinediones (not in heart failure) and
    sulfonylureas after them.
    """
    rest = (DPP4, SU) if failing else (DPP4, TZD, SU)
    if egfr < 20:
        return (GLP1, *rest, SGLT2)
    if failing or egfr < 60:
        return (SGLT2, GLP1, *rest)
    if vascular or bmi >= OBESE or hba1c >= HIGH:
        return (GLP1, SGLT2, *rest)
    return (SGLT2, GLP1, *rest)


def choose_by_consensus_2022(decisions: ClinicDecisions) -> Int64[np.ndarray, " decision"]:
    """The first option of the consensus that was neither stopped nor tried before.

    The current option counts as failed, or there would be no decision. Where every option was tried
    or stopped: the first that was not stopped, else the first.
    """
    d = decisions
    out = np.empty(len(d.option), np.int64)
    for row in range(len(out)):
        ranked = rank_options(
            bool(d.heart_failure[row]),
            bool(d.vascular[row]),
            float(d.egfr[row]),
            float(d.bmi[row]),
            float(d.reported_hba1c[row]),
        )
        tolerable = [k for k in ranked if not d.stopped[row, k]] or list(ranked)
        untried = [k for k in tolerable if not d.tried[row, k]] or tolerable
        out[row] = untried[0]
    return out
