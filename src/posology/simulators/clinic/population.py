"""The patients of the clinic: people on metformin whose HbA1c has risen.

Means and spreads are of the order of CPRD initiators of second-line therapy (Dennis 2022, Lancet
Digit Health 4:e873: age about 59, 40 % women, HbA1c about 73 mmol/mol, BMI 32-34, eGFR 90-95,
duration 6-9 years). The shapes and the correlations between columns are our choice.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int64

from posology.simulators.clinic.draws import Draws, make_draws
from posology.simulators.clinic.genome import Genotype, draw_genotypes, metformin_shift
from posology.simulators.clinic.response import draw_traits
from posology.simulators.clinic.settings import ClinicSettings


@runtime_checkable
class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


Record = TypeVar("Record", bound=_Dataclass)
SITES = 40
FIRST_DAY = 16071
"""2014-01-01 in days since 1970; entries spread over five years from it."""


@dataclass(frozen=True, slots=True, eq=False)
class Patients:
    """Characteristics fixed for the five years; values at the first visit."""

    subject_id: Int64[np.ndarray, " subject"]
    female: Bool[np.ndarray, " subject"]
    age: Float64[np.ndarray, " subject"]
    duration: Float64[np.ndarray, " subject"]
    """Years since diagnosis."""
    height: Float64[np.ndarray, " subject"]
    """Metres."""
    bmi: Float64[np.ndarray, " subject"]
    egfr: Float64[np.ndarray, " subject"]
    egfr_slope: Float64[np.ndarray, " subject"]
    """ML/min/1.73 m2 a year."""
    hba1c: Float64[np.ndarray, " subject"]
    """Mmol/mol on metformin alone, without fluctuation."""
    drift: Float64[np.ndarray, " subject"]
    """Rise of HbA1c, mmol/mol a year."""
    systolic: Float64[np.ndarray, " subject"]
    cholesterol: Float64[np.ndarray, " subject"]
    hdl: Float64[np.ndarray, " subject"]
    triglycerides: Float64[np.ndarray, " subject"]
    """Standard score of the logarithm."""
    alt: Float64[np.ndarray, " subject"]
    """Standard score of the logarithm."""
    deprivation: Float64[np.ndarray, " subject"]
    """Quintile of the area, 5 the most deprived."""
    site: Int64[np.ndarray, " subject"]
    smoking: Int8[np.ndarray, " subject"]
    """0 never, 1 former, 2 current."""
    activity: Float64[np.ndarray, " subject"]
    """Standard score, higher is more."""
    diet: Float64[np.ndarray, " subject"]
    """Standard score, higher is better."""
    alcohol: Float64[np.ndarray, " subject"]
    """UK units a week."""
    adherence: Float64[np.ndarray, " subject"]
    """Share of doses taken."""
    vascular: Bool[np.ndarray, " subject"]
    """Atherosclerotic cardiovascular disease."""
    heart_failure: Bool[np.ndarray, " subject"]
    """Heart failure."""
    hypertension: Bool[np.ndarray, " subject"]
    fracture: Bool[np.ndarray, " subject"]
    genital_infection: Bool[np.ndarray, " subject"]
    """Earlier genital infections."""
    metformin: Float64[np.ndarray, " subject"]
    """Mg a day."""
    genotype: Genotype
    is_genotyped: Bool[np.ndarray, " subject"]
    has_wearable: Bool[np.ndarray, " subject"]
    trait: Float64[np.ndarray, "subject treatment"]
    """Lasting extra fall of HbA1c on each option, mmol/mol; never recorded."""
    liability: Float64[np.ndarray, "subject treatment"]
    """Lasting tendency to intolerance of each option, standard score; never recorded."""
    start_day: Float64[np.ndarray, " subject"]
    """Day of the first visit, since 1970-01-01."""


def draw_patients(settings: ClinicSettings, subject_id: Int64[np.ndarray, " subject"]) -> Patients:
    """The patients with these numbers; the same for any selection of numbers."""
    draws = make_draws(settings.seed, subject_id)
    person = _person(draws)
    trait, liability = draw_traits(draws, settings.history_effect)
    genotype = draw_genotypes(draws)
    hba1c = 58 - 7 * np.log(draws.uniform("hba1c 1") * draws.uniform("hba1c 2"))
    hba1c += metformin_shift(genotype) + 0.8 * (person["deprivation"] - 3)
    # Activity and diet: structured exercise 0.5-0.7 % against none (Umpierre 2011, JAMA 305:1790);
    # a standard score of habit counts less: our choice.
    hba1c -= 1.0 * person["activity"] + 1.0 * person["diet"]
    return Patients(
        subject_id=subject_id,
        hba1c=np.minimum(hba1c, 130.0),
        # ADOPT (Kahn 2006, NEJM 355:2427): 0.14 % a year on metformin.
        drift=1.5 + 0.8 * draws.normal("drift"),
        genotype=genotype,
        is_genotyped=draws.uniform("genotyped") < settings.genotyped,
        has_wearable=draws.uniform("wearing") < settings.wearing,
        trait=trait,
        liability=liability,
        start_day=FIRST_DAY + np.floor(draws.uniform("entry") * 5 * 365),
        **person,
        **_conditions(draws, person),
    )


def select_rows(record: Record, rows: np.ndarray) -> Record:
    """Some rows of a dataclass of per-patient arrays; other fields are unchanged."""
    columns = {
        field.name: getattr(record, field.name)[rows]
        for field in fields(record)
        if isinstance(getattr(record, field.name), np.ndarray)
    }
    return replace(record, **columns)


def _person(draws: Draws) -> dict[str, np.ndarray]:
    female = draws.uniform("sex") < 0.42
    age = np.clip(59 + 10.5 * draws.normal("age"), 30, 85)
    site = np.floor(draws.uniform("site") * SITES).astype(np.int64)
    area = np.clip(np.round(3 + 0.08 * (site - SITES / 2) + 1.1 * draws.normal("area")), 1, 5)
    habit = draws.normal("habit")
    duration = np.clip(-3.2 * np.log(draws.uniform("years 1") * draws.uniform("years 2")), 0.5, 35)
    bmi = 32 - 0.12 * (age - 59) + 0.8 * female + 0.3 * (area - 3) + 5.6 * draws.normal("bmi")
    ever = draws.uniform("smoking")
    current = 1 / (1 + np.exp(1.7 - 0.3 * (area - 3)))  # about 16 %, more where deprived
    heavy = bmi - 32
    return {
        "female": female,
        "age": age,
        "site": site,
        "deprivation": area,
        "duration": np.minimum(duration, age - 20),
        "bmi": np.clip(bmi, 19, 58),
        "height": 1.76 - 0.13 * female + 0.065 * draws.normal("height"),
        "egfr": np.clip(94 - 0.85 * (age - 59) + 14 * draws.normal("egfr"), 25, 125),
        "egfr_slope": -1.2 + 0.9 * draws.normal("egfr slope"),
        "systolic": 134 + 0.2 * (age - 59) + 13 * draws.normal("systolic"),
        "cholesterol": np.clip(4.6 + 0.95 * draws.normal("cholesterol"), 2, 9),
        "hdl": np.clip(1.12 + 0.2 * female - heavy / 100 + 0.25 * draws.normal("hdl"), 0.5, 3),
        "triglycerides": 0.3 * heavy / 6 + 0.95 * draws.normal("triglycerides"),
        "alt": 0.3 * heavy / 6 - 0.3 * female + 0.93 * draws.normal("alt"),
        "smoking": (1 * (ever < current + 0.36) + (ever < current)).astype(np.int8),
        "activity": 0.4 * habit - 0.15 * (area - 3) + 0.88 * draws.normal("activity"),
        "diet": 0.4 * habit - 0.15 * (area - 3) + 0.88 * draws.normal("diet"),
        "alcohol": np.maximum(0, -7 * np.log(draws.uniform("alcohol")) - 3),
        # Share of days covered about 0.75-0.85 with a third under 0.8 (Iglay 2015, Curr Med Res
        # Opin 31:1283); the pull of age, habit and deprivation is our choice.
        "adherence": 1
        / (
            1
            + np.exp(
                -1.6
                - 0.015 * (age - 59)
                - 0.2 * habit
                + 0.1 * (area - 3)
                - 0.65 * draws.normal("adherence")
            )
        ),
        "metformin": np.array([1000.0, 1500.0, 2000.0])[
            np.searchsorted([0.25, 0.5], draws.uniform("metformin"))
        ],
    }


def _conditions(draws: Draws, person: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Comorbidity at entry. Prevalences of the order of CPRD (cardiovascular disease 15-20 %, heart
    failure 3-4 %, hypertension 55 %); the coefficients are our choice."""
    female, age, bmi = person["female"], person["age"], person["bmi"]

    def happens(name: str, log_odds: np.ndarray) -> np.ndarray:
        return draws.uniform(name) < 1 / (1 + np.exp(-log_odds))

    vascular = happens(
        "vascular", -1.6 + 0.06 * (age - 59) - 0.5 * female + 0.5 * (person["smoking"] == 2)
    )
    return {
        "vascular": vascular,
        "heart_failure": happens(
            "failing", -4.1 + 0.06 * (age - 59) + 1.3 * vascular + 0.04 * (bmi - 32)
        ),
        "hypertension": happens("hypertension", 0.1 + 0.05 * (age - 59) + 0.05 * (bmi - 32)),
        "fracture": happens("fractured", -3.2 + 0.04 * (age - 59) + 0.6 * female),
        "genital_infection": happens("infections", -3.3 + 1.2 * female + 0.02 * (bmi - 32)),
    }
