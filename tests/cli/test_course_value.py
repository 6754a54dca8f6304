"""A saved policy over whole courses of decisions, where only what was done is known to have come to
something."""

import json
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from posology import artifact
from posology.cli import app
from posology.cli.course_run import DRAWN, FIRST, some, whole
from posology.cohorts.storage.arrays import save_cohort
from posology.domain.cohort import TEST, TRAIN, VALIDATION, part
from posology.domain.trajectories import episode_returns
from posology.learners.offline_rl.behaviour_cloning import Cloning
from posology.learners.offline_rl.q_network import Fitting
from posology.simulators.mdp import policy_value, sample
from posology.simulators.rollout import Naming, as_cohort
from tests.builders.decision_processes import survival_mdp, uniform_policy

NAMES = Naming("ward", ("t0", "t1", "t2", "t3"))


@pytest.fixture(scope="module")
def made():
    mdp = survival_mdp()
    logged = sample(mdp, uniform_policy(mdp), 2_500, np.random.default_rng(0))
    return logged, as_cohort(logged, NAMES)


def test_courses_are_valued_beside_usual_care_or_refused_with_the_reason(made, tmp_path) -> None:
    logged, cohort = made
    small = Cloning(Fitting(hidden=8, members=1, epochs=2, last=1, steps=1))
    policy = small.fit(part(cohort, TRAIN), part(cohort, VALIDATION))
    artifact.save(policy, cohort.study, {}, tmp_path / "model")
    unrecorded = replace(cohort, logged=np.full(len(cohort), np.nan, np.float32))
    save_cohort(unrecorded, tmp_path / "cohort")
    figures, page = tmp_path / "figures.json", tmp_path / "page.html"
    done = CliRunner().invoke(
        app, ["evaluate", str(tmp_path / "model"), str(tmp_path / "cohort"),
              "--most", "1000", "--json", str(figures), "--report", str(page)],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "What whole courses earn" in done.output
    html = page.read_text(encoding="utf-8")
    assert "What would following it earn to the end?" in html
    assert "posology&#39;s first choice: effective sample size" in html
    rows = [r for r in json.loads(figures.read_text())["rows"] if r["metric"] == "course_value"]
    usual = next(r for r in rows if r["model"] == "usual care")
    patients = np.unique(cohort.subject[cohort.split == TEST])
    assert usual["value"] == pytest.approx(episode_returns(logged)[patients].mean())
    assert (
        usual["low"] < policy_value(survival_mdp(), uniform_policy(survival_mdp())) < usual["high"]
    )
    said = {(r["model"], r["estimator"]): r for r in rows if r is not usual}
    assert len(said) == 6
    first, drawn = ([said[way, e] for e in ("dr", "wdr", "wis")] for way in (FIRST, DRAWN))
    assert all(row["value"] is None for row in first)
    assert all(row["refused"].startswith("effective sample size") for row in first)
    assert all(row["low"] < usual["value"] < row["high"] for row in drawn), "it does as is done"


def test_a_course_that_was_not_followed_to_its_end_is_left_out(made) -> None:
    _logged, cohort = made
    reward = cohort.reward.copy()
    reward[cohort.subject == 7] = np.where(np.arange((cohort.subject == 7).sum()) == 0, np.nan, 1)
    cut = cohort.ended.copy()
    cut[cohort.subject == 9] = False
    kept = whole(replace(cohort, reward=reward, ended=cut))
    assert set(np.unique(cohort.subject[~kept])) == {7, 9}


def test_patients_learned_from_are_drawn_whole(made) -> None:
    _logged, cohort = made
    drawn = some(cohort, cohort.split != TEST, 200, np.random.default_rng(0))
    assert 150 < drawn.sum() <= 200
    assert not (cohort.split[drawn] == TEST).any()
    assert set(cohort.subject[drawn]).isdisjoint(cohort.subject[~drawn])
