"""The nearest changes of one or two facts that would put another option first."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from posology.advice.why.facts import PRESENCE, FactValue
from posology.advice.why.table import FactEffects, Situation, WhatIfTable
from posology.advice.why.what_if import WhatIf, predict_what_ifs
from posology.advice.why.words import (
    as_sentence,
    describe_limit,
    describe_number,
    describe_value,
    name_of_number,
)
from posology.advice.wording.fact_names import fact_name
from posology.domain.profile import Profile
from posology.domain.recommendation.why import Counterfactual
from posology.language.catalogue import tr

MAX_SHOWN = 3
PAIRED_FACTS = 4
"""Facts of which pairs are tried, where no single one is enough: those that move the lead most."""
PAIRED_VALUES = 4
STEPS_BETWEEN = 5
"""Values tried between the last that keeps the order and the first that changes it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Flip:
    """A value of one fact that puts another option first."""

    effects: FactEffects
    place: int
    """Of the value among the fact's values."""
    distance: float
    """Share of training patients whose values lie between the patient's and this one."""


def find_counterfactuals(
    situation: Situation, table: WhatIfTable, names: tuple[tuple[str, str], ...]
) -> tuple[Counterfactual, ...]:
    """Changes within the values that training patients had, the nearest first.

    Facts are tried one by one; only if none is enough, pairs of the facts that move the lead most.
    Treatments given before stay as they are. `names`: name and title of each option.
    """
    first = first_option(table.recorded, table.allowed)
    flips = [flip for effects in table.facts if (flip := _nearest_flip(effects, first)) is not None]
    flips.sort(key=lambda flip: flip.distance)
    if flips:
        return _refined(situation, flips[:MAX_SHOWN], first, names)
    return _from_pairs(situation, table, first, names)


def first_option(outputs: np.ndarray, allowed: np.ndarray) -> int:
    """The option with the largest output among those that may be given."""
    return int(np.where(allowed, outputs, -np.inf).argmax(axis=-1))


def first_instead(outputs: np.ndarray, allowed: np.ndarray, first: int) -> np.ndarray:
    """Of each case the option that comes first instead; -1 if none does, or none may be given."""
    firsts = np.where(allowed, outputs, -np.inf).argmax(axis=1)
    return np.where(allowed.any(axis=1) & (firsts != first), firsts, -1)


def _nearest_flip(effects: FactEffects, first: int) -> _Flip | None:
    if not len(effects.values) or (not effects.is_known and effects.fact.kind != PRESENCE):
        return None
    changed = np.flatnonzero(first_instead(effects.outputs, effects.allowed, first) >= 0)
    if not len(changed):
        return None
    distances = [_distance(effects, int(place)) for place in changed]
    nearest = int(np.argmin(distances))
    return _Flip(effects, int(changed[nearest]), distances[nearest])


def _distance(effects: FactEffects, place: int) -> float:
    """Numbers: the share of training patients between; others: those without the other value."""
    value = effects.values[place]
    if effects.number is None or value.number is None:
        return 1.0 - value.share
    low, high = sorted((effects.number, value.number))
    between = [v.share for v in effects.values if v.number is not None and low < v.number < high]
    return sum(between) + value.share / 2


def _refined(
    situation: Situation, flips: list[_Flip], first: int, names: tuple[tuple[str, str], ...]
) -> tuple[Counterfactual, ...]:
    """Numbers closer to the patient's own that change the order too, tried in one batch."""
    tried = [_between(flip) for flip in flips]
    cases: list[WhatIf] = [
        ((flip.effects.fact, value),)
        for flip, values in zip(flips, tried, strict=True)
        for value in values
    ]
    others = np.zeros(0, dtype=int)
    if cases:
        s = situation
        predicted = predict_what_ifs(s.predict, s.history, s.profile, s.decision, cases)
        others = first_instead(*predicted, first)
    found, start = [], 0
    for flip, values in zip(flips, tried, strict=True):
        here = others[start : start + len(values)]
        start += len(values)
        found.append(_one_fact(flip, (values, here), first, (situation.profile, names)))
    return tuple(found)


def _between(flip: _Flip) -> list[FactValue]:
    """Rounded numbers between the patient's side of the flip and the flip, nearest to own first."""
    effects, value = flip.effects, flip.effects.values[flip.place]
    own, target = effects.number, value.number
    if own is None or target is None or effects.fact.age_as == "decades":
        return []
    low, high = sorted((own, target))
    numbers = [v.number for v in effects.values if v.number is not None]
    inner = [x for x in numbers if low < x < high]
    start = min(inner, key=lambda x: abs(x - target)) if inner else own
    steps = np.linspace(start, target, STEPS_BETWEEN + 2)[1:-1]
    is_whole = all(float(x).is_integer() for x in numbers)
    digits = 0 if is_whole else _digits(abs(target - start) / (STEPS_BETWEEN + 1))
    rounded = dict.fromkeys(round(float(x), digits) for x in steps)
    return [FactValue(value.row, x, 0.0) for x in rounded if low < x < high and x != start]


def _digits(step: float) -> int:
    """Decimals that tell numbers a step apart."""
    return max(0, int(np.ceil(-np.log10(step)))) if step > 0 else 0


def _one_fact(
    flip: _Flip,
    between: tuple[list[FactValue], np.ndarray],
    first: int,
    words: tuple[Profile, tuple[tuple[str, str], ...]],
) -> Counterfactual:
    effects, (profile, names) = flip.effects, words
    value = effects.values[flip.place]
    others = first_instead(effects.outputs, effects.allowed, first)
    option = others[flip.place]
    for closer, its_first in zip(*between, strict=True):
        if its_first >= 0:
            value, option = closer, its_first
            break
    name, title = names[int(option)]
    condition = _condition(effects, value, others == option, profile)
    row = effects.row if effects.is_known else value.row
    sentence = tr("{condition}, {option} would come first.")
    sentence = sentence.format(condition=condition, option=title)
    return Counterfactual(sentence, (profile.codes[row],), name)


def _condition(
    effects: FactEffects, value: FactValue, does_same: np.ndarray, profile: Profile
) -> str:
    """`If eGFR were 45 or more`: `or more` only if all larger values tried do the same."""
    fact, number = effects.fact, value.number
    if number is None or effects.number is None:
        return _other_finding(effects, value, profile)
    beyond = [
        same
        for v, same in zip(effects.values, does_same.tolist(), strict=True)
        if v.number is not None and (v.number > number) == (number > effects.number)
    ]
    name, is_more = name_of_number(fact, profile), number > effects.number
    if not all(beyond):
        text = tr("If {fact} were about {value}")
        if fact.age_as == "decades":
            text = tr("If {fact} were {value}")
        return text.format(fact=name, value=describe_number(fact, number))
    text = tr("If {fact} were {value} or more") if is_more else tr("If {fact} were {value} or less")
    return text.format(fact=name, value=describe_limit(fact, number, is_more))


def _other_finding(effects: FactEffects, value: FactValue, profile: Profile) -> str:
    fact = effects.fact
    if fact.kind == PRESENCE:
        text = tr("Without {fact}") if effects.is_known else tr("With {fact}")
        return text.format(fact=fact_name(fact.name))
    own = describe_value(fact, effects.row, effects.number, profile)
    other = describe_value(fact, value.row, value.number, profile)
    return tr("With {other} instead of {own}").format(other=other, own=own)


def _from_pairs(
    situation: Situation, table: WhatIfTable, first: int, names: tuple[tuple[str, str], ...]
) -> tuple[Counterfactual, ...]:
    """The nearest change of two facts, if there is one among those tried."""
    s, best = situation, None
    promising = _promising(table, first)
    pairs = [
        (a, i, b, j)
        for a, b in combinations(promising, 2)
        for i in _closest_to_change(a, first)
        for j in _closest_to_change(b, first)
    ]
    if not pairs:
        return ()
    cases: list[WhatIf] = [((a.fact, a.values[i]), (b.fact, b.values[j])) for a, i, b, j in pairs]
    predicted = predict_what_ifs(s.predict, s.history, s.profile, s.decision, cases)
    others = first_instead(*predicted, first)
    for (a, i, b, j), its_first in zip(pairs, others.tolist(), strict=True):
        distance = _distance(a, i) + _distance(b, j)
        if its_first >= 0 and (best is None or distance < best[0]):
            best = distance, (a, i, b, j), its_first
    return () if best is None else (_two_facts(best[1], best[2], s.profile, names),)


def _promising(table: WhatIfTable, first: int) -> list[FactEffects]:
    """The facts whose values bring another option nearest to the first one."""
    known = [e for e in table.facts if len(e.values) and (e.is_known or e.fact.kind == PRESENCE)]
    return sorted(known, key=lambda e: float(_leads(e, first).min()))[:PAIRED_FACTS]


def _leads(effects: FactEffects, first: int) -> np.ndarray:
    """Lead of the first option over the best other one with each value."""
    others = np.where(effects.allowed, effects.outputs, -np.inf)
    others[:, first] = -np.inf
    return effects.outputs[:, first] - others.max(axis=1)


def _closest_to_change(effects: FactEffects, first: int) -> list[int]:
    """Places of the values with the smallest lead."""
    return np.argsort(_leads(effects, first), kind="stable")[:PAIRED_VALUES].tolist()


def _two_facts(
    pair: tuple[FactEffects, int, FactEffects, int],
    option: int,
    profile: Profile,
    names: tuple[tuple[str, str], ...],
) -> Counterfactual:
    a, i, b, j = pair
    values = ((a, a.values[i]), (b, b.values[j]))
    parts = [describe_value(e.fact, value.row, value.number, profile) for e, value in values]
    codes = tuple(
        profile.codes[effects.row if effects.is_known else value.row] for effects, value in values
    )
    name, title = names[option]
    sentence = tr("With {first} and {second} together, {option} would come first.").format(
        first=parts[0], second=parts[1], option=title
    )
    return Counterfactual(as_sentence(sentence), codes, name)
