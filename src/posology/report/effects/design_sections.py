"""Sections on whether the options can be compared: overlap, unmeasured confounding, learning."""

from collections.abc import Mapping, Sequence

from posology.evaluation.effects.effect_study import EffectStudy
from posology.evaluation.effects.overlap import MAX_EXCLUDED_SHARE, ExcludedComparison
from posology.report.effects.content import Fold, Section, SectionTable
from posology.report.plots import learning_figures
from posology.report.text import format_number, format_share

MAX_ROWS = 15
"""Of a table of covariates."""


def overlap(
    results: EffectStudy, excluded: tuple[ExcludedComparison, ...], is_randomised: bool
) -> Section:
    """In which patients the options can be compared, and what unmeasured confounding could do."""
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
    table = SectionTable(
        "Overlap of each option. Effective sample size: of the patients who received it, after "
        "weighting.",
        ("Option", "Given to", "Effective sample size", "Propensity outside 5 to 95 %", ""),
        rows,
    )
    folds = [Fold("Overlap of each option", tables=(table,))]
    if excluded:
        folds.append(Fold("Who was left out", tables=(_left_out(excluded),)))
    return Section(
        id="overlap",
        short_title="Validity",
        title="Can the options be compared?",
        paragraphs=(_describe_population(results), _confounding(results, is_randomised)),
        folds=tuple(folds),
    )


def _describe_population(results: EffectStudy) -> str:
    overall = results.verdict.overlap
    share = format_share(1 - overall.excluded_share)
    text = (
        f"{share} of decisions ({overall.included.decisions:,} of {overall.total.decisions:,}) had "
        "a propensity of at least 5 % for every option that is judged. They are the analysis "
        "population: the conclusions are about them."
    )
    if not overall.excludes_many:
        return text
    return (
        f"{text} Warning: more than {format_share(MAX_EXCLUDED_SHARE)} are left out, and the "
        "conclusions do not cover the others."
    )


def _left_out(excluded: tuple[ExcludedComparison, ...]) -> SectionTable:
    return SectionTable(
        "Patients left out: means and standardised mean differences, largest first.",
        ("Covariate", "Analysed", "Left out", "Difference"),
        tuple(
            (
                r.covariate,
                format_number(r.included),
                format_number(r.excluded),
                f"{r.difference:+.2f}",
            )
            for r in excluded[:MAX_ROWS]
        ),
    )


def _confounding(results: EffectStudy, is_randomised: bool) -> str:
    """How strong unmeasured confounding would have to be to explain the rule's gain."""
    if is_randomised:
        return (
            "Treatment was randomised, so confounding is excluded, provided that the options on "
            "record are those assigned and that losses to follow-up were not informative."
        )
    strength = results.rule_confounder_strength
    text = "Nothing on this page can detect unmeasured confounding."
    if strength is None or strength.gamma <= 1:
        return (
            f"{text} No gain of the rule is shown, so there is none to explain away; unmeasured "
            "confounding could just as well hide one."
        )
    return (
        f"{text} The interval of the rule's gain may include 0 if it changes the odds of treatment "
        f"by a factor of {strength.gamma:.2f} (Gamma), or if an unmeasured confounder is "
        "associated with both treatment and outcome by a risk ratio of "
        f"{strength.e_value_limit:.2f} each ({strength.e_value:.2f} for the estimate)."
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
        title="How was the saved policy learned?",
        paragraphs=(),
        folds=(Fold("Learning curves", figures=learning_figures(phases)),),
    )
