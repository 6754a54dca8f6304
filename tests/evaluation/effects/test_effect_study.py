from dataclasses import replace

import numpy as np
import pytest

from posology.causal.propensity import known
from posology.evaluation.effects.effect_study import RULE, Asked, EffectStudy, judge
from posology.evaluation.effects.held_out_rule import HeldOutRule
from posology.evaluation.effects.verdict import GAIN, NONE, UNJUDGED, Unit
from posology.evaluation.table1.subgroups import Subgroup
from tests.evaluation.trials import truthful


def rule_of(expected: np.ndarray, chosen: np.ndarray) -> HeldOutRule:
    n = len(chosen)
    said = expected - expected[:, [1]]
    return HeldOutRule(np.arange(n) % 5, said, chosen, np.ones(n, np.int64), 5)


def asked(n: int, **more) -> Asked:
    groups = [
        Subgroup("half", "first", np.arange(n) < n // 2),
        Subgroup("half", "few", np.arange(n) < 9),
    ]
    return Asked(tuple("abcdefgh"), {}, groups, {}, [], Unit("points"), binary=False, **more)


@pytest.fixture(scope="module")
def perfect() -> EffectStudy:
    nuisance, truth = truthful("rct", 1500, 0)
    rule = rule_of(truth.expected, truth.expected.argmax(axis=1))
    question = replace(asked(1500), again=[rule], harms={"bleeding": nuisance})
    return judge(nuisance, rule, question, np.random.default_rng(0))


def test_a_perfect_rule_gains_and_everything_is_told(perfect) -> None:
    assert perfect.verdict.kind == GAIN
    assert perfect.heterogeneity.p < 1e-6
    names = [v.rule for v in perfect.values]
    assert names == [RULE, "old for all", "new for all", "usual care"]
    assert perfect.values[0].gain.low < 0.266 < perfect.values[0].gain.high
    assert perfect.rule is not None
    assert perfect.rule.gamma > 1
    assert perfect.needed is None, "the outcome is no chance"
    assert len(perfect.balance) == 16
    assert perfect.stability[0].agreement == 1.0


def test_the_average_effect_is_the_old_options(perfect) -> None:
    (old,) = perfect.effects
    assert (old.effect.option, old.effect.against) == ("old", "new")
    assert old.effect.effect.low < -0.25 < old.effect.effect.high
    assert old.strength.e_value > old.strength.limit >= 1


def test_patients_are_ranked_and_calibrated(perfect) -> None:
    (contrast,) = perfect.contrasts
    assert contrast.rate.autoc.low > 0
    assert contrast.calibration.slope.low < 1 < contrast.calibration.slope.high
    assert contrast.c.value > 0.5
    assert contrast.curve[0].threshold == 0.0


def test_what_folds_learned_from_each_other_is_less_sure(perfect) -> None:
    """The same rule learned elsewhere has narrower intervals of ranking and slope."""
    nuisance, truth = truthful("rct", 1500, 0)
    rule = replace(rule_of(truth.expected, truth.expected.argmax(axis=1)), personal=None)
    saved = judge(nuisance, rule, asked(1500), np.random.default_rng(0))
    assert saved.heterogeneity.error == pytest.approx(perfect.heterogeneity.error)
    assert saved.heterogeneity.p < perfect.heterogeneity.p
    elsewhere = saved.contrasts[0]
    (here,) = perfect.contrasts
    for one, other in (
        (here.rate.autoc, elsewhere.rate.autoc),
        (here.calibration.slope, elsewhere.calibration.slope),
    ):
        assert one.value == pytest.approx(other.value)
        assert 1.25 < (one.high - one.low) / (other.high - other.low) < 1.6


def test_harms_have_effects_of_their_own(perfect) -> None:
    (harm,) = perfect.harms
    assert harm.rule.outcome == "bleeding"
    assert harm.rule.difference.value == pytest.approx(perfect.values[0].gain.value)
    assert harm.options[0].effect.value == pytest.approx(perfect.effects[0].effect.effect.value)


def test_small_groups_are_counted_and_not_judged(perfect) -> None:
    first, few = perfect.groups
    assert first.kept == 750
    assert first.gain.low < first.gain.value < first.gain.high
    assert few.kept == 9
    assert np.isnan(few.gain.value)


def test_a_single_option_for_all_gains_nothing() -> None:
    nuisance, truth = truthful("rct", 500, 1)
    rule = rule_of(truth.expected, np.ones(500, np.int64))
    found = judge(nuisance, rule, asked(500), np.random.default_rng(0))
    assert found.verdict.kind == NONE
    assert found.values[0].gain.value == 0
    assert found.rule is not None
    assert found.rule.gamma == 1.0


def test_of_what_nobody_was_given_nothing_is_said() -> None:
    nuisance, truth = truthful("rct", 500, 2)
    never = np.tile([0.999, 0.001], (500, 1))
    alone = replace(nuisance, propensity=known(never))
    rule = rule_of(truth.expected, truth.expected.argmax(axis=1))
    found = judge(alone, rule, asked(500), np.random.default_rng(0))
    assert found.verdict.kind == UNJUDGED
    assert (found.effects, found.values, found.contrasts, found.groups) == ((), (), (), ())
    assert len(found.verdict.overlap.options) == 2


def test_levels_of_folds_do_not_rank_patients() -> None:
    """Said: a constant, another in each fold, which follows the fold's own benefit."""
    nuisance, truth = truthful("null", 1000, 3)
    rule = rule_of(truth.expected, np.ones(1000, np.int64))
    benefit = nuisance.scores[:, 0] - nuisance.scores[:, 1]
    level = np.array([benefit[rule.fold == f].mean() for f in range(5)])[rule.fold]
    cheat = replace(rule, said=np.column_stack([level, np.zeros(1000)]))
    found = judge(nuisance, cheat, asked(1000), np.random.default_rng(0))
    assert found.heterogeneity.p == 1.0
    (contrast,) = found.contrasts
    assert contrast.rate.autoc.low < 0 < contrast.rate.autoc.high
