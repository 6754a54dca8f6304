"""Whether the ranges of a dose and the dose itself say the same of a patient."""

from dataclasses import replace

from posology.advice.dose_support import limit_dose
from posology.domain.recommendation.findings import Certainty
from posology.domain.recommendation.option import DoseAdvice, OptionAdvice
from posology.domain.study import Study
from posology.language.catalogue import tr
from posology.language.numbers import number

MARGIN = 10.0
"""Patients of 100 by which the two may differ; our choice."""


def describe_disagreement(
    study: Study, dose: DoseAdvice | None, options: tuple[OptionAdvice, ...]
) -> tuple[str, ...]:
    """A warning if the ranges give far more patients doses outside the interval to plan for.

    The interval holds the right dose of so many of 100 patients; the ranges that it does not touch
    may not hold many more than the rest. A model whose parts disagree is poor for this patient.
    """
    if study.outcome.kind != "dose_class" or dose is None or dose.plan_for is None:
        return ()
    low, high = dose.plan_for
    ranges = {t.name: t.dose for t in study.formulary.treatments if t.dose is not None}
    outside = sum(
        option.outcome.value
        for option in options
        if option.outcome is not None
        and option.name in ranges
        and (ranges[option.name].high < low or ranges[option.name].low > high)
    )
    rest = 100.0 * (1.0 - (dose.coverage or 0.0))
    if outside <= rest + MARGIN:
        return ()
    text = tr(
        "The ranges and the dose do not agree: by the ranges {outside} of 100 such patients need a "
        "dose outside the interval to plan for, by the dose {rest}. Rely on neither."
    )
    return (text.format(outside=f"{outside:.0f}", rest=f"{rest:.0f}"),)


def describe_other_range(
    study: Study, dose: DoseAdvice | None, options: tuple[OptionAdvice, ...]
) -> tuple[str, ...]:
    """That another range is likelier than the one that the dose lies in, where it is."""
    own = range_of_dose(study, dose)
    counts = {o.name: o.outcome for o in options if o.outcome is not None}
    if dose is None or own is None or own not in counts:
        return ()
    titles = {t.name: t.title for t in study.formulary.treatments}
    likeliest = max(counts.items(), key=lambda pair: pair[1].value)
    if likeliest[0] == own or likeliest[1].low <= counts[own].high:
        return ()
    text = tr(
        "The dose, {dose} {unit}, lies in “{own}”, but by the ranges {count} of 100 such patients "
        "need “{other}”."
    ).format(
        dose=number(f"{dose.dose:g}"),
        unit=dose.unit,
        own=titles[own],
        count=f"{likeliest[1].value:.0f}",
        other=titles[likeliest[0]],
    )
    return (text,)


def with_range_of_dose(study: Study, certainty: Certainty, dose: DoseAdvice | None) -> Certainty:
    """The list of ranges that could be right, with the one that holds the dose."""
    own = range_of_dose(study, dose)
    titles = {t.name: t.title for t in study.formulary.treatments}
    if own is None or not certainty.option_set or titles[own] in certainty.option_set:
        return certainty
    return replace(certainty, option_set=(*certainty.option_set, titles[own]))


def range_of_dose(study: Study, dose: DoseAdvice | None) -> str | None:
    """Name of the option whose range holds the dose; None where options are no ranges."""
    if study.outcome.kind != "dose_class" or dose is None:
        return None
    return next(
        (
            treatment.name
            for treatment in study.formulary.treatments
            if treatment.dose is not None and limit_dose(dose.exact, treatment.dose) == dose.exact
        ),
        None,
    )
