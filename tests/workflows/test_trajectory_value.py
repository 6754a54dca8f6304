"""The value of a saved policy over whole trajectories, where records hold one outcome each."""

from dataclasses import replace

import numpy as np
import pytest

from posology.domain.cohort import TEST, TRAIN, VALIDATION, select_split
from posology.domain.trajectories import episode_returns
from posology.learners.offline_rl import dataset
from posology.learners.offline_rl.behaviour_cloning import BehaviourCloning
from posology.learners.offline_rl.q_network import QNetworkSettings
from posology.simulators.conversion import StudyNames, to_cohort
from posology.simulators.mdp import policy_value, sample_trajectories
from posology.workflows.evaluate import ValueEvaluation, evaluate
from posology.workflows.gate.judge import judge
from posology.workflows.trajectory_follow_up import is_complete_trajectory
from posology.workflows.trajectory_value import (
    DRAWN,
    FIRST_CHOICE,
    sample_patients,
)
from tests.builders.decision_processes import survival_mdp, uniform_policy

NAMES = StudyNames("ward", ("t0", "t1", "t2", "t3"))


@pytest.fixture(scope="module")
def made():
    mdp = survival_mdp()
    logged = sample_trajectories(mdp, uniform_policy(mdp), 2_500, np.random.default_rng(0))
    return logged, to_cohort(logged, NAMES)


def test_trajectories_are_valued_next_to_usual_care_or_refused_with_the_reason(
    made, tmp_path, monkeypatch
) -> None:
    logged, cohort = made
    mdp = survival_mdp()
    # Hardly trained: its first choice is no option in particular, and few patients follow it.
    monkeypatch.setattr(dataset, "with_enough_batches", lambda settings, _: settings)
    small = BehaviourCloning(QNetworkSettings(hidden=8, members=1, epochs=2, lags=1, code_steps=1))
    policy = small.fit(select_split(cohort, TRAIN), select_split(cohort, VALIDATION))
    unrecorded = replace(cohort, logged_probability=np.full(len(cohort), np.nan, np.float32))
    result = evaluate(policy, unrecorded, max_decisions=1000)
    assert isinstance(result, ValueEvaluation)
    assert "Value over whole trajectories" in result.summary()
    result.report(tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "over whole trajectories?" in html
    assert "posology&#39;s first choice: effective sample size" in html
    rows = [r for r in result.rows if r["metric"] == "course_value"]
    usual = next(r for r in rows if r["model"] == "usual care")
    patients = np.unique(cohort.subject[cohort.split == TEST])
    assert usual["value"] == pytest.approx(episode_returns(logged)[patients].mean())
    assert usual["low"] < policy_value(mdp, uniform_policy(mdp)) < usual["high"]
    by_estimator = {(r["model"], r["estimator"]): r for r in rows if r is not usual}
    assert len(by_estimator) == 8
    first, drawn = (
        [by_estimator[way, e] for e in ("dr", "wdr", "wis")] for way in (FIRST_CHOICE, DRAWN)
    )
    by_state = by_estimator[FIRST_CHOICE, "sdr"]
    assert by_state["refused"].startswith("effective sample size")
    assert by_state["refused"].endswith("as this policy would treat them")
    more = by_estimator[FIRST_CHOICE, "dr"]["refused"].split()[3]
    assert float(by_state["refused"].split()[3]) > 1.5 * float(more), "states are shared by paths"
    of_draws = by_estimator[DRAWN, "sdr"]
    assert of_draws["low"] < policy_value(mdp, uniform_policy(mdp)) < of_draws["high"]
    assert all(row["value"] is None for row in first)
    assert all(row["refused"].startswith("effective sample size") for row in first)
    assert all(row["low"] < usual["value"] < row["high"] for row in drawn), "it imitates usual care"
    tails = {r["estimator"]: r["value"] for r in result.rows if r["metric"] == "course_pareto_k"}
    assert tails["sdr"] < 0.7, "the last ones are of the draws, which imitate usual care"
    gate = judge(result, policy)
    assert not gate.is_open
    assert gate.requirements[0].name == "value"
    assert gate.requirements[0].reason.startswith("The gain over usual care is not shown")
    assert result.to_frame().num_rows == len(result.rows)


def test_a_trajectory_that_was_not_followed_to_its_end_is_excluded(made) -> None:
    _logged, cohort = made
    reward = cohort.reward.copy()
    reward[cohort.subject == 7] = np.where(np.arange((cohort.subject == 7).sum()) == 0, np.nan, 1)
    cut = cohort.trajectory_ended.copy()
    cut[cohort.subject == 9] = False
    kept = is_complete_trajectory(replace(cohort, reward=reward, trajectory_ended=cut), np.inf)
    assert set(np.unique(cohort.subject[~kept])) == {7, 9}


def test_patients_are_sampled_with_all_their_decisions(made) -> None:
    _logged, cohort = made
    drawn = sample_patients(cohort, cohort.split != TEST, 200, np.random.default_rng(0))
    assert 150 < drawn.sum() <= 200
    assert not (cohort.split[drawn] == TEST).any()
    assert set(cohort.subject[drawn]).isdisjoint(cohort.subject[~drawn])
