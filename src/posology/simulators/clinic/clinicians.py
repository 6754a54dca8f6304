"""How the clinic's doctors choose: by what the records show, which is confounding by indication.

Utilities are log-odds of choosing an option, my choice, so that the picture is CPRD's of the late
2010s (DPP-4 inhibitors and sulfonylureas first, SGLT2 inhibitors rising: Wilkinson 2018, BMJ Open
8:e022768; Dennis 2019, Diabetes Obes Metab 21:1576). They see laboratory values, BMI, age,
comorbidity, cost and what was tried, never the patient's lasting traits.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.simulators.clinic.disease import State
from posology.simulators.clinic.draws import draws_of
from posology.simulators.clinic.options import DPP4, GLP1, LEVELS, OPTIONS, SGLT2, SU, TZD, doses
from posology.simulators.clinic.population import FIRST_DAY, SITES, Patients
from posology.simulators.clinic.settings import QUARTER_DAYS

POPULARITY = np.array([0.1, -0.9, 0.7, 0.6, -0.9])
"""Log-odds of a class in 2014-2019 for the reference patient."""
YEARLY = np.array([0.22, 0.12, -0.04, -0.18, -0.08])
FIRST_INSULIN = 10.0
"""Units a day of the first basal insulin (ADA/EASD 2022)."""
SITE_SD = 0.3
"""Practices differ beyond their patients (a natural experiment for instruments); my choice."""
FLOOR = 0.01
"""Every option has at least this probability (mixed in), so that overlap is weak but never nil."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What the records show of a patient at a decision."""

    hba1c: Float64[np.ndarray, " decision"]
    """As reported, mmol/mol."""
    bmi: Float64[np.ndarray, " decision"]
    egfr: Float64[np.ndarray, " decision"]


def probabilities(
    patients: Patients, state: State, seen: Seen, confounding: float
) -> Float64[np.ndarray, "decision treatment level"]:
    """P(each option and dose is chosen now); sums to 1 over both axes."""
    by_option = option_probabilities(patients, state, seen, confounding)
    return by_option[:, :, None] * level_probabilities(state, seen)


def option_probabilities(
    patients: Patients, state: State, seen: Seen, confounding: float
) -> Float64[np.ndarray, "decision treatment"]:
    """P(each class is chosen now); rows sum to 1."""
    years = (patients.start + state.quarter * QUARTER_DAYS - FIRST_DAY) / 365.25 - 4.0
    age = patients.age + state.quarter / 4
    u = np.zeros((len(age), len(OPTIONS)))
    # Heavy patients get SGLT2 and GLP-1, thin ones sulfonylureas; failing kidneys and hearts and
    # vascular disease move the choice as guidelines say; cost weighs more where people are poor.
    bmi = seen.bmi - 32
    u[:, SGLT2] += 0.06 * bmi + 0.8 * (patients.vascular | state.failing) - 0.02 * (age - 59)
    u[:, SGLT2] -= 1.5 * (seen.egfr < 60) + 1.5 * (seen.egfr < 45)
    u[:, GLP1] += 0.11 * bmi + 0.5 * patients.vascular + 0.025 * (seen.hba1c - 70)
    u[:, GLP1] -= 0.03 * (age - 59) + 0.1 * (patients.deprivation - 3)
    u[:, DPP4] += 0.03 * (age - 59) + 0.5 * (seen.egfr < 60) - 0.015 * (seen.hba1c - 70)
    u[:, SU] += -0.07 * bmi + 0.03 * (seen.hba1c - 70) - 0.02 * (age - 59)
    u[:, SU] += 0.15 * (patients.deprivation - 3) - 0.6 * (seen.egfr < 45)
    u[:, TZD] += -1.5 * state.failing - 0.7 * (state.fractured & patients.female)
    u[:, TZD] += 0.1 * (patients.deprivation - 3)
    # What was stopped is avoided; a drug that is being taken is mostly kept while its dose can
    # rise; other drugs that were tried and left are second choices.
    u += -2.5 * state.stopped - 0.7 * (state.tried & ~state.stopped)
    rows = np.flatnonzero(state.option >= 0)
    current = state.option[rows]
    room = ~at_top(state)[rows]
    u[rows, current] += 0.7 + np.where(room, 2.2, 0.3)
    u = POPULARITY + np.outer(years, YEARLY) + confounding * u
    u += SITE_SD * _habits(patients.site)
    share = np.exp(u - u.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    return FLOOR + (1 - FLOOR * len(OPTIONS)) * share


def level_probabilities(
    state: State, seen: Seen
) -> Float64[np.ndarray, "decision treatment level"]:
    """P(each dose level | class): low first, higher with high HbA1c, one step up when kept."""
    u = np.zeros((len(seen.hba1c), len(OPTIONS), LEVELS))
    high = (0.03 * (seen.hba1c - 70))[:, None]
    # Starting doses of the labels; sitagliptin starts at its full dose unless the kidney is weak.
    u += np.array([0.6, 0.0, -1.0]) + high[:, :, None] * np.array([-1.0, 0.0, 1.0])
    u[:, DPP4] = np.array([-2.0, -0.5, 2.0])
    weak = seen.egfr < 45
    u[weak, DPP4] = np.array([0.0, 1.0, -0.5])
    rows = np.flatnonzero((state.option >= 0) & (state.since >= 2))
    up = np.minimum(state.level[rows] + 1, _tops()[state.option[rows]])
    u[rows, state.option[rows]] -= 1.0
    u[rows, state.option[rows], up] += 3.0
    u = np.where(np.isnan(doses())[None], -np.inf, u)
    share = np.exp(u - u.max(axis=2, keepdims=True))
    return 0.98 * share / share.sum(axis=2, keepdims=True) + 0.02 * _uniform()


def at_top(state: State) -> Bool[np.ndarray, " subject"]:
    """Whether the current drug is at its largest dose; False without one."""
    return (state.option >= 0) & (state.level >= _tops()[np.maximum(state.option, 0)])


def decides(
    state: State, reported: Float64[np.ndarray, " subject"]
) -> Float64[np.ndarray, " subject"]:
    """P(therapy is started or reconsidered at this visit), given the HbA1c reported.

    The goal is 53 mmol/mol and inertia is strong: half intensify near 60 (Khunti 2013, Diabetes
    Care 36:3411). A course is left for six months unless it was stopped. My coefficients.
    """
    due = (state.option < 0) | (state.since >= 2)
    return np.where(due & (reported > 53), 1 / (1 + np.exp(-(reported - 59) / 4)), 0.0)


def refers(
    state: State, reported: Float64[np.ndarray, " subject"]
) -> Float64[np.ndarray, " subject"]:
    """P(referred for insulin at this visit, which ends second-line care and the records here).

    After six months on a drug at 86 mmol/mol (10 %: insulin is considered, ADA/EASD 2022) and
    more, or at 70 when two options were tried. The thresholds' mixture and 0.6 are my choice.
    """
    due = (state.option >= 0) & (state.since >= 2)
    failing = (reported >= 86) | ((reported >= 70) & (state.tried.sum(axis=1) >= 2))
    return np.where(due & failing, 0.6, 0.0)


def attends(
    patients: Patients, state: State, last: Float64[np.ndarray, " subject"]
) -> Float64[np.ndarray, " subject"]:
    """P(a visit this quarter): more when HbA1c was high or a course is due for review, less where
    deprived or careless with drugs. Informative visits; coefficients my choice."""
    u = 0.6 + 0.03 * (last - 60) - 0.12 * (patients.deprivation - 3)
    u += 2.5 * (patients.adherence - 0.8) + 1.6 * ((state.since == 2) & (state.option >= 0))
    return 1 / (1 + np.exp(-u))


def _habits(site: Int64[np.ndarray, " subject"]) -> Float64[np.ndarray, "subject treatment"]:
    """Each practice's own leaning, standard score, the same in every clinic."""
    draws = draws_of(0, np.arange(SITES))
    return np.stack([draws.normal("habit", k) for k in range(len(OPTIONS))], axis=1)[site]


def choose(
    probabilities: Float64[np.ndarray, "decision choice"], draw: Float64[np.ndarray, " decision"]
) -> Int64[np.ndarray, " decision"]:
    """The choice whose cumulative probability first exceeds the draw."""
    above = probabilities.cumsum(axis=1) > (draw * probabilities.sum(axis=1))[:, None]
    return above.argmax(axis=1)


def _tops() -> Int64[np.ndarray, " treatment"]:
    return np.array([len(option.doses) - 1 for option in OPTIONS])


def _uniform() -> Float64[np.ndarray, "treatment level"]:
    there = ~np.isnan(doses())
    return there / there.sum(axis=1, keepdims=True)
