"""Trajectories as the histories and cohort of a study, so that any learner can use them."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int8, Int64

from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort
from posology.domain.formulary import Formulary, Treatment
from posology.domain.history import History, offsets_from_counts, ragged_arange
from posology.domain.profile import Profile
from posology.domain.study import Decision, Outcome, ProfileSpec, Reward, Split, Study
from posology.domain.trajectories import (
    Trajectories,
    decision_numbers,
    episode_returns,
    is_episode_end,
)


@dataclass(frozen=True, slots=True)
class StudyNames:
    """Names of a study, its treatments and its observations."""

    study: str
    treatments: tuple[str, ...]
    observations: tuple[str, ...] = ()
    """Names of the observation's columns; empty where it is one state code."""
    day_column: str = ""
    """Observation column with the time in days; if empty, decisions are one day apart."""


def to_cohort(trajectories: Trajectories, names: StudyNames) -> Cohort:
    """The trajectories as a cohort of histories and decisions, for any learner of posology.

    After an empty first step, each observation is one step (`STATE//7`, or `OBS//name` with its
    value), each treatment the next one (`TREATMENT//name`), and the final observation the last. A
    decision's outcome is the sum of rewards from it on; `effective` is that sum where it is always
    0 or 1. Splits are 70/15/15 by a fixed hash of the subject's number.
    """
    counts = np.diff(trajectories.offsets)
    decision_subject = np.repeat(np.arange(len(trajectories), dtype=np.int64), counts)
    split = _split(np.arange(len(trajectories), dtype=np.int64))[decision_subject]
    history = to_history(trajectories, names)
    last_step = observation_steps(trajectories)
    total = np.repeat(episode_returns(trajectories), counts)
    before = np.cumsum(trajectories.reward) - trajectories.reward
    ahead = total - (before - np.repeat(before[trajectories.offsets[:-1]], counts))
    ahead = ahead.round(9).astype(np.float32)
    rows, treatments = trajectories.behaviour.shape
    unknown = np.full(rows, np.nan, np.float32)
    binary = bool(np.isin(ahead, [0.0, 1.0]).all())
    return Cohort(
        study=_study(names),
        profile=_profile(trajectories, names, split),
        history=history,
        subject=decision_subject,
        last_step=last_step,
        treatment=trajectories.treatment,
        dose=unknown,
        outcome=ahead,
        effective=ahead if binary else unknown,
        reward=trajectories.reward.astype(np.float32),
        outcome_observed=np.repeat(trajectories.terminal, counts),
        best_treatment=np.full(rows, -1, np.int32),
        potential_rewards=np.full((rows, treatments), np.nan, np.float32),
        logged_probability=trajectories.logged_probability.astype(np.float32),
        split=split,
        site=np.zeros(rows, np.int32),
        trajectory_ended=is_episode_end(trajectories),
    )


def _vocabulary(trajectories: Trajectories, names: StudyNames) -> tuple[str, ...]:
    observed = (
        tuple(f"STATE//{number}" for number in range(trajectories.state_count))
        if trajectories.state_count
        else tuple(f"OBS//{name}" for name in names.observations)
    )
    return (*observed, *(f"TREATMENT//{name}" for name in names.treatments))


def to_history(trajectories: Trajectories, names: StudyNames) -> History:
    """Per subject: observation, treatment, observation, treatment, ..., final observation.

    Before them an undated empty step: without it learners would take the first observation for a
    static fact.
    """
    counts = np.diff(trajectories.offsets)
    observation_step = observation_steps(trajectories)
    static_step = 2 * trajectories.offsets[:-1] + 2 * np.arange(len(counts))
    final_step = 2 * trajectories.offsets[1:] + 2 * np.arange(len(counts)) + 1
    width = 1 if trajectories.state_count else trajectories.observation.shape[1]
    first_treatment = trajectories.state_count or width
    events = np.full(2 * len(observation_step) + 2 * len(counts), width, np.int64)
    events[observation_step + 1] = 1
    events[static_step] = 0
    starts = offsets_from_counts(events)
    code, value = np.empty(starts[-1], np.int32), np.full(starts[-1], np.nan, np.float32)
    steps = np.concatenate([observation_step, final_step])
    rows = ragged_arange(starts[steps], np.full(len(steps), width))
    observed = np.concatenate([trajectories.observation, trajectories.final_observation])
    if trajectories.state_count:
        code[rows] = observed[:, 0]
    else:
        code[rows] = np.tile(np.arange(width), len(steps))
        value[rows] = observed.ravel()
    code[starts[observation_step + 1]] = first_treatment + trajectories.treatment
    time = np.empty(len(events))
    day = _days(trajectories, names)
    time[static_step] = np.nan
    time[observation_step] = time[observation_step + 1] = day[: len(observation_step)]
    time[final_step] = day[len(observation_step) :]
    return History(
        code=code,
        value=value,
        event_offsets=starts,
        time=time,
        step_offsets=offsets_from_counts(2 * counts + 2),
        subject_id=np.arange(len(counts), dtype=np.int64),
    )


def observation_steps(trajectories: Trajectories) -> Int64[np.ndarray, " decision"]:
    """The step of the observation before each decision."""
    subject = np.repeat(np.arange(len(trajectories)), np.diff(trajectories.offsets))
    return 2 * np.arange(len(subject)) + 2 * subject + 1


def _days(trajectories: Trajectories, names: StudyNames) -> Float64[np.ndarray, " observed"]:
    """Day of each decision, then of each subject's final observation."""
    if names.day_column:
        column = names.observations.index(names.day_column)
        observed, final = trajectories.observation, trajectories.final_observation
        return np.concatenate([observed[:, column], final[:, column]])
    counts = np.diff(trajectories.offsets)
    return np.concatenate([decision_numbers(trajectories), counts]).astype(np.float64)


def _split(subject: Int64[np.ndarray, " row"]) -> Int8[np.ndarray, " row"]:
    """Split by multiplicative hash (Knuth, vol. 3, 6.4) of the subject's number."""
    share = (subject * 0.6180339887498949) % 1.0
    return np.select([share < 0.7, share < 0.85], [TRAIN, VALIDATION], TEST).astype(np.int8)


def _profile(
    trajectories: Trajectories, names: StudyNames, split: Int8[np.ndarray, " decision"]
) -> Profile:
    codes = _vocabulary(trajectories, names)
    center, spread = np.zeros(len(codes), np.float32), np.ones(len(codes), np.float32)
    if not trajectories.state_count:
        train = trajectories.observation[split == TRAIN]
        center[: train.shape[1]] = train.mean(axis=0)
        spread[: train.shape[1]] = _replace_zero(train.std(axis=0).astype(np.float32))
    return Profile(codes=codes, center=center, spread=spread)


def _replace_zero(spread: Float32[np.ndarray, " column"]) -> Float32[np.ndarray, " column"]:
    return np.where(spread > 0, spread, np.float32(1))


def _study(names: StudyNames) -> Study:
    return Study(
        name=names.study,
        title=f"Episodes of {names.study}",
        purpose="Simulated patients, to test learners and estimators where the truth is known.",
        limits="Simulated: the figures do not apply to real patients.",
        decision=Decision(codes=("STATE", "OBS"), which="every"),
        formulary=Formulary(
            tuple(Treatment(name, name, (f"TREATMENT//{name}",)) for name in names.treatments)
        ),
        outcome=Outcome(codes=(), unit="", kind="return", within_days=math.inf),
        reward=Reward(table=(), source="the environment's own reward at every step"),
        rules=(),
        profile=ProfileSpec(families=("STATE", "OBS", "TREATMENT"), minimum_patients=0),
        split=Split(0.7, 0.15, 0.15, "subject number"),
        dose=None,
    )
