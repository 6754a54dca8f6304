"""Cohorts as logged episodes, which d3rlpy and Minari read."""

import re
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posology.domain.cohort import Cohort
from posology.domain.trajectories import from_episodes, to_episodes
from posology.errors import UserError
from posology.simulators.belief.care import usual_care
from posology.simulators.belief.play import play
from posology.simulators.belief.world import draw_world
from posology.workflows.exchange.episodes import to_logged_episodes, write_episodes
from tests.builders import belief_cohort, synthetic_iwpc


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return belief_cohort.small_trajectories()


def _discounted(cohort: Cohort, discount: float) -> Cohort:
    study = replace(cohort.study, reward=replace(cohort.study.reward, discount=discount))
    return replace(cohort, study=study)


def test_a_simulators_episodes_come_back(cohort: Cohort) -> None:
    world = draw_world(100, belief_cohort.SHAPE)
    logged = play(world, usual_care(world), 40, np.random.default_rng(100))
    again = to_logged_episodes(cohort).trajectories
    np.testing.assert_array_equal(again.treatment, logged.treatment)
    np.testing.assert_allclose(again.reward, logged.reward, rtol=1e-6)
    np.testing.assert_array_equal(again.offsets, logged.offsets)
    np.testing.assert_array_equal(again.terminal, logged.terminal)


def test_observations_are_facts_without_gaps(cohort: Cohort) -> None:
    episodes = to_logged_episodes(cohort)
    observed = episodes.trajectories.observation
    assert np.isfinite(observed).all()
    assert observed.shape[1] == len(episodes.observations) == len(set(episodes.observations))
    gaps = [name for name in episodes.observations if name.endswith(": known")]
    assert gaps, "what is not known at the first visit is marked"
    known = observed[:, episodes.observations.index(gaps[0])]
    value = observed[:, episodes.observations.index(gaps[0].removesuffix(": known"))]
    assert set(known) == {0.0, 1.0}
    assert len(set(value[known == 0])) == 1, "one number stands for all that are not known"


def test_an_episode_is_cut_where_the_option_or_the_reward_is_not_known(cohort: Cohort) -> None:
    first = np.flatnonzero(np.append(True, np.diff(cohort.subject) != 0))
    treatment, reward = cohort.treatment.copy(), cohort.reward.copy()
    treatment[first[0] + 2] = -1
    reward[first[1]] = np.nan
    episodes = to_logged_episodes(replace(cohort, treatment=treatment, reward=reward))
    logged, whole = episodes.trajectories, to_logged_episodes(cohort).trajectories
    assert np.diff(logged.offsets)[0] == 2
    assert not logged.terminal[0]
    np.testing.assert_array_equal(logged.final_observation[0], whole.observation[2])
    second = cohort.history.subject_id[cohort.subject[first[1]]]
    assert second not in episodes.subject_id, "its first reward is not known"


def test_a_reward_that_counts_for_nothing_is_not_known(cohort: Cohort) -> None:
    weight = np.ones(len(cohort), np.float32)
    weight[1] = 0
    episodes = to_logged_episodes(replace(cohort, reward_weight=weight)).trajectories
    assert np.diff(episodes.offsets)[0] == 1
    assert not episodes.terminal[0]


def test_without_later_decisions_every_decision_is_an_episode(cohort: Cohort) -> None:
    logged = to_logged_episodes(_discounted(cohort, 0.0)).trajectories
    assert len(logged) == len(cohort)
    assert logged.terminal.all()


def test_a_censored_trajectory_is_truncated_at_its_last_state(cohort: Cohort) -> None:
    assert cohort.trajectory_ended is not None
    open_ended = replace(cohort, trajectory_ended=np.zeros(len(cohort), bool))
    logged, whole = to_logged_episodes(open_ended).trajectories, to_logged_episodes(cohort)
    np.testing.assert_array_equal(logged.reward, whole.trajectories.reward)
    assert not logged.terminal.any()
    last = logged.offsets[1:] - 1
    changed = (logged.final_observation != logged.observation[last]).any(axis=1)
    assert changed.mean() > 0.5, "for the others nothing was seen after the last decision"


def test_the_file_has_the_arguments_of_d3rlpys_data_set(cohort: Cohort, tmp_path) -> None:
    episodes = to_logged_episodes(cohort)
    write_episodes(episodes, tmp_path / "episodes.npz")
    file = np.load(tmp_path / "episodes.npz")  # allow_pickle is False
    ends = file["terminals"] | file["timeouts"]
    assert ends.sum() == len(episodes.trajectories)
    assert len(file["observations"]) == len(file["actions"]) == len(file["rewards"]) == len(ends)
    assert file["action_names"].tolist() == list(cohort.study.formulary.names)
    np.testing.assert_array_equal(
        file["split"], np.repeat(episodes.split, np.diff(episodes.trajectories.offsets))
    )


def test_minaris_episodes_come_back(cohort: Cohort) -> None:
    logged = to_logged_episodes(cohort).trajectories
    again = from_episodes(to_episodes(logged), treatments=logged.behaviour.shape[1])
    np.testing.assert_array_equal(again.reward, logged.reward)
    np.testing.assert_array_equal(again.final_observation, logged.final_observation)


def test_nothing_known_is_an_error() -> None:
    cohort = synthetic_iwpc.cohort(40)
    nothing = replace(cohort, reward=np.full(len(cohort), np.nan, np.float32))
    with pytest.raises(UserError, match="no patient's first decision has a known option and"):
        to_logged_episodes(nothing)


def _documented(title: str) -> str:
    page = (Path(__file__).parents[3] / "docs" / "exchange.md").read_text(encoding="utf-8")
    block = re.search(rf'^```python title="{title}"\n(.*?)^```', page, re.MULTILINE | re.DOTALL)
    assert block is not None
    return block[1]


def test_the_documented_lines_make_a_data_set_of_minari(
    cohort: Cohort, tmp_path, monkeypatch
) -> None:
    minari = pytest.importorskip("minari", reason="Minari is not installed: pip install minari")
    pytest.importorskip("h5py", reason="Minari stores HDF5: pip install h5py")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    with warnings.catch_warnings(action="ignore"):
        exec(_documented("minari"), {"cohort": cohort})
        theirs = minari.load_dataset("posology/logged-v0")
    logged = to_logged_episodes(cohort).trajectories
    rewards = np.concatenate([episode.rewards for episode in theirs.iterate_episodes()])
    np.testing.assert_allclose(rewards, logged.reward)


def test_the_documented_lines_make_a_data_set_of_d3rlpy(
    cohort: Cohort, tmp_path, monkeypatch
) -> None:
    pytest.importorskip("d3rlpy", reason="d3rlpy is not installed: pip install d3rlpy")
    episodes = to_logged_episodes(cohort)
    write_episodes(episodes, tmp_path / "episodes.npz")
    monkeypatch.chdir(tmp_path)
    shared: dict = {}
    exec(_documented("d3rlpy"), shared)
    assert len(shared["data"].episodes) == (episodes.split == "train").sum()
