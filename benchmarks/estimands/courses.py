"""Courses of patients in a world: what happens to everybody, recorded or not, as arrays.

Within one decision's period every hazard is constant from the start of treatment on, and depends on
recorded covariates, the option, and a frailty that nothing else depends on. So what would have
happened under another option has a closed form (truth.py), and is identified by the covariates.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from benchmarks.estimands.worlds import World

GAP = 5.0
"""Days between the end of a decision's window and the patient's next decision."""
PROBABILITY = {"does_not_occur": 0.35, "occurs": 0.45, "time_to_event": 0.4, "value_in_range": 0.0}
"""Of the event in the window, for an average patient under option 0."""
DEATH = {"none": 0.0, "with": 0.12, "before": 0.3}
LEAVE, STOP, HARM = 0.3, 0.2, 0.2
"""Probabilities within the window, of an average patient; for several decisions less, below."""
PER_DECISION = {1: 1.0, 4: 0.6, 12: 0.25}
"""Factor on the hazards of death and of leaving, so that patients stay for later decisions."""

Column = Float64[np.ndarray, " decision"]


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What the hazards at a decision depend on, one row a decision."""

    x1: Column
    """A number that is recorded once."""
    x2: Column
    """0 or 1: a code that is recorded or not."""
    x3: Column
    """A laboratory value that is measured at every decision."""
    frailty: Column
    """Never recorded."""


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """Hazards per day under one option."""

    event: Column
    death: Column
    stop: Column
    harm: Column
    leave: Column


@dataclass(frozen=True, slots=True, eq=False)
class Courses:
    """Decisions of all patients, in order of patient and time. Times are days since the epoch of
    the world; infinity where something does not happen."""

    patient: Int64[np.ndarray, " decision"]
    state: State
    zero: Column
    """Time zero."""
    option: Int64[np.ndarray, " decision"]
    start: Column
    event: Column
    death: Column
    stop: Column
    harm: Column
    leave: Column
    measured: Column
    """When the value is measured, if the patient comes."""
    comes: Bool[np.ndarray, " decision"]
    value: Column
    """What would be measured then; the outcome is in range if it is at most 5."""

    def __len__(self) -> int:
        return len(self.zero)


def hazard(world: World, probability: float) -> float:
    """Per day, of a probability within the window's days."""
    return -float(np.log1p(-probability)) / world.days


def effect(world: World, s: State, option: np.ndarray) -> Column:
    """Of the option on the log hazard of the event; on the probit of a bad value."""
    share = option / (world.options - 1)
    if world.effect == "null":
        return np.zeros(len(share))
    if world.effect == "common":
        return -0.5 * world.strength * share
    if world.options == 2:
        return world.strength * s.x1 * (share - 0.5)
    angle = 2 * np.pi * option / world.options
    return 0.5 * world.strength * (s.x1 * np.cos(angle) + s.x3 * np.sin(angle))


def rates(world: World, s: State, option: np.ndarray) -> Rates:
    """Hazards from the start of treatment on."""
    few, odd = PER_DECISION[world.decisions], option % 2
    acts = world.effect != "null"
    event = hazard(world, PROBABILITY[world.kind]) * np.exp(
        0.4 * s.x1 + 0.3 * s.x2 + 0.3 * s.x3 + s.frailty + effect(world, s, option)
    )
    # The more die, the more the option matters to it.
    harmful = 0.3 * odd if acts and world.death == "before" else 0.0
    death = few * hazard(world, DEATH[world.death]) * np.exp(0.5 * s.x1 - 0.3 * s.x3 + harmful)
    stop = hazard(world, STOP) * np.exp(0.3 * s.x2 + (0.5 * odd if acts else 0.0))
    harm = hazard(world, HARM) * np.exp(0.3 * s.x1 + (0.5 * odd if acts else 0.0))
    leave = few * hazard(world, LEAVE) * _leaving(world, s, odd)
    nobody = np.zeros(len(option))
    return Rates(
        event,
        death,
        stop if world.unless else nobody,
        harm,
        leave,
    )


def _leaving(world: World, s: State, odd: np.ndarray) -> Column:
    if world.censoring == "covariate":
        return np.exp(0.6 * s.x1 + 0.4 * s.x3)
    if world.censoring == "arm":
        return np.exp(1.2 * odd - 0.6)
    return np.zeros(len(odd))  # nobody, or the study's end


def bad_value(world: World, s: State, option: np.ndarray) -> Column:
    """Mean of the measured value minus the limit of its range, in its standard deviations."""
    return -0.2 + 0.4 * s.x1 + 0.3 * s.x2 + 0.3 * s.x3 + s.frailty + effect(world, s, option)


def propensity(
    world: World, s: State, preference: np.ndarray
) -> Float64[np.ndarray, "decision treatment"]:
    """Probability of each option, given also what the patient's clinic prefers."""
    k = np.arange(world.options) / (world.options - 1) - 0.5
    steep = 0.8 if world.options == 2 else 0.5
    z = steep * np.outer(0.7 * s.x1 + 0.5 * s.x2 - 0.25 + 0.5 * s.x3, k) + preference
    odds = np.exp(z)
    return odds / odds.sum(axis=1, keepdims=True)


def period(world: World) -> float:
    """Days from one decision of a patient to the next."""
    return world.window + GAP


def until(world: World) -> float:
    """Last day of the study: where censoring is independent, it cuts windows."""
    if world.censoring != "independent":
        return entry_days(world) + world.decisions * period(world) + 30.0
    return float(
        round(entry_days(world) + 0.2 * world.window + (world.decisions // 2) * period(world))
    )


def entry_days(world: World) -> float:
    """Patients enter during so many days."""
    return 2.5 * world.window


def draw_courses(world: World, patients: int, rng: np.random.Generator) -> Courses:
    """Everything that happens to so many patients."""
    x1, x3 = rng.normal(size=patients), rng.normal(size=patients)
    x2 = (rng.random(patients) < 0.4).astype(np.float64)
    # A frailty would deplete the susceptible of a better option before the landmark.
    has_frailty = not world.grace or world.effect == "null"
    frailty = 0.4 * rng.normal(size=patients) - 0.08 if has_frailty else np.zeros(patients)
    sticky = 0.6 if world.decisions > 1 else 0.0
    preference = sticky * rng.normal(size=(patients, world.options))
    entry = rng.random(patients) * entry_days(world)
    entry = np.floor(entry) if world.resolution == "day" else entry
    alive, parts = np.arange(patients), []
    for k in range(world.decisions):
        zero = entry[alive] + k * period(world)
        alive, zero = alive[zero < until(world)], zero[zero < until(world)]
        if k:
            x3[alive] = 0.7 * x3[alive] + np.sqrt(1 - 0.49) * rng.normal(size=len(alive))
        state = State(x1[alive], x2[alive], x3[alive].copy(), frailty[alive])
        part = _draw_decision(world, alive, zero, (state, preference[alive]), rng)
        parts.append(part)
        alive = alive[np.minimum(part.death, part.leave) >= zero + period(world)]
    return _in_order(parts)


def _draw_decision(
    world: World,
    patient: np.ndarray,
    zero: np.ndarray,
    known: tuple[State, np.ndarray],
    rng: np.random.Generator,
) -> Courses:
    state, n = known[0], len(patient)
    chance = propensity(world, *known)
    option = (rng.random(n)[:, None] > np.cumsum(chance, axis=1)).sum(axis=1)
    option = np.minimum(option, world.options - 1)
    start = rng.random(n) * world.grace
    before = rates(replace(world, effect="null"), state, np.zeros(n, np.int64))
    after = rates(world, state, option)

    def time(name: str) -> np.ndarray:
        early = _exponential(getattr(before, name), rng)
        late = start + _exponential(getattr(after, name), rng)
        return np.where(early < start, early, late)

    event, death, leave = time("event"), time("death"), time("leave")
    stop = start + _exponential(after.stop, rng)
    harm = world.grace + _exponential(after.harm, rng)
    measured = world.window - 2.0 + 1.9 * rng.random(n)
    value = 5.0 + bad_value(world, state, option) + rng.normal(size=n)
    comes = np.ones(n, dtype=bool)
    if world.censoring != "none":
        comes = rng.random(n) < 0.85 - (
            0.1 * (state.x1 > 0) if world.censoring == "covariate" else 0
        )
    next_zero = period(world)

    def once(days: np.ndarray) -> np.ndarray:
        """What would happen after the next decision is drawn again there."""
        return np.where(days < next_zero, zero + days, np.inf)

    return Courses(
        patient,
        state,
        zero,
        option,
        zero + start,
        once(event),
        once(death),
        once(stop),
        once(harm),
        once(leave),
        zero + measured,
        comes,
        value,
    )


def _exponential(rate: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    drawn = rng.exponential(size=len(rate))
    return np.divide(drawn, rate, out=np.full(len(rate), np.inf), where=rate > 0)


def _in_order(parts: list[Courses]) -> Courses:
    order = np.lexsort(
        (np.concatenate([p.zero for p in parts]), np.concatenate([p.patient for p in parts]))
    )

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(p, name) for p in parts])[order]

    state = State(
        *(np.concatenate([getattr(p.state, n) for p in parts])[order] for n in State.__slots__)
    )
    names = [n for n in Courses.__slots__ if n != "state"]
    return Courses(state=state, **{n: joined(n) for n in names})
