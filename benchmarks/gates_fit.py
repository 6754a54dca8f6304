"""The whole of `posology fit` on records of small worlds, for benchmarks.gates.

Patients of a ward (benchmarks/gates_worlds.py) become a cohort; `fit` chooses the method, learns
what usual care is, and decides on its validation patients whether the learned policy is used.
Nothing is given to it that records do not hold.
"""

import numpy as np

from benchmarks import gates_worlds as worlds
from posology.learners.offline_rl.tabular import (
    Shrinkage,
    count_transitions,
    shrunk_value_iteration,
)
from posology.learners.offline_rl.tabular_policy import StateCodePolicy
from posology.simulators.conversion import StudyNames, to_cohort
from posology.simulators.mdp import sample_trajectories
from posology.workflows.fit import fit
from posology.workflows.progress import no_progress

PATIENTS = {False: 2_000, True: 3_000}
"""Of a world without and with a gain; 15 % of them judge."""
VALIDATION = 0.15
NEAR = 3.5, 4.5
"""Standard errors of an oracle on the validation patients that a true gain may have."""
TRIES = 400


def fitted(seed: int, has_gain: bool) -> dict:
    """One world: whether `fit` uses the policy that it learned, and whether its bound holds."""
    rng = np.random.default_rng([seed, 31 if has_gain else 30])
    patients = PATIENTS[has_gain]
    ward = _with_gain(rng, patients) if has_gain else worlds.draw_ward(rng, 0.0)
    logged = sample_trajectories(ward.mdp, ward.usual, patients, rng)
    cohort = to_cohort(logged, StudyNames("ward", ward.mdp.names))
    result = fit(cohort, seed=seed, evidence_decisions=0, progress=no_progress)
    found = result.evidence["protection"]
    policy = result.policy
    true = 0.0
    if isinstance(policy, StateCodePolicy):
        true = worlds.true_gain(ward, policy.table.probabilities)
    return {
        "open": found["used"],
        "used": found["used"],
        "refused": found["low"] is None,
        "covers": found["low"] is not None and (not found["used"] or found["low"] <= true),
        "true": true,
        "patients": found["patients"],
        "method": result.evidence["method"],
    }


def _with_gain(rng: np.random.Generator, patients: int) -> worlds.Ward:
    """A ward where a table learned from as many others gains about four oracle errors."""
    judges = VALIDATION * patients
    for _ in range(TRIES):
        ward = worlds.draw_ward(rng, rng.uniform(0.05, 0.4))
        others = sample_trajectories(ward.mdp, ward.usual, patients, rng)
        table = shrunk_value_iteration(count_transitions(others), Shrinkage()).probabilities
        error = worlds.oracle_error(ward, table, rng) / np.sqrt(judges)
        if NEAR[0] <= worlds.true_gain(ward, table) / error <= NEAR[1]:
            return ward
    raise RuntimeError("no world has a gain that suits")
