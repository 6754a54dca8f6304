"""Ninety days on warfarin: visits, INRs, doses until the next visit, and outcomes.

Choices of ours: visits on days 0, 2, 4, 6 and 8, then every 7 days, and after 2 days where the
INR was 4 or more; 31 daily doses, 0 to 15 mg in steps of 0.5; target INR 2 to 3; reward of an
interval = (days in range - days above 4) / 90, INR between visits by linear interpolation
(Rosendaal et al. 1993, Thromb Haemost 69:236).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.domain.history import offsets_from_counts
from posology.domain.trajectories import Trajectories
from posology.simulators.rollout import MemoryPolicy, Observation, ObservationPolicy
from posology.simulators.warfarin.pharmacology import (
    CYP2C9,
    RACES,
    VKORC1,
    Bodies,
    Patients,
    State,
    advance_day,
    measure_inr,
    untreated_state,
)

DAYS = 90
DOSES = np.arange(31) * 0.5
"""mg a day of each treatment number."""
LOW, HIGH, DANGER = 2.0, 3.0, 4.0
SHORT_INTERVAL, INTERVAL, EARLY_DAYS = 2, 7, 8
"""Days between visits before day 8, and afterwards; and day 8."""
FEATURES = (
    "day",
    "inr",
    "previous_inr",
    "days_between",
    "dose",
    "maintenance",
    "age",
    "height",
    "weight",
    *(f"cyp2c9 {name}" for name in CYP2C9),
    *(f"vkorc1 {name}" for name in VKORC1),
    *(f"race {name}" for name in RACES),
    "amiodarone",
    "inducer",
)
"""Columns of an observation; `maintenance` is the last dose above 0, in mg a day."""


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """Patients at a visit, each on a day of their own."""

    patients: Patients
    bodies: Bodies
    state: State
    day: Int64[np.ndarray, " subject"]
    inr: Float64[np.ndarray, " subject"]
    """As measured today."""
    previous_inr: Float64[np.ndarray, " subject"]
    days_between: Int64[np.ndarray, " subject"]
    """Since the visit before; 0 at the first."""
    dose: Float64[np.ndarray, " subject"]
    """mg a day since the visit before; 0 at the first."""
    maintenance: Float64[np.ndarray, " subject"]


@dataclass(frozen=True, slots=True, eq=False)
class TreatmentResult:
    """Trajectories and outcomes of ninety days, one row per patient."""

    trajectories: Trajectories
    time_in_range: Float64[np.ndarray, " subject"]
    """Share of the days with an interpolated INR of 2 to 3 (Rosendaal)."""
    over_4: Bool[np.ndarray, " subject"]
    """Any measured INR above 4."""
    over_5: Bool[np.ndarray, " subject"]
    days_to_stable: Float64[np.ndarray, " subject"]
    """Day of the first of two visits in range, a week or more apart, on one dose; NaN if none."""


def start_treatment(patients: Patients, bodies: Bodies) -> Visit:
    """Every patient before the first dose, with an INR of 1."""
    n = len(patients)
    zero, one = np.zeros(n), np.ones(n)
    day = np.zeros(n, np.int64)
    return Visit(patients, bodies, untreated_state(bodies), day, one, one, day, zero, zero)


def observe(visit: Visit) -> Observation:
    """Observation at the visit, in the order of FEATURES."""
    known = visit.patients
    numbers = [
        visit.day,
        visit.inr,
        visit.previous_inr,
        visit.days_between,
        visit.dose,
        visit.maintenance,
        known.age,
        known.height,
        known.weight,
    ]
    codes = [
        np.eye(len(names))[column]
        for names, column in (
            (CYP2C9, known.cyp2c9),
            (VKORC1, known.vkorc1),
            (RACES, known.race),
        )
    ]
    return np.column_stack([*numbers, *codes, known.amiodarone, known.inducer]).astype(np.float64)


def take_dose_until_next_visit(
    visit: Visit, treatment: Int64[np.ndarray, " subject"], rng: np.random.Generator
) -> tuple[Visit, Float64[np.ndarray, " subject"], Float64[np.ndarray, " subject"]]:
    """Take a dose (a row of DOSES) daily until the next visit.

    Returns the next visit, the days in between with the INR in range, and those with it above 4.
    Patients at day 90 have ended and must not take another step.
    """
    dose = DOSES[treatment]
    soon = (visit.day < EARLY_DAYS) | (visit.inr >= DANGER)
    length = np.minimum(np.where(soon, SHORT_INTERVAL, INTERVAL), DAYS - visit.day)
    state = visit.state
    for past in range(int(length.max())):
        later = advance_day(visit.bodies, state, dose)
        going = (length > past)[:, None]
        state = State(
            np.where(going, later.drive, state.drive),
            np.where(going, later.fast, state.fast),
            np.where(going, later.slow, state.slow),
        )
    new = measure_inr(visit.bodies, state, rng)
    share = np.arange(1, INTERVAL + 1)[None, :] / length[:, None]
    between = visit.inr[:, None] + (new - visit.inr)[:, None] * share
    counted = share <= 1
    in_range = (counted & (between >= LOW) & (between <= HIGH)).sum(axis=1)
    above = (counted & (between > DANGER)).sum(axis=1)
    arrived = Visit(
        visit.patients,
        visit.bodies,
        state,
        visit.day + length,
        new,
        visit.inr,
        length,
        dose,
        np.where(dose > 0, dose, visit.maintenance),
    )
    return arrived, in_range.astype(np.float64), above.astype(np.float64)


def treat_patients(
    visit: Visit, policy: ObservationPolicy, rng: np.random.Generator
) -> TreatmentResult:
    """Treat all patients by one policy from the first visit to day 90."""
    return treat_with_memory(visit, lambda observation, _subject, _last: policy(observation), rng)


def treat_with_memory(
    visit: Visit, policy: MemoryPolicy, rng: np.random.Generator
) -> TreatmentResult:
    """`treat_patients` by a policy with a memory."""
    n = len(visit.patients)
    subject, log, last_treatment = np.arange(n), [], np.full(n, -1)
    final = np.empty((n, len(FEATURES)))
    while len(subject):
        observation = observe(visit)
        probability = policy(observation, subject, last_treatment[subject])
        drawn = (np.cumsum(probability, axis=1) <= rng.random(len(subject))[:, None]).sum(axis=1)
        last_treatment[subject] = chosen = np.minimum(drawn, len(DOSES) - 1)
        visit, in_range, above = take_dose_until_next_visit(visit, chosen, rng)
        log.append((subject, observation, chosen, probability, in_range, above, visit.inr))
        ended = visit.day >= DAYS
        final[subject[ended]] = observe(visit)[ended]
        subject, visit = subject[~ended], _select_rows(visit, np.flatnonzero(~ended))
    return _to_result(log, final)


def _to_result(
    log: list[tuple[np.ndarray, ...]], final: Float64[np.ndarray, "subject feature"]
) -> TreatmentResult:
    subject, observation, chosen, probability, in_range, above, after = (
        np.concatenate(column) for column in zip(*log, strict=True)
    )
    order = np.argsort(subject, kind="stable")
    starts = offsets_from_counts(np.bincount(subject, minlength=len(final)))
    chosen = chosen[order].astype(np.int32)
    trajectories = Trajectories(
        observation=observation[order],
        treatment=chosen,
        reward=(in_range - above)[order] / DAYS,
        logged_probability=probability[order, chosen],
        behaviour=probability[order],
        offsets=starts,
        final_observation=final,
        terminal=np.ones(len(final), dtype=bool),
        state_count=0,
    )
    highest = np.maximum.reduceat(after[order], starts[:-1])
    return TreatmentResult(
        trajectories=trajectories,
        time_in_range=np.add.reduceat(in_range[order], starts[:-1]) / DAYS,
        over_4=highest > DANGER,
        over_5=highest > 5.0,
        days_to_stable=_days_to_stable(trajectories, after[order]),
    )


def _days_to_stable(
    trajectories: Trajectories, after: Float64[np.ndarray, " decision"]
) -> Float64[np.ndarray, " subject"]:
    """Day of the first decision that continues the dose, in range then and a week later."""
    day, inr, dose = (
        trajectories.observation[:, FEATURES.index(f)] for f in ("day", "inr", "dose")
    )
    last = trajectories.offsets[1:] - 1
    arrival = np.append(day[1:], 0.0)
    arrival[last] = trajectories.final_observation[:, 0]
    good = (_in_range(inr) & _in_range(after) & (arrival - day >= INTERVAL)) & (
        DOSES[trajectories.treatment] == dose
    )
    when = np.minimum.reduceat(np.where(good, day, np.inf), trajectories.offsets[:-1])
    return np.where(np.isfinite(when), when, np.nan)


def _in_range(inr: np.ndarray) -> np.ndarray:
    return (inr >= LOW) & (inr <= HIGH)


def _select_rows(visit: Visit, rows: Int64[np.ndarray, " chosen"]) -> Visit:
    known, body, state = visit.patients, visit.bodies, visit.state
    return Visit(
        Patients(
            known.age[rows],
            known.height[rows],
            known.weight[rows],
            known.cyp2c9[rows],
            known.vkorc1[rows],
            known.race[rows],
            known.amiodarone[rows],
            known.inducer[rows],
        ),
        Bodies(
            body.rates[rows],
            body.gains[rows],
            body.steepness,
            body.chain_rates[rows],
            body.chain_lengths,
            body.product,
            body.noise,
        ),
        State(state.drive[rows], state.fast[rows], state.slow[rows]),
        visit.day[rows],
        visit.inr[rows],
        visit.previous_inr[rows],
        visit.days_between[rows],
        visit.dose[rows],
        visit.maintenance[rows],
    )
