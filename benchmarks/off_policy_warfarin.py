"""Off-policy estimates of warfarin protocols and of learned doses, in the first world.

Policies are protocols and learned values, wholly or mixed into what clinicians do: on some sixteen
decisions among 31 doses, logged patients can speak for little else. The truth is the mean return of
fresh simulated patients.
"""

from dataclasses import replace

import numpy as np

from benchmarks.off_policy_rows import judged
from benchmarks.warfarin import NAMING, POLICIES, iwpc_patients
from posology.domain.cohort import Cohort, take
from posology.domain.policy import everything_allowed
from posology.evaluation.fitted_q import folds
from posology.evaluation.off_policy import Logged
from posology.learners.cloning import Cloning
from posology.learners.fitted_evaluation import FittedEvaluation
from posology.learners.fitted_values import FittedValues
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
PROTOCOLS = ("fixed", "standard_nomogram", "formula_nomogram", "cpic_nomogram")


def one_seed(seed: int, train: int, test: int) -> list[dict]:
    """Every policy by every estimator."""
    known, rng = iwpc_patients(), np.random.default_rng([seed, 2])
    learned = as_cohort(treated(known, train, rng), NAMING)
    evaluation = treated(known, test, rng)
    cohort, usual = as_cohort(evaluation, NAMING), clinicians(Habits())
    few = Fitting(epochs=8, seed=seed)
    cloned, valued = Cloning(few).fit(learned, learned), FittedValues(few).fit(learned, learned)
    given = evaluation.treatment.astype(np.int64)
    estimated = asked(cloned, cohort)[np.arange(len(given)), given]
    behaviours = {"known": evaluation.logged, "estimated": np.maximum(estimated, 1e-4)}
    whole = {name: POLICIES[name](evaluation.observation) for name in PROTOCOLS}
    whole["fitted_values"] = asked(valued, cohort)
    mixed = {
        (name, share): share * chances + (1 - share) * evaluation.behaviour
        for name, chances in whole.items()
        for share in SHARES
    }
    fold, results = folds(evaluation.offsets, 2, rng), []
    q = modelled(cohort, np.stack(list(mixed.values())), fold, seed)
    for ((name, share), policy), worth in zip(mixed.items(), q, strict=True):
        act = _forgetful(POLICIES[name]) if name in POLICIES else remembering(valued, NAMING)
        truth = true_return(known, _mixed(act, usual, share), seed)
        row = np.arange(len(given)), given
        logged = Logged(
            policy[row], evaluation.logged, evaluation.reward, evaluation.offsets,
            q=worth[row], v=(policy * worth).sum(axis=1),
        )  # fmt: skip
        results += judged(("warfarin", f"{name}_{share:g}", seed), truth, logged, behaviours, rng)
    return results


def modelled(cohort: Cohort, policies: np.ndarray, fold: np.ndarray, seed: int) -> np.ndarray:
    """q of every policy, decision and option, each decision's learned from other folds."""
    q = np.empty(policies.shape)
    for number in np.unique(fold):
        held = fold == number
        way = FittedEvaluation(replace(FittedEvaluation().fitting, seed=seed))
        q[:, held] = way.fit(take(cohort, ~held), policies[:, ~held], take(cohort, held))
    return q


def treated(known: Patients, count: int, rng: np.random.Generator) -> Trajectories:
    """Patients of the first world as its clinicians treat them."""
    patients = draw(known, count, rng)
    begun = begin(patients, bodies_2007(patients, rng))
    return care(begun, clinicians(Habits()), rng).trajectories


def asked(policy: object, cohort: Cohort) -> np.ndarray:
    """The policy's probabilities at every decision."""
    allowed = everything_allowed(cohort.last_step, cohort.study.formulary)
    return policy.probabilities(cohort.history, cohort.last_step, allowed)  # type: ignore[attr-defined]


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
