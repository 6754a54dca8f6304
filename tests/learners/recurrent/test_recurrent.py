"""The recurrent learner on patients whose disease is seen only in part."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from posology.domain.cohort import TRAIN, VALIDATION, select_split, subset_decisions
from posology.domain.policy import allow_all_treatments
from posology.domain.statistics.link_functions import softmax
from posology.learners.features.visit_sequences import fit_visits, without_memory
from posology.learners.recurrent.dataset import (
    build_sequences,
    fit_scale,
    gather,
    random_batches,
)
from posology.learners.recurrent.learner import RecurrentQ
from posology.learners.recurrent.network import RecurrentEnsemble, RecurrentOutput, RecurrentSizes
from posology.learners.recurrent.schedule import Schedule, schedule_for
from posology.learners.recurrent.weights import predict_outputs
from posology.simulators.conversion import StudyNames, to_cohort
from posology.simulators.mdp import sample_trajectories
from tests.builders.belief_cohort import small_trajectories
from tests.builders.decision_processes import random_mdp, uniform_policy

SMALL = RecurrentQ(RecurrentSizes(state=12, hidden=12, members=2), schedule=Schedule(32, 30, 30))
TRACE, MIN_SUPPORT = 0.7, 0.1


def split(cohort):
    return select_split(cohort, TRAIN), select_split(cohort, VALIDATION)


@pytest.mark.parametrize("of_spec", [lambda spec: spec, without_memory])
def test_numpy_outputs_equal_torch_outputs(of_spec) -> None:
    train, _ = split(small_trajectories())
    spec = of_spec(fit_visits(train))
    data = build_sequences(train, spec, fit_scale(train))
    shape = data.visits.values.shape[1], len(spec.flag_code), spec.treatments
    network = RecurrentEnsemble(shape, SMALL.sizes, torch.Generator().manual_seed(0)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator()))
        ours = network(gather(data, np.arange(len(data))).visits)
    theirs = predict_outputs(network.to_weights(), data.visits)
    np.testing.assert_allclose(ours.value.transpose(0, 1).numpy(), theirs.value, atol=1e-4)
    np.testing.assert_allclose(ours.choice.transpose(0, 1).numpy(), theirs.choice, atol=1e-4)


@pytest.fixture(scope="module")
def policy():
    return SMALL.fit(*split(small_trajectories(200)))


@pytest.fixture(scope="module")
def of_codes():
    """A cohort in which one code is the whole state, and a policy learned from it."""
    rng = np.random.default_rng(0)
    mdp = random_mdp(rng, states=6)
    logged = sample_trajectories(mdp, uniform_policy(mdp), 600, rng)
    cohort = to_cohort(logged, StudyNames("codes", mdp.names))
    return cohort, replace(SMALL, schedule=Schedule(64, 100, 20)).fit(*split(cohort))


def test_memory_is_given_up_where_the_last_visit_forecasts_better(policy, of_codes) -> None:
    assert policy.spec.remembers
    cohort, alone = of_codes
    assert not alone.spec.remembers
    allowed = allow_all_treatments(cohort.last_step, alone.formulary)
    values = alone.predict_effectiveness(cohort.history, cohort.last_step, allowed)
    state = cohort.history.code[cohort.history.event_offsets[cohort.last_step + 1] - 1]
    for code in np.unique(state):
        same = values[state == code]
        np.testing.assert_allclose(same, same[:1].repeat(len(same), 0), atol=1e-6)


def test_every_step_of_a_batch_is_judged_as_if_alone(policy) -> None:
    cohort = small_trajectories()
    history = cohort.history
    steps = np.flatnonzero(np.isfinite(history.time))
    allowed = allow_all_treatments(steps, policy.formulary)
    together = policy.predict_effectiveness(history, steps, allowed)
    for row in range(0, len(steps), 7):
        one = policy.predict_effectiveness(history, steps[row : row + 1], allowed[:1])
        np.testing.assert_allclose(one[0], together[row], atol=1e-5)


def test_what_was_tried_before_the_last_visit_is_seen(policy) -> None:
    cohort = small_trajectories()
    late = subset_decisions(cohort, cohort.history.time[cohort.last_step] >= 6.0)
    option = policy.spec.option[late.history.code]
    first = np.flatnonzero(option >= 0)
    swapped = late.history.code.copy()
    base = np.flatnonzero(policy.spec.option >= 0)[0]
    swapped[first] = base + (option[first] + 1) % policy.spec.treatments
    changed = replace(late.history, code=swapped)
    allowed = allow_all_treatments(late.last_step, policy.formulary)
    before = policy.predict_effectiveness(late.history, late.last_step, allowed)
    after = policy.predict_effectiveness(changed, late.last_step, allowed)
    assert np.abs(before - after).max() > 1e-3  # exactly 0 if they were not


def test_truncated_patients_and_decisions_without_an_option_are_learned_from() -> None:
    train, validation = split(small_trajectories(120))
    last = np.append(train.subject[1:] != train.subject[:-1], True)
    treatment = train.treatment.copy()
    treatment[::9] = -1
    gone = replace(
        train, treatment=treatment, trajectory_ended=last & (np.arange(len(train)) % 2 == 0)
    )
    policy = replace(SMALL, schedule=Schedule(32, 5, 5)).fit(gone, validation)
    allowed = allow_all_treatments(validation.last_step, policy.formulary)
    chosen = policy.choice_probabilities(validation.history, validation.last_step, allowed)
    np.testing.assert_allclose(chosen.sum(axis=1), 1.0)


def naive_targets(learner, values, probability, data) -> list[float]:
    """One decision after another, the last one of each patient first."""
    low = values.mean(axis=0) - learner.pessimism * values.std(axis=0)
    zero, goals = data.scale.mean / data.scale.std, []
    for patient in range(len(data)):
        ahead, mine = None, []
        for row in reversed(range(*data.decision_offsets[patient : patient + 2])):
            goal = data.reward[row] - zero
            if ahead is not None:
                goal += data.discount * (ahead + zero)
            p = probability[row] * data.allowed[row]
            best = np.where(p >= MIN_SUPPORT * p.max(), low[row], -np.inf)
            does_it = best.argmax() == data.treatment[row] and not np.isnan(goal)
            more = TRACE * data.weight[row] * (goal - best.max()) if does_it else 0.0
            ahead = best.max() + more
            mine.append(goal)
        goals += mine[::-1]
    return goals


@pytest.mark.parametrize("of_spec", [lambda spec: spec, without_memory])
def test_targets_follow_the_clinicians_while_they_do_what_the_policy_would(of_spec) -> None:
    train, _ = split(small_trajectories(60))
    data = build_sequences(train, of_spec(fit_visits(train)), fit_scale(train))
    rng = np.random.default_rng(1)
    reward, weight = data.reward.copy(), np.ones_like(data.weight)
    reward[::7], weight[::5], weight[::7] = np.nan, 1.25, 0.0
    data = replace(data, reward=reward, weight=weight)
    values = rng.normal(size=(2, len(reward), len(train.study.formulary.treatments))).astype(
        np.float32
    )
    choice = rng.normal(size=values.shape).astype(np.float32)
    batch = gather(data, np.arange(len(data)))
    output = RecurrentOutput(*(torch.from_numpy(v) for v in (values, choice, values, values)))
    found = SMALL.targets(output, batch, data, TRACE, MIN_SUPPORT)
    expected = naive_targets(SMALL, values, softmax(choice, axis=2).mean(axis=0), data)
    assert np.isnan(expected).sum() < len(expected) / 2
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)


def test_the_schedule_follows_the_number_of_patients() -> None:
    few, many = schedule_for(500, 5.0), schedule_for(20_000, 5.0)
    assert few == Schedule(batch=64, first=300, second=300)
    assert few.second < many.second <= 3000
    assert few.learning_rate < many.learning_rate
    assert few.batch < many.batch
    assert few.trace == 0.0 < many.trace < 1.0


def test_values_have_the_batches_to_reach_the_first_of_many_visits() -> None:
    assert schedule_for(500, 16.0).second == 800


def test_a_batch_is_no_group_of_early_deaths() -> None:
    """Sorted by length, one batch would hold short trajectories only, and count them for more."""
    train, _ = split(small_trajectories(600))
    data = build_sequences(train, fit_visits(train), fit_scale(train))
    length = np.diff(data.decision_offsets)
    batches = [b for b in random_batches(data, 32, np.random.default_rng(0)) if len(b) == 32]
    means = [length[b].mean() for b in batches]
    assert np.std(means) < 2 * length.std() / 32**0.5
