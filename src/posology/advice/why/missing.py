"""What a fact that is not recorded could change, over the values that training patients had."""

from dataclasses import dataclass

import numpy as np

from posology.advice.amounts import decimals_of, dose_ends
from posology.advice.why.counterfactuals import first_instead, first_option
from posology.advice.why.facts import PRESENCE
from posology.advice.why.table import FactEffects, WhatIfTable
from posology.advice.wording.lists import either_of
from posology.language.catalogue import deferred, tr

NO_CHANGE = deferred("Whatever its value,")
"""What the sentence of a fact begins with that would change nothing."""


@dataclass(frozen=True, slots=True)
class MissingHelp:
    """What knowing one missing fact could change."""

    fact: str
    codes: tuple[int, ...]
    """Vocabulary rows."""
    change: float
    """Share of the values for which another option, or none, would come first; or for a dose the
    mean distance from it, in its unit."""
    sentence: str


def help_to_choose(table: WhatIfTable, titles: tuple[str, ...]) -> tuple[MissingHelp, ...]:
    """How often another option would come first if the fact were known; the most often first."""
    first = first_option(table.recorded, table.allowed)
    found = []
    for effects in _missing(table):
        others = first_instead(effects.outputs, effects.allowed, first)
        share = np.array([v.share for v in effects.values])
        share = share / share.sum()
        forbidden = ~effects.allowed.any(axis=1)
        parts = float(share[others >= 0].sum()), float(share[forbidden].sum())
        sentence = _choice_sentence(parts, others[others >= 0], titles)
        found.append(_help(effects, sum(parts), sentence))
    return tuple(sorted(found, key=lambda item: -item.change))


def _choice_sentence(
    parts: tuple[float, float], others: np.ndarray, titles: tuple[str, ...]
) -> str:
    """parts: shares of the values with another first option, and with none that may be given."""
    changed, forbidden = (f"{100 * part:.0f}" for part in parts)
    sentences = []
    if changed != "0":
        which = either_of([titles[option] for option in dict.fromkeys(others.tolist())])
        text = tr(
            "If it were known, {options} would come first for {count} of 100 patients with values "
            "like those of earlier ones."
        )
        sentences.append(text.format(options=which, count=changed))
    if forbidden != "0":
        text = tr(
            "If it were known, every option would be forbidden for {count} of 100 patients with "
            "values like those of earlier ones."
        )
        sentences.append(text.format(count=forbidden))
    if not sentences:
        return tr("Whatever its value, the first option would most likely stay the same.")
    return " ".join(sentences)


def help_to_dose(table: WhatIfTable, unit: str) -> tuple[MissingHelp, ...]:
    """Between what doses the fact would decide; the one that moves the dose most comes first."""
    dose, found = float(table.recorded[0]), []
    for effects in _missing(table):
        doses = effects.outputs[:, 0]
        share = np.array([v.share for v in effects.values])
        change = float(np.abs(doses - dose) @ share / share.sum())
        low, high = float(doses.min()), float(doses.max())
        first, last = dose_ends(low, high)
        sentence = tr("If it were known, the dose would be from {low} to {high} {unit}.").format(
            low=first, high=last, unit=unit
        )
        half = 0.5 / 10 ** decimals_of(high)
        moves = not low - half <= dose <= high + half
        if moves:
            moved = tr("Every value would move it: that it is not recorded counts too.")
            sentence = f"{sentence} {moved}"
        elif first == last:
            change = 0.0
            sentence = tr("Whatever its value, the dose would stay nearly the same.")
        found.append(_help(effects, change, sentence))
    return tuple(sorted(found, key=lambda item: -item.change))


def _missing(table: WhatIfTable) -> list[FactEffects]:
    """Facts that the patient has, but that are not recorded; findings without record are absent."""
    return [e for e in table.facts if not e.is_known and len(e.values) and e.fact.kind != PRESENCE]


def _help(effects: FactEffects, change: float, sentence: str) -> MissingHelp:
    return MissingHelp(effects.fact.name, effects.fact.rows, change, sentence)
