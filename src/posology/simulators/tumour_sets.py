"""The published data sets of the tumour world: logged patients, and tests of planned treatments.

As in the code of the Causal Transformer (Melnychuk et al. 2022, ICML; src/data/cancer_sim of its
repository), whose tables compare MSM, RMSN, CRN, G-Net and the transformer itself:

- logged patients are untreated on day 0; later treatments depend on the mean diameter of up to 15
  days before; death ends follow-up at the volume of death, recovery at 0;
- in the tests treatment begins on day 0 and depends on today's diameter too. The published code
  means to use the patient's own diameters, but reads those of the i-th *row* of the test set for
  the i-th patient: mostly another patient's, and 0 after that row's day. `Assignment` offers both;
- "six steps ahead" is the treatment that was given on the last day seen and a plan of five days.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.domain.outcome_trajectories import OutcomeTrajectories, Plans
from posology.simulators.tumour import (
    CELLS,
    CHEMOTHERAPY,
    DAYS,
    DEATH_CM,
    NOISE,
    RADIOTHERAPY,
    Tumours,
    next_volume,
    sphere_volume,
    unbounded_volume,
)

LARGEST = float(sphere_volume(DEATH_CM))
"""Volume at which patients die, cm^3; published errors are percentages of it."""
WINDOW, PLANNED = 15, 5
"""Days before today that guide treatment, and days of a plan."""
Assignment = Literal["own", "published"]
"""Whose diameters guide the treatments before a plan: the patient's own, or as published."""
Design = Literal["one_step", "sliding", "random"]
"""Every treatment of the next day; one treatment on one of five days; five days at random."""


@dataclass(frozen=True, slots=True, eq=False)
class TumourTest:
    """Patients seen until some day, and the volume after each day of a plan."""

    trajectories: OutcomeTrajectories
    plans: Plans
    truth: Float64[np.ndarray, "plan horizon"]
    """Volumes with the patient's own growth, response and chance."""


@dataclass(frozen=True, slots=True, eq=False)
class _Luck:
    """What chance brings, drawn before: the same under every treatment."""

    choice: Float64[np.ndarray, "subject day component"]
    cure: Float64[np.ndarray, "subject day"]
    noise: Float64[np.ndarray, "subject later_day"]


@dataclass(frozen=True, slots=True, eq=False)
class _Days:
    volume: Float64[np.ndarray, "subject day"]
    treatment: Int64[np.ndarray, "subject day"]
    concentration: Float64[np.ndarray, "subject day"]
    is_followed: Bool[np.ndarray, "subject day"]
    """Whether the day's treatment had an outcome."""
    noise: Float64[np.ndarray, "subject later_day"]


def log_tumours(
    tumours: Tumours, confounding: float, rng: np.random.Generator
) -> OutcomeTrajectories:
    """Patients for learning: treatments guided by their own diameters, from day 1 on."""
    days = _follow(tumours, confounding, _draw_luck(len(tumours.kind), rng), starts=1)
    return _as_trajectories(tumours, days)


def nrmse(predicted: Float64[np.ndarray, " plan"], truth: Float64[np.ndarray, " plan"]) -> float:
    """Root mean squared error, in percent of the largest volume."""
    return float(100 * np.sqrt(np.mean((predicted - truth) ** 2)) / LARGEST)


def make_test(
    tumours: Tumours,
    confounding: float,
    design: Design,
    rng: np.random.Generator,
    assignment: Assignment = "published",
) -> TumourTest:
    """A test set: every day of every patient, under every plan of the design."""
    luck = _draw_luck(len(tumours.kind), rng)
    guide = None
    if assignment == "published":
        guide = _first_rows(tumours, confounding, design, luck)
    days = _follow(tumours, confounding, luck, starts=0, guide=guide)
    return _plan_from_every_day(tumours, days, design, rng)


def _draw_luck(patients: int, rng: np.random.Generator) -> _Luck:
    return _Luck(
        choice=rng.random((patients, DAYS, 2)),
        cure=rng.random((patients, DAYS)),
        noise=rng.normal(0, NOISE, (patients, DAYS + PLANNED)),
    )


def _follow(
    tumours: Tumours,
    confounding: float,
    luck: _Luck,
    starts: int,
    guide: Float64[np.ndarray, "subject day"] | None = None,
) -> _Days:
    """Sixty days, treated from day `starts` on by the patients' own volumes or those of `guide`."""
    n = len(tumours.kind)
    volume, concentration = np.zeros((n, DAYS)), np.zeros((n, DAYS))
    treatment, followed = np.zeros((n, DAYS), np.int64), np.zeros((n, DAYS), bool)
    volume[:, 0], going = tumours.volume, np.ones(n, bool)
    for day in range(DAYS - 1):
        if day >= starts:
            seen = volume if guide is None else guide
            recent = seen[:, max(0, day - WINDOW) : day + 1 - starts]
            diameter = np.cbrt(np.maximum(recent, 0.0) * 6 / np.pi).mean(axis=1)
            p = 1 / (1 + np.exp(-confounding / DEATH_CM * (diameter - DEATH_CM / 2)))
            given = luck.choice[:, day] < p[:, None]
            treatment[:, day] = given[:, 0] + 2 * given[:, 1]
        left = concentration[:, day - 1] / 2 if day else 0.0
        concentration[:, day] = left + CHEMOTHERAPY * (treatment[:, day] % 2)
        radiation = RADIOTHERAPY * (treatment[:, day] // 2)
        after = next_volume(
            tumours, volume[:, day], concentration[:, day], radiation, luck.noise[:, day + 1]
        )
        after = np.minimum(after, LARGEST)
        is_cured = luck.cure[:, day] < np.exp(-after * CELLS)
        followed[:, day] = going
        volume[:, day + 1] = np.where(is_cured, 0.0, after)
        going = going & (after < LARGEST) & ~is_cured
    return _Days(volume, treatment, concentration, followed, luck.noise)


def _first_rows(
    tumours: Tumours, confounding: float, design: Design, luck: _Luck
) -> Float64[np.ndarray, "subject day"]:
    """Volumes of as many first rows of the test set as there are patients.

    Row i guides patient i, and belongs to an earlier patient (the first row to the first one).
    """
    n, filled = len(tumours.kind), 0
    guide = np.zeros((n, DAYS + PLANNED))
    for patient in range(n):
        if filled >= n:
            break
        one = slice(patient, patient + 1)
        alone = _select(tumours, one)
        own = _Luck(luck.choice[one], luck.cure[one], luck.noise[one])
        days = _follow(alone, confounding, own, starts=0, guide=guide[one, :DAYS])
        test = _plan_from_every_day(alone, days, design, np.random.default_rng(patient))
        for k in range(min(len(test.plans), n - filled)):
            seen = int(test.plans.visit[k]) + 1
            path = np.append(days.volume[0, :seen], test.truth[k])
            guide[filled + k, : len(path)] = path[: DAYS + PLANNED]
        filled += len(test.plans)
    return guide[:, :DAYS]


def _plan_from_every_day(
    tumours: Tumours, days: _Days, design: Design, rng: np.random.Generator
) -> TumourTest:
    subject, day = np.nonzero(days.is_followed)
    given = days.treatment[subject, day]
    if design == "one_step":
        plan = np.tile(np.arange(4), len(subject))[:, None]
    else:
        later = _later_days(len(subject), design, rng)
        count = later.shape[1]
        first = np.repeat(given, count)[:, None]
        plan = np.concatenate([first, later.reshape(-1, PLANNED)], axis=1)
    count = len(plan) // max(len(subject), 1)
    subject, day = np.repeat(subject, count), np.repeat(day, count)
    truth = _carry_out(_select(tumours, subject), days, subject, day, plan)
    kept = ~np.isnan(truth).any(axis=1)  # as published: a plan after the tumour is gone is no row
    plans = Plans(subject[kept], day[kept], as_components(plan[kept]))
    return TumourTest(_as_trajectories(tumours, days), plans, truth[kept])


def _later_days(count: int, design: Design, rng: np.random.Generator) -> np.ndarray:
    if design == "random":
        return rng.integers(0, 4, (count, 2 * PLANNED, PLANNED))
    one = np.eye(PLANNED, dtype=np.int64)
    return np.broadcast_to(np.concatenate([one, 2 * one]), (count, 2 * PLANNED, PLANNED))


def _carry_out(
    tumours: Tumours, days: _Days, subject: np.ndarray, day: np.ndarray, plan: np.ndarray
) -> Float64[np.ndarray, "plan horizon"]:
    """Volumes under plans; NaN where a volume below 0 has no next one."""
    before = days.concentration[subject, np.maximum(day - 1, 0)]
    concentration = np.where(day > 0, before, 0.0)
    volume, path = days.volume[subject, day], np.zeros(plan.shape)
    for ahead in range(plan.shape[1]):
        concentration = concentration / 2 + CHEMOTHERAPY * (plan[:, ahead] % 2)
        radiation = RADIOTHERAPY * (plan[:, ahead] // 2)
        noise = days.noise[subject, day + 1 + ahead]
        after = unbounded_volume(tumours, volume, concentration, radiation, noise)
        volume = np.where(volume < 0, np.nan, after)
        if ahead == 0 and plan.shape[1] > 1:  # the treatment that was given: the volume observed
            volume = np.clip(volume, 0.0, LARGEST)
        path[:, ahead] = volume
    return path


def as_components(
    treatment: Int64[np.ndarray, "*shape"],
) -> Float64[np.ndarray, "*shape component"]:
    """Whether chemotherapy and radiotherapy are given, as 0 and 1."""
    return np.stack([treatment % 2, treatment // 2], axis=-1).astype(np.float64)


def _as_trajectories(tumours: Tumours, days: _Days) -> OutcomeTrajectories:
    is_known = np.concatenate([np.ones((len(days.volume), 1), bool), days.is_followed[:, :-1]], 1)
    given = np.where(days.is_followed, days.treatment, 0)[:, :-1]
    return OutcomeTrajectories(
        outcome=np.where(is_known, days.volume, np.nan),
        treatment=as_components(given),
        statics=np.stack([tumours.kind == 1, tumours.kind == 3], axis=1).astype(np.float64),
    )


def _select(tumours: Tumours, rows: np.ndarray | slice) -> Tumours:
    t = tumours
    return Tumours(t.kind[rows], t.alpha[rows], t.rho[rows], t.chemo[rows], t.volume[rows])
