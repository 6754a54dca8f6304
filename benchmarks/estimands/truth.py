"""What is true of a study: expectations under every option, over many simulated patients.

The estimand is the study's own: the population is every decision that enters the cohort (at risk
at the landmark where there is one), the outcome is the study's, under one option at this decision.
What happens in the window is an exponential race, so that the expectation of an outcome has a
closed form; the distribution of covariates, frailty and survivors is simulated.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from benchmarks.estimands.courses import Courses, bad_value, draw_courses, rates, until
from benchmarks.estimands.worlds import World

TRUTH_PATIENTS = 400_000
"""Patients of the simulation behind each world's truth; a quarter with many decisions each."""


@dataclass(frozen=True, slots=True)
class Truth:
    """True means of the cohort's decisions."""

    label: Mapping[int, float]
    """Of the outcome of those who were given each option, everybody followed to the end."""
    value: Mapping[int, float]
    """Of the outcome if everybody were given the option."""
    harm: Mapping[int, float]
    """Probability of the harm if everybody were given the option."""
    usual_care: float
    gain_of_oracle: float
    """What choosing by the true effects gains over the best single option."""
    oracle_errors: float
    """The same in standard errors that an estimate with known nuisances has in one draw."""
    group: Mapping[int, float]
    """As `value`, of the patients of the subgroup."""


def chance(hazard: np.ndarray, days: float | np.ndarray) -> np.ndarray:
    """Probability within so many days."""
    return -np.expm1(-hazard * days)


def days_at_risk(world: World) -> float:
    """Days in which the window is open to whoever is at risk when it opens."""
    return world.days + (1.0 if world.resolution == "day" and not world.grace else 0.0)


def expected(world: World, c: Courses) -> Float64[np.ndarray, "decision treatment"]:
    """Expected outcome of each decision under each option: 0 to 1, or days without the event."""
    return _expected(world, world.kind, c)


def expected_label(world: World, c: Courses) -> Float64[np.ndarray, "decision treatment"]:
    """Expected label (`effective`) under each option: of a time, that the window ends first."""
    return _expected(world, "does_not_occur" if world.kind == "time_to_event" else world.kind, c)


def _expected(world: World, kind: str, c: Courses) -> Float64[np.ndarray, "decision treatment"]:
    columns = []
    for k in range(world.options):
        option = np.full(len(c), k)
        columns.append(_outcome(world, kind, c, option))
    return np.column_stack(columns)


def _outcome(world: World, kind: str, c: Courses, option: np.ndarray) -> np.ndarray:
    r = rates(world, c.state, option)
    days = days_at_risk(world)
    death = np.zeros(len(c)) if world.competing_as == "cause_specific" else r.death
    if kind == "does_not_occur":
        return 1 - chance(r.event + r.stop + death, days)
    if kind == "time_to_event":
        every = r.event + r.stop + death
        return world.grace + chance(every, days) / every
    if kind == "occurs":
        return _first(world, r.event, r.stop, death, days)
    # Stopped or dead before the value is measured, in the last two days of the window.
    ending = r.stop + death
    early, late = days - 2.0, days - 0.1
    survives = np.where(
        ending > 0,
        (np.exp(-ending * early) - np.exp(-ending * late)) / np.where(ending > 0, 1.9 * ending, 1),
        1.0,
    )
    from scipy.stats import norm

    return survives * norm.cdf(-bad_value(world, c.state, option))


def _first(
    world: World, event: np.ndarray, stop: np.ndarray, death: np.ndarray, days: float
) -> np.ndarray:
    """Probability that the event comes first. On one day: a stop before it, death after it."""
    every = event + stop + death
    if world.resolution == "minute":
        return event / every * chance(every, days)
    daily = chance(event, 1.0) * np.exp(-stop)
    return daily * chance(every, days) / chance(every, 1.0)


def expected_harm(world: World, c: Courses) -> Float64[np.ndarray, "decision treatment"]:
    """Probability of the harm in its window, before death."""
    columns = []
    for k in range(world.options):
        r = rates(world, c.state, np.full(len(c), k))
        days = days_at_risk(world)
        columns.append(r.harm / (r.harm + r.death) * chance(r.harm + r.death, days))
    return np.column_stack(columns)


def in_cohort(world: World, c: Courses) -> Bool[np.ndarray, " decision"]:
    """Whether each decision enters the cohort: treated, and at risk at the landmark."""
    last = np.minimum(np.minimum(c.leave, c.death), until(world))
    if not world.grace:
        return c.start < last
    first = c.stop if world.unless else np.full(len(c), np.inf)
    if world.kind != "value_in_range":
        first = np.minimum(first, c.event)
    day = 1.0 if world.resolution == "day" else 0.0
    return np.minimum(first, last) > c.zero + world.grace + day


def find_truth(world: World, patients: int = TRUTH_PATIENTS, seed: int = 0) -> Truth:
    """Means over a large simulation of the world."""
    patients //= min(world.decisions, 4)
    c = draw_courses(world, patients, np.random.default_rng([seed, 20261128]))
    rows = in_cohort(world, c)
    mean, harm, option = expected(world, c)[rows], expected_harm(world, c)[rows], c.option[rows]
    label, group = expected_label(world, c)[rows], c.state.x2[rows] > 0
    values = mean.mean(axis=0)
    gains = mean.max(axis=1) - values.max()
    per_draw = rows.sum() / patients * world.patients
    return Truth(
        label={k: float(label[option == k, k].mean()) for k in range(world.options)},
        value=dict(enumerate(values.tolist())),
        harm=dict(enumerate(harm.mean(axis=0).tolist())),
        usual_care=float(mean[np.arange(len(option)), option].mean()),
        gain_of_oracle=float(gains.mean()),
        oracle_errors=_oracle_errors(world, mean, per_draw),
        group=dict(enumerate(mean[group].mean(axis=0).tolist())),
    )


def _oracle_errors(world: World, mean: np.ndarray, n: float) -> float:
    """The gain of the best choice for each over the best single option, in standard errors of its
    estimate from n decisions with known expectations and equal propensities."""
    best, single = mean.max(axis=1), mean[:, int(mean.mean(axis=0).argmax())]
    gains = best - single
    if gains.max() < 1e-12:
        return 0.0
    noise = [(world.days / 3) ** 2 * np.ones(len(mean))] * 2
    if world.kind != "time_to_event":
        noise = [m * (1 - m) for m in (best, single)]
    variance = (gains > 0) * world.options * (noise[0] + noise[1])
    return float(gains.mean() / np.sqrt((variance.mean() + gains.var()) / n))
