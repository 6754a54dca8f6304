"""What following a policy earns, where every option's reward is known."""

import numpy as np
from jaxtyping import Bool, Float32, Float64

from posology.evaluation.classification import Scores, Weights, weighted_mean

Probabilities = Float64[np.ndarray, "decision treatment"]
Rewards = Float32[np.ndarray, "decision treatment"]


def has_all_rewards(rewards: Rewards) -> Bool[np.ndarray, " decision"]:
    """Where the reward of every option is known (full information)."""
    return np.isnan(rewards).sum(axis=1) == 0


def expected_rewards(
    probabilities: Probabilities, rewards: Rewards
) -> Float64[np.ndarray, " decision"]:
    """Expected reward of each decision under the policy; NaN without full information."""
    return (probabilities * rewards).sum(axis=1)


def mean_expected_reward(
    probabilities: Probabilities, rewards: Rewards, weights: Weights | None = None
) -> Scores:
    """Mean expected reward of the decisions with full information; exact, nothing is estimated."""
    return weighted_mean(
        expected_rewards(probabilities, rewards), has_all_rewards(rewards), weights
    )
