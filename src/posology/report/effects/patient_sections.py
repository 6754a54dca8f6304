"""Section on how effects differ between patients: test, ranking, calibration, one patient."""

from posology.evaluation.effects.abstention import Abstention, AbstentionPoint
from posology.evaluation.effects.effect_study import Contrast, EffectStudy
from posology.evaluation.effects.verdict import CANNOT_JUDGE, GAIN
from posology.report.effects import plots
from posology.report.effects.content import Fold, Section, SectionTable
from posology.report.effects.result_sections import observed_treatment
from posology.report.effects.text import describe_personalisation
from posology.report.inline_figure import InlineFigure
from posology.report.svg import inline_figure
from posology.report.text import Scale, format_estimate, format_number, format_p, format_share

HETEROGENEOUS = 0.05
"""Level of the test."""
MIN_TREATED = 0.1
"""An option has a decision curve if this share of patients is predicted to benefit; our choice."""


def heterogeneity(results: EffectStudy, scale: Scale, is_randomised: bool) -> Section | None:
    """Whether effects differ between patients; ranking, calibration and one patient are folded."""
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
    figures = (figure for at, c in enumerate(results.contrasts) for figure in _curves(at, c, scale))
    folds = [
        Fold(
            "Ranking and calibration of the predicted effects, and decision curves",
            figures=tuple(figures),
            tables=(SectionTable(caption, heads, rows),),
        )
    ]
    one = _single_patients(results, scale, is_randomised)
    return Section(
        id="effects",
        short_title="Differences",
        title="Do effects differ between patients?",
        paragraphs=(_describe_heterogeneity(results), *_comment_ranking(results)),
        folds=(*folds, *one),
    )


def _comment_ranking(results: EffectStudy) -> tuple[str, ...]:
    """Ranking intervals without 0 where the test shows nothing: not to be overread."""
    if results.heterogeneity.p < HETEROGENEOUS:
        return ()
    named = []
    for c in results.contrasts:
        measures = (("AUTOC", c.ranking.autoc), ("Qini", c.ranking.qini))
        without = [name for name, area in measures if area.low > 0 or area.high < 0]
        if without:
            named.append(f"{' and '.join(without)} of {c.option} against {c.comparator}")
    if not named:
        return ()
    return (
        f"The interval of {'; '.join(named)} excludes 0 all the same. It is one of "
        f"{2 * len(results.contrasts)} such intervals and not corrected for their number; the test "
        "above is of all effects together and decides.",
    )


def _describe_heterogeneity(results: EffectStudy) -> str:
    test = results.heterogeneity
    differ = "differ" if test.p < HETEROGENEOUS else "are not shown to differ"
    is_shown = "is" if results.verdict.kind == GAIN else "is not"
    without_curve = [c.option for c in results.contrasts if not _has_decision_curve(c)]
    note = ""
    if without_curve:
        note = (
            f" Fewer than {format_share(MIN_TREATED)} of patients are predicted to benefit from "
            f"{', or from '.join(without_curve)}, so there is no decision curve."
        )
    return (
        f"Effects {differ} between patients ({format_p(test.p)}, one-sided): the "
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


def _single_patients(results: EffectStudy, scale: Scale, is_randomised: bool) -> tuple[Fold, ...]:
    """How certain the effect for one patient is, and when to leave the choice to clinicians."""
    patients = results.abstention
    if patients is None:
        return ()
    reference = results.verdict.comparator_name
    certain = "; ".join(
        f"{o.option} is clearly better than {reference} for {format_share(o.better_share)} of "
        f"patients and clearly worse for {format_share(o.worse_share)}"
        for o in patients.options
    )
    text = (
        f"{certain}. For the other patients there is no reliable difference. Each interval is for "
        "the mean effect of patients with the same recorded covariates, not of one person, and "
        "contains it for 95 % of patients on average, not for each."
    )
    summary, table = (
        "How certain the effect for one patient is",
        _certainty_table(patients, reference, scale),
    )
    if is_randomised:  # nobody chose
        return (Fold(summary, (text,), tables=(table,)),)
    figure = plots.plot_abstention(patients.curve, scale.factor, scale.unit)
    values = "; ".join(
        f"{format_share(p.abstained_share)} {scale.format_value(p.value.value)}"
        for p in patients.curve
    )
    alt = f"Mean outcome by the share of patients left to clinicians: {values}"
    return (
        Fold(
            summary,
            (text, _left_to_clinicians(results, scale, patients.when_uncertain)),
            figures=(inline_figure(figure, "abstention", alt, scale.unit),),
            tables=(table, _abstention_table(patients, scale)),
        ),
    )


def _left_to_clinicians(results: EffectStudy, scale: Scale, unsure: AbstentionPoint) -> str:
    return (
        f"If clinicians chose for the {format_share(unsure.abstained_share)} of patients for whom "
        "no option is clearly better than the others, and the rule for all other patients, the "
        f"gain would be {scale.format_difference(unsure.gain_over_usual_care)} over "
        f"{observed_treatment(False)} and {scale.format_difference(unsure.gain_over_best_single)} "
        f"over {results.verdict.single_reference}."
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
