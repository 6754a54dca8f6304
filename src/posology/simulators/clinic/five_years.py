"""Five years of some patients: visits, decisions, outcomes, harms, and the truth beside them."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.simulators.clinic import clinicians, visits
from posology.simulators.clinic.adverse import HARMS, harms
from posology.simulators.clinic.decisions import Decisions, joined
from posology.simulators.clinic.disease import (
    NO_DRUG,
    State,
    course_noise,
    first_state,
    next_quarter,
    start_course,
)  # fmt: skip
from posology.simulators.clinic.draws import Draws, draws_of
from posology.simulators.clinic.event_log import MINUTES, Events, Log
from posology.simulators.clinic.options import DPP4, LEVELS, NAMES, doses
from posology.simulators.clinic.population import Patients, draw_patients, take
from posology.simulators.clinic.settings import QUARTER_DAYS, QUARTERS, ClinicSettings
from posology.simulators.clinic.truth import HORIZON, know, know_without_history

HBA1C_MISSING = 0.07
"""Share of visits without HbA1c; my choice."""
JITTER = 20
"""Visits fall within so many days of the quarter's day; my choice."""
REVIEW_MINUTES = 10
"""The decision comes this long after the visit's measurements."""
DROPOUT, DEATH = 0.008, 0.0012
"""P(leaving the practice) and P(death) in a quarter, for the reference patient: 3 % a year move (of
the order of CPRD), 0.5 % a year die at 59 (UK life tables, doubled by diabetes, rounded)."""


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """The whole course of a chunk of patients."""

    patients: Patients
    events: Events
    decisions: Decisions


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    patients: Patients
    draws: Draws
    log: Log
    settings: ClinicSettings


@dataclass(frozen=True, slots=True, eq=False)
class _Records:
    """What the records show of every patient so far, and who is still in care."""

    hba1c: Float64[np.ndarray, " subject"]
    bmi: Float64[np.ndarray, " subject"]
    egfr: Float64[np.ndarray, " subject"]
    present: Bool[np.ndarray, " subject"]
    called: Bool[np.ndarray, " subject"]
    """A drug was stopped, so a visit is made next quarter."""


def simulate(settings: ClinicSettings, subject_id: Int64[np.ndarray, " subject"]) -> Course:
    """The course of the patients with these numbers."""
    patients = draw_patients(settings, subject_id)
    draws = draws_of(settings.seed ^ 0x5DEECE66D, subject_id)
    run = _Run(patients, draws, Log(), settings)
    state = first_state(patients, draws)
    nobody = np.zeros(len(subject_id), bool)
    records = _Records(np.full(len(subject_id), 65.0), patients.bmi, patients.egfr, ~nobody, nobody)
    made = []
    for quarter in range(QUARTERS + 1):
        if quarter:
            state = next_quarter(patients, state, draws)
        records, deciding = _visit(run, state, records)
        state, records, decisions = _decide(run, state, records, deciding)
        made.append(decisions)
        state = _harm(run, state, records)
        records = _leave(run, state, records)
    return Course(patients, run.log.events(), joined(made))


def visit_minute(patients: Patients, quarter: int, draws: Draws) -> Int64[np.ndarray, " subject"]:
    """When the visit of a quarter takes place, if it does."""
    shift = np.round((2 * draws.uniform("day", quarter) - 1) * JITTER) * (quarter > 0)
    clock = 8 * 60 + np.floor(draws.uniform("hour", quarter) * 9 * 60)
    return ((patients.start + quarter * QUARTER_DAYS + shift) * MINUTES + clock).astype(np.int64)


def _visit(run: _Run, state: State, records: _Records) -> tuple[_Records, np.ndarray]:
    """Record the visits of a quarter; returns what is now known and whose therapy is decided."""
    quarter, log = state.quarter, run.log
    chance = clinicians.attends(run.patients, state, records.hba1c)
    comes = (run.draws.uniform("attends", quarter) < chance) | records.called | (quarter == 0)
    rows = np.flatnonzero(records.present & comes)
    some, now, draws = take(run.patients, rows), take(state, rows), run.draws.take(rows)
    minute = visit_minute(some, quarter, draws)
    log.add("visit", some.subject_id, minute, quarter=quarter)
    if quarter == 0:
        visits.record_entry(log, some, minute)
    if quarter % 4 == 0:
        visits.record_questionnaires(log, some, quarter, draws, minute)
    visits.record_devices(log, some, now, draws, minute)
    visits.record_refills(log, some, now, draws, minute)
    seen = visits.record_examination(log, some, now, draws, minute)
    reported = visits.reported_hba1c(some, now, draws)
    sure = records.called[rows] | (quarter == 0)
    missing = visits.missed(some, draws, "hba1c", HBA1C_MISSING, quarter) & ~sure
    seen["hba1c"] = np.where(missing, np.nan, reported)
    log.add("hba1c", some.subject_id, minute, seen["hba1c"], quarter)
    due = draws.uniform("decides", quarter) < clinicians.decides(
        now, np.where(missing, 0, reported)
    )
    due |= records.called[rows] & (reported > 50)
    # A decision whose outcome would come after the five years is not made: it could not be seen.
    insulin = draws.uniform("insulin", quarter) < clinicians.refers(
        now, np.where(missing, 0, reported)
    )
    log.add("insulin", some.subject_id[insulin], minute[insulin] + REVIEW_MINUTES,
            np.full(int(insulin.sum()), clinicians.FIRST_INSULIN), quarter)  # fmt: skip
    deciding = rows[due & ~insulin & (quarter + HORIZON <= QUARTERS)]
    columns = {name: getattr(records, name).copy() for name in seen}
    for name, values in seen.items():
        there = ~np.isnan(values)
        columns[name][rows[there]] = values[there]
    called = records.called.copy()
    called[rows] = False
    present = records.present.copy()
    present[rows[insulin]] = False
    return replace(records, called=called, present=present, **columns), deciding


def _decide(
    run: _Run, state: State, records: _Records, rows: Int64[np.ndarray, " decision"]
) -> tuple[State, _Records, Decisions]:
    """Doctors choose an option and a dose for some patients; some will not tolerate it."""
    some, now, draws = take(run.patients, rows), take(state, rows), run.draws.take(rows)
    quarter = state.quarter
    seen = clinicians.Seen(records.hba1c[rows], records.bmi[rows], records.egfr[rows])
    truth = know(some, now, seen.hba1c)
    alike = know_without_history(some, now, seen.hba1c, run.settings.history_effect)
    probability = clinicians.probabilities(some, now, seen, run.settings.confounding)
    flat = probability.reshape(len(rows), len(NAMES) * LEVELS)
    choice = clinicians.choose(flat, draws.uniform("choice", quarter))
    option, level = np.divmod(choice, LEVELS)
    at = (np.arange(len(rows)), option, level)
    minute = visit_minute(some, quarter, draws) + REVIEW_MINUTES
    run.log.add("review", some.subject_id, minute, quarter=quarter)
    for k, name in enumerate(NAMES):
        mine = option == k
        run.log.add(name, some.subject_id[mine], minute[mine], doses()[k][level[mine]], quarter)
    stops = draws.uniform("stops", quarter) < truth.stopping[at]
    day = 7 + np.floor(draws.uniform("stop day", quarter) * 43)  # before the next visit
    run.log.add("intolerance", some.subject_id[stops], (minute + day * MINUTES)[stops])
    fall = truth.fall[at] + course_noise(draws, quarter)
    state = start_course(state, rows, (option, level), fall)
    state = _stop(state, rows[stops], option[stops])
    called = records.called.copy()
    called[rows[stops]] = True
    decisions = Decisions(
        subject_id=some.subject_id, quarter=np.full(len(rows), quarter), minute=minute,
        reported=seen.hba1c, bmi=seen.bmi, egfr=seen.egfr, vascular=some.vascular,
        failing=now.failing, stopped=now.stopped, tried=now.tried, current=now.option,
        option=option, level=level, stops=stops, probability=probability,
        without_history=alike.effective, truth=truth,
    )  # fmt: skip
    return state, replace(records, called=called), decisions


def _stop(state: State, rows: np.ndarray, option: np.ndarray) -> State:
    """The drug is stopped within weeks of being started: HbA1c never sees it."""
    now, stopped, tolerated = state.option.copy(), state.stopped.copy(), state.tolerated.copy()
    on = np.flatnonzero(state.option >= 0)
    tolerated[on, state.option[on]] = True
    now[rows], stopped[rows, option], tolerated[rows, option] = NO_DRUG, True, False
    return replace(state, option=now, stopped=stopped, tolerated=tolerated)


def _harm(run: _Run, state: State, records: _Records) -> State:
    """Harms of the coming quarter on what is being taken; DPP-4 inhibitors stand for no drug."""
    option = np.where(state.option >= 0, state.option, DPP4)
    risk = harms(run.patients, state)[np.arange(len(option)), option, state.level]
    happened = {}
    for k, name in enumerate(HARMS):
        quarterly = 1 - np.sqrt(1 - risk[:, k])
        hit = records.present & (run.draws.uniform(f"harm {name}", state.quarter) < quarterly)
        day = JITTER + 2 + np.floor(run.draws.uniform(f"harm day {name}", state.quarter) * 48)
        when = (run.patients.start + state.quarter * QUARTER_DAYS + day) * MINUTES + 900
        run.log.add(name, run.patients.subject_id[hit], when[hit].astype(np.int64))
        happened[name] = hit
    return replace(
        state,
        failing=state.failing | happened["heart_failure"],
        fractured=state.fractured | happened["fracture"],
        infections=state.infections | happened["genital_infection"],
    )


def _leave(run: _Run, state: State, records: _Records) -> _Records:
    """Dropout (more where deprived, careless or badly controlled) and death (age, heart)."""
    p, quarter = run.patients, state.quarter
    leaving = DROPOUT * np.exp(
        0.15 * (p.deprivation - 3) - 2.0 * (p.adherence - 0.8) + 0.015 * (records.hba1c - 65)
    )
    age = p.age + quarter / 4
    dying = DEATH * np.exp(0.09 * (age - 59) + 0.9 * state.failing + 0.4 * p.vascular
                           + 0.4 * (p.smoking == 2))  # fmt: skip
    dies = records.present & (run.draws.uniform("death", quarter) < np.minimum(dying, 0.3))
    when = (p.start + quarter * QUARTER_DAYS + 85) * MINUTES
    run.log.add("death", p.subject_id[dies], when[dies].astype(np.int64))
    leaves = run.draws.uniform("dropout", quarter) < np.minimum(leaving, 0.3)
    return replace(records, present=records.present & ~dies & ~leaves)
