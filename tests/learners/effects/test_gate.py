from dataclasses import replace

import numpy as np
import pytest

from posology.causal.heterogeneity import heterogeneity_test, interaction_test
from posology.causal.spline_basis import expand_basis, fit_basis
from posology.learners.effects.gate import SLOPE_SHARE, assess_heterogeneity
from tests.builders.known_effects import draw_nuisance


def test_effects_that_were_not_learned_are_shown_by_their_interactions() -> None:
    nuisance, truth = draw_nuisance("rct", 600, 0)
    nothing = np.zeros((600, 2))
    assert assess_heterogeneity(nuisance, nothing).p < 1e-4
    found = assess_heterogeneity(nuisance, truth.expected)
    slope = heterogeneity_test(
        truth.expected,
        nuisance.outcome_residual,
        nuisance.treatment_residual,
        nuisance.trial.subject,
    )
    assert (found.slope, found.standard_error) == (slope.slope, slope.standard_error)


def test_each_test_has_its_share_of_the_level() -> None:
    """The effect is the square of a covariate: no line shows it, but the predictions do."""
    nuisance, _ = draw_nuisance("null", 600, 1)
    x, given = nuisance.trial.covariates, nuisance.treatment_residual
    curved = 0.5 * (x[:, 0] ** 2 - 1)
    trial = replace(nuisance.trial, outcome=nuisance.trial.outcome + given[:, 1] * curved)
    nuisance = replace(nuisance, trial=trial)
    predicted = np.column_stack([np.zeros(600), curved])
    tested = nuisance.outcome_residual, given, trial.subject
    slope = heterogeneity_test(predicted, *tested)
    lines = interaction_test(expand_basis(fit_basis(x, hinges=False, products=False), x), *tested)
    assert slope.p < 0.01 < lines
    assert assess_heterogeneity(nuisance, predicted).p == pytest.approx(slope.p / SLOPE_SHARE)
    alone = assess_heterogeneity(nuisance, np.zeros((600, 2)))
    assert alone.p == pytest.approx(min(1.0, lines / (1 - SLOPE_SHARE)))
