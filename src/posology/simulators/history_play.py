"""Let a policy that reads histories treat simulated patients, one visit after the other."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64, Int64

from posology.domain.history import offsets_from_counts
from posology.domain.policy import Policy, allow_all_treatments
from posology.domain.trajectories import Trajectories
from posology.simulators.rollout import Naming, as_history

Rows = Int64[np.ndarray, " decision"]
Seen = Float64[np.ndarray, "decision feature"]
# Of one visit: each has its own patients.
Column = Int64[np.ndarray, " _"]
Table = Float64[np.ndarray, "_ feature"]


def remembering(
    policy: Policy, naming: Naming
) -> Callable[[Seen, Rows, Rows], Float64[np.ndarray, "decision treatment"]]:
    """What is asked at every visit: what is seen, of whom, and what each was given last.

    Every patient's history is the one that `as_cohort` would make of the visits so far; patients
    must be named in ascending order, and be asked of at each of their visits.
    """
    owners: list[Column] = []
    visits: list[Table] = []
    treatments: list[Column] = []

    def act(seen: Seen, who: Rows, given: Rows) -> Float64[np.ndarray, "decision treatment"]:
        if owners:
            before = np.full(int(owners[-1].max()) + 1, -1)
            before[who] = given
            treatments.append(before[owners[-1]])
        past = _past(owners, visits, treatments, who, seen)
        history = as_history(past, naming)
        owners.append(who)
        visits.append(seen)
        decisions = history.step_offsets[1:] - 1
        return policy.choice_probabilities(
            history, decisions, allow_all_treatments(decisions, policy.formulary)
        )

    return act


def _past(
    owners: list[Column], visits: list[Table], treatments: list[Column], who: Rows, seen: Seen
) -> Trajectories:
    """The decisions so far of the patients asked about, and what is seen of them now."""
    owner = np.concatenate([*owners, np.zeros(0, np.int64)])
    observation = np.concatenate([*visits, seen[:0]])
    treatment = np.concatenate([*treatments, np.zeros(0, np.int64)])
    rows = np.flatnonzero(np.isin(owner, who))
    rows = rows[np.argsort(owner[rows], kind="stable")]
    nothing = np.full(len(rows), np.nan)
    counts = np.bincount(np.searchsorted(who, owner[rows]), minlength=len(who))
    return Trajectories(
        observation=observation[rows],
        treatment=treatment[rows].astype(np.int32),
        reward=nothing,
        logged_probability=nothing,
        behaviour=nothing[:, None],
        offsets=offsets_from_counts(counts),
        final_observation=seen,
        terminal=np.zeros(len(who), dtype=bool),
        state_count=0,
    )
