"""What separates two options for one patient, and what makes the dose, fact by fact."""

import numpy as np

from posology.advice.amounts import decimals_of, dose_words
from posology.advice.why.table import FactEffects, WhatIfTable
from posology.advice.why.values import OptionValues
from posology.advice.why.words import as_sentence, describe_size, describe_value, is_nothing
from posology.advice.wording.lists import both
from posology.domain.profile import Profile
from posology.domain.recommendation.why import Contrast, ContrastReason, DoseReason
from posology.language.catalogue import tr_count

MAX_REASONS = 6
"""More are rarely read; our choice."""
SURE = 1.0
"""Standard errors that a reason must exceed: its direction is then right for 84 of 100 or more."""


def contrast_options(
    table: WhatIfTable, profile: Profile, pair: tuple[int, int], values: OptionValues
) -> Contrast:
    """The reasons for the difference between two options, the largest first.

    A reason is the change of the difference when the fact is not known (see `make_table`), and not
    of either option's own outcome: what is bad for both separates nothing. Where errors are known,
    a change that is smaller than SURE of them is no reason.

    Args:
        pair: columns of the first option and of the other one.
        values: what the table's outputs are.
    """
    first, other = pair
    titles, unit = (values.titles[first], values.titles[other]), values.unit
    lead = float(table.recorded[first] - table.recorded[other])
    reasons = []
    for members, without in _moved_together(table):
        change = table.recorded - without
        contribution = float(change[first] - change[other])
        if is_nothing(contribution, unit):
            continue
        if values.error and abs(contribution) < SURE * values.error(pair, change):
            continue
        alone = [float((table.recorded - e.without)[[first, other]] @ [1, -1]) for e in members]
        fact, code = _named(members, alone, profile)
        side = titles[0] if contribution > 0 else titles[1]
        text = tr_count("{fact} speaks for {option}.", "{fact} speak for {option}.", len(members))
        rest = _lead_without(lead - contribution, titles, unit, len(members))
        sentence = f"{text.format(fact=as_sentence(fact), option=side)} {rest}"
        reasons.append(ContrastReason(fact, code, contribution, sentence))
    reasons.sort(key=lambda reason: -abs(reason.contribution))
    return Contrast(*titles, lead, tuple(reasons[:MAX_REASONS]))


Members = tuple[FactEffects, ...]


def _moved_together(table: WhatIfTable) -> list[tuple[Members, np.ndarray]]:
    """Each known fact with the outputs without it; facts that go together once, as one."""
    grouped = {id(member) for group in table.groups for member in group.members}
    singles = [((e,), e.without) for e in table.facts if e.is_known and id(e) not in grouped]
    return [*singles, *((group.members, group.without) for group in table.groups)]


def _named(members: Members, alone: list[float], profile: Profile) -> tuple[str, str]:
    """The facts with their values, and the code of the one that does most alone: it comes first."""
    order = sorted(range(len(members)), key=lambda k: -abs(alone[k]))
    chosen = [members[k] for k in order]
    names = [describe_value(e.fact, e.row, e.number, profile) for e in chosen]
    return both(names), profile.codes[chosen[0].row]


def _lead_without(lead: float, titles: tuple[str, str], unit: str, facts: int) -> str:
    if is_nothing(lead, unit):
        return tr_count(
            "Without it there would be no lead.", "Without them there would be no lead.", facts
        )
    text = tr_count(
        "Without it {option} would lead by {size}.",
        "Without them {option} would lead by {size}.",
        facts,
    )
    if lead > 0:
        text = tr_count(
            "Without it the lead would be {size}.", "Without them the lead would be {size}.", facts
        )
    return text.format(option=titles[1], size=describe_size(lead, unit))


def explain_dose(table: WhatIfTable, profile: Profile, unit: str) -> tuple[DoseReason, ...]:
    """What each fact does to the dose, the largest first; the table's only output is the dose."""
    dose = float(table.recorded[0])
    reasons = [
        _dose_reason(members, float(without[0]), (dose, unit), profile)
        for members, without in _moved_together(table)
        if np.isfinite(without[0])
    ]
    digits = 1 + decimals_of(abs(dose))
    kept = [reason for reason in reasons if round(reason.contribution, digits)]
    kept.sort(key=lambda reason: -abs(reason.contribution))
    return tuple(kept[:MAX_REASONS])


def _dose_reason(
    members: Members, without: float, shown: tuple[float, str], profile: Profile
) -> DoseReason:
    """shown: the dose with the facts, and its unit."""
    dose, unit = shown
    fact, code = _named(members, [dose - float(e.without[0]) for e in members], profile)
    text = tr_count(
        "{fact} lowers the dose. Without it the dose would be {dose} {unit}.",
        "{fact} lower the dose. Without them the dose would be {dose} {unit}.",
        len(members),
    )
    if dose > without:
        text = tr_count(
            "{fact} raises the dose. Without it the dose would be {dose} {unit}.",
            "{fact} raise the dose. Without them the dose would be {dose} {unit}.",
            len(members),
        )
    return DoseReason(
        fact=fact,
        code=code,
        contribution=dose - without,
        sentence=text.format(fact=as_sentence(fact), dose=dose_words(without), unit=unit),
    )
