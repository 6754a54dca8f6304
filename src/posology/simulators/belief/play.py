"""Treat many patients at once by a policy that may remember their visits."""

import numpy as np
from jaxtyping import Float64, Int64

from posology.domain.history import offsets_from_counts
from posology.domain.trajectories import Trajectories
from posology.simulators.belief.world import (
    DEATH_REWARD,
    FEATURES,
    MONTHS_BETWEEN_VISITS,
    BeliefWorld,
    Symbols,
    show,
)
from posology.simulators.rollout import MemoryPolicy


def play(
    world: BeliefWorld, policy: MemoryPolicy, patients: int, rng: np.random.Generator
) -> Trajectories:
    """Trajectories of new patients from their first visit to the last; all advance together."""
    state = _draw(np.broadcast_to(world.start, (patients, len(world.start))), rng)
    symbol = _draw(world.first_symbol[state], rng)
    subject, last = np.arange(patients), np.full(patients, -1)
    final = np.empty((patients, len(FEATURES)))
    log: list[tuple[np.ndarray, ...]] = []
    for visit in range(world.shape.visits):
        seen = _observe(visit, symbol)
        probability = policy(seen, subject, last[subject])
        chosen = _draw(probability, rng)
        last[subject] = chosen
        died = rng.random(len(subject)) < world.death[state]
        state = _draw(world.move[chosen, state], rng)
        symbol = _draw(world.symbol[chosen, state], rng)
        reward = np.where(died, DEATH_REWARD, world.reward[symbol])
        log.append((subject, seen, chosen, reward, probability))
        left = rng.random(len(subject)) < world.shape.leave
        ended = died | left | (visit + 1 == world.shape.visits)
        after = np.where(died[:, None], seen, _observe(visit + 1, symbol))
        final[subject[ended]] = after[ended]
        subject, state, symbol = subject[~ended], state[~ended], symbol[~ended]
        if not len(subject):
            break
    return _to_trajectories(log, final)


def _draw(probability: np.ndarray, rng: np.random.Generator) -> Symbols:
    """One column number a row."""
    total = np.cumsum(probability, axis=1)
    drawn = (total <= rng.random(len(total))[:, None] * total[:, -1:]).sum(axis=1)
    return np.minimum(drawn, probability.shape[1] - 1).astype(np.int64)


def _observe(visit: int, symbol: Symbols) -> Float64[np.ndarray, "subject feature"]:
    month = np.full((len(symbol), 1), visit * MONTHS_BETWEEN_VISITS)
    return np.hstack([month, show(symbol)])


def _to_trajectories(
    log: list[tuple[np.ndarray, ...]], final: Float64[np.ndarray, "subject feature"]
) -> Trajectories:
    subject, seen, chosen, reward, probability = (
        np.concatenate(column) for column in zip(*log, strict=True)
    )
    order: Int64[np.ndarray, " decision"] = np.argsort(subject, kind="stable")
    chosen = chosen[order].astype(np.int32)
    return Trajectories(
        observation=seen[order],
        treatment=chosen,
        reward=reward[order],
        logged_probability=probability[order, chosen],
        behaviour=probability[order],
        offsets=offsets_from_counts(np.bincount(subject, minlength=len(final))),
        final_observation=final,
        terminal=np.ones(len(final), dtype=bool),
        state_count=0,
    )
