"""The choice within harm budgets: candidates at rising prices, judged on validation patients.

Every budget and every candidate has an estimate of its own, cross-fitted on patients from whom no
candidate was learned, and an upper bound; the bounds hold for all of them at once. Of the
candidates whose bounds lie within every budget the best is used, if its gain over usual care is
shown, too.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Float64

from posology.causal.trajectories.bounds import lower_bounds
from posology.causal.trajectories.care import LoggedCare
from posology.causal.trajectories.gain import (
    TrajectoryGain,
    effective_patients,
    error_factor,
    estimate_trajectory_gain,
)
from posology.domain.cohort import TRAIN, Cohort, select_split, subset_decisions
from posology.domain.policy import Policy
from posology.evaluation.off_policy.harm_budgets import BudgetFinding, HarmCare
from posology.learners.features.harms import excess_harm, first_prices, known_harms, with_prices
from posology.learners.offline_rl.price_ladder import climb
from posology.learners.recurrent.choice import rank_candidates
from posology.workflows.gate.logged_care import (
    describe_care,
    first_choices,
    with_belief,
)
from posology.workflows.gate.protect import (
    MIN_PATIENTS,
    complete_trajectories,
    complete_validation,
    judge_gain,
)
from posology.workflows.gate.protection import Protection

T = TypeVar("T")
PerBudget = Float64[np.ndarray, " budget"]
LADDER_PATIENTS = 1_000
"""Training patients on whom the prices are judged."""
CERTAINTY = 1.645
"""Standard errors of a validation patient's mean that prices must leave, one-sided 95 %."""


@dataclass(frozen=True, slots=True, eq=False)
class BudgetChoice(Generic[T]):
    """Which candidate is used."""

    chosen: T
    """The one to use; where `protection` says usual care, only its other predictions are used."""
    prices: PerBudget
    protection: Protection
    findings: tuple[BudgetFinding, ...]
    """Of the chosen candidate; of the one with the least harm where none holds every budget."""


def fit_within_budgets(
    fit: Callable[[Cohort], T],
    judged: Callable[[T], Policy],
    cohort: Cohort,
    usual: Policy,
    seed: int,
) -> BudgetChoice[T]:
    """Fit at rising prices of the study's harms and choose within its budgets.

    Args:
        fit: on the training and validation splits of a cohort, whose rewards pay for harms.
        judged: of a fit, the policy that learned from no validation patient.
        cohort: of a study with budgets.
        usual: a model of usual care, learned from the training patients.
        seed: of folds and resamples.
    """
    training = with_known_harms(complete_trajectories(select_split(cohort, TRAIN)))
    training = _first_patients(training, LADDER_PATIENTS)
    validation = with_known_harms(complete_validation(cohort))
    patients = len(np.unique(validation.subject))
    harms = harm_care(describe_care(training, usual), training)

    def excess(fitted: T) -> PerBudget:
        spent = harms.spending(first_choices(judged(fitted), training), seed)
        return np.array([_reach(each, patients) for each in spent])

    rungs = climb(lambda prices: fit(with_prices(cohort, prices)), excess, first_prices(training))
    if patients < MIN_PATIENTS:
        why = f"only {patients} validation patients were followed, {MIN_PATIENTS} are needed"
        return BudgetChoice(
            rungs[-1].fitted, rungs[-1].prices, Protection(False, why, patients=patients), ()
        )
    policies = [judged(rung.fitted) for rung in rungs]
    number, protection, findings = _choose(policies, validation, usual, seed)
    return BudgetChoice(rungs[number].fitted, rungs[number].prices, protection, findings)


def harm_care(care: LoggedCare, cohort: Cohort) -> HarmCare:
    """The care with the harms of a cohort, in which they are known."""
    return HarmCare(care, cohort.study.budgets, *known_harms(cohort))


def _choose(
    candidates: list[Policy], cohort: Cohort, usual: Policy, seed: int
) -> tuple[int, Protection, tuple[BudgetFinding, ...]]:
    """The candidate to use, whether it is used, and what it costs."""
    rng = np.random.default_rng(seed)
    care = describe_care(cohort, usual)
    harms = harm_care(care, cohort)
    policies = [first_choices(policy, cohort) for policy in candidates]
    spending = [harms.spending(policy, seed) for policy in policies]
    upper = harms.bounds(spending, rng)
    holding = np.flatnonzero((upper <= 0).all(axis=1))
    if not len(holding):
        least = int(upper.max(axis=1).argmin())
        findings = harms.findings(spending[least], upper[least])
        return least, Protection(False, _broken(findings)), findings
    gains = [
        estimate_trajectory_gain(with_belief(care, candidates[n], cohort), policies[n], rng)
        for n in holding
    ]
    best = _best(gains)
    protection = judge_gain(gains[best], float(lower_bounds(gains, rng)[best]))
    if not protection.is_used and bool((harms.usual_excess > 0).any()):
        why = f"usual care breaks a budget, and this policy holds all; {protection.reason}"
        protection = replace(protection, is_used=True, reason=why)
    number = int(holding[best])
    return number, protection, harms.findings(spending[number], upper[number])


def _reach(spent: TrajectoryGain, patients: int) -> float:
    """Harm beyond a budget that so many validation patients might not tell from the estimate."""
    error = spent.values.std() / np.sqrt(patients)
    factor = error_factor(effective_patients(spent) * patients / len(spent.values))
    return float(spent.values.mean() + CERTAINTY * factor * error)


def _best(gains: list[TrajectoryGain]) -> int:
    estimates = {
        str(n): (float(each.gain.mean()), float(each.gain.std() / np.sqrt(len(each.gain))))
        for n, each in enumerate(gains)
    }
    return int(rank_candidates(estimates)[0].name)


def _broken(findings: tuple[BudgetFinding, ...]) -> str:
    names = "; ".join(f.name for f in findings if not f.is_held)
    return f"no policy was shown to hold every harm budget, namely {names}"


def _first_patients(cohort: Cohort, count: int) -> Cohort:
    number = np.unique(cohort.subject, return_inverse=True)[1]
    return subset_decisions(cohort, number < count)


def with_known_harms(cohort: Cohort) -> Cohort:
    """The patients all of whose harms are known."""
    bad = np.isnan(excess_harm(cohort)).any(axis=1)
    return subset_decisions(cohort, ~np.isin(cohort.subject, cohort.subject[bad]))
