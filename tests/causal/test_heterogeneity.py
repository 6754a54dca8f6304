import numpy as np
import pytest

from posology.causal.heterogeneity import Heterogeneity, heterogeneity_test, interaction_test


def test_several_decisions_of_a_patient_do_not_count_as_several_patients() -> None:
    """No effect varies; decisions of a patient share covariate, level and, mostly, the option.

    300 draws of a one-sided 5 % test: 1.2 to 8.8 % within three standard errors. With decisions
    taken as independent the test errs in 28 % of them.
    """
    errs = [_null_test(np.random.default_rng(k), 300, 12).p < 0.05 for k in range(300)]
    assert 0.012 <= np.mean(errs) <= 0.088


def test_with_one_decision_each_the_standard_error_is_hc3() -> None:
    rng = np.random.default_rng(3)
    treatment_residual = np.eye(2)[rng.integers(0, 2, 60)] - 0.5
    predicted = np.column_stack([np.zeros(60), rng.normal(size=60)])
    outcome = treatment_residual[:, 1] * predicted[:, 1] + rng.normal(size=60)
    found = heterogeneity_test(predicted, outcome, treatment_residual, rng.permutation(60))
    interaction = (treatment_residual * (predicted - predicted.mean(axis=0))).sum(axis=1)
    design = np.column_stack([interaction, treatment_residual[:, 1]])
    hat = design @ np.linalg.pinv(design)
    left_out = (outcome - hat @ outcome) / (1 - np.diag(hat))
    hc3 = np.sqrt((np.linalg.pinv(design)[0] ** 2 * left_out**2).sum())
    assert found.standard_error == pytest.approx(hc3)


def test_repeating_every_decision_adds_no_information() -> None:
    rng = np.random.default_rng(4)
    treatment_residual = np.eye(2)[rng.integers(0, 2, 500)] - 0.5
    predicted = np.column_stack([np.zeros(500), rng.normal(size=500)])
    outcome, row = rng.normal(size=500), np.arange(500).repeat(9)
    once = heterogeneity_test(predicted, outcome, treatment_residual, np.arange(500))
    nine_times = heterogeneity_test(predicted[row], outcome[row], treatment_residual[row], row)
    assert nine_times.slope == pytest.approx(once.slope)
    assert nine_times.standard_error == pytest.approx(once.standard_error)


def _null_test(rng: np.random.Generator, patients: int, times: int) -> Heterogeneity:
    subject = np.arange(patients).repeat(times)
    covariate = rng.normal(size=patients)[subject]
    level = rng.normal(size=patients)[subject]
    first = rng.integers(0, 2, patients)[subject]
    keeps = rng.random(len(subject)) < 0.9
    treatment = np.where(keeps, first, rng.integers(0, 2, len(subject)))
    outcome = level + rng.normal(size=len(subject))
    return heterogeneity_test(
        np.column_stack([np.zeros(len(subject)), covariate]),
        outcome - outcome.mean(),
        np.eye(2)[treatment] - 0.5,
        subject,
        folds_share_noise=False,
    )


def test_interactions_err_at_their_level_with_several_decisions_a_patient() -> None:
    """200 draws at 5 %: at most 9.6 % within three standard errors, and not never."""
    p = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        subject = np.arange(200).repeat(4)
        covariates = rng.normal(size=(200, 6))[subject]
        residual = np.eye(3)[rng.integers(0, 3, 800)] - 1 / 3
        outcome = rng.normal(size=200)[subject] + rng.normal(size=800) + residual @ [0.0, 0.5, 1.0]
        p.append(interaction_test(covariates, outcome, residual, subject))
    assert 0.0 < np.mean(np.array(p) < 0.05) <= 0.096
    assert np.mean(p) == pytest.approx(0.5, abs=0.08)


def test_interactions_too_weak_to_be_learned_one_by_one_are_seen_together() -> None:
    rng = np.random.default_rng(0)
    covariates, treatment = rng.normal(size=(800, 10)), rng.integers(0, 2, 800)
    residual = np.eye(2)[treatment] - 0.5
    noise = rng.normal(size=800)
    effect = 0.12 * covariates.sum(axis=1)
    found = interaction_test(covariates, noise + residual[:, 1] * effect, residual, np.arange(800))
    alone = interaction_test(covariates, noise, residual, np.arange(800))
    assert found < 0.001 < 0.05 < alone
    assert interaction_test(np.zeros((800, 2)), noise, residual, np.arange(800)) == 1.0
