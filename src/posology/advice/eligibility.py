"""Whether a study is for the patient at hand: its own criteria, as far as the facts decide them."""

import math
from dataclasses import dataclass

import numpy as np

from posology.advice.wording.lists import both
from posology.domain.codes import display_names, has_prefix
from posology.domain.safety import is_in_range
from posology.domain.safety_rules.facts import (
    MET,
    UNKNOWN,
    VisibleFacts,
    describe_fact,
    fact_status,
)
from posology.domain.safety_rules.rule import Criterion
from posology.domain.study import Study, ValueRange
from posology.language.catalogue import deferred, tr
from posology.language.numbers import number

_ON_RECORD = deferred("It is not for patients with this on record: {fact}.")
AgeSpan = tuple[float, float]
"""Youngest and oldest age in years that what is known allows."""


@dataclass(frozen=True, slots=True)
class Eligibility:
    """Sentences on the criteria that are not met, and on those that could not be decided."""

    not_met: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    """Of the first fact that decides a criterion and is not known: that there is no answer yet, and
    why."""
    undecided: tuple[str, ...] = ()


ELIGIBLE = Eligibility()


def check_eligibility(study: Study, visible: VisibleFacts, age: AgeSpan | None) -> Eligibility:
    """The criteria of `[decision]` and the ages of `[advice]` for the only patient.

    Args:
        visible: what all events of the patient show to the decision.
        age: None if it is not recorded.
    """
    not_met, required, undecided = _by_age(study, age)
    decision = study.decision
    for code in decision.excluded:
        if visible.has_code((code,))[0]:
            name = display_names((code,), study.names)
            not_met.append(tr(_ON_RECORD).format(fact=name))
    is_open = not any(has_prefix(code, own) for code in decision.eligible for own in decision.codes)
    if decision.eligible and is_open and not visible.has_code(decision.eligible)[0]:
        required += _needed(decision.eligible, study)
    for value_range in decision.ranges:
        if np.isnan(visible.latest_value(value_range.codes)[0]):
            required += _needed(value_range.codes, study)
        elif not is_in_range(visible, value_range)[0]:
            not_met.append(_outside(value_range, visible, study))
    for criterion in decision.criteria:
        if not criterion.fact.is_age:
            _judge(criterion, study, visible, (not_met, required))
    not_met += _used_before(study, visible)
    return Eligibility(tuple(not_met), tuple(required[:2]), tuple(undecided))


def _by_age(study: Study, age: AgeSpan | None) -> tuple[list[str], list[str], list[str]]:
    """What the ages of `[advice]` say: not met, no answer yet, undecided."""
    low, high = _ages(study)
    if low is None and high is None:
        return [], [], []
    words = _age_words(low, high)
    if age is None:
        undecided = tr("Age is not recorded. The study is for {patients}.")
        return [], [], [undecided.format(patients=words)]
    is_below, is_above = low is not None and age[0] < low, high is not None and age[1] > high
    if not is_below and not is_above:
        return [], [], []
    if (low is not None and age[1] < low) or (high is not None and age[0] > high):
        not_met = tr("It is for {patients}, and this patient is {age} old.")
        return [not_met.format(patients=words, age=_span(age))], [], []
    head = tr("No answer yet: an age of {age} is not exact enough.").format(age=_span(age))
    mend = tr("The study is for {patients}: give the age in years.").format(patients=words)
    return [], [head, mend], []


def _ages(study: Study) -> tuple[float | None, float | None]:
    """Youngest and oldest age, of `[advice]` and of the criteria; None for no limit.

    An age above a bound is one of the bound here: whole years hide the difference. The oldest
    below a bound is the number just before it.
    """
    facts = [c.fact for c in study.decision.criteria if c.fact.is_age]
    low = [study.advice.min_age, *(f.at_least for f in facts), *(f.above for f in facts)]
    below = [math.nextafter(f.below, 0.0) for f in facts if f.below is not None]
    high = [study.advice.max_age, *(f.at_most for f in facts), *below]
    lows, highs = ([bound for bound in side if bound is not None] for side in (low, high))
    return max(lows, default=None), min(highs, default=None)


def _judge(
    criterion: Criterion, study: Study, visible: VisibleFacts, into: tuple[list[str], list[str]]
) -> None:
    """Add what the criterion says of the patient to the sentences not met, or required."""
    (not_met, required), fact = into, criterion.fact
    status, words = fact_status(visible, fact)[0], describe_fact(fact, study.names)
    if not criterion.holds:
        if status == MET:
            not_met.append(tr(_ON_RECORD).format(fact=words))
        return
    if status == MET or any(has_prefix(c, own) for c in fact.codes for own in study.decision.codes):
        return
    if fact.is_number and status != UNKNOWN:
        value = float(visible.latest_value(fact.codes)[0])
        text = tr("It is for patients with {fact}, not {value}.")
        not_met.append(text.format(fact=words, value=number(f"{value:.4g}")))
        return
    required += _needed(fact.codes, study)


def _age_words(low: float | None, high: float | None) -> str:
    if high is not None and float(f"{high:g}") != high:  # just before a bound, in whole years
        high = math.floor(high)
    if low is not None and high is not None:
        text = tr("patients from {low} to {high} years")
        return text.format(low=number(f"{low:g}"), high=number(f"{high:g}"))
    if high is None:
        return tr("patients of {low} years and over").format(low=number(f"{low:g}"))
    return tr("patients up to {high}").format(high=number(f"{high:g}"))


def _span(age: AgeSpan) -> str:
    first, last = int(age[0]), int(age[1])
    if first == last:
        return tr("{years} years").format(years=first)
    return tr("{first} to {last} years").format(first=first, last=last)


def _needed(codes: tuple[str, ...], study: Study) -> list[str]:
    name = display_names(codes, study.names).partition(", ")[0]
    return [
        tr("No answer yet: {fact} is not recorded.").format(fact=name),
        tr("The study is for patients of whom it is known."),
    ]


def _outside(value_range: ValueRange, visible: VisibleFacts, study: Study) -> str:
    bounds, value = value_range.bounds, float(visible.latest_value(value_range.codes)[0])
    name, _, unit = display_names(value_range.codes, study.names).partition(", ")
    sides = ((tr("at least {bound}"), bounds.at_least), (tr("at most {bound}"), bounds.at_most))
    limits = [text.format(bound=number(f"{b:g}")) for text, b in sides if b is not None]
    return tr("It is for patients whose {fact} is {limits}, not {value}.").format(
        fact=name, limits=f"{both(limits)} {unit}".rstrip(), value=number(f"{value:.4g}")
    )


def _used_before(study: Study, visible: VisibleFacts) -> list[str]:
    """A sentence if an option was used too recently for the study's washout."""
    washout = study.decision.new_users_days
    if washout is None:
        return []
    used = [
        treatment.title
        for treatment in study.formulary.treatments
        if treatment.codes and visible.days_since(treatment.codes, False)[0] <= washout
    ]
    if not used:
        return []
    text = tr(
        "It is for patients who used none of its options for {days} days, and this one had "
        "{options}."
    )
    return [text.format(days=number(f"{washout:g}"), options=both(used))]
