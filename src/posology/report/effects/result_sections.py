"""Sections on the options and the rule: effects, values, trajectories, harms, stability."""

from posology.evaluation.effects.effect_study import EffectStudy
from posology.evaluation.effects.number_needed import describe_number_needed
from posology.evaluation.effects.option_effects import ConfounderStrength
from posology.evaluation.intervals import Difference
from posology.evaluation.off_policy.trajectory_value import TrajectoryValue
from posology.report.effects import plots
from posology.report.effects.content import Section, SectionTable
from posology.report.svg import inline_figure
from posology.report.text import Scale, format_estimate, format_number, format_p, format_share
from posology.report.trajectories import text as trajectory_text

_STRENGTH = (
    "Gamma is the factor by which unmeasured confounding must change the odds of treatment before "
    "the difference's interval may include 0; the E-value of the limit is the same as a risk "
    "ratio. Both are 1 if the interval includes 0 already."
)


def options(results: EffectStudy, scale: Scale, is_randomised: bool) -> Section | None:
    """Average effect of each option."""
    if not results.option_effects:
        return None
    single = results.verdict.comparator_name
    rows = tuple(
        (
            o.effect.option,
            f"{o.effect.patients:,}",
            scale.format_difference(o.effect.effect),
            format_p(o.effect.effect.p),
            *_strength_cells(o.confounder_strength),
            scale.format_difference(o.effect.unadjusted),
        )
        for o in results.option_effects
    )
    strengths = () if is_randomised else ("E-value (of the limit)", "Gamma of the limit")
    heads = (
        "Option",
        "Received by",
        "Difference (95 %)",
        "p, two-sided",
        *strengths,
        "Unadjusted difference",
    )
    unadjusted = (
        "The last column is the unadjusted difference in means. Both differences are unbiased, "
        "because treatment was randomised; adjustment also removes chance imbalance."
        if is_randomised
        else "The last column is the unadjusted difference in means. It is confounded by the "
        "reasons for treatment, so it is not an effect."
    )
    figure = plots.plot_forest(
        [(o.effect.option, scale.rescale(o.effect.effect)) for o in results.option_effects],
        f"Difference from {single}",
    )
    caption = (
        f"Average effect against {single}, {scale.unit}. Intervals and p values count all options "
        "that are compared (max-t over the resamples)."
    )
    alt = "Average effect of each option: " + "; ".join(
        f"{o.effect.option} {scale.format_difference(o.effect.effect)}"
        for o in results.option_effects
    )
    return Section(
        id="options",
        short_title="Options",
        title="What is the average effect of each option?",
        paragraphs=(
            _describe_effects(results, scale),
            *(() if is_randomised else (_STRENGTH,)),
            unadjusted,
        ),
        figures=(inline_figure(figure, "options", alt, scale.unit),),
        tables=(SectionTable(caption, heads, rows),),
    )


def _strength_cells(strength: ConfounderStrength | None) -> tuple[str, ...]:
    if strength is None:
        return ()
    limit = f"{strength.e_value:.2f} ({strength.e_value_limit:.2f})"
    return limit, f"{strength.gamma:.2f}"


def _describe_effects(results: EffectStudy, scale: Scale) -> str:
    effects = [o.effect for o in results.option_effects]
    significant = [e for e in effects if e.effect.low > 0 or e.effect.high < 0]
    others = [e for e in effects if e not in significant]
    single = results.verdict.comparator_name
    if not significant:
        return f"No option differs significantly from {single} on average."
    differences = "; ".join(
        f"{e.option} is {'higher' if e.effect.value > 0 else 'lower'} "
        f"({scale.format_difference(e.effect)})"
        for e in significant
    )
    text = (
        f"Mean outcome compared with {single}, each given to the whole analysis population, in "
        f"{scale.unit}: {differences}."
    )
    if others:
        differences = "; ".join(f"{e.option} ({scale.format_difference(e.effect)})" for e in others)
        text += f" No significant difference: {differences}."
    return text


def rule(results: EffectStudy, scale: Scale) -> Section | None:
    """The value of the rule against every other one."""
    if not results.rule_values:
        return None
    names = [option.name for option in results.verdict.overlap.options]
    rows = tuple(
        (
            v.rule,
            scale.format_value(v.value.value) if v.value.value == v.value.value else "not stated",
            scale.format_interval(v.value),
            scale.format_difference(v.gain) if v.gain.value == v.gain.value else "not stated",
            format_p(v.gain.p) if v.gain.low < v.gain.high else "",
            scale.format_difference(v.reference_gain)
            if v.reference_gain.value == v.reference_gain.value
            else "not stated",
            f"{v.effective_sample_size:,.0f}",
            v.reason or _describe_shares(names, v.option_shares),
        )
        for v in results.rule_values
    )
    paragraphs = [
        "Mean outcome if every patient of the analysis population were treated by the rule. The "
        "gain is over the best single option, which is chosen on other patients and compared on "
        "the same patients. Intervals of single options count all of them (max-t); those of rules "
        "are not corrected. Effective sample size: the number of patients whose treatment agrees "
        "with the rule, after weighting."
    ]
    if results.number_needed_to_treat is not None and results.verdict.differing.patients:
        number = describe_number_needed(results.number_needed_to_treat)
        paragraphs.append(
            "Patients to treat by the rule instead of by the best single option for one more good "
            f"outcome: {number}. NNTB: number needed to treat for one more to benefit, NNTH: for "
            "one more to be harmed; no difference is an infinite number."
        )
    heads = (
        "Rule",
        "Mean outcome",
        "95 %",
        "Gain (95 %)",
        "p",
        f"Gain over {results.verdict.reference_name} (95 %)",
        "Effective sample size",
        "Options chosen, or why no value is stated",
    )
    stated = [v for v in results.rule_values if v.gain.value == v.gain.value]
    figure = plots.plot_forest(
        [(v.rule, scale.rescale(v.gain)) for v in stated],
        "Gain over the best single option",
    )
    alt = "Gain of each rule: " + "; ".join(
        f"{v.rule} {scale.format_difference(v.gain)}" for v in stated
    )
    return Section(
        id="rule",
        short_title="The rule",
        title="What is the value of following a rule?",
        paragraphs=tuple(paragraphs),
        figures=(inline_figure(figure, "rule", alt, scale.unit),),
        tables=(SectionTable(f"Doubly robust values, {scale.unit}.", heads, rows),),
    )


def _describe_shares(names: list[str], shares: tuple[float, ...]) -> str:
    if max(shares) == 1.0:
        return "one option for all"
    return ", ".join(
        f"{name} {format_share(share)}"
        for name, share in zip(names, shares, strict=True)
        if share >= 0.005
    )


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
            *trajectory_text.refusal_reasons(value),
        ),
        tables=(SectionTable(f"{trajectory_text.TITLE}.", trajectory_text.HEADS, rows),),
    )


def harms(results: EffectStudy) -> Section:
    """Harms and costs, each as an outcome of its own."""
    paragraph = (
        "The study file names no harm and no cost. [[diagnosis]] targets and [reward] costs would "
        "be analysed here, each as an outcome of its own."
    )
    tables: tuple[SectionTable, ...] = ()
    if results.harms:
        paragraph = (
            "Each harm or cost is an outcome of its own, analysed like the benefit; a difference "
            "above 0 is more of it. Harms are probabilities: 0.01 is one more patient in a "
            "hundred. A harm that no option can cause is a negative control: an effect on it "
            "would reveal confounding. Harms are not weighed against the benefit here; that is for "
            "those concerned."
        )
        heads = ("Outcome", "Under one option for all", "Difference (95 %)")
        tables = (SectionTable("Harms and costs.", heads, _harm_rows(results)),)
    missing = tuple(f"No effect on {name}: {why}." for name, why in results.not_estimable)
    if missing and not results.harms:
        paragraph = "Effects on none of the study's harms and costs can be estimated."
    return Section(
        id="harms",
        short_title="Harms",
        title="What are the harms and costs?",
        paragraphs=(paragraph, *missing),
        tables=tables,
    )


def _harm_rows(results: EffectStudy) -> tuple[tuple[str, ...], ...]:
    rows = []
    for harm in results.harms:
        outcome = harm.rule.outcome
        rows.append(
            (
                f"{outcome}: the rule, against one option for all",
                format_number(harm.rule.best_single),
                _difference_and_p(harm.rule.difference),
            )
        )
        rows.extend(
            (f"{outcome}: {e.option}, against {e.comparator}", "", _difference_and_p(e.effect))
            for e in harm.options
        )
    return tuple(rows)


def _difference_and_p(difference: Difference) -> str:
    return f"{format_estimate(difference)}, {format_p(difference.p)}"


def stability(results: EffectStudy, scale: Scale) -> Section | None:
    """The rule learned on other folds."""
    if not results.stability:
        return None
    rows = tuple(
        (f"new folds, {i}", format_share(s.agreement), scale.format_difference(s.gain))
        for i, s in enumerate(results.stability, 1)
    )
    table = SectionTable(
        "Share of patients with the same option, and the gain of the new rule.",
        ("Run", "Same option", "Gain (95 %)"),
        rows,
    )
    return Section(
        id="stability",
        short_title="Stability",
        title="Would other folds give the same rule?",
        paragraphs=("The rule was learned again on other folds of the same patients.",),
        tables=(table,),
    )
