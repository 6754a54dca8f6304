"""Tabular baselines where a patient's state is one code, and the choice of their settings."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Float64

from posology.domain.trajectories import Trajectories
from posology.learners.offline_rl.tabular import (
    TabularPolicy,
    TransitionCounts,
    mean_return,
    sum_targets,
)

Settings = TypeVar("Settings")


def clone_behaviour(counts: TransitionCounts, prior_visits: float = 1.0) -> TabularPolicy:
    """Logged treatment shares, each state shrunk to the overall shares by `prior_visits`."""
    overall = counts.visits.sum(axis=0) / counts.visits.sum()
    total = counts.visits.sum(axis=1, keepdims=True)
    probabilities = (counts.visits + prior_visits * overall) / (total + prior_visits)
    return TabularPolicy(probabilities, np.where(counts.visits > 0, 0.0, -np.inf))


def spibb(
    counts: TransitionCounts,
    behaviour: Float64[np.ndarray, "state treatment"],
    min_visits: float,
    discount: float = 1.0,
) -> TabularPolicy:
    """Improve on the behaviour only where a pair occurs at least `min_visits` times (Pi_b-SPIBB).

    Laroche, Trichelair and Tachet des Combes 2019 (ICML, algorithm 1).
    """
    frequent = counts.visits >= min_visits
    fixed = np.where(frequent, 0.0, behaviour)
    free = 1 - fixed.sum(axis=1)
    states, treatments = counts.visits.shape
    values = np.append(np.full(states, mean_return(counts)), 0.0)
    average = np.maximum(counts.visits, 1)
    for _ in range(2_000):
        first, _second = sum_targets(counts, values, discount)
        state_mean = first.sum(axis=1) / np.maximum(counts.visits.sum(axis=1), 1)
        q = np.where(counts.visits > 0, first / average, state_mean[:, None])
        best = np.eye(treatments)[np.where(frequent, q, -np.inf).argmax(axis=1)]
        policy = fixed + free[:, None] * np.where(frequent.any(axis=1, keepdims=True), best, 0.0)
        new = np.where(counts.visits.sum(axis=1) > 0, (policy * q).sum(axis=1), values[:-1])
        change = np.abs(new - values[:-1]).max()
        values[:-1] = new
        if change < 1e-6 * (1 + np.abs(new).max()):
            break
    policy = policy / policy.sum(axis=1, keepdims=True)
    return TabularPolicy(policy, np.where(counts.visits > 0, q, -np.inf))


def select_settings(
    candidates: Sequence[Settings],
    learn: Callable[[Settings, Trajectories], TabularPolicy],
    score: Callable[[TabularPolicy, Trajectories], float],
    train: Trajectories,
    validation: Trajectories,
) -> tuple[Settings, tuple[float, ...]]:
    """The candidate whose policy, learned from `train`, scores highest on `validation`.

    `score` is an off-policy estimate from logged episodes only. The caller may then learn again
    from both parts with the selected settings.
    """
    scores = tuple(float(score(learn(settings, train), validation)) for settings in candidates)
    return candidates[int(np.argmax(scores))], scores
