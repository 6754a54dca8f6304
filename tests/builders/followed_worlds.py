"""Made-up trials with known risks, in which patients leave, die or stop: events, not labels."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from posology.cohorts.build import build_cohort
from posology.cohorts.study.reader import parse_study
from posology.domain.cohort import Cohort
from posology.records.schema import EVENTS
from tests.builders.two_drug_records import FIRST, TEXT

YEAR = 365.0
COST = 'codes = ["EVENT"], cost = 2.0, within_days = 365'
"""An event costs 2, so that what is lost of it is seen in the reward."""


@dataclass(frozen=True, slots=True, eq=False)
class Patients:
    """Of each patient the option, a covariate, and days to everything; infinity for never."""

    option: np.ndarray
    x: np.ndarray
    event: np.ndarray
    death: np.ndarray
    stop: np.ndarray
    leave: np.ndarray
    measured: np.ndarray
    """Day on which a number is measured, in arm and covariate alike; infinity for never."""
    number: np.ndarray


def waiting_times(risk: np.ndarray | float, size: int, rng: np.random.Generator) -> np.ndarray:
    """Days to something that happens within a year with the given probability, at a steady rate."""
    return rng.exponential(1.0, size) * YEAR / -np.log1p(-np.broadcast_to(risk, size))


def draw_patients(size: int, seed: int, leaving: str, death: float, stop: float) -> Patients:
    """A fifth of each arm has the event in a year; x raises the rate of the event and of leaving.

    leaving: `none`, `independent`, `covariate` or `arm`.
    """
    rng = np.random.default_rng(seed)
    option, x = rng.integers(0, 2, size), rng.integers(0, 2, size)
    risk = np.where(x == 1, 0.35, 0.05)
    rates = {
        "none": np.zeros(size),
        "independent": np.full(size, 0.4),
        "covariate": np.where(x == 1, 0.7, 0.1),
        "arm": np.where(option == 1, 0.6, 0.1),
    }
    measured = np.where(rng.random(size) < 0.9 - 0.4 * x, rng.uniform(200, 365, size), np.inf)
    number = np.where(rng.random(size) < np.where(x == 1, 0.3, 0.8), 4.0, 6.0)
    return Patients(
        option,
        x,
        waiting_times(risk, size, rng),
        waiting_times(death, size, rng) if death else np.full(size, np.inf),
        waiting_times(stop, size, rng) if stop else np.full(size, np.inf),
        np.where(
            rates[leaving] > 0,
            waiting_times(np.maximum(rates[leaving], 1e-9), size, rng),
            np.inf,
        ),
        measured,
        number,
    )


def events_of(patients: Patients) -> pa.Table:
    """What the records show: nothing after death, or after leaving (OBSERVATION_PERIOD//END)."""
    size = len(patients.x)
    subject, zeros = np.arange(1, size + 1), np.zeros(size)
    end = np.minimum(patients.leave, 400.0)
    alive = np.minimum(end, patients.death)
    columns = [
        (np.ones(size, bool), np.full(size, np.nan), "NOTE", patients.x),
        (np.ones(size, bool), zeros - 9, "OBSERVATION_PERIOD//START", zeros),
        (np.ones(size, bool), zeros, "REVIEW", zeros),
        (patients.option == 0, zeros, "DRUG//A", zeros),
        (patients.option == 1, zeros, "DRUG//B", zeros),
        (patients.event <= alive, patients.event, "EVENT", zeros),
        (patients.stop <= alive, patients.stop, "STOP", zeros),
        (patients.measured <= alive, patients.measured, "LAB", patients.number),
        (patients.death <= end, patients.death, "MEDS_DEATH", zeros),
        (np.ones(size, bool), end, "OBSERVATION_PERIOD//END", zeros),
    ]
    rows = np.concatenate([np.flatnonzero(keep) for keep, _, _, _ in columns])
    counts = [int(keep.sum()) for keep, _, _, _ in columns]
    time = np.concatenate([day[keep] for keep, day, _, _ in columns])
    value = np.concatenate([number[keep] for keep, _, _, number in columns])
    code = np.repeat([code for _, _, code, _ in columns], counts)
    micros = np.round((FIRST + np.nan_to_num(time)) * 86_400e6).astype(np.int64)
    table = {
        "subject_id": pa.array(subject[rows]),
        "time": pa.array(micros, pa.timestamp("us"), mask=np.isnan(time)),
        "code": pa.array(code),
        "numeric_value": pa.array(value.astype(np.float32)),
    }
    empty = {f.name: pa.nulls(len(rows), f.type) for f in EVENTS if f.name not in table}
    return pa.table(table | empty).select([f.name for f in EVENTS]).cast(EVENTS)


def followed_cohort(
    patients: Patients, outcome: str, more: str = "", follow_up: str = ""
) -> Cohort:
    """The cohort of the patients' records; all of them train."""
    start, stop = TEXT.index("[outcome]"), TEXT.index("[reward]")
    text = f"{TEXT[:start]}[outcome]\n{outcome}\n[follow_up]\n{follow_up}\n{TEXT[stop:]}{more}"
    text = text.replace('codes = ["HARM"], cost = 0.5, within_days = 40', COST)
    text = text.replace('which = "every"', 'which = "first"')
    text = text.replace("train = 0.6\nvalidation = 0.2", "train = 0.998\nvalidation = 0.001")
    text = text.replace("test = 0.2", "test = 0.001")
    return build_cohort(events_of(patients), parse_study(text, "followed.toml"))
