"""The test that permits a personal rule: do effects vary between patients at all?"""

from dataclasses import replace

from posology.causal.doubly_robust_scores import Nuisance
from posology.causal.heterogeneity import Heterogeneity, heterogeneity_test, interaction_test
from posology.causal.spline_basis import expand_basis, fit_basis
from posology.causal.trial import Matrix

SLOPE_SHARE = 0.8
"""Share of the level that the slope on predicted effects has; the linear interactions of all
covariates have the rest. Our choice: they show strong effects at any level, weak ones at none."""


def assess_heterogeneity(nuisance: Nuisance, held_out: Matrix) -> Heterogeneity:
    """The slope of true on predicted effects; p also counts interactions (weighted Bonferroni).

    In a small trial the predicted effects may be too noisy to show a heterogeneity that the
    interactions show together, and the other way round where effects are not linear.

    Args:
        nuisance: of the decisions that the rule is learned from.
        held_out: their predicted effects, by models of other folds of them.
    """
    trial, residual = nuisance.trial, nuisance.outcome_residual
    treatment_residual = nuisance.treatment_residual
    slope = heterogeneity_test(held_out, residual, treatment_residual, trial.subject)
    lines = expand_basis(
        fit_basis(trial.covariates, hinges=False, products=False), trial.covariates
    )
    together = interaction_test(lines, residual, treatment_residual, trial.subject)
    return replace(slope, p=min(1.0, slope.p / SLOPE_SHARE, together / (1 - SLOPE_SHARE)))
