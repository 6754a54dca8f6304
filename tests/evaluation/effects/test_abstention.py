import functools

import numpy as np
import pytest

from posology.causal.trial import select_rows
from posology.evaluation.effects.abstention import Abstention, assess_abstention, choice_z_scores
from posology.evaluation.effects.held_out_rule import EvaluatedRule
from posology.evaluation.effects.policy_values import estimate_gain
from posology.evaluation.effects.subgroup_gain import estimate_subgroup_gain
from posology.evaluation.intervals import Z_95
from posology.evaluation.table1.subgroups import Subgroup
from tests.builders.known_effects import draw_nuisance

N = 1500


@functools.cache
def assess_rule(chosen: str) -> tuple[Abstention, EvaluatedRule, tuple]:
    nuisance, truth = draw_nuisance("obs", N, 4)
    best = truth.expected.argmax(axis=1)
    rule = best if chosen == "best" else 1 - best
    effect = truth.expected - truth.expected[:, [1]]
    evaluated = EvaluatedRule(
        effect if chosen == "best" else -effect, rule, np.ones(N, np.int64), 1, [0, 1]
    )
    keep = np.ones(N, dtype=bool)
    keep[:10] = False
    result = assess_abstention(nuisance, evaluated, keep, np.random.default_rng(0))
    return result, evaluated, (nuisance, truth, keep)


def test_the_curve_ends_at_the_rule_and_at_usual_care() -> None:
    result, evaluated, (nuisance, _, keep) = assess_rule("best")
    rows = np.arange(N)
    first, last = result.curve[0], result.curve[-1]
    assert (first.abstained_share, last.abstained_share) == (0.0, 1.0)
    assert first.value.value == pytest.approx(nuisance.scores[rows, evaluated.chosen][keep].mean())
    over = estimate_gain(
        nuisance, evaluated.chosen, evaluated.best_single_by_fold, np.random.default_rng(0), keep
    )
    assert first.gain_over_best_single.value == pytest.approx(over.value)
    assert last.value.value == pytest.approx(select_rows(nuisance.trial, keep).outcome.mean())
    assert (last.gain_over_usual_care.value, last.gain_over_usual_care.low) == (0.0, 0.0)


def test_a_good_rule_loses_little_by_leaving_uncertain_choices_to_clinicians() -> None:
    result, *_ = assess_rule("best")
    values = [point.value.value for point in result.curve]
    assert values[0] - values[2] < 0.25 * (values[0] - values[-1])
    assert result.when_uncertain.gain_over_usual_care.low > 0


def test_a_wrong_rule_gains_by_leaving_patients_to_clinicians() -> None:
    result, *_ = assess_rule("worst")
    values = [point.value.value for point in result.curve]
    assert values[-1] - values[0] > 0.3
    assert result.curve[5].gain_over_usual_care.high < 0


def test_patients_with_a_certain_effect_have_that_effect() -> None:
    result, _, (_, truth, keep) = assess_rule("best")
    (old,) = result.options
    assert (old.option, old.comparator) == ("old", "new")
    better = float((truth.expected[:, 0] > truth.expected[:, 1])[keep].mean())
    assert 0.05 < old.better_share < better
    assert 0 < old.worse_share < 1 - better
    assert old.median_width > 0


def test_z_scores_compare_with_the_closest_alternative() -> None:
    effect = np.array([[0.5, 0.0, -1.0], [0.5, 0.0, -1.0], [-0.5, 0.0, -0.1]])
    error = np.array([[0.1, 0.0, 0.5]] * 3)
    evaluated = EvaluatedRule(effect, np.array([0, 1, 1]), np.ones(3, np.int64), 1, [0, 1, 2])
    assert choice_z_scores(effect, error, evaluated) == pytest.approx([5.0, -5.0, 0.2])
    assert round(Z_95, 2) == 1.96


def test_a_subgroup_has_predicted_and_observed_benefit() -> None:
    _, evaluated, (nuisance, truth, keep) = assess_rule("best")
    group = Subgroup("x5", "high", truth.covariates[:, 5] > 0.5)
    result = estimate_subgroup_gain(nuisance, evaluated, group, keep, np.random.default_rng(0))
    (benefit,) = result.benefits
    true = (truth.expected[:, 0] - truth.expected[:, 1])[group.mask & keep].mean()
    assert benefit.predicted == pytest.approx(true)
    assert benefit.observed.low < true < benefit.observed.high
    rows = np.arange(N)
    assert result.value.value == pytest.approx(
        nuisance.scores[rows, evaluated.chosen][group.mask & keep].mean()
    )
    assert result.value.low < result.value.value < result.value.high
    few = Subgroup("x5", "few", np.arange(N) < 25)
    none = estimate_subgroup_gain(nuisance, evaluated, few, keep, np.random.default_rng(0))
    assert (none.in_population, none.benefits) == (15, ())
    assert np.isnan(none.value.value)
