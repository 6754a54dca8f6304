"""Rows of the recent past against plain loops, and learners on a world whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from posology.domain.cohort import TRAIN, VALIDATION, Cohort, part
from posology.domain.history import subject_of
from posology.domain.policy import allow_all_treatments
from posology.domain.study import Contraindication
from posology.errors import UserError
from posology.learners.features.recent_window import FAR, recent, recent_spec
from posology.learners.offline_rl.cql import ConservativeQ
from posology.learners.offline_rl.dataset import logged
from posology.learners.offline_rl.iql import ImplicitQ
from posology.learners.offline_rl.pessimistic_fqi import FittedValues
from posology.learners.offline_rl.q_network import Fitting, ValueNet, answers, take
from posology.simulators.mdp import policy_value, sample
from posology.simulators.rollout import Naming, as_cohort
from tests.builders.decision_processes import survival_mdp, uniform_policy
from tests.builders.synthetic_iwpc import cohort as make_cohort

FITTING = Fitting(hidden=32, members=2, batch=256, epochs=12, learning_rate=5e-3, last=1)


@pytest.fixture(scope="module")
def warded() -> Cohort:
    mdp = survival_mdp()
    logged = sample(mdp, uniform_policy(mdp), 3_000, np.random.default_rng(0))
    return as_cohort(logged, Naming("ward", ("t0", "t1", "t2", "t3")))


def test_numbers_are_those_of_a_loop() -> None:
    c = make_cohort(60)
    spec, h = recent_spec(c, last=3, steps=2), c.history
    found = recent(spec, h, c.last_step)
    for row, last in enumerate(c.last_step):
        first = h.step_offsets[subject_of(h, c.last_step[[row]])[0]]
        for column, code in enumerate(spec.number):
            told = []
            for step in range(first, last + 1):
                events = range(h.event_offsets[step], h.event_offsets[step + 1])
                told += sorted(
                    float(h.value[e])
                    for e in events
                    if h.code[e] == code and not np.isnan(h.value[e])
                )
            back = int(spec.lag[column])
            expected = 0.0
            if len(told) > back:
                expected = (told[-1 - back] - spec.center[column]) / spec.spread[column]
            np.testing.assert_allclose(
                found.numbers[row, column], np.clip(expected, -FAR, FAR), atol=1e-4
            )


def test_codes_are_those_of_the_last_steps_and_of_the_undated_first() -> None:
    c = make_cohort(60)
    spec, h = recent_spec(c, last=1, steps=2), c.history
    found, flags = recent(spec, h, c.last_step), len(spec.flag)
    for row, last in enumerate(c.last_step):
        first = h.step_offsets[subject_of(h, c.last_step[[row]])[0]]
        expected = []
        for back, step in ((0, last), (1, last - 1), (2, first)):
            if step < first or (back == 2 and not np.isnan(h.time[first])):
                continue
            for e in range(h.event_offsets[step], h.event_offsets[step + 1]):
                if h.code[e] in spec.flag:
                    expected.append(back * flags + int(np.searchsorted(spec.flag, h.code[e])))
        mine = found.column[found.offsets[row] : found.offsets[row + 1]]
        assert sorted(mine.tolist()) == sorted(expected)


def test_numpy_answers_as_torch_does(warded) -> None:
    spec = recent_spec(warded, 1, 2)
    rows = recent(spec, warded.history, warded.last_step[:300])
    net = ValueNet(spec, 4, FITTING)
    with torch.no_grad():
        net.last.normal_()
        said = net(take(rows, torch.arange(300))).transpose(0, 1).numpy()
    np.testing.assert_allclose(answers(net.weights(), rows), said, atol=1e-4)


def by_state(policy, cohort: Cohort) -> np.ndarray:
    probabilities = uniform_policy(survival_mdp())
    code = cohort.history.code[cohort.history.event_offsets[cohort.last_step + 1] - 1]
    states, rows = np.unique(code, return_index=True)
    decisions = cohort.last_step[rows]
    allowed = allow_all_treatments(decisions, policy.formulary)
    probabilities[states] = policy.choice_probabilities(cohort.history, decisions, allowed)
    return probabilities


@pytest.mark.parametrize(
    "learner", [FittedValues(FITTING), ImplicitQ(FITTING), ConservativeQ(FITTING)], ids=repr
)
def test_what_is_learned_beats_the_behaviour(warded, learner) -> None:
    policy = learner.fit(part(warded, TRAIN), part(warded, VALIDATION))
    mdp = survival_mdp()
    assert (
        policy_value(mdp, by_state(policy, warded)) > policy_value(mdp, uniform_policy(mdp)) + 0.02
    )


def test_without_rewards_nothing_is_learned(warded) -> None:
    unknown = replace(
        warded, reward=np.full(len(warded), np.nan, np.float32), rewards=warded.rewards * np.nan
    )
    with pytest.raises(UserError, match="no decision has a treatment and a known reward"):
        FittedValues(FITTING).fit(unknown, unknown)


def test_what_safety_forbids_is_no_part_of_targets(warded) -> None:
    rule = Contraindication(("t2",), "made up", visible=("STATE",))
    barred = replace(warded, study=replace(warded.study, safety=(rule,)))
    quick = replace(FITTING, epochs=1)
    known, _ = logged(barred, quick, 0.0)
    assert not known.usual[:, 2].any()
    assert known.usual[:, [0, 1, 3]].all()
    later = torch.full((3,), 2.0)
    more = torch.nonzero(known.more)[:3, 0]
    bare = known.reward[more] - known.center / known.spread
    assert torch.allclose(known.target(more, later) - bare, later + known.center / known.spread)


def test_a_course_cut_off_has_no_target_and_the_discount_is_the_studys(warded) -> None:
    last = np.append(np.diff(warded.subject) != 0, True)
    ended = warded.ended & (warded.subject % 2 == 0)
    study = replace(warded.study, reward=replace(warded.study.reward, discount=0.9))
    known, _ = logged(replace(warded, ended=ended, study=study), replace(FITTING, epochs=1), 0.0)
    left_out = np.setdiff1d(np.arange(len(warded)), known.learn)
    assert np.array_equal(left_out, np.flatnonzero(last & ~ended))
    assert known.discount == 0.9
