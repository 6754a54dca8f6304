"""Gains over usual care across trajectories whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from posology.causal.policy_value import (
    PolicyValueData,
    conservative_gain,
    estimate_policy_value,
    resample_patients,
)
from posology.causal.trajectories.bounds import MIN_EFFECTIVE, lower_bounds
from posology.causal.trajectories.care import LoggedCare
from posology.causal.trajectories.gain import (
    LEANING,
    TrajectoryGain,
    effective_patients,
    error_factor,
    errors_by_resampled,
    estimate_trajectory_gain,
)
from posology.domain.trajectories import episode_offsets, state_codes, without_observations
from posology.simulators.mdp import policy_value, sample_trajectories
from tests.builders.decision_processes import survival_mdp, uniform_policy


def one_hot(codes: np.ndarray) -> np.ndarray:
    """Standardised columns of states, the first constant."""
    columns = np.eye(int(codes.max()) + 1)[codes]
    scores = (columns - columns.mean(axis=0)) / np.maximum(columns.std(axis=0), 1e-9)
    return np.column_stack([np.ones(len(codes)), scores])


def ward(patients: int = 1_500, seed: int = 0) -> tuple[LoggedCare, np.ndarray]:
    """Patients whose treatment was drawn evenly, and their states."""
    mdp = survival_mdp()
    logged = sample_trajectories(mdp, uniform_policy(mdp), patients, np.random.default_rng(seed))
    return LoggedCare(logged, one_hot(state_codes(logged))), state_codes(logged)


def test_usual_care_gains_nothing_and_all_patients_count() -> None:
    care, codes = ward()
    usual = uniform_policy(survival_mdp())[codes]
    found = estimate_trajectory_gain(care, usual, np.random.default_rng(1))
    np.testing.assert_allclose(found.weight, 1.0, atol=1e-9)
    assert effective_patients(found) == pytest.approx(1_500)
    np.testing.assert_allclose(found.gain.mean(), 0.0, atol=0.01)


@pytest.mark.parametrize("option", [0, 1, 2, 3])
def test_the_gain_of_one_option_for_all_is_within_three_errors(option: int) -> None:
    mdp, (care, codes) = survival_mdp(), ward(3_000, seed=option)
    policy = np.eye(4)[np.full(14, option)]
    true = policy_value(mdp, policy) - policy_value(mdp, uniform_policy(mdp))
    found = estimate_trajectory_gain(care, policy[codes], np.random.default_rng(1))
    error = found.gain.std() / np.sqrt(3_000) * error_factor(effective_patients(found))
    assert abs(found.gain.mean() - true) < 3 * error
    assert error < 0.06
    assert effective_patients(found) > MIN_EFFECTIVE


def test_patients_of_weight_two_count_twice() -> None:
    care, codes = ward(400)
    policy = np.eye(4)[np.zeros(len(codes), int)]
    count = np.where(np.arange(400) < 200, 1.5, 0.5)
    weighted = replace(care, weight=count)
    found = estimate_trajectory_gain(weighted, policy, np.random.default_rng(1))
    np.testing.assert_allclose(found.usual.mean(), (count * _returns(care)).sum() / 400)


def _returns(care: LoggedCare) -> np.ndarray:
    return np.add.reduceat(care.trajectories.reward, care.trajectories.offsets[:-1])


def crossroads(patients: int = 4_000, seed: int = 0) -> tuple[PolicyValueData, np.ndarray]:
    """Option 1 is right on the usual ward A, believed to be better still on ward B, and harms on B.

    At first option 1 leads to B and option 0 to A; usual care prefers 0 at first and on B. Returns
    the logged patients with what a learner believes of them, and each decision's ward (0 is none,
    1 is A, 2 is B).
    """
    rng = np.random.default_rng(seed)
    first = (rng.random(patients) < 0.2).astype(int)
    ward = 1 + first
    second = (rng.random(patients) < np.where(ward == 1, 0.5, 0.2)).astype(int)
    reward = np.where(ward == 1, 1.0, -1.0) * second + rng.normal(0, 0.5, patients)
    place = np.column_stack([np.zeros(patients, int), ward]).ravel()
    given = np.column_stack([first, second]).ravel()
    chance = np.array([0.2, 0.5, 0.2])[place]
    believed = np.array([[1.0, 1.5], [0.0, 1.0], [0.0, 1.5]])[place]
    logged = without_observations(
        given.astype(np.int32),
        np.column_stack([np.zeros(patients), reward]).ravel(),
        np.column_stack([1 - chance, chance]),
        episode_offsets(np.repeat(np.arange(patients), 2)),
    )
    rewards = np.full((2 * patients, 2), np.nan)
    rewards[np.arange(2 * patients), given] = logged.reward
    return PolicyValueData(logged, rewards, np.ones(2 * patients), believed, 1.0), place


def test_a_believed_gain_in_states_seldom_seen_is_not_taken_for_one() -> None:
    """Usual care earns 0.8 x 0.5 - 0.2 x 0.2 = 0.36; option 1 at both decisions earns -1."""
    data, place = crossroads()
    policy = np.tile([0.0, 1.0], (len(place), 1))
    counts = resample_patients(data, 100, np.random.default_rng(1))
    by_slope = conservative_gain(
        estimate_policy_value(data, policy, counts),
        estimate_policy_value(data, data.trajectories.behaviour, counts),
        0.5,
    )
    care = LoggedCare(data.trajectories, one_hot(place), data.predicted)
    found = estimate_trajectory_gain(care, policy, np.random.default_rng(1))
    assert by_slope > 0, "one slope on believed values mixes states: this loss looks like a gain"
    assert found.gain.mean() == pytest.approx(-1.36, abs=0.3)
    assert lower_bounds([found], np.random.default_rng(2))[0] < 0


def test_what_was_given_before_counts_where_it_tells_of_what_is_not_seen() -> None:
    """The ward is not seen, but it is where the first option led; option 1 loses 1.36."""
    data, place = crossroads()
    policy = np.tile([0.0, 1.0], (len(place), 1))
    care = LoggedCare(data.trajectories, one_hot(np.minimum(place, 1)))
    blind = estimate_trajectory_gain(care, policy, np.random.default_rng(1))
    found = estimate_trajectory_gain(
        replace(care, path=one_hot(place)), policy, np.random.default_rng(1)
    )
    assert blind.gain.mean() > 0
    assert found.gain.mean() == pytest.approx(-1.36, abs=0.3)


def test_what_was_given_before_costs_few_patients_where_it_tells_nothing() -> None:
    """A sharp policy among four options that were given evenly."""
    mdp = survival_mdp()
    policy = np.eye(4)[np.full(14, 1)]
    true = policy_value(mdp, policy) - policy_value(mdp, uniform_policy(mdp))
    sizes, errors = [], []
    for seed in range(6):
        care, codes = ward(1_000, seed=seed)
        given = care.trajectories.treatment
        before = np.where(np.isin(np.arange(len(given)), care.trajectories.offsets), 4, given)
        path = np.column_stack([care.state, one_hot(np.roll(before, 1))[:, 1:]])
        path[care.trajectories.offsets[:-1], care.state.shape[1] :] = 0.0
        gains = [
            estimate_trajectory_gain(each, policy[codes], np.random.default_rng(1))
            for each in (care, replace(care, path=path), replace(care, state=path))
        ]
        sizes.append([effective_patients(gain) for gain in gains])
        errors.append([gain.gain.mean() - true for gain in gains])
    of_state, both, of_path = np.mean(sizes, axis=0)
    assert of_path < 0.7 * of_state, "weights of paths"
    assert both > (of_state + of_path) / 2
    _, both_error, path_error = np.sqrt(np.mean(np.square(errors), axis=0))
    assert both_error < path_error


def test_lower_bounds_of_useless_candidates_are_seldom_above_zero() -> None:
    rng, above = np.random.default_rng(3), 0
    for _ in range(200):
        noise = rng.normal(size=(300, 6)) + rng.normal(size=(300, 1))
        gains = [TrajectoryGain(n, np.zeros(300), np.ones(300)) for n in noise.T]
        above += lower_bounds(gains, rng).max() > 0
    assert above <= 16  # at most 10 expected; the allowance makes it fewer


def test_a_candidate_without_patients_has_no_bound() -> None:
    weight = np.zeros(300)
    weight[:5] = 1.0
    gain = TrajectoryGain(np.full(300, 9.0), np.zeros(300), weight)
    assert lower_bounds([gain], np.random.default_rng(0))[0] == -np.inf


def test_what_leans_on_predictions_is_less_certain() -> None:
    """Weights of states that tell all need no predictions; where states tell nothing they do."""
    care, codes = ward()
    policy = np.eye(4)[np.zeros(len(codes), int)]
    believed = np.random.default_rng(2).normal(size=(14, 4))[codes]
    found, alone, blind = (
        estimate_trajectory_gain(each, policy, np.random.default_rng(1))
        for each in (
            replace(care, believed=believed),
            care,
            replace(care, believed=believed, state=np.ones((len(codes), 1))),
        )
    )
    error = found.values.std() / np.sqrt(len(found.values))
    assert alone.leaning == 0
    assert found.leaning < error
    assert blind.leaning > 5 * found.leaning
    moved = error_factor(effective_patients(blind)) * blind.gain.std()
    wide = errors_by_resampled(blind, blind.gain) * blind.gain.std()
    patients = len(blind.gain)
    np.testing.assert_allclose(wide**2 - moved**2, patients * (LEANING * blind.leaning) ** 2)
    certain = replace(blind, leaning=0.0)
    bounds = [lower_bounds([each], np.random.default_rng(0))[0] for each in (blind, certain)]
    assert bounds[0] < bounds[1]
