"""A synthetic cohort in the form of IWPC: a few hundred patients, some with earlier events."""

import datetime
from dataclasses import replace

import numpy as np
import pyarrow as pa

from posology.cohorts.build import build_cohort
from posology.cohorts.study.reader import read_study
from posology.domain.cohort import Cohort
from posology.domain.history import has_code, latest_value
from posology.domain.study import PredictionTarget, Study
from posology.records.schema import EVENTS

TIME_ZERO = datetime.datetime(2000, 1, 1)  # noqa: DTZ001 - MEDS times have no zone


def events(patients: int = 240, seed: int = 0) -> pa.Table:
    """Static facts, conditions before and after time zero, and the stable dose."""
    rng = np.random.default_rng(seed)
    rows: list[dict] = []

    def add(subject: int, code: str, value: float | None = None, day: float | None = None) -> None:
        time = None if day is None else TIME_ZERO + datetime.timedelta(days=day)
        rows.append(
            {
                "subject_id": subject,
                "time": time,
                "code": code,
                "numeric_value": value,
                "text_value": None,
                "unit": None,
            }
        )

    for subject in range(1, patients + 1):
        gene = rng.choice(["G/G", "A/G", "A/A"])
        age, height = int(rng.integers(2, 10)), float(rng.normal(170, 10))
        add(subject, f"SEX//{rng.choice(['male', 'female'])}")
        add(subject, f"RACE//{rng.choice(['Asian', 'White', 'Black', 'Unknown'])}")
        add(subject, "AGE_DECADE", age)
        if rng.random() < 0.8:
            add(subject, "HEIGHT", height)
        add(subject, "WEIGHT", float(rng.normal(75, 15)))
        if rng.random() < 0.9:
            add(subject, f"GENOTYPE//VKORC1_rs9923231//{gene}")
        amiodarone = rng.random() < 0.2
        add(subject, f"DRUG//amiodarone//{'yes' if amiodarone else 'no'}")
        for _ in range(rng.integers(0, 4)):
            add(
                subject,
                f"CONDITION//{rng.choice(['a', 'b', 'c'])}",
                day=-float(rng.integers(1, 900)),
            )
        add(subject, "WARFARIN//START", day=0)
        add(subject, "CONDITION//a", day=float(rng.integers(1, 60)))
        dose = 62 - 4 * age - 13 * ["G/G", "A/G", "A/A"].index(gene) - 8 * amiodarone
        add(subject, "OUTCOME//WARFARIN_DOSE", max(3.0, dose + float(rng.normal(0, 4))), day=90)
    return pa.Table.from_pylist(rows, schema=EVENTS)


def study() -> Study:
    """The IWPC study, but every fact may be missing: tests that need one say so."""
    shipped = read_study("iwpc")
    return replace(
        shipped, profile=replace(shipped.profile, required_for_advice=(), may_be_unknown=())
    )


def cohort(patients: int = 240, seed: int = 0) -> Cohort:
    """The events as a cohort of that study."""
    return build_cohort(events(patients, seed), study())


AMIODARONE = ("DRUG//amiodarone//yes",)
TARGETS = {
    "diagnosis": (
        PredictionTarget("thyroid", AMIODARONE, 365.0),
        PredictionTarget("tall", ("X",), 365.0),
    ),
    "progression": (PredictionTarget("double", ("HEIGHT",), 90.0, 30.0, "cm"),),
    "time_to_event": (PredictionTarget("stopped", ("STOP",), 120.0),),
}


def with_targets(c: Cohort) -> Cohort:
    """The cohort with prediction targets that depend on the past, some of them missing.

    Patients on amiodarone stop in the first half of the window; the others are followed to its end.
    """
    height = np.nan_to_num(
        latest_value(c.history, c.last_step, c.profile.rows(("HEIGHT",))), nan=170.0
    )
    takes = has_code(c.history, c.last_step, c.profile.rows(AMIODARONE))
    diagnosis = np.stack([takes, height > 170], 1).astype(np.float32)
    diagnosis[::7, 0] = np.nan
    stops = np.random.default_rng(0).uniform(1, 60, len(c))
    waited = np.where(takes, stops, 120.0).astype(np.float32)[:, None]
    waited[::9] = np.minimum(waited[::9], 30.0)
    return replace(
        c,
        study=replace(c.study, **TARGETS),
        diagnosis=diagnosis,
        progression=(2 * height[:, None] + 5).astype(np.float32),
        event_time=waited,
        event_observed=takes[:, None] & ((waited < 30.0) | (np.arange(len(c)) % 9 != 0)[:, None]),
    )
