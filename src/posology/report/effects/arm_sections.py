"""The section on the outcome of each option: raw, adjusted, and per 100 patients."""

import math

from posology.domain.study import Study
from posology.evaluation.arms.event_curves import EventCurves
from posology.evaluation.arms.raw_outcomes import RawArm, RawOutcome
from posology.evaluation.effects.effect_study import EffectStudy
from posology.evaluation.effects.option_effects import OptionEffect
from posology.evaluation.intervals import Difference, Interval
from posology.report.effects.content import Fold, RawData, Section, SectionTable
from posology.report.effects.curve_plot import draw_curves
from posology.report.effects.forest import forest_cells
from posology.report.text import Scale, format_number, format_p_value

COMPARATOR = "compared with"
"""Beside the option that the others are compared with. Not "reference", which may be usual care."""
_REFERENCE = Difference(0.0, 0.0, 0.0, 1.0)
_STRENGTH = (
    "Gamma is the factor by which unmeasured confounding must change the odds of treatment before "
    "the difference's interval may include 0; the E-value of the limit is the same as a risk "
    "ratio. Both are 1 if the interval includes 0 already."
)


def outcomes(study: Study, results: EffectStudy, raw: RawData, scale: Scale) -> Section:
    """Each option's outcome and its difference from the reference, raw and adjusted."""
    table, is_randomised = _outcome_table(results, raw, scale), study.assignment.randomised
    folds = []
    if raw.number is not None:
        folds.append(_number_fold(raw.number, study.outcome.unit))
    strengths = _confounding_fold(results)
    if strengths is not None and not is_randomised:
        folds.append(strengths)
    unadjusted = (
        "Unadjusted and adjusted differences are both unbiased, because treatment was randomised; "
        "adjustment also removes chance imbalance."
        if is_randomised
        else "The unadjusted difference is that of the raw data. It is confounded by the reasons "
        "for treatment, so it is not an effect."
    )
    return Section(
        id="options",
        short_title="Outcome",
        title="What is the outcome with each option?",
        paragraphs=(describe_effects(results, scale), unadjusted),
        curves="" if raw.curves is None else draw_curves(raw.curves),
        tables=(table,),
        folds=tuple(folds),
    )


def describe_effects(results: EffectStudy, scale: Scale) -> str:
    """Which options differ from the reference on average, and by how much."""
    effects = [o.effect for o in results.option_effects]
    reference = results.verdict.comparator_name
    differing = [e for e in effects if e.effect.low > 0 or e.effect.high < 0]
    if not effects:
        return "No two options can be compared."
    if not differing:
        return f"No option differs clearly from {reference} on average."
    text = "; ".join(
        f"{e.option} is {'higher' if e.effect.value > 0 else 'lower'} "
        f"({scale.format_difference(e.effect)})"
        for e in differing
    )
    rest = [e.option for e in effects if e not in differing]
    others = f" No clear difference: {', '.join(rest)}." if rest else ""
    return f"Against {reference}, each given to the whole analysis population: {text}.{others}"


def _outcome_table(results: EffectStudy, raw: RawData, scale: Scale) -> SectionTable:
    adjusted = {v.rule.removesuffix(" for all"): v.value for v in results.rule_values}
    effects = {o.effect.option: o for o in results.option_effects}
    comparator = results.verdict.comparator
    options = [option.name for option in results.verdict.overlap.options]
    rows = []
    for k, name in enumerate(options):
        is_reference = k == comparator
        unadjusted = _raw_difference(raw, k)
        effect = effects.get(name)
        reason = results.verdict.overlap.options[k].reason
        rows.append(
            (
                f"{name} ({COMPARATOR})" if is_reference else name,
                *_raw_cells(raw, k, scale),
                "" if is_reference else scale.format_difference(unadjusted),
                _adjusted(adjusted.get(name), scale),
                *_effect_cells(is_reference, effect, reason, scale),
            )
        )
    plots, axis = forest_cells(
        [
            _REFERENCE
            if k == comparator
            else scale.rescale(effects[name].effect.effect)
            if name in effects
            else None
            for k, name in enumerate(options)
        ]
    )
    heads = (
        "Option",
        "Patients",
        *_raw_heads(raw, scale),
        "Difference, unadjusted (95 %)",
        "Adjusted (95 %)",
        "Difference, adjusted (95 %)",
        "p",
    )
    return SectionTable(_caption(results, raw, scale), heads, tuple(rows), plots, axis)


def _caption(results: EffectStudy, raw: RawData, scale: Scale) -> str:
    what = "Restricted mean survival time" if raw.curves is not None else "Outcome"
    per = "per 100 patients" if scale.factor == 100 else scale.unit
    known = "the areas under the curves" if raw.curves is not None else "of known outcomes"
    return (
        f"{what} by option, {per}; differences from {results.verdict.comparator_name}. "
        f"Unadjusted: {known}. Adjusted: doubly robust, as if the whole "
        "analysis population had received the option; its intervals and p count all "
        "options (max-t)."
    )


def _raw_heads(raw: RawData, scale: Scale) -> tuple[str, ...]:
    if raw.curves is not None:
        return "Events", "Unadjusted"
    return ("Unadjusted, n/N (%)",) if scale.factor == 100 else ("Unadjusted, mean (SD)",)


def _raw_cells(raw: RawData, k: int, scale: Scale) -> tuple[str, ...]:
    if raw.curves is not None:
        curve = raw.curves.curves[k]
        mean = f"{curve.restricted_mean:,.1f}" if curve.patients else "not known"
        return f"{curve.patients:,}", f"{curve.events:,}", mean
    if raw.outcome is None:
        return "", ""
    arm = raw.outcome.arms[k]
    return f"{arm.patients:,}", describe_raw(arm, scale.factor == 100)


def describe_raw(arm: RawArm, is_share: bool) -> str:
    """`12/50 (24.0 %)`, or `3.1 (1.2), n = 50`."""
    if not arm.known:
        return "not known" if arm.decisions else "none"
    if is_share:
        return f"{arm.total:,.0f}/{arm.known:,} ({100 * arm.mean:.1f} %)"
    text = f"{format_number(arm.mean)} ({format_number(arm.deviation)})"
    return text if arm.known == arm.decisions else f"{text}, n = {arm.known:,}"


def _raw_difference(raw: RawData, k: int) -> Difference:
    source: EventCurves | RawOutcome | None = raw.curves or raw.outcome
    return _REFERENCE if source is None else source.differences[k]


def _adjusted(value: Interval | None, scale: Scale) -> str:
    known = value is not None and not math.isnan(value.value)
    return scale.format_estimate(value) if known and value is not None else ""


def _effect_cells(
    is_reference: bool, effect: OptionEffect | None, reason: str, scale: Scale
) -> tuple[str, str]:
    if is_reference:
        return "", ""
    if effect is None:
        return f"not judged: {reason}" if reason else "not judged", ""
    difference = effect.effect.effect
    return scale.format_difference(difference), format_p_value(difference.p)


def _number_fold(number: RawOutcome, unit: str) -> Fold:
    """The number itself by arm, unadjusted."""
    scale = Scale(unit, 1.0)
    rows = tuple(
        (
            arm.option,
            f"{arm.known:,}",
            describe_raw(arm, is_share=False).split(", n")[0],
            "reference" if k == number.comparator else scale.format_difference(difference),
        )
        for k, (arm, difference) in enumerate(zip(number.arms, number.differences, strict=True))
    )
    name = f"{number.name[:1].upper()}{number.name[1:]}"
    stated = "" if name.endswith(unit) else f" ({unit})"
    caption = f"{name}{stated}, where it was measured; nothing is adjusted."
    heads = ("Option", "Measured", "Unadjusted, mean (SD)", "Difference, unadjusted (95 %)")
    return Fold(
        "The number that was measured, by option", tables=(SectionTable(caption, heads, rows),)
    )


def _confounding_fold(results: EffectStudy) -> Fold | None:
    rows = tuple(
        (
            o.effect.option,
            f"{s.e_value:.2f}",
            f"{s.e_value_limit:.2f}",
            f"{s.gamma:.2f}",
        )
        for o in results.option_effects
        if (s := o.confounder_strength) is not None
    )
    if not rows:
        return None
    heads = ("Option", "E-value", "E-value of the limit", "Gamma of the limit")
    caption = f"Of the differences from {results.verdict.comparator_name}."
    return Fold(
        "How strong unmeasured confounding would have to be",
        paragraphs=(_STRENGTH,),
        tables=(SectionTable(caption, heads, rows),),
    )
