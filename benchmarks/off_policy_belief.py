"""Off-policy estimates of learned values where the disease is seen only in part.

Policies are learned values (their first choice), and one option for all, wholly or mixed into what
clinicians do: what is known of that, as a user has no more. The truth is the mean return of fresh
simulated patients, with what clinicians truly do. It is learned by cloning; q is learned once a
seed, from patients of its own.
"""

from collections.abc import Callable

import numpy as np

from benchmarks.off_policy_rows import Case, Sizes, States, judged
from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.domain.policy import Policy, allow_all_treatments
from posology.domain.trajectories import Trajectories, episode_returns
from posology.evaluation.off_policy.estimators import OffPolicyData
from posology.learners.features.care_state import care_states
from posology.learners.offline_rl.fqe import FittedQEvaluation
from posology.learners.offline_rl.pessimistic_fqi import PessimisticFQI
from posology.learners.offline_rl.q_network import QNetworkSettings
from posology.learners.offline_rl.usual_care import clone_usual_care
from posology.simulators.belief.care import usual_care
from posology.simulators.belief.play import play
from posology.simulators.belief.world import FEATURES, BeliefWorld, draw_world
from posology.simulators.conversion import StudyNames, to_cohort
from posology.simulators.rollout import MemoryPolicy, remember_history

SHARES = (0.1, 0.5, 1.0)
ONE_OPTION = 1
"""The treatment of `one_drug`."""
TRUTH = 20_000
"""Patients behind each true value."""
WORLD = 1_000
"""Times the seed: number of the world, as in `belief.instances`."""


def one_seed(seed: int, sizes: Sizes) -> list[dict]:
    """Every policy by every estimator, on each draw of patients."""
    world, rng = draw_world(WORLD * seed), np.random.default_rng([seed, 2])
    names = StudyNames("belief", world.treatments, FEATURES, day_column="month")

    def treated(count: int) -> tuple[Trajectories, Cohort]:
        logged = play(world, usual_care(world), count, rng)
        return logged, to_cohort(logged, names)

    _, learned = treated(sizes.train)
    few = QNetworkSettings(epochs=8, seed=seed)
    splits = select_split(learned, TRAIN), select_split(learned, VALIDATION)
    cloned = clone_usual_care(*splits, seed)
    valued = PessimisticFQI(few).fit(learned, learned)
    acting: dict[str, Callable[[], MemoryPolicy]] = {
        "fitted_values": lambda: _first_choice(remember_history(valued, names)),
        "one_drug": lambda: lambda seen, _who, _last: _one_option(len(seen), world),
    }
    truths = {
        (name, share): _true_return(world, make(), share, seed)
        for name, make in acting.items()
        for share in SHARES
    }
    others, fitted = treated(sizes.test)
    evaluation = FittedQEvaluation(QNetworkSettings(epochs=30, batch=512, seed=seed))
    value = evaluation.fit(
        fitted, np.stack(list(_mixtures(others.behaviour, fitted, valued).values()))
    )
    results = []
    for number in range(sizes.draws):
        logged, cohort = treated(sizes.test)
        state, path = care_states(cohort)
        row, values = (np.arange(len(cohort)), logged.treatment), value(cohort)
        usual = np.maximum(_asked(cloned, cohort), 1e-4)
        for split, behaviour in {"known": logged.behaviour, "estimated": usual}.items():
            policies = _mixtures(behaviour, cohort, valued)
            for (named, policy), q in zip(policies.items(), values, strict=True):
                target, v = policy[row], (policy * q).sum(axis=1)
                data = OffPolicyData(logged, target=target, q=q[row], v=v)
                case = Case("belief", "{}_{:g}".format(*named), seed, number, *truths[named])
                given = {split: behaviour[row]}
                results += judged(case, data, given, rng, States(state, path, policy, q))
    return results


def _mixtures(
    behaviour: np.ndarray, cohort: Cohort, valued: Policy
) -> dict[tuple[str, float], np.ndarray]:
    """Each policy, and each mixed into what is known of usual care."""
    whole = {
        "fitted_values": _greedy(_asked(valued, cohort)),
        "one_drug": np.eye(behaviour.shape[1])[np.full(len(cohort), ONE_OPTION)],
    }
    return {
        (name, share): share * chances + (1 - share) * behaviour
        for name, chances in whole.items()
        for share in SHARES
    }


def _true_return(
    world: BeliefWorld, act: MemoryPolicy, share: float, seed: int
) -> tuple[float, float]:
    """Mean return of fresh patients, the same for every policy of a seed, and its error."""
    usual, rng = usual_care(world), np.random.default_rng([seed, 3])
    mixed: MemoryPolicy = lambda seen, who, last: (  # noqa: E731
        share * act(seen, who, last) + (1 - share) * usual(seen, who, last)
    )
    earned = episode_returns(play(world, mixed, TRUTH, rng))
    return float(earned.mean()), float(earned.std() / np.sqrt(TRUTH))


def _first_choice(act: MemoryPolicy) -> MemoryPolicy:
    return lambda seen, who, last: _greedy(act(seen, who, last))


def _greedy(chances: np.ndarray) -> np.ndarray:
    return np.eye(chances.shape[1])[chances.argmax(axis=1)]


def _one_option(count: int, world: BeliefWorld) -> np.ndarray:
    return np.eye(len(world.treatments))[np.full(count, ONE_OPTION)]


def _asked(policy: Policy, cohort: Cohort) -> np.ndarray:
    allowed = allow_all_treatments(cohort.last_step, cohort.study.formulary)
    return policy.choice_probabilities(cohort.history, cohort.last_step, allowed)
