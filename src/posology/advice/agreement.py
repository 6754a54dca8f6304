"""Whether the ranges of a dose and the dose itself say the same of a patient."""

from posology.domain.recommendation.option import DoseAdvice, OptionAdvice
from posology.domain.study import Study

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
    return (
        f"The ranges and the dose do not agree: by the ranges {outside:.0f} of 100 such patients "
        f"need a dose outside the interval to plan for, by the dose {rest:.0f}. Rely on neither.",
    )
