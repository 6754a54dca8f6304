"""A warning where the ranges of a dose contradict the dose."""

from dataclasses import replace

import pytest

from posology.advice.agreement import (
    describe_disagreement,
    describe_other_range,
    with_range_of_dose,
)
from posology.domain.recommendation.findings import Certainty
from posology.domain.recommendation.option import NOT_ESTIMATED, DoseAdvice, Estimate, OptionAdvice
from tests.builders.policies import iwpc_cohort

DOSE = DoseAdvice(22.0, "mg/wk", 22.0, (2.0, 100.0), coverage=0.8, plan_for=(15.0, 30.0))


def options(*counts: float) -> tuple[OptionAdvice, ...]:
    return tuple(
        OptionAdvice(n, n, NOT_ESTIMATED, Estimate(*3 * (float(c),)), None, (), None, None, ())
        for n, c in zip(("low", "medium", "high"), counts, strict=True)
    )


@pytest.mark.parametrize(("counts", "warns"), [((34, 33, 33), True), ((34, 40, 26), False)])
def test_many_in_a_range_that_the_interval_does_not_touch_are_named(
    counts: tuple[float, ...], warns: bool
) -> None:
    """34, 33 and 33 of 100 stood above an interval from 15 to 30 that should hold 80."""
    found = describe_disagreement(iwpc_cohort().study, DOSE, options(*counts))
    assert bool(found) == warns
    if warns:
        assert found[0].startswith("The ranges and the dose do not agree: by the ranges 33 of 100 ")


def test_nothing_is_compared_without_an_interval_or_where_options_are_no_ranges() -> None:
    study, of_100 = iwpc_cohort().study, options(34, 33, 33)
    assert describe_disagreement(study, replace(DOSE, plan_for=None), of_100) == ()
    assert describe_disagreement(study, None, of_100) == ()
    other = replace(study, outcome=replace(study.outcome, kind="occurs"))
    assert describe_disagreement(other, DOSE, of_100) == ()


def test_a_dose_outside_the_likeliest_range_is_named_and_its_range_could_be_right() -> None:
    """45 mg stood under `56 of 100 need over 49`, and the list held that range alone."""
    study = iwpc_cohort().study
    dose = replace(DOSE, dose=45.0, exact=45.0, plan_for=(32.0, 83.0))
    (found,) = describe_other_range(study, dose, options(2, 42, 56))
    assert found.startswith("The dose, 45 mg/wk, lies in “medium dose")
    assert "56 of 100 such patients need “high dose" in found
    assert describe_other_range(study, dose, options(2, 56, 42)) == ()
    titles = {t.name: t.title for t in study.formulary.treatments}
    listed = Certainty(option_set=(titles["high"],))
    with_own = with_range_of_dose(study, listed, dose)
    assert with_own.option_set == (titles["high"], titles["medium"])
    assert with_range_of_dose(study, with_own, dose) == with_own
