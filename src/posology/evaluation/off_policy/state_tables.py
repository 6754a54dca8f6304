"""Models from tables of counts, where each decision's state is one code."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from posology.domain.trajectories import Trajectories, select_episodes
from posology.evaluation.off_policy.direct_method import (
    assign_folds,
    cross_fit,
    fit_table_occupancy,
    fit_table_q,
)
from posology.evaluation.off_policy.estimators import OffPolicyData

FOLDS = 3
Table = Float64[np.ndarray, "state treatment"]


def with_tables(
    data: OffPolicyData,
    state: Int64[np.ndarray, " decision"],
    policy: Float64[np.ndarray, "decision treatment"],
    rng: np.random.Generator,
) -> OffPolicyData | None:
    """The data with q, v and occupancy of tables, each patient's from others.

    Args:
        data: complete trajectories; their own q and v are replaced.
        state: code of each decision's state.
        policy: the target's probabilities at each decision.
        rng: of the folds.

    Returns:
        None where the policy gives different options in the same state: it is none of tables.
    """
    codes, row = np.unique(state, return_inverse=True)
    row = row.astype(np.int64)
    table = np.empty((len(codes), policy.shape[1]))
    table[row] = policy
    if not np.allclose(table[row], policy):
        return None
    logged = replace(
        data.trajectories, observation=row[:, None].astype(np.float64), state_count=len(codes)
    )
    fold = assign_folds(logged.offsets, FOLDS, rng)

    def others(keep: Bool[np.ndarray, " decision"]) -> Trajectories:
        return select_episodes(logged, np.flatnonzero(keep[logged.offsets[:-1]]))

    def fit_q(keep: Bool[np.ndarray, " decision"]) -> Table:
        return fit_table_q(others(keep), table, discount=data.discount)[row]

    def fit_occupancy(keep: Bool[np.ndarray, " decision"]) -> Table:
        return fit_table_occupancy(others(keep), table, discount=data.discount)[row]

    q, v = cross_fit(fold, fit_q, policy, logged.treatment)
    occupancy, _ = cross_fit(fold, fit_occupancy, policy, logged.treatment)
    return replace(data, q=q, v=v, occupancy=occupancy)
