"""Networks on logged sepsis patients, as they would be on any study's cohort.

`fitted_values`, `returns` (the same network on what was earned to the end, as long), `iql` and
`cql` read the last state's code; `posology_supervised` is the causal network after its first phase
and `causal_network` after both, which read the whole course, as does `recurrent`: the network that
`fit` has for trajectories, as it is. Their survival is that of the state
policy which is their mean over the logged courses of a state. `fitted_values_256` is of d3rlpy's
width.
"""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort, select_split
from posology.domain.policy import Policy, allow_all_treatments
from posology.domain.trajectories import Trajectories, state_codes
from posology.learners.network.policy import NetworkPolicy
from posology.learners.network.reinforcement import Reinforcement
from posology.learners.network.supervised import Sizes, Supervised
from posology.learners.network.training_loop import Training
from posology.learners.offline_rl.cql import ConservativeQLearning
from posology.learners.offline_rl.iql import ImplicitQLearning
from posology.learners.offline_rl.pessimistic_fqi import PessimisticFQI
from posology.learners.offline_rl.q_network import QNetworkSettings
from posology.learners.recurrent.learner import RecurrentQ
from posology.learners.recurrent.schedule import schedule_for
from posology.simulators.conversion import StudyNames, to_cohort
from posology.simulators.mdp import StatePolicy
from posology.simulators.sepsis import Sepsis

RARE = 0.3
"""Threshold of discrete BCQ (Fujimoto et al. 2019, arXiv:1910.01708); development seeds agree."""
ASKED = 20
"""Courses of each state over which a network's policy is averaged."""
Learn = Callable[[Trajectories, Sepsis, int], tuple[StatePolicy, float, int]]
"""Episodes, world and seed in; the policy, the processor's seconds and the passes it took out."""
STATES = QNetworkSettings(
    hidden=64, members=4, epochs=20, learning_rate=3e-3, lags=1, code_steps=1, treatment_lags=0
)
WIDE = replace(STATES, hidden=256, members=1)
"""Two layers of 256, one member, as d3rlpy's; batches of 2,048 are ours (d3rlpy's are of 32)."""
TRAINING = Training(learning_rate=3e-3, cosine=True, batch=128, patience=0, batch_steps=16_384)
FIRST, SECOND = 5, 6
"""Epochs of the causal network's phases."""


def by_state(policy: Policy, cohort: Cohort, logged: Trajectories) -> StatePolicy:
    """The policy's mean over logged courses of each state; even where a state was not met."""
    now = state_codes(logged)
    order = np.argsort(now, kind="stable")
    rank = np.arange(len(now)) - np.searchsorted(now[order], now[order])
    rows = np.sort(order[rank < ASKED])
    decisions = cohort.last_step[rows]
    allowed = allow_all_treatments(decisions, policy.formulary)
    options = allowed.shape[1]
    mean, met = (
        np.zeros((logged.state_count, options)),
        np.bincount(now[rows], minlength=logged.state_count),
    )
    np.add.at(mean, now[rows], policy.choice_probabilities(cohort.history, decisions, allowed))
    return np.where(met[:, None] > 0, mean / np.maximum(met, 1)[:, None], 1 / options)


def _cohort(logged: Trajectories, world: Sepsis) -> Cohort:
    """Every episode; those of the test split are learned from too, as the truth is exact."""
    cohort = to_cohort(logged, StudyNames("sepsis", world.mdp.names))
    return replace(
        cohort, split=np.where(cohort.split == TEST, TRAIN, cohort.split).astype(np.int8)
    )


def _on_states(
    make: Callable[[QNetworkSettings], PessimisticFQI | ImplicitQLearning | ConservativeQLearning],
    fitting: QNetworkSettings = STATES,
) -> Learn:
    def learn(logged: Trajectories, world: Sepsis, seed: int) -> tuple[StatePolicy, float, int]:
        cohort, began = _cohort(logged, world), time.process_time()
        policy = make(replace(fitting, seed=seed)).fit(cohort, cohort)  # nothing is chosen
        seconds = time.process_time() - began
        return by_state(policy, cohort, logged), seconds, fitting.epochs

    return learn


def _first(cohort: Cohort, seed: int) -> NetworkPolicy:
    training = Training(
        learning_rate=3e-3,
        cosine=True,
        batch=128,
        epochs=FIRST,
        patience=0,
        batch_steps=16_384,
        seed=seed,
    )
    sizes = Sizes(width=64, state=32, hidden=64, layers=1, members=4, dropout=0.0)
    return Supervised(sizes, training).fit(
        select_split(cohort, TRAIN), select_split(cohort, VALIDATION)
    )


def _supervised(logged: Trajectories, world: Sepsis, seed: int) -> tuple[StatePolicy, float, int]:
    cohort, began = _cohort(logged, world), time.process_time()
    policy = _first(cohort, seed)
    seconds = time.process_time() - began
    return by_state(policy, cohort, logged), seconds, FIRST


def _both(logged: Trajectories, world: Sepsis, seed: int) -> tuple[StatePolicy, float, int]:
    cohort, began = _cohort(logged, world), time.process_time()
    training = Training(
        learning_rate=3e-3,
        cosine=True,
        batch=128,
        epochs=SECOND,
        patience=0,
        batch_steps=16_384,
        seed=seed,
    )
    second = Reinforcement(training, train_all=True, min_support=RARE, pessimism=0.5, tau=0.02)
    first, train = _first(cohort, seed), select_split(cohort, TRAIN)
    policy = second.fit(first, train, select_split(cohort, VALIDATION))
    seconds = time.process_time() - began
    return by_state(policy, cohort, logged), seconds, FIRST + SECOND


def _recurrent(logged: Trajectories, world: Sepsis, seed: int) -> tuple[StatePolicy, float, int]:
    cohort, began = _cohort(logged, world), time.process_time()
    train, validation = select_split(cohort, TRAIN), select_split(cohort, VALIDATION)
    policy = RecurrentQ(seed=seed).fit(train, validation)
    seconds = time.process_time() - began
    patients = len(train.history.subject_id)
    schedule = schedule_for(patients, len(train) / patients)
    passes = (schedule.first + schedule.second) * schedule.batch / patients
    return by_state(policy, cohort, logged), seconds, round(passes)


NETWORKS: dict[str, Learn] = {
    "fitted_values": _on_states(lambda fitting: PessimisticFQI(fitting, min_support=RARE)),
    "fitted_values_256": _on_states(
        lambda fitting: PessimisticFQI(fitting, min_support=RARE), WIDE
    ),
    "returns": _on_states(
        lambda fitting: PessimisticFQI(fitting, min_support=RARE, warmup_epochs=fitting.epochs)
    ),
    "iql": _on_states(ImplicitQLearning),
    "cql": _on_states(ConservativeQLearning),
    "posology_supervised": _supervised,
    "causal_network": _both,
    "recurrent": _recurrent,
}
SECOND_PHASE = {"fitted_values": "returns", "causal_network": "posology_supervised"}
"""What learned by temporal differences, and the same learned by supervision alone."""
