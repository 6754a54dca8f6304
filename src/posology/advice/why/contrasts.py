"""What separates two options for one patient, and what makes the dose, fact by fact."""

import numpy as np

from posology.advice.why.table import FactEffects, WhatIfTable
from posology.advice.why.values import OptionValues
from posology.advice.why.words import as_sentence, describe_size, describe_value, is_nothing
from posology.domain.profile import Profile
from posology.domain.recommendation.why import Contrast, ContrastReason, DoseReason

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
    for effects in table.facts:
        change = table.recorded - effects.without
        contribution = float(change[first] - change[other])
        if not effects.is_known or is_nothing(contribution, unit):
            continue
        if values.error and abs(contribution) < SURE * values.error(pair, change):
            continue
        fact = describe_value(effects.fact, effects.row, effects.number, profile)
        side = titles[0] if contribution > 0 else titles[1]
        rest = _lead_without(lead - contribution, titles, unit)
        reasons.append(
            ContrastReason(
                fact=fact,
                code=profile.codes[effects.row],
                contribution=contribution,
                sentence=f"{as_sentence(fact)} speaks for {side}. {rest}",
            )
        )
    reasons.sort(key=lambda reason: -abs(reason.contribution))
    return Contrast(*titles, lead, tuple(reasons[:MAX_REASONS]))


def _lead_without(lead: float, titles: tuple[str, str], unit: str) -> str:
    if is_nothing(lead, unit):
        return "Without it there would be no lead."
    if lead > 0:
        return f"Without it the lead would be {describe_size(lead, unit)}."
    return f"Without it {titles[1]} would lead by {describe_size(lead, unit)}."


def explain_dose(table: WhatIfTable, profile: Profile, unit: str) -> tuple[DoseReason, ...]:
    """What each fact does to the dose, the largest first; the table's only output is the dose."""
    dose = float(table.recorded[0])
    reasons = [
        _dose_reason(effects, dose, profile, unit)
        for effects in table.facts
        if effects.is_known and np.isfinite(effects.without[0])
    ]
    kept = [reason for reason in reasons if round(reason.contribution, 1)]
    kept.sort(key=lambda reason: -abs(reason.contribution))
    return tuple(kept[:MAX_REASONS])


def _dose_reason(effects: FactEffects, dose: float, profile: Profile, unit: str) -> DoseReason:
    without = float(effects.without[0])
    fact = describe_value(effects.fact, effects.row, effects.number, profile)
    change = "raises" if dose > without else "lowers"
    return DoseReason(
        fact=fact,
        code=profile.codes[effects.row],
        contribution=dose - without,
        sentence=f"{as_sentence(fact)} {change} the dose. Without it the dose would be "
        f"{without:.1f} {unit}.",
    )
