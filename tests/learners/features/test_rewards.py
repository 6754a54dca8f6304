"""Rewards and follow-up of decisions: what becomes of a trajectory that went on unobserved."""

from dataclasses import replace

import numpy as np

from posology.domain.cohort import Cohort
from posology.domain.trajectories import Trajectories
from posology.learners.features.rewards import has_next_decision, is_truncated, with_last_states
from posology.learners.offline_rl.pessimistic_fqi import PessimisticFQI
from posology.learners.offline_rl.q_network import QNetworkSettings
from posology.simulators.conversion import StudyNames, to_cohort

START, WELL, ILL, LEAVING, END = range(5)
QUICK = QNetworkSettings(hidden=16, members=2, batch=128, epochs=12, learning_rate=2e-2, lags=1)


def patients(n: int) -> Cohort:
    """Option a makes half of all well, b seven in ten; who is well gets a reward later.

    Of those whom a did not help nine in ten leave before their second decision; b's stay.
    """
    rng = np.random.default_rng(0)
    option = rng.integers(0, 2, n)
    well = rng.random(n) < np.where(option == 0, 0.5, 0.7)
    state = np.where(well, WELL, np.where(option == 0, LEAVING, ILL))
    leaves = (state == LEAVING) & (rng.random(n) < 0.9)
    counts = np.where(leaves, 1, 2)
    offsets = np.append(0, np.cumsum(counts)).astype(np.int64)
    first, second = offsets[:-1], offsets[:-1][~leaves] + 1
    observation, reward = np.zeros((offsets[-1], 1)), np.zeros(offsets[-1])
    treatment = np.zeros(offsets[-1], np.int32)
    treatment[first], observation[second, 0], reward[second] = option, state[~leaves], well[~leaves]
    logged = Trajectories(
        observation,
        treatment,
        reward,
        np.full(offsets[-1], 0.5),
        np.full((offsets[-1], 2), 0.5),
        offsets,
        np.where(leaves, LEAVING, END)[:, None].astype(float),
        ~leaves,
        5,
    )
    return to_cohort(logged, StudyNames("leaving", ("a", "b")))


def test_a_truncated_trajectory_goes_on_in_the_state_in_which_it_was_last_seen() -> None:
    cohort = patients(40)
    truncated = is_truncated(cohort)
    assert 0 < truncated.sum() < 20
    seen = with_last_states(cohort, 1.0)
    added = seen.treatment < 0
    assert added.sum() == truncated.sum()
    history = seen.history
    codes = history.code[history.event_offsets[seen.last_step[added]]]
    assert (codes == LEAVING).all()
    assert np.isnan(seen.reward[added]).all()
    before = np.flatnonzero(added) - 1
    assert has_next_decision(seen)[before].all()
    np.testing.assert_array_equal(seen.reward[~added], cohort.reward)
    np.testing.assert_array_equal(seen.last_step[~added], cohort.last_step)
    assert with_last_states(cohort, 0.0) is cohort, "later rewards do not count"


def test_nothing_is_added_without_a_state_after_the_last_decision_and_in_follow_up() -> None:
    cohort = patients(40)
    day = cohort.history.time[cohort.last_step]
    short = replace(cohort, time=day, days_followed=np.zeros(len(day), np.float32))
    assert with_last_states(short, 1.0) is short


def test_who_fares_badly_and_leaves_does_not_make_an_option_look_good() -> None:
    """Before, their last decision was dropped: of a's patients nine in ten seemed to get well."""
    cohort = patients(500)
    policy = PessimisticFQI(QUICK, pessimism=0.0, tau=0.1).fit(cohort, cohort)
    start = cohort.last_step[cohort.history.time[cohort.last_step] == 0][:1]
    every = np.ones((1, 2), dtype=bool)
    value = policy.predict_effectiveness(cohort.history, start, every)[0].mean(axis=1)
    assert np.abs(value - [0.5, 0.7]).max() < 0.15
    assert policy.choice_probabilities(cohort.history, start, every).argmax() == 1
