"""Two years of the virtual clinic with a drift every few months, and what each option is worth."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from posology.cohorts.build import build_cohort
from posology.cohorts.study.reader import read_study
from posology.domain.cohort import (
    TEST,
    TRAIN,
    VALIDATION,
    Cohort,
    select_split,
    subset_decisions,
)
from posology.domain.policy import Policy
from posology.domain.safety import allowed_in_cohort
from posology.learners.methods import build_learner
from posology.simulators.clinic.drift import NEW_OPTION, Drift
from posology.simulators.clinic.files.meds import meds_table
from posology.simulators.clinic.options import OPTIONS
from posology.simulators.clinic.settings import ClinicSettings
from posology.simulators.clinic.simulation import simulate_patients
from posology.simulators.clinic.truth import ClinicDecisions, effective_at_best_dose

MONTHS = 24
START = np.datetime64("2017-01")
"""Entries to the clinic begin in 2014: three years of records before the stream."""
CHANGES = {"new_drug": 2, "guideline": 5, "laboratory": 9, "season": 18}
"""Month of the stream in which each drift begins. The outcome's window closes 285 days after a
decision: the new drug's first outcomes are complete in month 12."""
MIN_GIVEN = 50
_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True, eq=False)
class StreamWorld:
    """The decisions of all patients, and the truth of each."""

    cohort: Cohort
    month: np.ndarray
    """Month of the stream of each decision; negative before it."""
    known: np.ndarray
    """Month in which its outcome is complete."""
    value: np.ndarray
    """P(effective) of each option at its best dose; NaN of decisions without a truth."""
    value_as_given: np.ndarray
    """The same at the doses that clinicians give, which is what records can tell."""
    allowed: np.ndarray
    """Options that exist, and that rules allow, at each decision."""


def first_day(month: int) -> float:
    """First day of a month of the stream, since 1970-01-01."""
    return float((START + month).astype("datetime64[D]").astype(int))


def draw_world(patients: int, seed: int, new_drug_fall: float = 0.0) -> StreamWorld:
    """Simulate the clinic and read its decisions."""
    return draw_world_and_events(patients, seed, new_drug_fall)[0]


def draw_world_and_events(
    patients: int, seed: int, new_drug_fall: float = 0.0
) -> tuple[StreamWorld, pa.Table]:
    """The world, and the events that its decisions were read from.

    Vocabulary and scaling are fitted on the whole stream: they are the same for all models.
    """
    days = {name: first_day(at) for name, at in CHANGES.items()}
    drift = Drift(is_steady=True, new_drug_fall=new_drug_fall, **days)
    settings = ClinicSettings(patients=patients, seed=seed, drift=drift)
    simulated = simulate_patients(settings, np.arange(1, patients + 1))
    events = meds_table(simulated.events)
    cohort = build_cohort(events, read_study("clinic"))
    assert cohort.time is not None
    decisions = simulated.decisions
    key = decisions.subject_id * 10**8 + decisions.minute
    subject = cohort.history.subject_id[cohort.subject]
    own = subject * 10**8 + np.round(cohort.time * _MINUTES).astype(np.int64)
    order = np.argsort(key)
    row = np.minimum(np.searchsorted(key[order], own), len(key) - 1)
    is_known = key[order][row] == own
    best = effective_at_best_dose(decisions.truth)
    as_given = np.where(is_known[:, None], _as_given(decisions, best)[order][row], np.nan)
    value = np.where(is_known[:, None], best[order][row], np.nan)
    allowed = allowed_in_cohort(cohort)
    allowed[cohort.time < drift.new_drug, NEW_OPTION] = False
    cohort = replace(cohort, allowed=allowed)
    within = cohort.study.outcome.within_days
    month = _month(cohort.time)
    known = _month(cohort.time + within) + 1
    return StreamWorld(cohort, month, known, value, as_given, allowed), events


def _as_given(decisions: ClinicDecisions, best: np.ndarray) -> np.ndarray:
    """P(effective) of each option, over the doses that clinicians would give; `best` if none."""
    chance = decisions.choice_probability
    total = chance.sum(axis=2, keepdims=True)
    share = np.divide(chance, total, out=np.zeros_like(chance), where=total > 0)
    mean = (np.nan_to_num(decisions.truth.effective) * share).sum(axis=2)
    return np.where(total[:, :, 0] > 0, mean, best)


def _month(day: np.ndarray) -> np.ndarray:
    months = np.floor(day).astype("datetime64[D]").astype("datetime64[M]")
    return (months - START).astype(np.int64)


def learnable(world: StreamWorld, month: int, since: int | None = None) -> Cohort:
    """Decisions whose outcome is complete when a month begins; no decision of test patients.

    since: only outcomes that were complete from this month on.
    """
    keep = (world.known <= month) & (world.cohort.split != TEST)
    if since is not None:
        keep &= world.known >= since
    return subset_decisions(world.cohort, keep)


@dataclass(frozen=True, slots=True, eq=False)
class FittedPolicy:
    """A policy, and the options that enough of its training patients got to be advised."""

    policy: Policy
    options: np.ndarray


def fit_policy(cohort: Cohort, method: str, seed: int) -> FittedPolicy:
    """A policy that never advises an option that fewer than MIN_GIVEN training patients got."""
    train, validation = select_split(cohort, TRAIN), select_split(cohort, VALIDATION)
    given = np.bincount(train.treatment[train.treatment >= 0], minlength=len(OPTIONS))
    policy = build_learner(method, seed).fit(train, validation)
    return FittedPolicy(policy, given >= MIN_GIVEN)


def value_of(
    world: StreamWorld, fitted: FittedPolicy, rows: np.ndarray
) -> tuple[float, float, int]:
    """True value of following the policy at some decisions, its standard error, and how many."""
    earned = earned_at(world, fitted, rows)
    return float(earned.mean()), _error(earned), len(earned)


def gain_of(
    world: StreamWorld, fitted: FittedPolicy, other: FittedPolicy, rows: np.ndarray
) -> tuple[float, float]:
    """How much more the policy earns than another one at the same decisions; standard error."""
    more = earned_at(world, fitted, rows) - earned_at(world, other, rows)
    return float(more.mean()), _error(more)


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def earned_at(world: StreamWorld, fitted: FittedPolicy, rows: np.ndarray) -> np.ndarray:
    """True value of following the policy at each of the test patients' decisions."""
    rows = np.flatnonzero(rows & (world.cohort.split == TEST) & ~np.isnan(world.value).any(axis=1))
    allowed = world.allowed[rows] & fitted.options
    allowed = np.where(allowed.any(axis=1, keepdims=True), allowed, world.allowed[rows])
    at = (world.cohort.history, world.cohort.last_step[rows], allowed)
    return (fitted.policy.choice_probabilities(*at) * world.value[rows]).sum(axis=1)


def best_value(world: StreamWorld, rows: np.ndarray) -> float:
    """The most that any policy could have earned there, knowing everything."""
    rows = np.flatnonzero(rows & (world.cohort.split == TEST) & ~np.isnan(world.value).any(axis=1))
    return float(np.where(world.allowed[rows], world.value[rows], 0.0).max(axis=1).mean())
