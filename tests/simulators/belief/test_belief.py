"""The partially observed world: filtering, planning and play against naive references."""

from itertools import product

import numpy as np
import pytest

from posology.domain.trajectories import decision_numbers, episode_returns
from posology.simulators.belief.care import usual_care
from posology.simulators.belief.filtering import first_belief, next_belief
from posology.simulators.belief.instances import VISIT_SHARE, draw_instance
from posology.simulators.belief.planning import (
    bayes_history,
    exact_value,
    plan_return,
    remember_belief,
    solve,
)
from posology.simulators.belief.play import play
from posology.simulators.belief.visit_policy import bayes_visit, rules_return, solve_by_visit
from posology.simulators.belief.world import (
    DEATH_REWARD,
    FEATURES,
    BeliefWorld,
    WorldShape,
    draw_world,
    read_symbol,
)

TINY = WorldShape(types=2, levels=2, drugs=1, visits=2)
SMALL = WorldShape(types=3, levels=3, drugs=2, visits=5)


def test_the_same_seed_draws_the_same_world_and_another_seed_another():
    first, again, other = draw_world(100), draw_world(100), draw_world(101)
    assert np.array_equal(first.move, again.move)
    assert not np.array_equal(first.move, other.move)
    for chances in (first.move, first.symbol, first.first_symbol, first.start[None]):
        np.testing.assert_allclose(chances.sum(axis=-1), 1.0)


def naive_belief(world: BeliefWorld, treatments: list[int], symbols: list[int]) -> np.ndarray:
    """Sum over every path of hidden states."""
    states, total = range(len(world.start)), np.zeros(len(world.start))
    for path in product(states, repeat=len(symbols)):
        weight = world.start[path[0]] * world.first_symbol[path[0], symbols[0]]
        for step, treatment in enumerate(treatments):
            before, after = path[step], path[step + 1]
            weight *= (1 - world.death[before]) * world.move[treatment, before, after]
            weight *= world.symbol[treatment, after, symbols[step + 1]]
        total[path[-1]] += weight
    return total / total.sum()


def test_beliefs_equal_the_sum_over_paths():
    world = draw_world(100, TINY)
    symbols, treatments = [2, 11, 8], [1, 0]
    belief = first_belief(world, np.array(symbols[:1]))
    for treatment, symbol in zip(treatments, symbols[1:], strict=True):
        belief = next_belief(world, belief, np.array([treatment]), np.array([symbol]))
    np.testing.assert_allclose(belief[0], naive_belief(world, treatments, symbols))


def test_remembered_beliefs_follow_each_patient_of_a_batch():
    world, rng = draw_world(100, SMALL), np.random.default_rng(0)
    remember, met = remember_belief(world), []
    care = usual_care(world)

    def policy(seen, subject, last):
        met.append((subject, remember(seen, subject, last)))
        return care(seen, subject, last)

    played = play(world, policy, 40, rng)
    row = int(np.argmax(np.diff(played.offsets)))
    part = slice(played.offsets[row], played.offsets[row + 1])
    symbols = read_symbol(played.observation[part])
    belief = first_belief(world, symbols[:1])
    for visit, (subject, beliefs) in enumerate(met[: len(symbols)]):
        if visit:
            given = played.treatment[part][visit - 1 : visit].astype(np.int64)
            belief = next_belief(world, belief, given, symbols[visit : visit + 1])
        np.testing.assert_allclose(beliefs[np.searchsorted(subject, row)], belief[0])


def test_planning_reaches_the_value_of_exhaustive_search():
    world = draw_world(103, TINY)
    plan, optimum = solve(world), exact_value(world)
    lower = plan_return(world, plan)
    assert lower <= optimum + 1e-9
    assert lower == pytest.approx(optimum, abs=1e-6)
    played = play(world, bayes_history(world, plan), 4_000, np.random.default_rng(1))
    returns = episode_returns(played)
    assert returns.mean() == pytest.approx(optimum, abs=4 * returns.std() / 4_000**0.5)


def test_visit_rules_are_the_best_of_all_rules_where_there_is_one_visit():
    world = draw_world(102, WorldShape(types=3, levels=3, drugs=2, visits=1))
    returns = [
        episode_returns(play(world, policy, 4000, np.random.default_rng(2))).mean()
        for policy in (bayes_visit(solve_by_visit(world), 3), bayes_history(world, solve(world)))
    ]
    assert returns[0] == pytest.approx(returns[1], abs=1e-9)


def test_the_return_of_visit_rules_is_that_of_patients_treated_by_them():
    world = draw_world(104, SMALL)
    rules = solve_by_visit(world)
    returns = episode_returns(play(world, bayes_visit(rules, 3), 4000, np.random.default_rng(4)))
    exact = rules_return(world, rules)
    assert returns.mean() == pytest.approx(exact, abs=4 * returns.std() / 4000**0.5)
    assert exact <= plan_return(world, solve(world))


def test_a_clinician_prefers_the_drug_that_suits_the_patients_with_the_marker():
    world = draw_world(100, SMALL)
    seen = np.array([[0.0, 4.0, marker, 0.0] for marker in range(3)])
    preferred = usual_care(world)(seen, np.arange(3), np.full(3, -1))
    types, levels = SMALL.types, SMALL.levels
    weight = world.start.reshape(types, levels).sum(axis=1)
    for marker in range(3):
        posterior = weight * [
            world.first_symbol[kind * levels].reshape(-1, 3, 2)[:, marker].sum()
            for kind in range(types)
        ]
        works = [
            sum(
                posterior[kind] * world.move[drug, kind * levels + 1, kind * levels]
                for kind in range(types)
            )
            for drug in (1, 2)
        ]
        assert preferred[marker, 1:].argmax() == np.argmax(works)


def test_memory_pays_and_usual_care_is_worse_than_both():
    instance = draw_instance(100, SMALL, patients=2000)
    assert instance.usual < instance.bayes_visit < instance.bayes_history
    low, high = VISIT_SHARE
    assert low - 0.05 <= instance.share(instance.bayes_visit) <= high + 0.05  # sampling error


def test_played_patients_follow_the_model():
    world = draw_world(100)
    played = play(world, usual_care(world), 3000, np.random.default_rng(3))
    assert played.observation.shape[1] == len(FEATURES)
    np.testing.assert_allclose(played.behaviour.sum(axis=1), 1.0)
    assert played.behaviour.min() > 0  # every treatment can be learned about
    assert np.array_equal(played.observation[:, 0], 3.0 * decision_numbers(played))
    first = read_symbol(played.observation[played.offsets[:-1]])
    expected = 3000 * world.start @ world.first_symbol
    observed = np.bincount(first, minlength=len(expected))
    assert (np.abs(observed - expected) <= 4.5 * np.sqrt(expected + 1)).all()
    deaths = (played.reward == DEATH_REWARD).mean()
    assert 0 < deaths < 0.08
