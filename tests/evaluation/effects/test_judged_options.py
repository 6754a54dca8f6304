import numpy as np

from posology.causal.trial import Trial
from posology.evaluation.effects.judged_options import (
    NO_OVERLAP,
    TOO_FEW,
    JudgedOptions,
    judge_options,
)


def judge(probability: np.ndarray, seed: int = 0, allowed: np.ndarray | None = None):
    """Options drawn with these propensities."""
    rng = np.random.default_rng(seed)
    n, options = probability.shape
    treatment = (rng.random((n, 1)) > probability.cumsum(axis=1)).sum(axis=1).clip(0, options - 1)
    trial = Trial(np.zeros((n, 1)), treatment, np.zeros(n), np.arange(n), options)
    return trial, judge_options(trial, probability, allowed)


def test_an_option_of_other_patients_only_is_left_out() -> None:
    """c is given to the patients who hardly ever get a or b, and to hardly anyone else."""
    mine = np.arange(2000) < 800
    probability = np.where(mine[:, None], [0.01, 0.01, 0.98], [0.495, 0.495, 0.01])
    _, found = judge(probability)
    assert found.reasons == ("", "", NO_OVERLAP)
    np.testing.assert_array_equal(found.population, ~mine)


def test_a_rare_option_is_left_out_as_given_to_too_few_patients() -> None:
    """Over 60 of 2,000 were given it, most at a chance below 5 %.

    Had it been given as often as the others, it could be judged.
    """
    rare = np.where(np.arange(2000) % 8 == 0, 0.12, 0.03)
    trial, found = judge(np.column_stack([(1 - rare) / 2, (1 - rare) / 2, rare]))
    assert (trial.treatment == 2).sum() > 60
    assert found.reasons == ("", "", TOO_FEW)
    assert found.population.all()


def test_two_of_five_may_be_left_out() -> None:
    rng = np.random.default_rng(1)
    shares = np.tile([0.3, 0.3, 0.37, 0.02, 0.01], (1500, 1))
    shares[:, :3] += rng.uniform(-0.1, 0.1, (1500, 1)) * [1, -1, 0]
    _, found = judge(shares)
    assert found.reasons == ("", "", "", TOO_FEW, TOO_FEW)
    assert found.population.all()


def test_an_option_left_out_early_returns_if_it_can_be_judged_in_the_end() -> None:
    """Whatever is left out, no further option could be judged with those that are."""
    rng = np.random.default_rng(2)
    for seed in range(5):
        logits = rng.normal(size=(600, 5)) * 1.5 + rng.normal(size=5)
        probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        trial, found = judge(probability, seed)
        assert_maximal(trial, probability, found)


def assert_maximal(trial: Trial, probability: np.ndarray, found: JudgedOptions) -> None:
    if not found.is_judged.any():
        return
    for k in np.flatnonzero(~found.is_judged):
        more = found.is_judged | (np.arange(len(found.is_judged)) == k)
        population = (probability[:, more] >= 0.05).all(axis=1)
        sizes = []
        for option in np.flatnonzero(more):
            weight = 1 / probability[population & (trial.treatment == option), option]
            sizes.append(weight.sum() ** 2 / max((weight**2).sum(), 1e-9))
        assert min(sizes) < 50 or population.mean() < 0.2


def test_decisions_without_an_allowed_judged_option_are_outside() -> None:
    probability = np.tile([0.49, 0.49, 0.02], (1000, 1))
    allowed = np.ones((1000, 3), dtype=bool)
    allowed[:40, :2] = False
    _, found = judge(probability, allowed=allowed)
    assert found.reasons == ("", "", TOO_FEW)
    np.testing.assert_array_equal(found.population, np.arange(1000) >= 40)
