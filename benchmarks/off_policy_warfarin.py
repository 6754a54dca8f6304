"""Off-policy estimates of warfarin protocols and of learned doses, in the first world.

Policies are protocols and learned values, wholly or mixed into what clinicians do: on some sixteen
decisions among 31 doses, logged patients can speak for little else. The truth is the mean return of
fresh simulated patients.
"""

import numpy as np

from benchmarks.off_policy_rows import judged
from benchmarks.warfarin import NAMING, POLICIES, iwpc_patients
from posology.domain.cohort import Cohort
from posology.domain.policy import everything_allowed
from posology.evaluation.fitted_q import Decisions, cross_fitted, fitted_q, folds, part, ridge
from posology.evaluation.off_policy import Logged
from posology.learners.cloning import Cloning
from posology.learners.fitted_values import FittedValues
from posology.learners.recent import recent
from posology.learners.value_net import Fitting
from posology.simulators.recall import remembering
from posology.simulators.rollout import as_cohort
from posology.simulators.trajectories import Trajectories, returns
from posology.simulators.warfarin import Patients, bodies_2007, draw
from posology.simulators.warfarin_course import Remembering, begin, care, care_remembering
from posology.simulators.warfarin_protocols import Habits, clinicians

SHARES = (0.02, 0.1, 1.0)
TRUTH = 2_000
"""Patients behind each true value; its standard error is about 0.006."""
SWEEPS = 20
"""At least the longest course's decisions."""


def one_seed(seed: int, train: int, test: int) -> list[dict]:
    """Every policy by every estimator."""
    known, rng = iwpc_patients(), np.random.default_rng([seed, 2])
    learned = as_cohort(treated(known, train, rng), NAMING)
    evaluation = treated(known, test, rng)
    cohort = as_cohort(evaluation, NAMING)
    few = Fitting(epochs=8, seed=seed)
    cloned, valued = Cloning(few).fit(learned, learned), FittedValues(few).fit(learned, learned)
    features = recent(cloned.spec, cohort.history, cohort.last_step).numbers.astype(np.float64)
    given = evaluation.treatment.astype(np.int64)
    estimated = asked(cloned, cohort)[np.arange(len(given)), given]
    behaviours = {"known": evaluation.logged, "estimated": np.maximum(estimated, 1e-4)}
    usual = clinicians(Habits())
    whole = {name: POLICIES[name](evaluation.observation) for name in ("formula_nomogram", "fixed")}
    whole["fitted_values"] = asked(valued, cohort)
    acting = {name: _forgetful(POLICIES[name]) for name in ("formula_nomogram", "fixed")}
    fold, results = folds(evaluation.offsets, 2, rng), []
    for name, chances in whole.items():
        for share in SHARES:
            policy = share * chances + (1 - share) * evaluation.behaviour
            act = acting.get(name) or remembering(valued, NAMING)
            truth = true_return(known, _mixed(act, usual, share), seed)
            logged = logs(evaluation, policy, features, fold)
            named = ("warfarin", f"{name}_{share:g}", seed)
            results += judged(named, truth, logged, behaviours, rng)
    return results


def treated(known: Patients, count: int, rng: np.random.Generator) -> Trajectories:
    """Patients of the first world as its clinicians treat them."""
    patients = draw(known, count, rng)
    begun = begin(patients, bodies_2007(patients, rng))
    return care(begun, clinicians(Habits()), rng).trajectories


def asked(policy: object, cohort: Cohort) -> np.ndarray:
    """The policy's probabilities at every decision."""
    allowed = everything_allowed(cohort.last_step, cohort.study.formulary)
    return policy.probabilities(cohort.history, cohort.last_step, allowed)  # type: ignore[attr-defined]


def logs(
    evaluation: Trajectories, policy: np.ndarray, features: np.ndarray, fold: np.ndarray
) -> Logged:
    """What the estimators need, q by fitted Q on the recent past, cross-fitted by patient."""
    given = evaluation.treatment.astype(np.int64)
    decisions = Decisions(given, evaluation.reward, policy, evaluation.offsets, evaluation.terminal)

    def fit(keep: np.ndarray) -> np.ndarray:
        learned = fitted_q(part(decisions, keep), features[keep], ridge(10.0), SWEEPS)
        return learned(features)

    q, v = cross_fitted(fold, fit, policy, given)
    target = policy[np.arange(len(given)), given]
    return Logged(target, evaluation.logged, evaluation.reward, evaluation.offsets, q=q, v=v)


def true_return(known: Patients, act: Remembering, seed: int) -> float:
    """Mean return of fresh patients, the same for every policy of a seed."""
    rng = np.random.default_rng([seed, 3])
    patients = draw(known, TRUTH, rng)
    begun = begin(patients, bodies_2007(patients, rng))
    return float(returns(care_remembering(begun, act, rng).trajectories).mean())


def _forgetful(act: object) -> Remembering:
    return lambda seen, _who, _given: act(seen)  # type: ignore[operator]


def _mixed(act: Remembering, usual: object, share: float) -> Remembering:
    return lambda seen, who, given: (
        share * act(seen, who, given) + (1 - share) * usual(seen)  # type: ignore[operator]
    )
