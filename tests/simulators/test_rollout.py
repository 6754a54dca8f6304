"""Any Gymnasium environment becomes trajectories and a cohort whose past is only the past."""

import builtins

import numpy as np
import pytest

from posology.domain.cohort import TEST, TRAIN, select_split
from posology.domain.history import visible_events
from posology.domain.trajectories import episode_returns, next_state_codes, state_codes
from posology.errors import UserError
from posology.simulators.conversion import StudyNames, to_cohort
from posology.simulators.gymnasium_envs import mdp_env, tumour_env, warfarin_env
from posology.simulators.mdp import sample_trajectories
from posology.simulators.rollout import rollout
from posology.simulators.warfarin.care import DOSES, FEATURES
from posology.simulators.warfarin.pharmacology import bodies_2007
from posology.simulators.warfarin.protocols import ClinicianMixture, clinician_policy
from tests.builders.decision_processes import random_mdp
from tests.builders.warfarin_patients import warfarin_patients

gymnasium = pytest.importorskip("gymnasium")
ABC = StudyNames("small", ("a", "b", "c"))


def by_state(policy):
    return lambda seen: policy[seen[:, 0].astype(int)]


def test_our_environments_pass_gymnasiums_own_check():
    from gymnasium.utils.env_checker import check_env

    check_env(mdp_env(random_mdp(np.random.default_rng(0))), skip_render_check=True)
    check_env(tumour_env(), skip_render_check=True)


def test_a_rollout_follows_the_same_law_as_the_vectorised_sampler():
    rng = np.random.default_rng(0)
    mdp = random_mdp(rng)
    policy = rng.dirichlet(np.ones(3), size=5)
    slow = rollout(mdp_env(mdp), by_state(policy), 2_000, rng)
    fast = sample_trajectories(mdp, policy, 20_000, rng)
    gap = episode_returns(slow).mean() - episode_returns(fast).mean()
    assert abs(gap) < 4 * episode_returns(slow).std() / np.sqrt(2_000)
    assert slow.state_count == 5
    assert slow.terminal.all()
    assert np.allclose(slow.logged_probability, policy[state_codes(slow), slow.treatment])


def test_a_time_limit_is_a_truncation_not_an_end():
    env = gymnasium.make("FrozenLake-v1", max_episode_steps=3)
    logged = rollout(env, lambda seen: np.full((len(seen), 4), 0.25), 50, np.random.default_rng(0))
    assert np.diff(logged.offsets).max() == 3
    assert not logged.terminal.all()
    assert not to_cohort(logged, StudyNames("lake", ("l", "d", "r", "u"))).outcome_observed.all()


def test_treatments_that_are_pairs_are_numbered():
    class Pairs(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(0.0, 1.0, (2,))
        action_space = gymnasium.spaces.MultiDiscrete([2, 3])

        def reset(self, *, seed=None, options=None):
            return np.zeros(2), {}

        def step(self, action):
            return np.ones(2), float(action[0] * 3 + action[1]), True, False, {}

    always = np.eye(6)[[4]]
    logged = rollout(Pairs(), lambda seen: always, 3, np.random.default_rng(0))
    assert logged.reward.tolist() == [4.0] * 3
    assert logged.state_count == 0


def test_doses_without_numbers_are_refused():
    class Continuous:
        action_space = gymnasium.spaces.Box(0.0, 1.0, (1,))

    with pytest.raises(UserError, match="needs discrete treatments, but the environment's action"):
        rollout(Continuous(), lambda seen: seen, 1, np.random.default_rng(0))


def test_a_missing_gymnasium_is_named_with_its_mend(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **named):
        if name == "gymnasium":
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r'pip install "\.\[simulators\]"'):
        mdp_env(random_mdp(np.random.default_rng(0)))


def test_a_cohort_of_states_holds_every_step_in_order():
    rng = np.random.default_rng(3)
    logged = sample_trajectories(random_mdp(rng), np.full((5, 3), 1 / 3), 40, rng)
    cohort = to_cohort(logged, ABC)
    history = cohort.history
    assert len(cohort) == len(logged.treatment)
    for row in (0, 7, len(cohort) - 1):
        seen = cohort.last_step[row]
        code = history.code[history.event_offsets[seen] : history.event_offsets[seen + 1]]
        assert code.tolist() == [state_codes(logged)[row]]
        given = history.code[history.event_offsets[seen + 1]]
        assert cohort.profile.codes[given] == f"TREATMENT//{'abc'[logged.treatment[row]]}"
        after = history.code[history.event_offsets[seen + 2]]
        assert after == next_state_codes(logged)[row]
    owner, event = visible_events(history, cohort.last_step)
    age = np.arange(len(cohort)) - logged.offsets[cohort.subject]
    assert np.array_equal(np.bincount(owner), 2 * age + 1)  # the past, today, and nothing later
    assert len(event) == (2 * age + 1).sum()


def test_a_cohorts_outcome_is_the_return_from_the_decision_on():
    rng = np.random.default_rng(4)
    logged = sample_trajectories(random_mdp(rng), np.full((5, 3), 1 / 3), 30, rng)
    cohort = to_cohort(logged, ABC)
    for row in range(len(cohort)):
        last = logged.offsets[cohort.subject[row] + 1]
        assert cohort.outcome[row] == pytest.approx(logged.reward[row:last].sum(), abs=1e-5)
    assert np.isnan(cohort.effective).all()
    assert (
        select_split(cohort, TRAIN).history.subject_id.size
        + select_split(cohort, TEST).history.subject_id.size
    )


def test_numbers_are_events_with_values_and_days():
    naming = StudyNames(
        "warfarin", tuple(f"{dose:g} mg" for dose in DOSES), FEATURES, day_column="day"
    )
    env = warfarin_env(warfarin_patients(20), bodies_2007)
    logged = rollout(env, clinician_policy(ClinicianMixture()), 4, np.random.default_rng(0))
    cohort = to_cohort(logged, naming)
    history, step = cohort.history, cohort.last_step[5]
    first, last = history.event_offsets[step], history.event_offsets[step + 1]
    assert history.value[first:last] == pytest.approx(logged.observation[5].astype(np.float32))
    assert history.time[step] == logged.observation[5, 0]
    assert history.time[-1] == 90.0
    assert cohort.profile.codes[1] == "OBS//inr"
    assert cohort.profile.center[1] == pytest.approx(2, abs=1)
    assert len(cohort.study.formulary.names) == 31
