"""A patient, facts and a policy whose reasons can be worked out by hand."""

from dataclasses import replace

import numpy as np

from posology.advice.uncertainty.facts import read_facts
from posology.advice.why.facts import CHOICE, NUMBER, PRESENCE, Fact, FactValue
from posology.advice.why.table import Situation
from posology.advice.why.values import policy_values
from posology.domain.history import History, offsets_from_counts
from posology.domain.profile import Profile
from posology.domain.study import Study
from tests.builders.linear_policy import OPTIONS, LinearPolicy
from tests.builders.small_cohorts import STUDY as SMALL_STUDY

CODES = ("LAB//egfr", "LAB//bmi", "SEX//female", "SEX//male", "CONDITION//failing", "DRUG//b")
NUMBERS = np.zeros(len(CODES), np.float32)
PROFILE = Profile(
    CODES, NUMBERS, NUMBERS + 1, titles=("eGFR", "body mass index", "Female", "Male", "", "drug B")
)
STUDY: Study = replace(SMALL_STUDY, formulary=OPTIONS, dose=None)


def number_fact(name: str, row: int, numbers: tuple[float, ...], unit: str = "") -> Fact:
    """Every number with the same share."""
    values = tuple(FactValue(row, x, 1 / len(numbers)) for x in numbers)
    return Fact(name, unit, NUMBER, (row,), values, 1.0)


EGFR = number_fact("eGFR", 0, (30.0, 50.0, 70.0, 90.0), "mL/min")
BMI = number_fact("body mass index", 1, (20.0, 25.0, 30.0, 35.0), "kg/m²")
SEX = Fact("sex", "", CHOICE, (2, 3), (FactValue(2, None, 0.4), FactValue(3, None, 0.6)), 1.0)
FAILING = Fact(
    "heart failure", "", PRESENCE, (4,), (FactValue(-1, None, 0.9), FactValue(4, None, 0.1)), 0.1
)
EARLIER_B = Fact("drug B", "", PRESENCE, (5,), (), 0.3, is_treatment=True)
FACTS = (EGFR, BMI, SEX, FAILING, EARLIER_B)


def patient(*steps: tuple[tuple[str, float], ...]) -> History:
    """One subject; each step is its events, and steps are ten days apart after the first."""
    events = [event for step in steps for event in step]
    return History(
        code=np.array([CODES.index(code) for code, _ in events], np.int32),
        value=np.array([value for _, value in events], np.float32),
        event_offsets=offsets_from_counts(np.array([len(step) for step in steps], np.int64)),
        time=np.array([np.nan, *(10.0 * np.arange(1, len(steps)))]),
        step_offsets=np.array([0, len(steps)], np.int64),
        subject_id=np.ones(1, np.int64),
    )


WOMAN = patient(
    (("SEX//female", np.nan),),
    (("LAB//egfr", 50.0), ("LAB//bmi", 33.0)),
    (("LAB//egfr", 38.0), ("CONDITION//failing", np.nan)),
)
"""eGFR fell from 50 to 38; heart failure."""


def policy(**parts: object) -> LinearPolicy:
    """A is better at low eGFR, B with heart failure; body mass is bad for both alike."""
    made = LinearPolicy(
        PROFILE,
        level=(0.8, 0.5, 0.1),
        numbers=(("LAB//egfr", (-0.004, 0.0, 0.0)), ("LAB//bmi", (-0.005, -0.005, 0.0))),
        codes=(("CONDITION//failing", (0.0, 0.06, 0.0)), ("SEX//female", (0.01, 0.0, 0.0))),
    )
    return replace(made, **parts)  # type: ignore[arg-type]


def situation(history: History = WOMAN, **parts: object) -> Situation:
    """The patient at the last step, with the facts above."""
    predict = policy_values(policy(**parts), STUDY).predict
    return Situation(predict, history, PROFILE, len(history.time) - 1, FACTS)


def forbidding(s: Situation, from_egfr: float) -> Situation:
    """The same, with every option forbidden where the last eGFR is as large."""

    def predict(history: History, decisions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        outputs, allowed = s.predict(history, decisions)
        egfr = read_facts(history, decisions, np.array([0])).number[:, 0]
        return outputs, allowed & ~(egfr >= from_egfr)[:, None]

    return replace(s, predict=predict)
