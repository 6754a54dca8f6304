"""Ninety days on warfarin: visits, INRs, doses until the next visit, and how it went.

Choices of ours: visits on days 0, 2, 4, 6 and 8, then every 7 days, and after 2 days where the
INR was 4 or more; 31 daily doses, 0 to 15 mg in steps of 0.5; target INR 2 to 3; reward of an
interval = (days in range - days above 4) / 90, INR between visits by linear interpolation
(Rosendaal et al. 1993, Thromb Haemost 69:236).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.domain.history import offsets_from_counts
from posology.domain.trajectories import Trajectories
from posology.simulators.warfarin.pharmacology import (
    CYP2C9,
    RACES,
    VKORC1,
    Bodies,
    Patients,
    State,
    measured,
    next_day,
    untreated,
)

DAYS = 90
DOSES = np.arange(31) * 0.5
"""mg a day, one a treatment number."""
LOW, HIGH, DANGER = 2.0, 3.0, 4.0
OFTEN, USUAL, EARLY = 2, 7, 8
"""Days between visits before day 8, days between them afterwards, and day 8."""
FEATURES = (
    "day", "inr", "previous_inr", "days_between", "dose", "maintenance", "age", "height", "weight",
    *(f"cyp2c9 {name}" for name in CYP2C9), *(f"vkorc1 {name}" for name in VKORC1),
    *(f"race {name}" for name in RACES), "amiodarone", "inducer",
)  # fmt: skip
"""Columns of an observation; `maintenance` is the last dose above 0, in mg a day."""

Observation = Float64[np.ndarray, "decision feature"]
Act = Callable[[Observation], Float64[np.ndarray, "decision treatment"]]
"""From what is seen to the probability of every treatment."""
Remembering = Callable[
    [Observation, Int64[np.ndarray, " decision"], Int64[np.ndarray, " decision"]],
    Float64[np.ndarray, "decision treatment"],
]
"""The same, told also which patient each row is and what was given last (-1 at the first visit)."""


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Patients at a visit, each at a day of their own."""

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
class Outcome:
    """How ninety days went, one row a patient."""

    trajectories: Trajectories
    time_in_range: Float64[np.ndarray, " subject"]
    """Share of the days with an interpolated INR of 2 to 3 (Rosendaal)."""
    over_4: Bool[np.ndarray, " subject"]
    """Any measured INR above 4."""
    over_5: Bool[np.ndarray, " subject"]
    days_to_stable: Float64[np.ndarray, " subject"]
    """Day of the first of two visits in range, a week or more apart, on one dose; NaN if none."""


def begin(patients: Patients, bodies: Bodies) -> Course:
    """Everybody before the first dose, with an INR of 1."""
    n = len(patients)
    nothing, one = np.zeros(n), np.ones(n)
    day = np.zeros(n, np.int64)
    return Course(patients, bodies, untreated(bodies), day, one, one, day, nothing, nothing)


def observe(course: Course) -> Observation:
    """What a clinician sees at the visit, in the order of FEATURES."""
    known = course.patients
    numbers = [
        course.day, course.inr, course.previous_inr, course.days_between, course.dose,
        course.maintenance, known.age, known.height, known.weight,
    ]  # fmt: skip
    codes = [
        np.eye(len(names))[column]
        for names, column in (
            (CYP2C9, known.cyp2c9), (VKORC1, known.vkorc1), (RACES, known.race),
        )
    ]  # fmt: skip
    return np.column_stack([*numbers, *codes, known.amiodarone, known.inducer]).astype(np.float64)


def step(
    course: Course, treatment: Int64[np.ndarray, " subject"], rng: np.random.Generator
) -> tuple[Course, Float64[np.ndarray, " subject"], Float64[np.ndarray, " subject"]]:
    """Take a dose (a row of DOSES) daily until the next visit.

    Returns the patients at that visit, and of the days between how many were in range and how
    many above 4. Patients at day 90 have ended and must not be asked again.
    """
    dose = DOSES[treatment]
    soon = (course.day < EARLY) | (course.inr >= DANGER)
    length = np.minimum(np.where(soon, OFTEN, USUAL), DAYS - course.day)
    state = course.state
    for past in range(int(length.max())):
        later = next_day(course.bodies, state, dose)
        going = (length > past)[:, None]
        state = State(
            np.where(going, later.drive, state.drive),
            np.where(going, later.fast, state.fast),
            np.where(going, later.slow, state.slow),
        )
    new = measured(course.bodies, state, rng)
    share = np.arange(1, USUAL + 1)[None, :] / length[:, None]
    between = course.inr[:, None] + (new - course.inr)[:, None] * share
    counted = share <= 1
    in_range = (counted & (between >= LOW) & (between <= HIGH)).sum(axis=1)
    above = (counted & (between > DANGER)).sum(axis=1)
    arrived = Course(
        course.patients, course.bodies, state, course.day + length, new, course.inr, length,
        dose, np.where(dose > 0, dose, course.maintenance),
    )  # fmt: skip
    return arrived, in_range.astype(np.float64), above.astype(np.float64)


def care(course: Course, act: Act, rng: np.random.Generator) -> Outcome:
    """Treat everybody by one policy from the first day to the last, all at once."""
    return care_remembering(course, lambda seen, _who, _given: act(seen), rng)


def care_remembering(course: Course, act: Remembering, rng: np.random.Generator) -> Outcome:
    """The same by a policy with a memory of its patients."""
    n = len(course.patients)
    who, log, given = np.arange(n), [], np.full(n, -1)
    final = np.empty((n, len(FEATURES)))
    while len(who):
        seen = observe(course)
        chances = act(seen, who, given[who])
        drawn = (np.cumsum(chances, axis=1) <= rng.random(len(who))[:, None]).sum(axis=1)
        given[who] = chosen = np.minimum(drawn, len(DOSES) - 1)
        course, in_range, above = step(course, chosen, rng)
        log.append((who, seen, chosen, chances, in_range, above, course.inr))
        ended = course.day >= DAYS
        final[who[ended]] = observe(course)[ended]
        who, course = who[~ended], _rows(course, np.flatnonzero(~ended))
    return _outcome(log, final)


def priced(logged: Trajectories, price: float) -> Trajectories:
    """The same episodes, with `price` off the reward where a visit changed the dose taken so far.

    The first dose is free.
    """
    day, dose = (logged.observation[:, FEATURES.index(f)] for f in ("day", "dose"))
    changed = (day > 0) & (DOSES[logged.treatment] != dose)
    return replace(logged, reward=logged.reward - price * changed)


def _outcome(
    log: list[tuple[np.ndarray, ...]], final: Float64[np.ndarray, "subject feature"]
) -> Outcome:
    who, seen, chosen, chances, in_range, above, after = (
        np.concatenate(column) for column in zip(*log, strict=True)
    )
    order = np.argsort(who, kind="stable")
    starts = offsets_from_counts(np.bincount(who, minlength=len(final)))
    chosen = chosen[order].astype(np.int32)
    trajectories = Trajectories(
        observation=seen[order],
        treatment=chosen,
        reward=(in_range - above)[order] / DAYS,
        logged_probability=chances[order, chosen],
        behaviour=chances[order],
        offsets=starts,
        final_observation=final,
        terminal=np.ones(len(final), dtype=bool),
        state_count=0,
    )
    highest = np.maximum.reduceat(after[order], starts[:-1])
    return Outcome(
        trajectories=trajectories,
        time_in_range=np.add.reduceat(in_range[order], starts[:-1]) / DAYS,
        over_4=highest > DANGER,
        over_5=highest > 5.0,
        days_to_stable=_stable(trajectories, after[order]),
    )


def _stable(
    logged: Trajectories, after: Float64[np.ndarray, " decision"]
) -> Float64[np.ndarray, " subject"]:
    """First decision, made in range, that kept the dose taken and was in range a week on."""
    day, inr, dose = (logged.observation[:, FEATURES.index(f)] for f in ("day", "inr", "dose"))
    last = logged.offsets[1:] - 1
    arrival = np.append(day[1:], 0.0)
    arrival[last] = logged.final_observation[:, 0]
    good = (_in_range(inr) & _in_range(after) & (arrival - day >= USUAL)) & (
        DOSES[logged.treatment] == dose
    )
    when = np.minimum.reduceat(np.where(good, day, np.inf), logged.offsets[:-1])
    return np.where(np.isfinite(when), when, np.nan)


def _in_range(inr: np.ndarray) -> np.ndarray:
    return (inr >= LOW) & (inr <= HIGH)


def _rows(course: Course, rows: Int64[np.ndarray, " chosen"]) -> Course:
    known, body, state = course.patients, course.bodies, course.state
    return Course(
        Patients(
            known.age[rows], known.height[rows], known.weight[rows], known.cyp2c9[rows],
            known.vkorc1[rows], known.race[rows], known.amiodarone[rows], known.inducer[rows],
        ),
        Bodies(
            body.rates[rows], body.gains[rows], body.steepness, body.chain_rates[rows],
            body.chain_lengths, body.product, body.noise,
        ),
        State(state.drive[rows], state.fast[rows], state.slow[rows]),
        course.day[rows], course.inr[rows], course.previous_inr[rows], course.days_between[rows],
        course.dose[rows], course.maintenance[rows],
    )  # fmt: skip
