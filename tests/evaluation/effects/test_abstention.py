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


def judged(chosen: str) -> tuple[Abstention, EvaluatedRule, tuple]:
    nuisance, truth = draw_nuisance("obs", N, 4)
    best = truth.expected.argmax(axis=1)
    rule = best if chosen == "best" else 1 - best
    effect = truth.expected - truth.expected[:, [1]]
    said = EvaluatedRule(
        effect if chosen == "best" else -effect, rule, np.ones(N, np.int64), 1, [0, 1]
    )
    keep = np.ones(N, dtype=bool)
    keep[:10] = False
    found = assess_abstention(nuisance, said, keep, np.random.default_rng(0))
    return found, said, (nuisance, truth, keep)


def test_the_curve_runs_from_the_rule_to_usual_care() -> None:
    found, said, (nuisance, _, keep) = judged("best")
    rows = np.arange(N)
    first, last = found.curve[0], found.curve[-1]
    assert (first.abstained_share, last.abstained_share) == (0.0, 1.0)
    assert first.value.value == pytest.approx(nuisance.scores[rows, said.chosen][keep].mean())
    over = estimate_gain(
        nuisance, said.chosen, said.best_single_by_fold, np.random.default_rng(0), keep
    )
    assert first.gain_over_best_single.value == pytest.approx(over.value)
    assert last.value.value == pytest.approx(select_rows(nuisance.trial, keep).outcome.mean())
    assert (last.gain_over_usual_care.value, last.gain_over_usual_care.low) == (0.0, 0.0)


def test_leaving_the_least_sure_to_clinicians_costs_a_good_rule_little_at_first() -> None:
    found, *_ = judged("best")
    values = [point.value.value for point in found.curve]
    assert values[0] - values[2] < 0.25 * (values[0] - values[-1])
    assert found.when_uncertain.gain_over_usual_care.low > 0


def test_a_rule_that_is_wrong_of_everybody_is_better_left() -> None:
    found, *_ = judged("worst")
    values = [point.value.value for point in found.curve]
    assert values[-1] - values[0] > 0.3
    assert found.curve[5].gain_over_usual_care.high < 0


def test_shares_that_are_sure_are_right() -> None:
    found, _, (_, truth, keep) = judged("best")
    (old,) = found.options
    assert (old.option, old.comparator) == ("old", "new")
    better = float((truth.expected[:, 0] > truth.expected[:, 1])[keep].mean())
    assert 0.05 < old.better_share < better
    assert 0 < old.worse_share < 1 - better
    assert old.median_width > 0


def test_sureness_is_against_the_next_best() -> None:
    effect = np.array([[0.5, 0.0, -1.0], [0.5, 0.0, -1.0], [-0.5, 0.0, -0.1]])
    error = np.array([[0.1, 0.0, 0.5]] * 3)
    said = EvaluatedRule(effect, np.array([0, 1, 1]), np.ones(3, np.int64), 1, [0, 1, 2])
    assert choice_z_scores(effect, error, said) == pytest.approx([5.0, -5.0, 0.2])
    assert round(Z_95, 2) == 1.96


def test_what_is_said_of_a_group_stands_beside_what_was_seen() -> None:
    _, said, (nuisance, truth, keep) = judged("best")
    group = Subgroup("x5", "high", truth.covariates[:, 5] > 0.5)
    found = estimate_subgroup_gain(nuisance, said, group, keep, np.random.default_rng(0))
    (benefit,) = found.benefits
    true = (truth.expected[:, 0] - truth.expected[:, 1])[group.mask & keep].mean()
    assert benefit.predicted == pytest.approx(true)
    assert benefit.observed.low < true < benefit.observed.high
    rows = np.arange(N)
    assert found.value.value == pytest.approx(
        nuisance.scores[rows, said.chosen][group.mask & keep].mean()
    )
    assert found.value.low < found.value.value < found.value.high
    few = Subgroup("x5", "few", np.arange(N) < 25)
    none = estimate_subgroup_gain(nuisance, said, few, keep, np.random.default_rng(0))
    assert (none.in_population, none.benefits) == (15, ())
    assert np.isnan(none.value.value)
