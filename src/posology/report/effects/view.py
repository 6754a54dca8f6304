"""What the template of the report on effects prints: sections of plain sentences, then tables."""

from typing import Any

from posology.evaluation.effects.verdict import CANNOT_JUDGE, GAIN
from posology.report.curves import drawn_learning
from posology.report.effects import plots, sections
from posology.report.effects.content import EffectContent
from posology.report.effects.target_trial import trial_section
from posology.report.effects.text import Scale, learned, p_value, share
from posology.report.svg import svg
from posology.report.tripod import items

FEW = 0.1
"""Share of patients said to gain below which a decision curve tells nothing; our choice."""
_CAUTION = (
    "An effect here is an average over patients alike in what was recorded, never a certainty of "
    "one person. Nothing on this page is shown to hold elsewhere or later."
)
_LEARNED = (
    "Effects of patients: an R-learner that stacks lines, splines, products, boosted trees and "
    "an X-learner. "
    "The rule is personal only where effects are shown to vary among the patients learned from "
    "(one-sided 5 %); else it gives the best single option to all. Every patient is judged by a "
    "rule and against a best single option from the other four folds."
)
_SAVED = (
    "The rule is the saved policy's first choice among what safety allows. The policy, the "
    "classical models beside it and the best single option were learned from patients outside the "
    "test split, whose patients alone are judged here; propensities and outcomes of each of these "
    "come from all the other patients. How effects differ is asked of what the policy believes."
)
_METHODS = (
    "Target trial: eligibility, time zero, options, outcome and horizon are those of the study "
    "file. Identification rests on four assumptions that no software can check: nothing but the "
    "covariates listed below decided both treatment and outcome, every option was possible for "
    "those judged, the options mean what the study says, and one patient's treatment does not "
    "change another's outcome.",
    "Propensities: the best by log loss of shares, logistic regression, splines and boosted trees, "
    "cross-fitted over five folds of patients, with one temperature. Here: {propensity}. Outcomes: "
    "ridge regression on hinges and products stacked with boosted trees, cross-fitted over the "
    "same folds. Values are means of doubly robust (AIPW) scores.",
    "{rule}",
    "Stated population: patients for whom every option had a propensity of at least 5 %; averages, "
    "values, harms and groups are of them. Intervals are the middle 95 % of 2,000 bootstrap draws "
    "of patients, the scores held fixed. They are not corrected for their number; the verdict "
    "rests on one of them. On simulated patients most of them held the truth in 91 to 100 %, the "
    "gain's in some settings in 89 to 90 % only (benchmarks.calibration_of_claims). Where the rule "
    "was learned from these patients, fold by fold, intervals of ranking and of the calibration "
    "slope are 1.41 times as wide, and p of heterogeneity counts so, for noise that folds share.",
    "Interval of one patient's effect: a Bayesian regression of the same kind, effects being a "
    "Gaussian process over lines, hinges, products and random cosines, how much they vary "
    "integrated over; learned from other folds, and widened by how far it is from what is said.",
    "Outcomes not followed to the end are made good by a doubly robust transformation, or for the "
    "time to an event by jackknife pseudo-values of the restricted mean within options. A missing "
    "covariate counts as its mean in regressions and as itself in trees.",
    "The naive split of patients into those who were given what a rule recommends and those who "
    "were not is not shown: it rewards rules that know nothing but the prognosis.",
)
_REFERENCES = (
    "Robins JM, Rotnitzky A, Zhao LP. J Am Stat Assoc 1994;89:846 (AIPW).",
    "Chernozhukov V, and others. Econom J 2018;21:C1 (cross-fitting); NBER 24678 (heterogeneity).",
    "Nie X, Wager S. Biometrika 2021;108:299 (R-learner).",
    "Nychka D. J Am Stat Assoc 1988;83:1134 (intervals right on average over patients).",
    "Crump RK, and others. Biometrika 2009;96:187 (trimming).",
    "Rubin DB, van der Laan MJ. Int J Biostat 2007;3:4; Andersen PK, and others. Lifetime Data "
    "Anal 2004;10:335 (incomplete follow-up).",
    "Yadlowsky S, and others. J Am Stat Assoc 2025 (RATE, AUTOC, Qini).",
    "van Klaveren D, and others. J Clin Epidemiol 2018;94:59; Xia Y, and others. Stat Med 2023 "
    "(c-for-benefit, and why it stands second).",
    "Calibration as a Brownian bridge: arXiv:2512.08140, here with signs resampled by patient.",
    "Vickers AJ, Kattan MW, Sargent DJ. Trials 2007;8:14 (decision curves).",
    "VanderWeele TJ, Ding P. Ann Intern Med 2017;167:268 (E-value).",
    "Tan Z. J Am Stat Assoc 2006;101:1619; Zhao Q, Small DS, Bhattacharya BB. J R Stat Soc B "
    "2019;81:735 (marginal sensitivity model).",
    "Collins GS, and others. BMJ 2024;385:e078378 (TRIPOD+AI).",
)


def view(content: EffectContent) -> dict[str, Any]:
    """The template's variables."""
    found, study = content.found, content.study
    scale = Scale(content.unit, 100.0 if content.binary else 1.0)
    rule = _SAVED if content.saved else _LEARNED
    checks = items(study, bool(found.subgroups), bool(found.harms))
    parts = [
        trial_section(study, content.unit),
        _options(content, scale),
        _rule(content, scale),
        sections.courses(content.courses),
        _varies(content, scale),
        _single_patients(content, scale),
        sections.harms(found),
        sections.overlap(found),
        _balance(content),
        sections.hidden(found, study.assignment.randomised),
        sections.groups(found, scale),
        sections.stability(found, scale),
        _learning(content),
    ]
    return {
        "study": study,
        "headline": found.verdict.sentence[:1].upper() + found.verdict.sentence[1:] + ".",
        "caution": _CAUTION,
        "evidence": content.evidence,
        "sections": [part for part in parts if part],
        "methods": [
            *(m.format(propensity=content.propensity, rule=rule) for m in _METHODS),
            _asked(content),
        ],
        "references": _REFERENCES,
        "covariates": content.covariates,
        "items": checks,
        "done": sum(bool(item.where) for item in checks if item.number != "+"),
        "footer": content.footer,
    }


def _asked(content: EffectContent) -> str:
    """How much was looked at, for whoever weighs how often chance was given a turn."""
    found = content.found
    options = len(found.verdict.overlap.options)
    return (
        f"Looked at here: {options} options, {len(content.covariates)} covariates that may change "
        f"an effect, 1 outcome, {len(found.harms)} harms or costs, {len(found.subgroups)} groups, "
        f"{len(found.stability)} further runs. One of these figures decides, the gain's interval; "
        "all others describe. What was planned before the data were seen, the authors must say."
    )


def _options(content: EffectContent, scale: Scale) -> dict[str, Any] | None:
    found = content.found
    if not found.option_effects:
        return None
    section = sections.options(found, scale, content.study.assignment.randomised)
    rows = [(o.effect.option, _scaled(o.effect.effect, scale)) for o in found.option_effects]
    figure = plots.forest_figure(rows, f"Difference from {found.verdict.best_single}")
    alt = "Average effect of each option: " + "; ".join(
        f"{o.effect.option} {scale.change(o.effect.effect)}" for o in found.option_effects
    )
    return section | {"figures": [_drawn(figure, "options", alt, scale.unit)]}


def _rule(content: EffectContent, scale: Scale) -> dict[str, Any] | None:
    found = content.found
    if not found.rule_values:
        return None
    section = sections.rule(found, scale)
    rows = [(v.rule, _scaled(v.gain, scale)) for v in found.rule_values]
    figure = plots.forest_figure(rows, "Gain over the best single option")
    alt = "Gain of each rule: " + "; ".join(
        f"{v.rule} {scale.change(v.gain)}" for v in found.rule_values
    )
    return section | {"figures": [_drawn(figure, "rule", alt, scale.unit)]}


def _varies(content: EffectContent, scale: Scale) -> dict[str, Any] | None:
    found = content.found
    if found.verdict.kind == CANNOT_JUDGE or not found.contrasts:
        return None
    shown = found.heterogeneity
    drawn = []
    for at, c in enumerate(found.contrasts):
        title = f"{c.option} against {c.comparator}"
        what = "percentage points" if scale.factor == 100 else "the outcome's unit"
        drawn.append(_drawn(
            plots.benefit_figure(c.calibration, scale.factor, what), f"benefit-{at}",
            f"Observed against predicted benefit, {title}", f"{title}: calibration for benefit.",
        ))  # fmt: skip
        if c.decision_curve[0].treated_share < FEW:
            continue  # hardly anybody is said to gain: the curve would be that of treating nobody
        drawn.append(_drawn(
            plots.decision_figure(c.decision_curve, scale.factor, what), f"decision-{at}",
            f"Decision curve, {title}", f"{title}: net benefit if patients must gain so much.",
        ))  # fmt: skip
    kind = "are" if shown.p < 0.05 else "are not"
    personal = "it is" if found.verdict.kind == GAIN else "it is not"
    none = [c.option for c in found.contrasts if c.decision_curve[0].treated_share < FEW]
    silent = (
        f" Fewer than {share(FEW)} of patients are said to gain from {', or from '.join(none)}: "
        "such an option has no decision curve."
        if none
        else ""
    )
    return sections.varies(found) | {
        "figures": drawn,
        "plain": [
            f"Effects {kind} shown to differ between patients ({p_value(shown.p)}, one-sided): the "
            f"calibration slope of the effects is {shown.slope:.2f} (standard error "
            f"{shown.standard_error:.2f}; 1 is perfect)."
            f"{learned(found)} Whether choosing by the patient is worth it is another question, "
            f"and on these patients {personal} shown.{silent}",
        ],
    }


def _learning(content: EffectContent) -> dict[str, Any] | None:
    if not content.learning:
        return None
    return {
        "id": "learning", "short": "Learning", "title": "How did the saved policy learn?",
        "plain": [], "figures": drawn_learning(content.learning), "tables": [],
    }  # fmt: skip


def _single_patients(content: EffectContent, scale: Scale) -> dict[str, Any] | None:
    section = sections.single_patients(content.found, scale)
    if section is None or content.found.abstention is None:
        return None
    curve = content.found.abstention.curve
    figure = plots.abstention_figure(curve, scale.factor, scale.unit)
    alt = "Mean outcome by the share of patients left to clinicians: " + "; ".join(
        f"{share(p.abstained_share)} {scale.value(p.value.value)}" for p in curve
    )
    return section | {"figures": [_drawn(figure, "abstention", alt, scale.unit)]}


def _balance(content: EffectContent) -> dict[str, Any]:
    found = content.found
    worst = max((abs(row.after) for row in found.balance), default=0.0)
    over = len({row.covariate for row in found.balance if abs(row.after) > 0.1})
    many = len({row.covariate for row in found.balance})
    figure = plots.balance_figure(found.balance)
    alt = f"Standardised differences before and after weighting; the largest after is {worst:.2f}"
    rest = "all are balanced" if not over else f"{over} of {many} stay above it"
    return {
        "id": "balance",
        "short": "Balance",
        "title": "Does weighting make the options comparable?",
        "plain": [
            f"Patients of each option, weighted by how unlikely it was, should look like all "
            f"patients. A standardised difference below 0.1 is usually called balanced: {rest}. "
            "Before trimming to the stated population "
            f"({share(1 - found.verdict.overlap.excluded_share)} of patients), "
            "weights of the unlikely are large and differences with them.",
        ],
        "figures": [_drawn(figure, "balance", alt, "The least balanced covariates.")],
        "tables": [],
    }


def _scaled(difference: Any, scale: Scale) -> Any:
    f = scale.factor
    return type(difference)(f * difference.value, f * difference.low, f * difference.high,
                            difference.p)  # fmt: skip


def _drawn(figure: Any, name: str, alt: str, caption: str) -> dict[str, Any]:
    return {"svg": svg(figure, name, alt), "caption": caption}
