"""The reinforcement phase where only the reward of the treatment received is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.domain.policy import allow_all_treatments
from posology.domain.study import Contraindication
from posology.learners.features.rewards import is_truncated, permitted_treatments, returns_to_go
from posology.learners.network import losses
from posology.learners.network.policy import Decoding, NetworkPolicy, supported_treatments
from posology.learners.network.reinforcement import Reinforcement
from posology.learners.network.supervised import Sizes, Supervised
from posology.learners.network.tensors import cohort_to_tensors, gather_subjects
from posology.learners.network.training_loop import Training
from posology.nn.network import NetworkConfig
from posology.simulators.conversion import StudyNames, to_cohort
from posology.simulators.mdp import policy_value, sample_trajectories
from tests.builders.decision_processes import survival_mdp, uniform_policy

NAMES = StudyNames("ward", ("t0", "t1", "t2", "t3"))
FIRST = Supervised(Sizes(16, 8, 16, 1, 4, 0.0), Training(batch=64, epochs=4, learning_rate=3e-3))
SECOND = Reinforcement(
    Training(learning_rate=3e-3, batch=64, epochs=6, patience=0, keep_initial=True)
)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    mdp = survival_mdp()
    return to_cohort(
        sample_trajectories(mdp, uniform_policy(mdp), 1_500, np.random.default_rng(0)), NAMES
    )


@pytest.fixture(scope="module")
def first(cohort: Cohort) -> NetworkPolicy:
    return FIRST.fit(select_split(cohort, TRAIN), select_split(cohort, VALIDATION))


def by_state(policy: NetworkPolicy, cohort: Cohort) -> np.ndarray:
    """The policy in each state, averaged over patients whose last state it is."""
    mdp = survival_mdp()
    probabilities = uniform_policy(mdp)
    code = cohort.history.code[cohort.history.event_offsets[cohort.last_step + 1] - 1]
    for state in np.unique(code):
        rows = cohort.last_step[code == state][:200]
        allowed = allow_all_treatments(rows, policy.formulary)
        probabilities[state] = policy.choice_probabilities(cohort.history, rows, allowed).mean(
            axis=0
        )
    return probabilities


def test_it_improves_on_the_behaviour_and_is_no_worse_than_the_supervised_policy(
    cohort, first
) -> None:
    mdp = survival_mdp()
    second = SECOND.fit(first, select_split(cohort, TRAIN), select_split(cohort, VALIDATION))
    sharp = replace(second, decoding=replace(second.decoding, temperature=0.01))
    usual = policy_value(mdp, uniform_policy(mdp))
    earned = [policy_value(mdp, by_state(p, cohort)) for p in (first, sharp)]
    assert earned[1] > usual + 0.02
    chosen = policy_value(mdp, by_state(second, cohort))
    assert chosen > usual - 0.01, "too few patients to show the gain: usual care is chosen"
    assert earned[1] > earned[0] - 0.02


def test_returns_equal_a_plain_loop(cohort) -> None:
    rewards = returns_to_go(cohort, 0.9)
    for row in range(200):
        later, factor, total = row, 1.0, 0.0
        while later < len(cohort) and cohort.subject[later] == cohort.subject[row]:
            total += factor * cohort.reward[later]
            later, factor = later + 1, factor * 0.9
        np.testing.assert_allclose(rewards[row, cohort.treatment[row]], total, atol=1e-6)
        assert np.isnan(np.delete(rewards[row], cohort.treatment[row])).all()


def test_forbidden_treatments_do_not_enter_the_next_value(cohort, first) -> None:
    """Forbidding the treatment with the highest value lowers the targets."""
    reading = replace(first.decoding, value_center=0.0, value_spread=1.0)
    whole = cohort_to_tensors(cohort, reading, first.network.config, torch.device("cpu"))
    rows = torch.arange(50)

    def goals(study_cohort: Cohort) -> torch.Tensor:
        cut = cohort_to_tensors(study_cohort, reading, first.network.config, torch.device("cpu"))
        batch, targets = gather_subjects(cut, rows)
        return SECOND._value_target(first.network, batch, targets, reading)

    bare = goals(cohort)
    with torch.no_grad():
        first.network.effect_to_value.bias[2] += 50.0
        tempted = goals(cohort)
        rule = Contraindication(("t2",), "made up", visible=("STATE",))
        safe = goals(replace(cohort, study=replace(cohort.study, safety=(rule,))))
        first.network.effect_to_value.bias[2] -= 50.0
    more = whole.targets.has_next[: len(bare)]
    known = ~bare.isnan().all(1)
    assert (tempted.nansum(1) > bare.nansum(1) + 20)[more & known].all()
    assert (safe.nansum(1) < bare.nansum(1) + 20).all()


def test_a_truncated_trajectory_has_no_target(cohort) -> None:
    open_ended = replace(cohort, trajectory_ended=np.zeros(len(cohort), dtype=bool))
    last = np.append(np.diff(cohort.subject) != 0, True)
    assert np.array_equal(is_truncated(open_ended), last)
    assert not is_truncated(cohort).any()
    assert not is_truncated(replace(cohort, trajectory_ended=None)).any()


def test_rules_that_forbid_every_treatment_are_ignored(cohort) -> None:
    every = Contraindication(NAMES.treatments, "made up", visible=("STATE",))
    barred = replace(cohort, study=replace(cohort.study, safety=(every,)))
    assert permitted_treatments(barred).all()


def test_unsupported_treatments_are_excluded() -> None:
    behaviour = torch.tensor([[0.6, 0.3, 0.05, 0.05]])
    allowed = torch.tensor([[True, True, True, False]])
    assert supported_treatments(behaviour, allowed, 0.1).tolist() == [[True, True, False, False]]
    allowed = torch.tensor([[False, False, True, False]])
    assert supported_treatments(behaviour, allowed, 0.1).tolist() == [[False, False, True, False]]


def test_outcomes_are_weighted_by_their_follow_up(cohort) -> None:
    """A weight of 2 counts the patient twice, a weight of 0 not at all."""
    rows = np.flatnonzero(~np.isnan(cohort.effective))[:6]
    weight = np.array([2.0, 1.0, 0.0, 1.0, 3.0, 0.5], np.float32)
    targets = cohort_to_tensors(
        cohort, Decoding(0.0, 1.0), NetworkConfig(1, 3, False), torch.device("cpu")
    ).targets
    some = {name: getattr(targets, name)[rows] for name in targets.__slots__}
    logits = torch.randn(6, 3, 4)
    weighted = losses.Targets(**{**some, "weight": torch.from_numpy(weight)})
    each = [
        float(
            losses.effectiveness(
                logits[[i]], losses.Targets(**{k: v[[i]] for k, v in some.items()})
            )
        )
        for i in range(6)
    ]
    np.testing.assert_allclose(
        float(losses.effectiveness(logits, weighted)), np.average(each, weights=weight), rtol=1e-5
    )
    goal = torch.randn(6, 4)
    singly = [float(losses.value(logits[[i]], goal[[i]], torch.ones(1))) for i in range(6)]
    np.testing.assert_allclose(
        float(losses.value(logits, goal, torch.from_numpy(weight))),
        np.average(singly, weights=weight),
        rtol=1e-5,
    )
