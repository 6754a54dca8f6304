"""Off-policy estimates of warfarin protocols and of learned doses, in the first world.

Policies are protocols and learned values, wholly or mixed into a clone of clinicians: what they do
themselves no user knows. The truth is the mean return of fresh simulated patients. What clinicians
do is taken as known, or estimated from the choices of all patients but those of q, as `posology
evaluate` does. Clone, values and q are learned once a seed, from other patients.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.off_policy_rows import Case, Sizes, States, judged
from benchmarks.warfarin import NAMING, POLICIES, iwpc_patients
from posology.causal.propensity import fit_propensity
from posology.causal.trial import Trial, assign_folds
from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.domain.policy import Policy, allow_all_treatments
from posology.domain.trajectories import Trajectories, episode_returns
from posology.evaluation.off_policy.estimators import OffPolicyData
from posology.learners.features.care_state import care_states
from posology.learners.features.tabular import build_feature_spec, extract_features
from posology.learners.offline_rl.fqe import FittedQEvaluation
from posology.learners.offline_rl.pessimistic_fqi import PessimisticFQI
from posology.learners.offline_rl.q_network import QNetworkSettings
from posology.learners.offline_rl.usual_care import clone_usual_care
from posology.simulators.conversion import to_cohort
from posology.simulators.rollout import remember_history
from posology.simulators.warfarin.care import (
    MemoryPolicy,
    ObservationPolicy,
    start_treatment,
    treat_patients,
    treat_with_memory,
)
from posology.simulators.warfarin.pharmacology import Patients, bodies_2007, draw_patients
from posology.simulators.warfarin.protocols import ClinicianMixture, clinician_policy

SHARES = (0.1, 0.5, 1.0)
TRUTH = 6_000
"""Patients behind each true value; its standard error is about 0.004."""
PROTOCOLS = ("fixed", "standard_nomogram", "formula_nomogram", "cpic_nomogram")
Value = Callable[[Cohort], np.ndarray]


def one_seed(seed: int, sizes: Sizes) -> list[dict]:
    """Every policy by every estimator, on each draw of patients."""
    known, rng = iwpc_patients(), np.random.default_rng([seed, 2])
    learned = to_cohort(treated(known, sizes.train, rng), NAMING)
    few = QNetworkSettings(epochs=8, seed=seed)
    splits = select_split(learned, TRAIN), select_split(learned, VALIDATION)
    cloned, valued = clone_usual_care(*splits, seed), PessimisticFQI(few).fit(learned, learned)
    truths = {
        (name, share): true_return(known, _mixed(_acting(name, valued), cloned, share), seed)
        for name in (*PROTOCOLS, "fitted_values")
        for share in SHARES
    }
    value, results = modelled(treated(known, sizes.test, rng), cloned, valued, seed), []
    for number in range(sizes.draws):
        evaluation = treated(known, sizes.test, rng)
        cohort = to_cohort(evaluation, NAMING)
        state, path = care_states(cohort)
        row = np.arange(len(cohort)), evaluation.treatment.astype(np.int64)
        usual = estimated_usual_care(learned, cohort, rng)
        behaviours = {"known": evaluation.logged_probability, "estimated": usual[row]}
        policies = mixtures(evaluation, cohort, cloned, valued)
        for (named, policy), q in zip(policies.items(), value(cohort), strict=True):
            target, v = policy[row], (policy * q).sum(axis=1)
            data = OffPolicyData(evaluation, target=target, q=q[row], v=v)
            case = Case("warfarin", "{}_{:g}".format(*named), seed, number, *truths[named])
            results += judged(case, data, behaviours, rng, States(state, path, policy, q))
    return results


def estimated_usual_care(others: Cohort, cohort: Cohort, rng: np.random.Generator) -> np.ndarray:
    """How often clinicians give each dose at the cohort's decisions, learned from all but them."""
    spec = build_feature_spec(cohort)
    past = [extract_features(spec, c.history, c.last_step) for c in (others, cohort)]
    given = np.concatenate([others.treatment, cohort.treatment]).astype(np.int64)
    trial = Trial(
        np.concatenate(past).astype(np.float64),
        given,
        np.zeros(len(given)),
        np.concatenate([others.subject, cohort.subject + others.subject.max() + 1]),
        len(cohort.study.formulary.treatments),
    )
    found = fit_propensity(trial, assign_folds(trial, rng), ("splines", "forest"))
    print(f"usual care: {found.model}, log loss {found.log_loss}", flush=True)
    return found.probability[len(others) :]


def mixtures(
    seen: Trajectories, cohort: Cohort, cloned: Policy, valued: Policy
) -> dict[tuple[str, float], np.ndarray]:
    """Each policy, and each mixed into the clone, at every decision."""
    whole = {name: POLICIES[name](seen.observation) for name in PROTOCOLS}
    whole["fitted_values"] = asked(valued, cohort)
    usual = asked(cloned, cohort)
    return {
        (name, share): share * chances + (1 - share) * usual
        for name, chances in whole.items()
        for share in SHARES
    }


def modelled(logged: Trajectories, cloned: Policy, valued: Policy, seed: int) -> Value:
    """q of every policy and option, learned from these patients, for the decisions of others."""
    cohort = to_cohort(logged, NAMING)
    way = FittedQEvaluation(replace(FittedQEvaluation().settings, seed=seed))
    return way.fit(cohort, np.stack(list(mixtures(logged, cohort, cloned, valued).values())))


def treated(known: Patients, count: int, rng: np.random.Generator) -> Trajectories:
    """Patients of the first world as its clinicians treat them."""
    patients = draw_patients(known, count, rng)
    begun = start_treatment(patients, bodies_2007(patients, rng))
    return treat_patients(begun, clinician_policy(ClinicianMixture()), rng).trajectories


def asked(policy: Policy, cohort: Cohort) -> np.ndarray:
    """The policy's probabilities at every decision."""
    allowed = allow_all_treatments(cohort.last_step, cohort.study.formulary)
    return policy.choice_probabilities(cohort.history, cohort.last_step, allowed)


def true_return(known: Patients, act: MemoryPolicy, seed: int) -> tuple[float, float]:
    """Mean return of fresh patients, the same for every policy of a seed, and its error."""
    rng = np.random.default_rng([seed, 3])
    patients = draw_patients(known, TRUTH, rng)
    begun = start_treatment(patients, bodies_2007(patients, rng))
    earned = episode_returns(treat_with_memory(begun, act, rng).trajectories)
    return float(earned.mean()), float(earned.std() / np.sqrt(TRUTH))


def _acting(name: str, valued: Policy) -> MemoryPolicy:
    if name not in POLICIES:
        return remember_history(valued, NAMING)
    protocol: ObservationPolicy = POLICIES[name]
    return lambda seen, _who, _given: protocol(seen)


def _mixed(act: MemoryPolicy, cloned: Policy, share: float) -> MemoryPolicy:
    if share == 1:
        return act
    usual = remember_history(cloned, NAMING)
    return lambda seen, who, given: (
        share * act(seen, who, given) + (1 - share) * usual(seen, who, given)
    )
