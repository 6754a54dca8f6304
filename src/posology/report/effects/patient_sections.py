"""Sections on patients: heterogeneity of effects, single patients, groups."""

from posology.evaluation.effects.abstention import Abstention
from posology.evaluation.effects.effect_study import Contrast, EffectStudy
from posology.evaluation.effects.subgroup_gain import SubgroupGain
from posology.evaluation.effects.verdict import CANNOT_JUDGE, GAIN
from posology.report.effects import plots
from posology.report.effects.content import Section, SectionTable
from posology.report.effects.text import describe_personalisation
from posology.report.svg import InlineFigure, inline_figure
from posology.report.text import Scale, format_estimate, format_number, format_p, format_share

MIN_TREATED = 0.1
"""An option has a decision curve if this share of patients is predicted to benefit; our choice."""


def heterogeneity(results: EffectStudy, scale: Scale) -> Section | None:
    """Whether effects differ between patients: test, ranking, calibration, decision curves."""
    if results.verdict.kind == CANNOT_JUDGE or not results.contrasts:
        return None
    rows = tuple(
        (
            f"{c.option} against {c.comparator}",
            format_estimate(c.ranking.autoc),
            format_estimate(c.ranking.qini),
            format_estimate(c.calibration.slope),
            format_estimate(c.calibration.calibration_in_the_large),
            format_p(c.calibration.p),
            format_estimate(c.c_for_benefit),
        )
        for c in results.contrasts
    )
    heads = (
        "Contrast",
        "AUTOC",
        "Qini",
        "Calibration slope",
        "Calibration in the large",
        "Shape",
        "C-for-benefit",
    )
    caption = (
        "Of the predicted effects, whether or not effects vary significantly. AUTOC and Qini: 0 is "
        "a ranking no better than chance. Perfect calibration: slope 1, and 0 in the large (mean "
        "observed minus mean predicted effect). Shape: a small p means that observed effects do "
        "not follow the predicted ones, whatever their mean. C-for-benefit: 0.5 is chance; a "
        "secondary measure, because it is not a proper score. A good ranking does not imply a "
        "correct mean."
    )
    return Section(
        id="patients",
        short_title="Patients",
        title="Do effects differ between patients?",
        paragraphs=(_describe_heterogeneity(results),),
        figures=tuple(
            figure for at, c in enumerate(results.contrasts) for figure in _curves(at, c, scale)
        ),
        tables=(SectionTable(caption, heads, rows),),
    )


def _describe_heterogeneity(results: EffectStudy) -> str:
    test = results.heterogeneity
    differ = "differ" if test.p < 0.05 else "do not differ"
    is_shown = "is" if results.verdict.kind == GAIN else "is not"
    without_curve = [c.option for c in results.contrasts if not _has_decision_curve(c)]
    note = ""
    if without_curve:
        note = (
            f" Fewer than {format_share(MIN_TREATED)} of patients are predicted to benefit from "
            f"{', or from '.join(without_curve)}, so there is no decision curve."
        )
    return (
        f"Effects {differ} significantly between patients ({format_p(test.p)}, one-sided): the "
        f"calibration slope of the predicted effects is {test.slope:.2f} (standard error "
        f"{test.standard_error:.2f}; 1 is perfect, 0 is no heterogeneity that the model predicts)."
        f"{describe_personalisation(results)} Whether a personalised rule improves "
        f"outcomes is another question; on these patients a gain {is_shown} shown.{note}"
    )


def _has_decision_curve(c: Contrast) -> bool:
    return c.decision_curve[0].treated_share >= MIN_TREATED


def _curves(at: int, c: Contrast, scale: Scale) -> list[InlineFigure]:
    """Calibration for benefit, and the decision curve unless almost no patient would be treated."""
    title = f"{c.option} against {c.comparator}"
    unit = "percentage points" if scale.factor == 100 else "the outcome's unit"
    figures = [
        inline_figure(
            plots.plot_benefit(c.calibration, scale.factor, unit),
            f"benefit-{at}",
            f"Observed against predicted benefit, {title}",
            f"{title}: calibration for benefit.",
        )
    ]
    if _has_decision_curve(c):
        figures.append(
            inline_figure(
                plots.plot_decision_curve(c.decision_curve, scale.factor, unit),
                f"decision-{at}",
                f"Decision curve, {title}",
                f"{title}: net benefit by the smallest benefit that justifies treatment.",
            )
        )
    return figures


def single_patients(results: EffectStudy, scale: Scale) -> Section | None:
    """How certain the effect for one patient is, and when to leave the choice to clinicians."""
    patients = results.abstention
    if patients is None:
        return None
    best, unsure = results.verdict.comparator_name, patients.when_uncertain
    certain = "; ".join(
        f"{o.option} is clearly better than {best} for {format_share(o.better_share)} of patients "
        f"and clearly worse for {format_share(o.worse_share)}"
        for o in patients.options
    )
    figure = plots.plot_abstention(patients.curve, scale.factor, scale.unit)
    values = "; ".join(
        f"{format_share(p.abstained_share)} {scale.format_value(p.value.value)}"
        for p in patients.curve
    )
    alt = f"Mean outcome by the share of patients left to clinicians: {values}"
    return Section(
        id="one",
        short_title="One patient",
        title="How certain is the effect for one patient?",
        paragraphs=(
            f"{certain}. For the other patients there is no reliable difference. Each interval is "
            "for the mean effect of patients with the same recorded covariates, not of one person, "
            "and contains it for 95 % of patients on average, not for each.",
            f"If clinicians chose for the {format_share(unsure.abstained_share)} of patients for "
            "whom no option is clearly better than the others, and the rule for all other "
            "patients, the gain would be "
            f"{scale.format_difference(unsure.gain_over_usual_care)} over usual care and "
            f"{scale.format_difference(unsure.gain_over_best_single)} over "
            f"{results.verdict.best_single} for all.",
        ),
        figures=(inline_figure(figure, "abstention", alt, scale.unit),),
        tables=(_certainty_table(patients, best, scale), _abstention_table(patients, scale)),
    )


def _certainty_table(patients: Abstention, best: str, scale: Scale) -> SectionTable:
    return SectionTable(
        f"Effect for one patient against {best}: intervals that exclude 0.",
        ("Option", "Clearly better", "Clearly worse", "Median width of the interval"),
        tuple(
            (
                o.option,
                format_share(o.better_share),
                format_share(o.worse_share),
                format_number(scale.factor * o.median_width),
            )
            for o in patients.options
        ),
    )


def _abstention_table(patients: Abstention, scale: Scale) -> SectionTable:
    return SectionTable(
        "The rule, with the least certain patients treated as their clinicians chose; "
        f"{scale.unit}.",
        (
            "Left to clinicians",
            "Mean outcome (95 %)",
            "Gain over usual care (95 %)",
            "Gain over the best single option (95 %)",
        ),
        tuple(
            (
                format_share(p.abstained_share),
                scale.format_estimate(p.value),
                scale.format_difference(p.gain_over_usual_care),
                scale.format_difference(p.gain_over_best_single),
            )
            for p in patients.curve
        ),
    )


def groups(results: EffectStudy, scale: Scale) -> Section | None:
    """The rule and the average effects by group."""
    if not results.subgroups:
        return None
    by_group = SectionTable(
        "The rule by subgroup, in the analysis population.",
        (
            "Subgroup",
            "Patients",
            "Analysed",
            "Rule differs",
            "Mean outcome by it (95 %)",
            "Gain (95 %)",
        ),
        tuple(
            (
                f"{g.family}: {g.group}",
                f"{g.n:,}",
                format_share(g.in_population / g.n) if g.n else "",
                format_share(g.differing_share),
                _group_value(g, scale),
                scale.format_difference(g.gain),
            )
            for g in results.subgroups
        ),
    )
    effects = SectionTable(
        f"Average effect in each subgroup, predicted and observed, {scale.unit}.",
        ("Subgroup", "Contrast", "Predicted", "Observed (95 %)", "Predicted is"),
        tuple(
            (
                f"{g.family}: {g.group}",
                f"{b.option} against {b.comparator}",
                format_number(scale.factor * b.predicted),
                scale.format_difference(b.observed),
                "" if b.observed.low <= b.predicted <= b.observed.high else "outside",
            )
            for g in results.subgroups
            for b in g.benefits
        ),
    )
    return Section(
        id="groups",
        short_title="Subgroups",
        title="Is the rule worse for any subgroup?",
        paragraphs=(
            "Intervals of subgroups are not corrected for multiple testing: an interval that just "
            "excludes 0 is a reason to look, not a finding.",
        ),
        tables=(by_group, effects),
    )


def _group_value(group: SubgroupGain, scale: Scale) -> str:
    is_known = group.value.value == group.value.value
    return scale.format_estimate(group.value) if is_known else ""
