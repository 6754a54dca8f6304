"""Five years of patients: visits, decisions, outcomes and harms, with the truth."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.simulators.clinic import clinicians, visits
from posology.simulators.clinic.disease import (
    NO_DRUG,
    DiseaseState,
    advance_quarter,
    draw_response_noise,
    first_state,
    start_option,
)
from posology.simulators.clinic.draws import Draws, make_draws
from posology.simulators.clinic.drift import report_shift
from posology.simulators.clinic.events import MINUTES, EventLog, Events
from posology.simulators.clinic.harms import HARMS, harm_risks
from posology.simulators.clinic.options import DPP4, LEVELS, NAMES, doses
from posology.simulators.clinic.population import Patients, draw_patients, select_rows
from posology.simulators.clinic.settings import QUARTER_DAYS, QUARTERS, ClinicSettings
from posology.simulators.clinic.truth import (
    HORIZON,
    ClinicDecisions,
    concatenate_decisions,
    true_effects,
    true_effects_without_history,
)

HBA1C_MISSING = 0.07
"""Share of visits without HbA1c; our choice."""
JITTER = 20
"""Largest distance of a visit from the quarter's day, in days; our choice."""
REVIEW_MINUTES = 10
"""Time from the visit's measurements to the decision."""
DROPOUT, DEATH = 0.008, 0.0012
"""P(leaving the practice) and P(death) in a quarter, for the reference patient: 3 % a year move (of
the order of CPRD), 0.5 % a year die at 59 (UK life tables, doubled by diabetes, rounded)."""


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedPatients:
    """Patients with their events and decisions over five years."""

    patients: Patients
    events: Events
    decisions: ClinicDecisions


Observer = Callable[[Patients, DiseaseState, Float64[np.ndarray, " decision"]], None]
"""Called with the patients of a quarter's decisions, their states and reported HbA1c."""


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    patients: Patients
    draws: Draws
    log: EventLog
    settings: ClinicSettings
    observe: Observer | None


@dataclass(frozen=True, slots=True, eq=False)
class _Records:
    """Last recorded values of every patient, and whether the patient is still in care."""

    hba1c: Float64[np.ndarray, " subject"]
    bmi: Float64[np.ndarray, " subject"]
    egfr: Float64[np.ndarray, " subject"]
    present: Bool[np.ndarray, " subject"]
    recall: Bool[np.ndarray, " subject"]
    """Whether a drug was stopped, so that a visit follows in the next quarter."""


def simulate_patients(
    settings: ClinicSettings,
    subject_id: Int64[np.ndarray, " subject"],
    observe: Observer | None = None,
) -> SimulatedPatients:
    """Five years of the patients with these ids; `observe` sees what no record tells."""
    patients = draw_patients(settings, subject_id)
    draws = make_draws(settings.seed ^ 0x5DEECE66D, subject_id)
    run = _Run(patients, draws, EventLog(), settings, observe)
    state = first_state(patients, draws)
    none = np.zeros(len(subject_id), bool)
    records = _Records(np.full(len(subject_id), 65.0), patients.bmi, patients.egfr, ~none, none)
    made = []
    for quarter in range(QUARTERS + 1):
        if quarter:
            state = advance_quarter(patients, state, draws)
        records, deciding = _visit(run, state, records)
        state, records, decisions = _decide(run, state, records, deciding)
        made.append(decisions)
        state = _harm(run, state, records)
        records = _leave(run, state, records)
    return SimulatedPatients(patients, run.log.events(), concatenate_decisions(made))


def visit_minute(patients: Patients, quarter: int, draws: Draws) -> Int64[np.ndarray, " subject"]:
    """Minute of the visit of a quarter, if it takes place."""
    shift = np.round((2 * draws.uniform("day", quarter) - 1) * JITTER) * (quarter > 0)
    clock = 8 * 60 + np.floor(draws.uniform("hour", quarter) * 9 * 60)
    return ((patients.start_day + quarter * QUARTER_DAYS + shift) * MINUTES + clock).astype(
        np.int64
    )


def _visit(run: _Run, state: DiseaseState, records: _Records) -> tuple[_Records, np.ndarray]:
    """Record the visits of a quarter; return the records and the rows with a decision."""
    quarter, log = state.quarter, run.log
    chance = clinicians.attendance_probability(run.patients, state, records.hba1c)
    attends = (run.draws.uniform("attends", quarter) < chance) | records.recall | (quarter == 0)
    rows = np.flatnonzero(records.present & attends)
    some, now, draws = (
        select_rows(run.patients, rows),
        select_rows(state, rows),
        run.draws.take(rows),
    )
    minute = visit_minute(some, quarter, draws)
    log.add("visit", some.subject_id, minute, quarter=quarter)
    if quarter == 0:
        visits.record_entry(log, some, minute)
    if quarter % 4 == 0:
        visits.record_questionnaires(log, some, quarter, draws, minute)
    visits.record_devices(log, some, now, draws, minute)
    visits.record_refills(log, some, now, draws, minute)
    seen = visits.record_examination(log, some, now, draws, minute)
    day = some.start_day + quarter * QUARTER_DAYS
    reported = np.round(
        visits.reported_hba1c(some, now, draws) + report_shift(run.settings.drift, day)
    )
    sure = records.recall[rows] | (quarter == 0)
    missing = visits.is_test_missed(some, draws, "hba1c", HBA1C_MISSING, quarter) & ~sure
    seen["hba1c"] = np.where(missing, np.nan, reported)
    log.add("hba1c", some.subject_id, minute, seen["hba1c"], quarter)
    due = draws.uniform("decides", quarter) < clinicians.decision_probability(
        now, np.where(missing, 0, reported)
    )
    due |= records.recall[rows] & (reported > 50)
    # No decision is made whose outcome would be after the five years.
    insulin = draws.uniform("insulin", quarter) < clinicians.referral_probability(
        now, np.where(missing, 0, reported)
    )
    log.add(
        "insulin",
        some.subject_id[insulin],
        minute[insulin] + REVIEW_MINUTES,
        np.full(int(insulin.sum()), clinicians.FIRST_INSULIN),
        quarter,
    )
    deciding = rows[due & ~insulin & (quarter + HORIZON <= QUARTERS)]
    columns = {name: getattr(records, name).copy() for name in seen}
    for name, values in seen.items():
        known = ~np.isnan(values)
        columns[name][rows[known]] = values[known]
    called = records.recall.copy()
    called[rows] = False
    present = records.present.copy()
    present[rows[insulin]] = False
    return replace(records, recall=called, present=present, **columns), deciding


def _decide(
    run: _Run, state: DiseaseState, records: _Records, rows: Int64[np.ndarray, " decision"]
) -> tuple[DiseaseState, _Records, ClinicDecisions]:
    """Clinicians choose an option and a dose for some patients; some do not tolerate it."""
    some, now, draws = (
        select_rows(run.patients, rows),
        select_rows(state, rows),
        run.draws.take(rows),
    )
    quarter = state.quarter
    if run.observe is not None:
        run.observe(some, now, records.hba1c[rows])
    seen = clinicians.RecordedValues(records.hba1c[rows], records.bmi[rows], records.egfr[rows])
    drift = run.settings.drift
    truth = true_effects(some, now, seen.hba1c, drift=drift)
    average = true_effects_without_history(
        some, now, seen.hba1c, run.settings.history_effect, drift
    )
    probability = clinicians.choice_probabilities(some, now, seen, run.settings.confounding, drift)
    flat = probability.reshape(len(rows), len(NAMES) * LEVELS)
    choice = clinicians.draw_choices(flat, draws.uniform("choice", quarter))
    option, level = np.divmod(choice, LEVELS)
    at = (np.arange(len(rows)), option, level)
    minute = visit_minute(some, quarter, draws) + REVIEW_MINUTES
    run.log.add("review", some.subject_id, minute, quarter=quarter)
    for k, name in enumerate(NAMES):
        chosen = option == k
        dose = doses()[k][level[chosen]]
        run.log.add(name, some.subject_id[chosen], minute[chosen], dose, quarter)
    stops = draws.uniform("stops", quarter) < truth.stopping[at]
    day = 7 + np.floor(draws.uniform("stop day", quarter) * 43)  # before the next visit
    run.log.add("intolerance", some.subject_id[stops], (minute + day * MINUTES)[stops])
    fall = truth.fall[at] + draw_response_noise(draws, quarter)
    state = start_option(state, rows, (option, level), fall)
    state = _stop(state, rows[stops], option[stops])
    called = records.recall.copy()
    called[rows[stops]] = True
    decisions = ClinicDecisions(
        subject_id=some.subject_id,
        quarter=np.full(len(rows), quarter),
        minute=minute,
        reported_hba1c=seen.hba1c,
        bmi=seen.bmi,
        egfr=seen.egfr,
        vascular=some.vascular,
        heart_failure=now.heart_failure,
        stopped=now.stopped,
        tried=now.tried,
        current_option=now.option,
        option=option,
        level=level,
        is_stopped=stops,
        choice_probability=probability,
        effective_without_history=average.effective,
        truth=truth,
    )
    return state, replace(records, recall=called), decisions


def _stop(state: DiseaseState, rows: np.ndarray, option: np.ndarray) -> DiseaseState:
    """Stop the drug within weeks of its start, before it affects HbA1c."""
    now, stopped, tolerated = state.option.copy(), state.stopped.copy(), state.tolerated.copy()
    on = np.flatnonzero(state.option >= 0)
    tolerated[on, state.option[on]] = True
    now[rows], stopped[rows, option], tolerated[rows, option] = NO_DRUG, True, False
    return replace(state, option=now, stopped=stopped, tolerated=tolerated)


def _harm(run: _Run, state: DiseaseState, records: _Records) -> DiseaseState:
    """Harms of the next quarter on the current drug; without a drug, those of DPP-4 inhibitors."""
    option = np.where(state.option >= 0, state.option, DPP4)
    risk = harm_risks(run.patients, state)[np.arange(len(option)), option, state.level]
    happened = {}
    for k, name in enumerate(HARMS):
        quarterly = 1 - np.sqrt(1 - risk[:, k])
        hit = records.present & (run.draws.uniform(f"harm {name}", state.quarter) < quarterly)
        day = JITTER + 2 + np.floor(run.draws.uniform(f"harm day {name}", state.quarter) * 48)
        when = (run.patients.start_day + state.quarter * QUARTER_DAYS + day) * MINUTES + 900
        run.log.add(name, run.patients.subject_id[hit], when[hit].astype(np.int64))
        happened[name] = hit
    return replace(
        state,
        heart_failure=state.heart_failure | happened["heart_failure"],
        fracture=state.fracture | happened["fracture"],
        genital_infection=state.genital_infection | happened["genital_infection"],
    )


def _leave(run: _Run, state: DiseaseState, records: _Records) -> _Records:
    """Dropout (by deprivation, adherence and HbA1c) and death (by age, heart and smoking)."""
    p, quarter = run.patients, state.quarter
    leaving = DROPOUT * np.exp(
        0.15 * (p.deprivation - 3) - 2.0 * (p.adherence - 0.8) + 0.015 * (records.hba1c - 65)
    )
    age = p.age + quarter / 4
    dying = DEATH * np.exp(
        0.09 * (age - 59) + 0.9 * state.heart_failure + 0.4 * p.vascular + 0.4 * (p.smoking == 2)
    )
    dies = records.present & (run.draws.uniform("death", quarter) < np.minimum(dying, 0.3))
    when = (p.start_day + quarter * QUARTER_DAYS + 85) * MINUTES
    run.log.add("death", p.subject_id[dies], when[dies].astype(np.int64))
    leaves = run.draws.uniform("dropout", quarter) < np.minimum(leaving, 0.3)
    return replace(records, present=records.present & ~dies & ~leaves)
