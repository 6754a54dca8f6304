"""Sections on the rule: its value, whole trajectories, stability."""

import math

from posology.evaluation.effects.effect_study import RULE, EffectStudy
from posology.evaluation.effects.number_needed import describe_number_needed
from posology.evaluation.effects.overlap import Overlap
from posology.evaluation.effects.policy_values import AS_RANDOMISED, USUAL_CARE, RuleValue
from posology.evaluation.effects.verdict_sentence import describe_unjudged
from posology.evaluation.intervals import Difference
from posology.evaluation.off_policy.trajectory_value import TrajectoryValue
from posology.report.effects.content import Fold, Section, SectionTable
from posology.report.effects.forest import forest_cells
from posology.report.text import Scale, begin_sentence, format_p_value, format_share
from posology.report.trajectories import text as trajectory_text


def rule(results: EffectStudy, scale: Scale) -> Section | None:
    """The value of the rule, of guidelines and of treatment as observed."""
    if not results.rule_values:
        return None
    verdict = results.verdict
    if not verdict.overlap.judged:
        return _unjudged(verdict.overlap)
    names = [option.name for option in verdict.overlap.options]
    shown = [v for v in results.rule_values if not _is_single(v, names)]
    stated = [_known(v.gain) for v in shown]
    plots, axis = forest_cells([None if g is None else scale.rescale(g) for g in stated])
    heads = (
        "Rule",
        "Mean outcome (95 %)",
        f"Gain over {verdict.single_reference} (95 %)",
        "p",
        f"Gain over {verdict.reference_name} (95 %)",
        "Effective sample size",
    )
    rows = tuple(
        (
            v.rule,
            _value(v, scale),
            _gain(v.gain, scale),
            format_p_value(v.gain.p) if v.gain.low < v.gain.high else "",
            _gain(v.reference_gain, scale),
            f"{v.effective_sample_size:,.0f}",
        )
        for v in shown
    )
    caption = f"Doubly robust values of following a rule, {scale.unit}."
    table = SectionTable(caption, heads, rows, plots, axis)
    return Section(
        id="rule",
        short_title="The rule",
        title="What is gained by choosing for each patient?",
        paragraphs=_describe_rule(results),
        tables=(table,),
        folds=(_choices(results, names), *_stability(results, scale)),
    )


def _unjudged(overlap: Overlap) -> Section:
    """No value of any rule is known, so that there is no table of them."""
    reason = f"{begin_sentence(RULE)} has no value here: {describe_unjudged(overlap)}."
    return Section(
        id="rule",
        short_title="The rule",
        title="What is gained by choosing for each patient?",
        paragraphs=(reason,),
    )


def _singles(results: EffectStudy) -> str:
    """Which options the gain is measured against, where they differ between patients."""
    verdict = results.verdict
    return "" if verdict.best_singles == verdict.best_single else f": {verdict.best_singles}"


def _describe_rule(results: EffectStudy) -> tuple[str, ...]:
    paragraphs = [
        f"{RULE[:1].upper()}{RULE[1:]} is compared on patients it was not learned from. The best "
        f"single option is chosen on other patients{_singles(results)}. Intervals of rules are not "
        "corrected for multiple comparisons. Effective sample size: of the patients whose "
        "treatment agrees with the rule, after weighting."
    ]
    paragraphs += [
        begin_sentence(f"{v.rule}: {v.reason}.") for v in results.rule_values if v.reason
    ]
    number = results.number_needed_to_treat
    if number is not None and results.verdict.differing.patients:
        paragraphs.append(
            "Patients to treat by the rule instead of by the best single option for one more good "
            f"outcome: {describe_number_needed(number)}. NNTB: number needed to treat for one more "
            "to benefit, NNTH: for one more to be harmed; no difference is an infinite number."
        )
    return tuple(paragraphs)


def _is_single(value: RuleValue, names: list[str]) -> bool:
    """Whether the row is one option for all, which the section on options has."""
    return value.rule in {f"{name} for all" for name in names}


def _known(difference: Difference) -> Difference | None:
    return difference if not math.isnan(difference.value) else None


def _value(value: RuleValue, scale: Scale) -> str:
    known = not math.isnan(value.value.value)
    return scale.format_estimate(value.value) if known else "not stated"


def _gain(difference: Difference, scale: Scale) -> str:
    if math.isnan(difference.value):
        return "not stated"
    if difference.low == difference.high == difference.value == 0:
        return "0"
    return scale.format_difference(difference)


def _choices(results: EffectStudy, names: list[str]) -> Fold:
    """How often each rule gives each option."""
    rows = tuple(
        (v.rule, *(format_share(share) for share in v.option_shares))
        for v in results.rule_values
        if not _is_single(v, names)
    )
    caption = "Share of decisions at which a rule gives each option."
    table = SectionTable(caption, ("Rule", *names), rows)
    return Fold("Which options the rules choose", tables=(table,))


def _stability(results: EffectStudy, scale: Scale) -> tuple[Fold, ...]:
    """The rule learned again on other folds."""
    if not results.stability:
        return ()
    rows = tuple(
        (f"new folds, {i}", format_share(s.agreement), scale.format_difference(s.gain))
        for i, s in enumerate(results.stability, 1)
    )
    table = SectionTable(
        "Share of patients with the same option, and the gain of the new rule.",
        ("Run", "Same option", "Gain (95 %)"),
        rows,
    )
    text = (
        "The rule was learned again on other folds of the same patients. The values and gains of "
        "the rule are means over all runs."
    )
    return (Fold("Would other folds give the same rule?", (text,), tables=(table,)),)


def observed_treatment(is_randomised: bool) -> str:
    """Name of treatment as observed: a trial has no usual care."""
    return AS_RANDOMISED if is_randomised else USUAL_CARE


def trajectories(value: TrajectoryValue | None) -> Section | None:
    """The value of a saved policy over whole trajectories."""
    if value is None:
        return None
    rows = tuple(trajectory_text.trajectory_rows(value))
    return Section(
        id="trajectories",
        short_title="Trajectories",
        title="What is the policy's value over whole trajectories?",
        paragraphs=(
            trajectory_text.describe_estimates(value),
            *trajectory_text.budget_lines(value),
            *trajectory_text.refusal_reasons(value),
        ),
        tables=(SectionTable(f"{trajectory_text.TITLE}.", trajectory_text.HEADS, rows),),
    )
