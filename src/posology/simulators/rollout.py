"""Log any Gymnasium environment with discrete treatments: trajectories, and a cohort of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int8, Int64

from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort
from posology.domain.formulary import Formulary, Treatment
from posology.domain.history import History, offsets_from_counts, ragged_arange
from posology.domain.profile import Profile
from posology.domain.study import Decision, Outcome, ProfileSpec, Reward, Split, Study
from posology.domain.trajectories import Trajectories, episode_returns, is_episode_end
from posology.errors import UserError

Act = Callable[[Float64[np.ndarray, "decision feature"]], Float64[np.ndarray, "decision treatment"]]
"""From what is seen to the probability of every treatment; rows sum to 1."""
Remembering = Callable[
    [
        Float64[np.ndarray, "decision feature"],
        Int64[np.ndarray, " decision"],
        Int64[np.ndarray, " decision"],
    ],
    Float64[np.ndarray, "decision treatment"],
]
"""The same, told also which patient each row is and what was given last (-1 at the first visit)."""


@dataclass(frozen=True, slots=True)
class Naming:
    """What a study calls an environment's numbers."""

    study: str
    treatments: tuple[str, ...]
    observations: tuple[str, ...] = ()
    """Names of the observation's columns; not needed where it is one state code."""
    day: str = ""
    """The column that holds the time in days; else every decision is a day after the last."""


def rollout(env: Any, act: Act, episodes: int, rng: np.random.Generator) -> Trajectories:
    """Play a policy in a Gymnasium environment and log everything, probabilities included.

    Treatments are `Discrete`, or `MultiDiscrete` numbered in C order; observations are `Discrete`
    (one state code) or any numbers. Raises UserError for other spaces.
    """
    return rollout_remembering(env, lambda: lambda seen, _who, _given: act(seen), episodes, rng)


def rollout_remembering(
    env: Any, remember: Callable[[], Remembering], episodes: int, rng: np.random.Generator
) -> Trajectories:
    """The same by a policy with a memory: `remember` is asked for a new one at each episode."""
    shape = _treatments(env.action_space)
    states = int(getattr(env.observation_space, "n", 0))
    first = int(getattr(env.observation_space, "start", 0))
    log: list[tuple[np.ndarray, int, float, np.ndarray]] = []
    final, terminal, counts = [], [], []
    for _ in range(episodes):
        raw, _info = env.reset(seed=int(rng.integers(2**31)))
        act, chosen, steps, over, cut = remember(), -1, 0, False, False
        while not over and not cut:
            seen = _numbers(raw, first)
            chances = act(seen[None, :], np.zeros(1, np.int64), np.array([chosen]))[0]
            drawn = int((np.cumsum(chances) <= rng.random()).sum())
            chosen = min(drawn, int(np.flatnonzero(chances)[-1]))
            raw, reward, over, cut, _info = env.step(_action(env.action_space, chosen, shape))
            log.append((seen, chosen, float(reward), chances))
            steps += 1
        final.append(_numbers(raw, first))
        terminal.append(bool(over))
        counts.append(steps)
    seen, given, reward, chances = (list(column) for column in zip(*log, strict=True))
    treatment, behaviour = np.array(given, np.int32), np.array(chances, np.float64)
    return Trajectories(
        observation=np.array(seen),
        treatment=treatment,
        reward=np.array(reward),
        logged_probability=behaviour[np.arange(len(treatment)), treatment],
        behaviour=behaviour,
        offsets=offsets_from_counts(np.array(counts, np.int64)),
        final_observation=np.array(final),
        terminal=np.array(terminal),
        state_count=states,
    )


def as_cohort(logged: Trajectories, naming: Naming) -> Cohort:
    """The same episodes as histories and decisions, for any learner of posology.

    After an empty first step, each observation is one (`STATE//7`, or `OBS//name` with its number),
    each treatment a step after it (`TREATMENT//name`), and what was seen last closes the history. A
    decision's outcome is the sum of the rewards from it on; effective is that sum where it is
    always 0 or 1. Splits are 70/15/15 by a fixed hash of the subject's number.
    """
    counts = np.diff(logged.offsets)
    decision_subject = np.repeat(np.arange(len(logged), dtype=np.int64), counts)
    split = _split(np.arange(len(logged), dtype=np.int64))[decision_subject]
    history = as_history(logged, naming)
    last_step = seen_steps(logged)
    total = np.repeat(episode_returns(logged), counts)
    before = np.cumsum(logged.reward) - logged.reward
    ahead = total - (before - np.repeat(before[logged.offsets[:-1]], counts))
    ahead = ahead.round(9).astype(np.float32)
    rows, treatments = logged.behaviour.shape
    unknown = np.full(rows, np.nan, np.float32)
    binary = bool(np.isin(ahead, [0.0, 1.0]).all())
    return Cohort(
        study=_study(naming),
        profile=_profile(logged, naming, split),
        history=history,
        subject=decision_subject,
        last_step=last_step,
        treatment=logged.treatment,
        dose=unknown,
        outcome=ahead,
        effective=ahead if binary else unknown,
        reward=logged.reward.astype(np.float32),
        outcome_observed=np.repeat(logged.terminal, counts),
        best_treatment=np.full(rows, -1, np.int32),
        potential_rewards=np.full((rows, treatments), np.nan, np.float32),
        logged_probability=logged.logged_probability.astype(np.float32),
        split=split,
        site=np.zeros(rows, np.int32),
        trajectory_ended=is_episode_end(logged),
    )


def _treatments(space: Any) -> tuple[int, ...]:
    if hasattr(space, "nvec"):
        return tuple(int(n) for n in space.nvec)
    if hasattr(space, "n") and hasattr(space, "start"):
        return (int(space.n),)
    raise UserError(
        f"rollout needs discrete treatments, but the environment's action space is {space}; "
        "wrap it so that each treatment has a number (gymnasium.spaces.Discrete)"
    )


def _action(space: Any, chosen: int, shape: tuple[int, ...]) -> Any:
    if hasattr(space, "nvec"):
        return np.array(np.unravel_index(chosen, shape))
    return chosen + int(space.start)


def _numbers(raw: Any, first: int) -> Float64[np.ndarray, " feature"]:
    return np.atleast_1d(np.asarray(raw, np.float64)).ravel() - first


def _vocabulary(logged: Trajectories, naming: Naming) -> tuple[str, ...]:
    seen = (
        tuple(f"STATE//{number}" for number in range(logged.state_count))
        if logged.state_count
        else tuple(f"OBS//{name}" for name in naming.observations)
    )
    return (*seen, *(f"TREATMENT//{name}" for name in naming.treatments))


def as_history(logged: Trajectories, naming: Naming) -> History:
    """Per subject: observation, treatment, observation, treatment, ..., last observation.

    Before them the undated step of what never changes, empty: without it learners would take what
    was seen first for something that holds for good.
    """
    counts = np.diff(logged.offsets)
    seen_step = seen_steps(logged)
    static_step = 2 * logged.offsets[:-1] + 2 * np.arange(len(counts))
    final_step = 2 * logged.offsets[1:] + 2 * np.arange(len(counts)) + 1
    width = 1 if logged.state_count else logged.observation.shape[1]
    first_treatment = logged.state_count or width
    events = np.full(2 * len(seen_step) + 2 * len(counts), width, np.int64)
    events[seen_step + 1] = 1
    events[static_step] = 0
    starts = offsets_from_counts(events)
    code, value = np.empty(starts[-1], np.int32), np.full(starts[-1], np.nan, np.float32)
    steps = np.concatenate([seen_step, final_step])
    rows = ragged_arange(starts[steps], np.full(len(steps), width))
    observed = np.concatenate([logged.observation, logged.final_observation])
    if logged.state_count:
        code[rows] = observed[:, 0]
    else:
        code[rows] = np.tile(np.arange(width), len(steps))
        value[rows] = observed.ravel()
    code[starts[seen_step + 1]] = first_treatment + logged.treatment
    time = np.empty(len(events))
    day = _days(logged, naming)
    time[static_step] = np.nan
    time[seen_step] = time[seen_step + 1] = day[: len(seen_step)]
    time[final_step] = day[len(seen_step) :]
    return History(
        code=code,
        value=value,
        event_offsets=starts,
        time=time,
        step_offsets=offsets_from_counts(2 * counts + 2),
        subject_id=np.arange(len(counts), dtype=np.int64),
    )


def seen_steps(logged: Trajectories) -> Int64[np.ndarray, " decision"]:
    """The step of what was seen before each decision."""
    subject = np.repeat(np.arange(len(logged)), np.diff(logged.offsets))
    return 2 * np.arange(len(subject)) + 2 * subject + 1


def _days(logged: Trajectories, naming: Naming) -> Float64[np.ndarray, " observed"]:
    """When each decision was made, then when each subject was last seen."""
    if naming.day:
        column = naming.observations.index(naming.day)
        return np.concatenate([logged.observation[:, column], logged.final_observation[:, column]])
    counts = np.diff(logged.offsets)
    number = ragged_arange(np.zeros(len(counts), np.int64), counts)
    return np.concatenate([number, counts]).astype(np.float64)


def _split(subject: Int64[np.ndarray, " row"]) -> Int8[np.ndarray, " row"]:
    """Multiplicative hash (Knuth, vol. 3, 6.4) of the subject's number."""
    share = (subject * 0.6180339887498949) % 1.0
    return np.select([share < 0.7, share < 0.85], [TRAIN, VALIDATION], TEST).astype(np.int8)


def _profile(logged: Trajectories, naming: Naming, split: Int8[np.ndarray, " decision"]) -> Profile:
    codes = _vocabulary(logged, naming)
    center, spread = np.zeros(len(codes), np.float32), np.ones(len(codes), np.float32)
    if not logged.state_count:
        train = logged.observation[split == TRAIN]
        center[: train.shape[1]] = train.mean(axis=0)
        spread[: train.shape[1]] = _nonzero(train.std(axis=0).astype(np.float32))
    return Profile(codes=codes, center=center, spread=spread)


def _nonzero(spread: Float32[np.ndarray, " column"]) -> Float32[np.ndarray, " column"]:
    return np.where(spread > 0, spread, np.float32(1))


def _study(naming: Naming) -> Study:
    return Study(
        name=naming.study,
        title=f"Episodes of {naming.study}",
        purpose="Simulated patients, to test learners and estimators where the truth is known.",
        limits="Simulated: no figure says anything of real patients.",
        decision=Decision(codes=("STATE", "OBS"), which="every"),
        formulary=Formulary(
            tuple(Treatment(name, name, (f"TREATMENT//{name}",)) for name in naming.treatments)
        ),
        outcome=Outcome(codes=(), unit="", kind="return", within_days=math.inf),
        reward=Reward(table=(), source="the environment's own reward at every step"),
        rules=(),
        profile=ProfileSpec(families=("STATE", "OBS", "TREATMENT"), minimum_patients=0),
        split=Split(0.7, 0.15, 0.15, "subject number"),
        dose=None,
    )
