"""Convert the tables of a study file that say when: decisions, treatment given, time resolution."""

from posology.cohorts.study.parser import ranges
from posology.cohorts.study.schema import (
    CriterionSection,
    DecisionSection,
    GivenSection,
    TimeSection,
)
from posology.domain.safety_rules.rule import Criterion, Fact
from posology.domain.study import SAME_DAY, AssignmentSpec, Decision, TimeSpec
from posology.errors import StudyError

BIRTH = "MEDS_BIRTH"


def decision(table: DecisionSection, where: str) -> Decision:
    """When treatment is chosen, and for which patients."""
    if table.which == "interval" and table.every_days is None:
        raise StudyError(f'{where}: [decision] which = "interval" needs `every_days`.')
    if table.which == "first" and table.every_days is not None:
        raise StudyError(
            f'{where}: [decision] `every_days` has no meaning where which = "first"; remove it.'
        )
    return Decision(
        tuple(table.codes),
        table.which,
        tuple(table.eligible),
        tuple(table.excluded),
        ranges(table.ranges, f"{where}: [decision] ranges"),
        table.every_days,
        table.look_back_days,
        table.new_users_days,
        table.history_days,
        tuple(
            _criterion(line, f"{where}: [[decision.criteria]] {number}")
            for number, line in enumerate(table.criteria, 1)
        ),
    )


def _criterion(table: CriterionSection, where: str) -> Criterion:
    """One condition on who is in the study; `where` names its place."""
    if table.age is bool(table.codes):
        raise StudyError(f"{where}: give `codes`, or age = true without codes.")
    fact = Fact(
        (BIRTH,) if table.age else tuple(table.codes),
        table.name,
        *(table.at_least, table.above, table.at_most, table.below),
        unit="years" if table.age else "",
        is_age=table.age,
        within_days=table.within_days,
    )
    if fact.is_number and not table.known:
        raise StudyError(
            f"{where}: known = false goes without bounds; to exclude numbers, give the bounds of "
            "those who are in the study."
        )
    if table.age and (not fact.is_number or fact.within_days is not None):
        raise StudyError(f"{where}: an age needs a bound such as at_least, and no `within_days`.")
    return Criterion(fact, table.known)


def given(table: GivenSection | None, where: str) -> AssignmentSpec:
    """How the treatment given is recognised."""
    if table is None:
        return AssignmentSpec()
    if (table.dose_per == "each") is (table.dose_days is None):
        raise StudyError(
            f'{where}: [given] `dose_days` goes with dose_per = "each", and only with it.'
        )
    days = table.dose_days or 1.0
    return AssignmentSpec(table.grace_days, table.switch, table.dose_per, days, table.randomised)


def clock(table: TimeSection | None, where: str) -> TimeSpec:
    """How exact the times of the records are."""
    if table is None:
        return TimeSpec()
    if table.same_day is None:
        return TimeSpec(table.resolution)
    if table.resolution != "day":
        raise StudyError(f'{where}: [time] `same_day` goes with resolution = "day"; remove it.')
    if sorted(table.same_day) != sorted(SAME_DAY):
        raise StudyError(
            f"{where}: [time] `same_day` is {table.same_day}; it names baseline, treatment and "
            "outcome once each, in their order on one day."
        )
    return TimeSpec("day", tuple(table.same_day))
