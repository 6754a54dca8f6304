"""Sections on whether the options can be compared: target trial, overlap, balance, confounding."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from posology.domain.study import Outcome, Study
from posology.evaluation.effects.effect_study import EffectStudy
from posology.evaluation.effects.overlap import MAX_EXCLUDED_SHARE
from posology.report.effects import plots
from posology.report.effects.content import Section, SectionTable
from posology.report.plots import learning_figures
from posology.report.svg import inline_figure
from posology.report.text import format_number, format_share

MAX_ROWS = 15
"""Of a table of covariates."""
_BALANCED = 0.1
"""A standardised mean difference below it is usually called balanced."""
_DECISIONS = {
    "first": "the first",
    "every": "every",
    "interval": "from the first on, at even intervals:",
    "sequential": "a sequence of trials of those who used no option yet, one at each",
}
_OUTCOMES = {
    "occurs": "effective if it occurs",
    "does_not_occur": "effective if it does not occur",
    "value_in_range": "effective if its first value is in range",
    "change": "effective if its first value has changed as required",
    "time_to_event": "time without it",
}


def target_trial(study: Study, unit: str) -> Section:
    """The protocol of the emulated trial, as the study file states it."""
    assignment, decision = study.assignment, study.decision
    eligibility = [
        *([f"one of {_codes(decision.eligible)}"] if decision.eligible else []),
        *([f"none of {_codes(decision.excluded)}"] if decision.excluded else []),
        *(f"{_codes(r.codes)} in range" for r in decision.ranges),
    ]
    assigned = "; randomised" if assignment.randomised else "; chosen by clinicians"
    comparators = (
        "the best single option for all",
        "each option for all",
        "usual care",
        *(rule.name for rule in study.rules),
    )
    rows = (
        ("Eligibility", "; ".join(eligibility) or "every patient with a time zero"),
        ("Time zero", f"{_DECISIONS[decision.which]} {_codes(decision.codes)}"),
        ("Options", "; ".join(t.title for t in study.formulary.treatments)),
        ("Treatment", f"started within {assignment.grace_days:g} days of time zero{assigned}"),
        *(
            [("Landmark", f"outcomes count from day {assignment.landmark_days:g} on")]
            if assignment.landmark_days
            else []
        ),
        ("Comparators", "; ".join(comparators)),
        ("Outcome", _outcome(study.outcome)),
        ("Estimand", f"difference in means over the analysis population, in {unit}"),
    )
    return Section(
        id="trial",
        short_title="Target trial",
        title="Which trial does this analysis emulate?",
        paragraphs=(
            "The question: if patients like these had received one option or the other at time "
            "zero, what would their outcomes have been?",
        ),
        tables=(SectionTable("From the study file.", (), rows),),
    )


def overlap(results: EffectStudy) -> Section:
    """In which patients the options can be compared."""
    overall = results.verdict.overlap
    rows = tuple(
        (
            o.name,
            f"{o.patients:,}",
            f"{o.effective_sample_size:,.0f}",
            format_share(o.extreme_share),
            f"not judged: {o.reason}" if o.reason else "",
        )
        for o in overall.options
    )
    tables = [
        SectionTable(
            "Overlap of each option. Effective sample size: of the patients who received it, "
            "after weighting.",
            (
                "Option",
                "Received by",
                "Effective sample size",
                "Propensity outside 5 to 95 %",
                "",
            ),
            rows,
        )
    ]
    if results.excluded:
        tables.append(
            SectionTable(
                "Patients left out: means and standardised mean differences, largest first.",
                ("Covariate", "Included", "Left out", "Difference"),
                tuple(
                    (
                        r.covariate,
                        format_number(r.included),
                        format_number(r.excluded),
                        f"{r.difference:+.2f}",
                    )
                    for r in results.excluded[:MAX_ROWS]
                ),
            )
        )
    warning = " Warning: the conclusions do not cover the others." if overall.excludes_many else ""
    return Section(
        id="overlap",
        short_title="Overlap",
        title="In which patients can the options be compared?",
        paragraphs=(
            f"{format_share(1 - overall.excluded_share)} of patients had a propensity of at least "
            f"5 % for every option. They are the analysis population.{warning} The page warns if "
            f"more than {format_share(MAX_EXCLUDED_SHARE)} are left out.",
        ),
        tables=tuple(tables),
    )


def balance(results: EffectStudy) -> Section:
    """Standardised mean differences between options, before and after weighting."""
    section = Section(
        id="balance",
        short_title="Balance",
        title="Does weighting make the options comparable?",
        paragraphs=("The analysis population holds patients of fewer than two options.",),
    )
    known = [row for row in results.balance if not math.isnan(row.after)]
    if not known:
        return section
    largest = max(known, key=lambda row: abs(row.after))
    covariates = {row.covariate for row in known}
    unbalanced = {row.covariate for row in known if abs(row.after) > _BALANCED}
    verdict = f"{len(unbalanced)} of {len(covariates)} covariates are above it"
    if not unbalanced:
        verdict = "all covariates are balanced"
    included = format_share(1 - results.verdict.overlap.excluded_share)
    figure = inline_figure(
        plots.plot_balance(results.balance),
        "balance",
        "Largest standardised mean difference between two options, before and after weighting; "
        f"the largest after weighting is {abs(largest.after):.2f}",
        "The least balanced covariates.",
    )
    return replace(
        section,
        paragraphs=(
            "Weighted by the inverse of their propensity, the patients of the options should "
            f"resemble each other in the analysis population ({included} of patients). An absolute "
            "standardised mean difference below 0.1 between two options is usually called balanced "
            f"(Austin 2009); of each covariate the largest over all pairs counts: {verdict}. The "
            f"largest is {abs(largest.after):.2f}: {largest.covariate}, {largest.option} against "
            f"{largest.comparator}.",
        ),
        figures=(figure,),
    )


def unmeasured_confounding(results: EffectStudy, is_randomised: bool) -> Section | None:
    """How strong unmeasured confounding would have to be to explain the rule's gain."""
    if is_randomised:
        paragraphs = (
            "Treatment was randomised, so confounding is excluded, provided that patients adhered "
            "to the assignment and that losses to follow-up were not informative. Otherwise the "
            "E-values and Gammas above apply.",
        )
    elif results.rule_confounder_strength is None:
        return None
    else:
        s = results.rule_confounder_strength
        gain = (
            "No gain is shown, so there is none to explain away; unmeasured confounding could just "
            "as well hide one."
            if s.gamma <= 1
            else "The interval of the rule's gain may include 0 if unmeasured confounding changes "
            f"the odds of treatment by a factor of {s.gamma:.2f} (Gamma), or if an unmeasured "
            "confounder is associated with both treatment and outcome by a risk ratio of "
            f"{s.e_value_limit:.2f} each ({s.e_value:.2f} for the estimate)."
        )
        paragraphs = (
            "Ranking and calibration measures cannot detect unmeasured confounding; these figures "
            "say how strong it would have to be. Those of each option are in the first table.",
            gain,
        )
    return Section(
        id="hidden",
        short_title="Unmeasured confounding",
        title="How strong would unmeasured confounding have to be?",
        paragraphs=paragraphs,
    )


def learning(
    phases: Sequence[tuple[str, Sequence[Mapping[str, int | float]]]],
) -> Section | None:
    """Learning curves of a saved policy."""
    if not phases:
        return None
    return Section(
        id="learning",
        short_title="Learning curves",
        title="Learning curves of the saved policy",
        paragraphs=(),
        figures=learning_figures(phases),
    )


def _outcome(outcome: Outcome) -> str:
    window = f"day {outcome.from_days:g} to {outcome.within_days:g}"
    unless = f"; ineffective after {_codes(outcome.unless)}" if outcome.unless else ""
    competing = f"; {_codes(outcome.competing)} counts as {outcome.competing_as.replace('_', '-')}"
    return (
        f"{_codes(outcome.codes)}, {window}: {_OUTCOMES.get(outcome.kind, outcome.kind)}{unless}"
        f"{competing if outcome.competing else ''}"
    )


def _codes(codes: tuple[str, ...]) -> str:
    return " or ".join(codes)
