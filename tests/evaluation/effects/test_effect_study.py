from dataclasses import replace

import numpy as np
import pytest

from posology.causal.propensity import known_propensity
from posology.evaluation.effects.effect_study import (
    RULE,
    AnalysisPlan,
    EffectStudy,
    analyse_effects,
)
from posology.evaluation.effects.held_out_rule import HeldOutRule
from posology.evaluation.effects.policy_values import AS_RANDOMISED
from posology.evaluation.effects.reference import Reference
from posology.evaluation.effects.rule_values import RuleChoices
from posology.evaluation.effects.verdict import CANNOT_JUDGE, GAIN, NO_GAIN
from posology.evaluation.effects.verdict_sentence import Unit
from posology.evaluation.intervals import Difference
from posology.evaluation.table1.subgroups import Subgroup
from tests.builders.known_effects import draw_nuisance


def rule_of(expected: np.ndarray, chosen: np.ndarray) -> HeldOutRule:
    n = len(chosen)
    effect = expected - expected[:, [1]]
    return HeldOutRule(np.arange(n) % 5, effect, chosen, np.ones(n, np.int64), 5)


def plan_of(n: int, **more) -> AnalysisPlan:
    groups = [
        Subgroup("half", "first", np.arange(n) < n // 2),
        Subgroup("half", "few", np.arange(n) < 9),
    ]
    return AnalysisPlan(
        tuple("abcdefgh"), {}, groups, {}, [], Unit("points"), is_binary=False, **more
    )


@pytest.fixture(scope="module")
def perfect() -> EffectStudy:
    nuisance, truth = draw_nuisance("rct", 1500, 0)
    rule = rule_of(truth.expected, truth.expected.argmax(axis=1))
    plan = replace(plan_of(1500), refitted_rules=[rule], harms={"bleeding": nuisance})
    return analyse_effects(nuisance, rule, plan, np.random.default_rng(0))


def test_a_perfect_rule_gains_and_the_study_is_complete(perfect: EffectStudy) -> None:
    assert perfect.verdict.kind == GAIN
    assert perfect.heterogeneity.p < 1e-6
    names = [v.rule for v in perfect.rule_values]
    assert names == [RULE, "old for all", "new for all", "usual care"]
    assert perfect.rule_values[0].gain.low < 0.266 < perfect.rule_values[0].gain.high
    assert perfect.rule_confounder_strength is not None
    assert perfect.rule_confounder_strength.gamma > 1
    assert perfect.number_needed_to_treat is None, "the outcome is no chance"
    assert len(perfect.balance) == 8
    assert perfect.stability[0].agreement == 1.0


def test_the_average_effect_is_of_the_other_option(perfect: EffectStudy) -> None:
    (old,) = perfect.option_effects
    assert (old.effect.option, old.effect.comparator) == ("old", "new")
    assert old.effect.effect.low < -0.25 < old.effect.effect.high
    assert old.confounder_strength is not None
    assert old.confounder_strength.e_value > old.confounder_strength.e_value_limit >= 1


def test_patients_are_ranked_and_calibrated(perfect: EffectStudy) -> None:
    (contrast,) = perfect.contrasts
    assert contrast.ranking.autoc.low > 0
    assert contrast.calibration.slope.low < 1 < contrast.calibration.slope.high
    assert contrast.c_for_benefit.value > 0.5
    assert contrast.decision_curve[0].threshold == 0.0


def test_a_cross_fitted_rule_has_wider_intervals_than_a_saved_policy(perfect: EffectStudy) -> None:
    """A rule learned on other data has narrower intervals of ranking and slope."""
    nuisance, truth = draw_nuisance("rct", 1500, 0)
    rule = replace(rule_of(truth.expected, truth.expected.argmax(axis=1)), personalised_folds=None)
    saved = analyse_effects(nuisance, rule, plan_of(1500), np.random.default_rng(0))
    assert saved.heterogeneity.standard_error == pytest.approx(perfect.heterogeneity.standard_error)
    assert saved.heterogeneity.p < perfect.heterogeneity.p
    elsewhere = saved.contrasts[0]
    (here,) = perfect.contrasts
    for one, other in (
        (here.ranking.autoc, elsewhere.ranking.autoc),
        (here.calibration.slope, elsewhere.calibration.slope),
    ):
        assert one.value == pytest.approx(other.value)
        assert 1.25 < (one.high - one.low) / (other.high - other.low) < 1.6


def test_harms_have_effects_of_their_own(perfect: EffectStudy) -> None:
    (harm,) = perfect.harms
    assert harm.rule.outcome == "bleeding"
    assert harm.rule.difference.value == pytest.approx(perfect.rule_values[0].gain.value)
    assert harm.options[0].effect.value == pytest.approx(
        perfect.option_effects[0].effect.effect.value
    )


def test_small_subgroups_are_counted_and_not_estimated(perfect: EffectStudy) -> None:
    first, few = perfect.subgroups
    assert first.in_population == 750
    assert first.gain.low < first.gain.value < first.gain.high
    assert few.in_population == 9
    assert few.patients_in_population == 9
    assert np.isnan(few.gain.value)


def test_a_single_option_for_all_gains_nothing() -> None:
    nuisance, truth = draw_nuisance("rct", 500, 1)
    rule = rule_of(truth.expected, np.ones(500, np.int64))
    study = analyse_effects(nuisance, rule, plan_of(500), np.random.default_rng(0))
    assert study.verdict.kind == NO_GAIN
    assert study.rule_values[0].gain.value == 0
    assert study.rule_confounder_strength is not None
    assert study.rule_confounder_strength.gamma == 1.0


def test_gamma_is_one_where_the_interval_includes_zero() -> None:
    """The outcome is noise; by chance the options' means differ by 0.7 standard errors."""
    nuisance, truth = draw_nuisance("rct", 500, 1)
    noise = np.random.default_rng(0).normal(size=500)
    trial = replace(nuisance.trial, outcome=nuisance.outcome_regression.mean[:, 0] + noise)
    null = replace(nuisance, trial=trial)
    rule = rule_of(truth.expected, truth.expected.argmax(axis=1))
    study = analyse_effects(null, rule, plan_of(500), np.random.default_rng(0))
    (effect,) = study.option_effects
    assert effect.effect.effect.low < 0 < effect.effect.effect.high
    assert effect.confounder_strength is not None
    assert effect.confounder_strength.gamma == 1.0
    assert study.rule_confounder_strength is not None
    assert study.rule_confounder_strength.gamma == 1.0


def test_without_overlap_nothing_is_estimated() -> None:
    nuisance, truth = draw_nuisance("rct", 500, 2)
    never = np.tile([0.999, 0.001], (500, 1))
    alone = replace(nuisance, propensity=known_propensity(never))
    rule = rule_of(truth.expected, truth.expected.argmax(axis=1))
    study = analyse_effects(alone, rule, plan_of(500), np.random.default_rng(0))
    assert study.verdict.kind == CANNOT_JUDGE
    assert (study.option_effects, study.contrasts, study.subgroups) == ((), (), ())
    (mine,) = study.rule_values
    assert (mine.rule, mine.reason) == (RULE, study.verdict.headline)
    assert np.isnan(mine.value.value)
    assert len(study.verdict.overlap.options) == 2


def test_fold_means_do_not_rank_patients() -> None:
    """Predictions: one constant per fold, that of the fold's own benefit."""
    nuisance, truth = draw_nuisance("null", 1000, 3)
    rule = rule_of(truth.expected, np.ones(1000, np.int64))
    benefit = nuisance.scores[:, 0] - nuisance.scores[:, 1]
    level = np.array([benefit[rule.fold == f].mean() for f in range(5)])[rule.fold]
    cheat = replace(rule, predicted_effect=np.column_stack([level, np.zeros(1000)]))
    study = analyse_effects(nuisance, cheat, plan_of(1000), np.random.default_rng(0))
    assert study.heterogeneity.p == 1.0
    (contrast,) = study.contrasts
    assert contrast.ranking.autoc.low < 0 < contrast.ranking.autoc.high


def test_a_trial_has_no_confounder_strength_and_no_usual_care() -> None:
    nuisance, truth = draw_nuisance("rct", 500, 1)
    rule = rule_of(truth.expected, truth.expected.argmax(axis=1))
    plan = plan_of(500, is_randomised=True, reference=Reference(None, AS_RANDOMISED))
    study = analyse_effects(nuisance, rule, plan, np.random.default_rng(0))
    assert [o.confounder_strength for o in study.option_effects] == [None]
    assert study.rule_confounder_strength is None
    assert study.rule_values[-1].rule == "treatment as randomised"
    assert "usual care" not in study.verdict.sentence


def test_everything_is_against_the_studys_control() -> None:
    nuisance, truth = draw_nuisance("rct", 800, 1)
    rule = rule_of(truth.expected, truth.expected.argmax(axis=1))
    plan = replace(plan_of(800, reference=Reference(0)), harms={"bleeding": nuisance})
    study = analyse_effects(nuisance, rule, plan, np.random.default_rng(0))
    (new,) = study.option_effects
    assert (new.effect.option, new.effect.comparator) == ("new", "old")
    against = study.verdict.against_reference
    assert against is not None
    assert new.effect.effect == against.contrasts[0].effect, "the verdict's interval, not another"
    (contrast,) = study.contrasts
    assert (contrast.option, contrast.comparator) == ("new", "old")
    assert study.abstention is not None
    assert study.abstention.options[0].comparator == "old"
    assert study.harms[0].options[0].comparator == "old"
    assert study.verdict.best_single == "new", "the gain stays over the best single option"
    values = {v.rule: v for v in study.rule_values}
    assert values["old for all"].reference_gain.value == pytest.approx(0)
    assert values["new for all"].gain.value == pytest.approx(0)


def test_a_rule_that_few_followed_stands_first_with_its_reason() -> None:
    nuisance, truth = draw_nuisance("rct", 500, 0)
    chosen = 1 - nuisance.trial.treatment
    chosen[:20] = nuisance.trial.treatment[:20]
    study = analyse_effects(
        nuisance, rule_of(truth.expected, chosen), plan_of(500), np.random.default_rng(0)
    )
    mine, *others = study.rule_values
    assert mine.rule == RULE
    assert mine.reason == "effective sample size 20, below 50"
    assert np.isnan(mine.value.value)
    assert [v.rule for v in others] == ["old for all", "new for all", "usual care"]
    assert all(np.isfinite(v.value.value) for v in others)
    assert len(study.option_effects) == 1


def test_every_figure_of_a_rule_learned_twice_is_the_mean_of_its_runs() -> None:
    """The second run treats every tenth patient otherwise."""
    nuisance, truth = draw_nuisance("rct", 400, 0)
    chosen = truth.expected.argmax(axis=1)
    runs = np.stack([chosen, np.where(np.arange(400) % 10, chosen, 1 - chosen)])
    first, second = (rule_of(truth.expected, run) for run in runs)
    plan = replace(plan_of(400), harms={"bleeding": nuisance}, refitted_rules=[second])
    study = analyse_effects(nuisance, first, plan, np.random.default_rng(0))
    by_run = nuisance.scores[np.arange(400), runs]
    gained = by_run - nuisance.scores[:, 1]
    assert gained[0].mean() > gained[1].mean() + 0.02
    mean = pytest.approx(gained.mean())
    (value, *_), (harm,), (group, _) = study.rule_values, study.harms, study.subgroups
    assert study.verdict.gain is not None
    assert study.verdict.gain.value == mean
    assert value.gain.value == mean
    assert harm.rule.difference.value == mean
    assert value.value.value == pytest.approx(by_run.mean())
    assert study.abstention is not None
    assert study.abstention.curve[0].gain_over_best_single.value == mean
    assert group.gain.value == pytest.approx(gained[:, :200].mean())
    differing = (runs != 1).sum(axis=1).mean()
    assert study.verdict.differing.patients == np.ceil(differing)
    assert group.differing_share == pytest.approx((runs != 1)[:, :200].mean())
    assert [run.gain.value for run in study.stability] == [pytest.approx(gained[1].mean())]
    assert study.rule_confounder_strength is not None
    assert study.rule_confounder_strength.gamma > 1
    assert 1 < study.verdict.gain_error_factor < 2**0.5


def stated_gains(study: EffectStudy) -> list[Difference]:
    """Every gain over the best single option or the reference that a page prints."""
    verdict, against, abstention = study.verdict, study.verdict.against_reference, study.abstention
    assert against is not None
    assert abstention is not None
    ends = [abstention.curve[0], abstention.curve[-1]]
    return [
        against.rule,
        *([] if verdict.gain is None else [verdict.gain]),
        *(c.effect for c in against.contrasts),
        *(o.effect.effect for o in study.option_effects),
        *(gain for row in study.rule_values[:-1] for gain in (row.gain, row.reference_gain)),
        *(point.gain_over_usual_care for point in ends),
        ends[0].gain_over_best_single,
    ]


@pytest.mark.parametrize("is_personal", [True, False])
@pytest.mark.parametrize("control", [None, 0])
def test_one_gain_has_one_interval(is_personal: bool, control: int | None) -> None:
    """A rule that gives everyone one option has the interval of that option."""
    nuisance, truth = draw_nuisance("rct", 500, 1)
    chosen = truth.expected.argmax(axis=1) if is_personal else np.ones(500, np.int64)
    rule = rule_of(truth.expected, chosen)
    rules = {"guideline": RuleChoices(np.eye(2)[[1] * 500])}
    plan = replace(plan_of(500, reference=Reference(control)), rules=rules, refitted_rules=[rule])
    study = analyse_effects(nuisance, rule, plan, np.random.default_rng(0))
    intervals: dict[float, set[tuple[float, float]]] = {}
    for gain in stated_gains(study):
        limits = (round(gain.low, 9), round(gain.high, 9))
        intervals.setdefault(round(gain.value, 9), set()).add(limits)
    assert len(intervals) >= 3
    assert [several for several in intervals.values() if len(several) > 1] == []
    assert study.abstention is not None
    assert study.abstention.curve[0].value == study.rule_values[0].value
    assert study.abstention.curve[-1].value == study.rule_values[-1].value


def test_the_abstention_curve_counts_the_noise_that_folds_share() -> None:
    """Once the row of 0 % was wider by the factor than that of 10 %."""
    nuisance, truth = draw_nuisance("rct", 400, 0)
    chosen = truth.expected.argmax(axis=1)
    other = rule_of(truth.expected, np.where(np.arange(400) % 3, chosen, 1 - chosen))
    plan = replace(plan_of(400), refitted_rules=[other])
    rule = rule_of(truth.expected, chosen)
    study = analyse_effects(nuisance, rule, plan, np.random.default_rng(0))
    assert study.verdict.gain_error_factor > 1.3
    assert study.abstention is not None
    for gain in ("gain_over_best_single", "gain_over_usual_care"):
        gains = [getattr(point, gain) for point in study.abstention.curve[:3]]
        whole, *rest = (gain.high - gain.low for gain in gains)
        assert rest == pytest.approx([whole] * 2, rel=0.06)
